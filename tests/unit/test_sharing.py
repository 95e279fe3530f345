"""A graph holds once what its rules ask for many times."""

import gc

import numpy as np
import onnxruntime
import pytest
import spox.opset.ai.onnx.v21 as op
from spox import Tensor, argument, build

from builder.graph.idioms import constant
from builder.graph.sharing import sharing


def test_a_constant_is_one_node_of_its_graph_and_of_no_other():
    with sharing():
        first = constant(1.5)
        assert constant(1.5) is first
        assert constant(np.array([["a"]])) is constant(np.array([["a"]]))
    with sharing():
        assert constant(1.5) is not first
    assert constant(1.5) is not constant(1.5), "outside of a lowering nothing is kept"


def test_constants_of_other_bits_types_and_shapes_are_others():
    with sharing():
        given = [0.0, -0.0, 0, False, np.float32(0), np.array([0.0]), np.array([[0.0]]), "", np.array([""])]
        assert len({constant(value) for value in given}) == len(given)
        for value in given:
            held = constant(value)._get_value()
            assert held.dtype.kind == np.asarray(value).dtype.kind
            assert held.shape == np.shape(value)


def test_the_collector_works_again_after_a_refusal():
    states = []

    def refused() -> None:
        with sharing():
            states.append(gc.isenabled())
            raise KeyError

    with pytest.raises(KeyError):
        refused()
    assert states == [False]
    assert gc.isenabled()


def test_what_two_branches_share_stands_before_both():
    with sharing():
        x = argument(Tensor(np.float64, ("N",)))
        large = op.greater(op.reduce_max(x, keepdims=0), constant(1.0))
        (y,) = op.if_(
            large,
            then_branch=lambda: [op.add(x, constant(2.0))],
            else_branch=lambda: [op.mul(x, constant(2.0))],
        )
        model = build({"x": x}, {"y": op.sub(y, constant(2.0))})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert session.run(None, {"x": np.array([3.0])})[0].tolist() == [3.0]
    assert session.run(None, {"x": np.array([0.5])})[0].tolist() == [-1.0]
    constants = [node for node in model.graph.node if node.op_type == "Constant"]
    assert len(constants) == 2
