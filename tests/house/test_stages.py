"""The table has no hole: every transformer and fitted model of pyspark.ml has a verdict, every refusal its reason."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pyspark.ml
import pytest
from pyspark.ml.base import Estimator, Transformer

from builder.sparkml.verdicts import READ_THROUGH, REFUSED, WITHOUT_MODEL, unfitted
from builder.stages import all_rules
from builder.stages.listing import Listed, listed
from tests.house.table import derived

SPARK, PYTHON = "org.apache.spark.ml.", "pyspark.ml."
WORDS = {"bit", "dot", "elementary", "iterative"}
PRIVATE = {  # what a saved RFormulaModel holds; Python has no class for them
    SPARK + "feature.ColumnPruner",
    SPARK + "feature.VectorAttributeRewriter",
}
IN_PYTHON = {  # these may be saved by either language
    "PipelineModel", "CrossValidatorModel", "TrainValidationSplitModel",
}  # fmt: skip


def spark_class(python_class: type) -> str:
    """As Spark writes it into a saved stage's metadata."""
    module = python_class.__module__.removeprefix(PYTHON).replace("pipeline", "")
    return SPARK + (f"{module}." if module else "") + python_class.__name__


def modules_of_pyspark() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(pyspark.ml.__path__, PYTHON, onerror=lambda name: None)]
    return [name for name in found if not name.startswith((PYTHON + "connect", PYTHON + "tests", PYTHON + "torch"))]


def leaves(base: type) -> set[type]:
    """Public classes of pyspark.ml below `base` from which no other is made: those that a pipeline can hold."""
    for name in modules_of_pyspark():
        importlib.import_module(name)
    below, todo = set(), [base]
    while todo:
        for inner in todo.pop().__subclasses__():
            below.add(inner)
            todo.append(inner)
    return {
        found
        for found in below
        if found.__module__ in modules_of_pyspark()
        and not found.__name__.startswith("_")
        and not inspect.isabstract(found)
        and not any(issubclass(other, found) and other is not found for other in below)
    }


def connect_classes() -> set[str]:
    """Those of pyspark.ml.connect, from its text: to import it needs gRPC and torch."""
    texts = {
        file.stem: ast.parse(file.read_text())
        for file in Path(pyspark.ml.__path__[0], "connect").glob("*.py")
        if file.stem not in ("base", "functions")
    }
    return {
        f"{PYTHON}connect.{module}.{node.name}"
        for module, tree in texts.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and {ast.unparse(base) for base in node.bases} & {"Model", "Transformer", "PredictionModel"}
    }


@pytest.fixture(scope="module")
def table() -> dict[str, Listed]:
    lines = listed()
    assert len({line.spark_class for line in lines}) == len(lines), "a class stands twice"
    return {line.spark_class: line for line in lines}


@pytest.fixture(scope="module")
def wanted() -> set[str]:
    found = leaves(Transformer)
    assert len(found) > 60
    classes = {spark_class(one) for one in found} | connect_classes() | PRIVATE
    return classes | {f"{one.__module__}.{one.__name__}" for one in found if one.__name__ in IN_PYTHON}


def test_every_transformer_and_fitted_model_has_a_verdict(table, wanted):
    assert not wanted - table.keys()


def test_nothing_else_of_spark_stands_in_the_table(table, wanted):
    extra = {name for name in table.keys() - wanted - WITHOUT_MODEL.keys() if name.startswith((SPARK, PYTHON))}

    assert not extra - {PYTHON + "classification.OneVsRestModel"}


def test_what_has_no_model_is_neither_transformer_nor_estimator():
    for name in WITHOUT_MODEL:
        module, _, short = name.removeprefix(SPARK).rpartition(".")
        found = getattr(importlib.import_module(PYTHON + module), short)

        assert not issubclass(found, Transformer | Estimator)


def test_every_verdict_is_a_word_or_has_its_reason(table):
    for line in table.values():
        assert line.verdict in WORDS or len(line.note) > 20, line
        assert (line.verdict == "refused") == bool(line.fix), line


def test_every_estimator_and_nothing_else_is_told_as_never_fitted(table):
    assert not {one for one in map(spark_class, leaves(Estimator)) if not unfitted(one)}
    assert not {name for name in table if unfitted(name)}


def test_no_class_is_converted_and_refused():
    assert not all_rules().keys() & {*REFUSED, *READ_THROUGH, *WITHOUT_MODEL}


def test_the_table_is_what_the_rules_say():
    assert listed() == derived(), "run: make table"
