"""builder/graph/cuda_kernels.json: how it is made, and that it knows the releases that models are made for."""

from __future__ import annotations

import json

from builder.releases import DEFAULT, OLDEST, TARGETS
from tests.house.kernels import FILE, NEVER_ENDS, lines, written

FLOAT, DOUBLE, TEXT = "tensor(float)", "tensor(double)", "tensor(string)"


def test_a_kernel_without_an_end_is_for_its_own_definition_alone():
    """As onnxruntime's registry matches: from 13 on, it serves opset 13 to 18 and not the Cast that opset 19 defines."""
    older = ["", "Cast", 13, NEVER_ENDS, {"T1": [DOUBLE], "T2": [FLOAT, DOUBLE]}]
    newer = ["", "Cast", 19, 20, {"T1": [DOUBLE], "T2": [FLOAT, DOUBLE]}]

    found = lines([{"onnxruntime": "1.19.2", "kernels": [older]}, {"onnxruntime": "1.21.0", "kernels": [older, newer]}])

    assert [line[:3] for line in found] == [("Cast", 13, "1.19.2"), ("Cast", 19, "1.21.0")]


def test_types_that_one_release_adds_are_a_line_of_their_own():
    first = ["", "Abs", 13, NEVER_ENDS, {"T": [FLOAT]}]
    added = ["", "Abs", 13, NEVER_ENDS, {"T": [DOUBLE]}]

    found = lines([{"onnxruntime": "1.19.2", "kernels": [first]}, {"onnxruntime": "1.21.0", "kernels": [first, added]}])

    assert json.loads(written(found)) == [["Abs", 13, "1.19.2", {"T": "float"}], ["Abs", 13, "1.21.0", {"T": "double"}]]


def test_the_oldest_the_default_and_the_newest_release_were_asked():
    told = {line[2] for line in json.loads(FILE.read_text(encoding="utf-8"))}

    assert {target.onnxruntime for target in (OLDEST, DEFAULT, TARGETS[-1])} <= told, "python -m tests.house.kernels"
