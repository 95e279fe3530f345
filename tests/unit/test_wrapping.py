"""Another converter's model behind our tensors."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from builder.errors import ConversionRefused
from builder.graph.session import in_process
from builder.graph.wrapping import wrapped
from builder.releases import DEFAULT, OLDEST
from builder.types import Scalar, StageVerdict, Table, TensorSpec, VectorType

X = TensorSpec("x", Scalar("double"), nullable=True)
N = TensorSpec("n", Scalar("integer"), nullable=True)
C = TensorSpec("c", Scalar("string"), nullable=True)
UNUSED = TensorSpec("unused", Scalar("double"), nullable=True)
PREDICTION = TensorSpec("prediction", Scalar("double"), nullable=False)
SCALED = TensorSpec("scaled", VectorType(2), nullable=False, width=2)
STAGES = (StageVerdict("lr", "LinearRegressionModel", "kept"),)


def model(*, opset: int = 15, kind: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """x, n → scaled = (x, n) * 2, prediction = x / 3 + n, as onnxmltools writes such models: float32, opset 15."""
    nodes = [
        helper.make_node("Concat", ["x", "n"], ["features"], axis=1),
        helper.make_node("Scaler", ["features"], ["scaled"], domain="ai.onnx.ml", offset=[0.0, 0.0], scale=[2.0, 2.0]),
        helper.make_node(
            "LinearRegressor",
            ["features"],
            ["prediction"],
            domain="ai.onnx.ml",
            coefficients=[1 / 3, 1.0],
            intercepts=[0.0],
        ),
    ]
    inputs = [helper.make_tensor_value_info(name, kind, [None, 1]) for name in ("x", "n", "unused")]
    outputs = [
        helper.make_tensor_value_info("scaled", TensorProto.FLOAT, [None, 2]),
        helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1]),
    ]
    graph = helper.make_graph(nodes, "pipeline", inputs, outputs)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def test_numbers_are_cast_in_and_out_and_what_is_not_used_is_not_asked_for() -> None:
    servable = wrapped(model(), (X, N, UNUSED), (SCALED, PREDICTION), STAGES, OLDEST, "onnxmltools 1")

    answers = in_process(servable)(Table({"x": np.array([[1 / 3], [2.0]]), "n": np.array([[1], [-5]], np.int32)}))

    assert [spec.name for spec in servable.inputs] == ["x", "n"]
    assert answers["prediction"].dtype == np.float64
    assert answers["prediction"][:, 0] == pytest.approx([1 / 9 + 1, 2 / 3 - 5], rel=1e-6)
    assert (answers["prediction"] == answers["prediction"].astype(np.float32)).all()  # no more than it computed
    assert answers["scaled"].tolist() == [[2 * float(np.float32(1 / 3)), 2.0], [4.0, -10.0]]
    assert answers["invalid"].tolist() == [[0], [0]]
    assert servable.converter == "onnxmltools 1"


def test_a_null_integer_is_nan_there() -> None:
    servable = wrapped(model(), (X, N), (SCALED,), STAGES, DEFAULT, "onnxmltools 1")

    answers = in_process(servable)(Table({"x": np.array([[np.nan]]), "n": np.array([[N.null]], np.int32)}))

    assert np.isnan(answers["scaled"]).all()


def test_a_model_that_the_release_cannot_run_is_refused() -> None:
    newest = model(opset=26)

    with pytest.raises(ConversionRefused, match=r"opset 26 \(it has 22\)"):
        wrapped(newest, (X, N), (PREDICTION,), STAGES, DEFAULT, "onnxmltools 1")


def test_text_stays_text() -> None:
    nodes = [helper.make_node("LabelEncoder", ["c"], ["prediction"], domain="ai.onnx.ml", keys_strings=["a"],
                              values_floats=[7.0])]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "pipeline",
        [helper.make_tensor_value_info("c", TensorProto.STRING, [None, 1])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 2)]
    servable = wrapped(
        helper.make_model(graph, opset_imports=opsets, ir_version=8),
        (C,),
        (PREDICTION,),
        STAGES,
        OLDEST,
        "onnxmltools 1",
    )

    answers = in_process(servable)(Table({"c": np.array([["a"], ["b"]], dtype=object)}))

    assert answers["prediction"][:, 0].tolist() == [7.0, -0.0]
