"""Constants that onnxruntime's optimizer takes for 0 or 1, for it looks at them in float32."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import spox.opset.ai.onnx.v21 as op
from spox import Tensor, argument, build

from builder.graph.neutral import keep_nearly_neutral
from tests.unit.test_sql import asked, compiled  # noqa: F401  a fixture

X = np.array([[1 / 3], [0.0], [-2.7], [5e-324], [1e300]])


def between(operation, number: float, shape: tuple[int, ...] = ()) -> onnx.ModelProto:
    """-((-x) operation number): the optimizer leaves a node alone whose answer is the graph's."""
    x = argument(Tensor(np.float64, ("N", 1)))
    return build({"x": x}, {"y": op.neg(operation(op.neg(x), op.const(np.full(shape, number))))})


def answer(model: onnx.ModelProto) -> np.ndarray:
    model.ir_version = 10
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": X})[0]


CASES = {
    "add": (op.add, np.add, 1e-50),
    "subtract": (op.sub, np.subtract, -1e-300),
    "multiply": (op.mul, np.multiply, 1 + 1e-9),
    "multiply, a bit below": (op.mul, np.multiply, 1 - 2**-53),
    "multiply, a bit above": (op.mul, np.multiply, 1 + 2**-52),
    "divide": (op.div, np.divide, 1 - 1e-9),
}


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)], ids=str)
@pytest.mark.parametrize("what", CASES)
def test_a_nearly_neutral_constant_counts(what, shape):
    operation, truth, number = CASES[what]
    model = between(operation, number, shape)

    keep_nearly_neutral(model)

    assert np.array_equal(answer(model), -truth(-X, number))


@pytest.mark.parametrize("what", CASES)
def test_onnxruntime_still_has_the_trap(what):
    """Where this fails the pass may go."""
    operation, truth, number = CASES[what]

    assert not np.array_equal(answer(between(operation, number)), -truth(-X, number))


def test_other_constants_stay_as_they_are():
    for operation, number in ((op.add, 0.0), (op.mul, 1.0), (op.mul, 1 + 1e-6), (op.add, 1e-9)):
        model = between(operation, number)
        before = model.SerializeToString(deterministic=True)

        keep_nearly_neutral(model)

        assert model.SerializeToString(deterministic=True) == before


def test_a_statement_counts_with_every_digit(compiled):  # noqa: F811
    servable = compiled("SELECT -(-x * 1.000000001D) AS scaled, -(-x + 1e-50D) AS moved FROM __THIS__")

    told = asked(servable, x=[1 / 3, 0.0])

    assert told["scaled"].ravel().tolist() == [1 / 3 * 1.000000001, 0.0]
    assert told["moved"].ravel().tolist() == [1 / 3, -1e-50]
