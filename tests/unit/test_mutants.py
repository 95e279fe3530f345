"""The faults that `make mutants` plants."""

from __future__ import annotations

import ast

import numpy as np

from tests.mutants.planting import in_float32, mutants

RULE = '''
def scaled(stage, x):
    """y = (x - 1) / scale."""
    if stage.params.flag("withMean"):
        x = op.sub(x, constant(stage.mean))
    slack = op.add(x, constant(3.3))
    x = within(x, constant(7 * UNIT))
    return op.where(op.equal(x, constant(0.0)), x, op.div(x, constant(0.1)))
'''


def planted() -> dict[str, str]:
    return {mutant.key.removeprefix("scaled: "): ast.unparse(mutant.tree) for mutant in mutants("m", RULE)}


def test_every_fault_changes_the_module_and_no_two_are_the_same():
    texts = [*planted().values(), ast.unparse(ast.parse(RULE))]

    assert len(set(texts)) == len(texts) > 10
    for text in texts:
        compile(text, "m", "exec")


def test_the_standard_faults_are_there():
    faults = {key.split(":")[0] for key in planted()}

    assert {
        "float32",
        "if True",
        "if False",
        "swapped",
        "always True",
        "always False",
        "epsilon",
        "reciprocal",
    } <= faults


def test_tolerances_and_docstrings_are_left_alone():
    assert not [key for key in planted() if "3.3" in key or "7" in key]
    assert all('"""y = (x - 1) / scale."""' in text or "y = (x - 1) / scale." in text for text in planted().values())


def test_a_branch_is_switched_without_changing_its_shape():
    key = next(key for key in planted() if key.startswith("always False"))

    assert "op.and_(op.equal(x, constant(0.0)), op.not_(op.equal(x, constant(0.0))))" in planted()[key]


def test_float32_leaves_whole_numbers_and_other_types():
    assert in_float32(0.1) != 0.1
    assert in_float32(2.0) == 2.0
    assert in_float32(np.array([2**40 + 1])).dtype == np.int64


def test_a_mutant_knows_the_lines_of_its_statement():
    lines = {mutant.key.removeprefix("scaled: "): list(mutant.lines) for mutant in mutants("m", RULE)}

    assert next(found for key, found in lines.items() if key.startswith("if True")) == [4]
    assert next(found for key, found in lines.items() if key.startswith("swapped: op.sub")) == [5]
    assert next(found for key, found in lines.items() if key.startswith("epsilon")) == [8]
