"""Trees without `ai.onnx.ml.TreeEnsemble`: all trees are walked together, a level at a time, over tables of nodes.

For onnxruntime before 1.21. Exact (thresholds are doubles, nothing is added), and slower: [N, T] values are gathered
five times a level.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.idioms import beside_rows, constant, table
from builder.types import Array

_LEQ = 0  # BRANCH_LEQ, the only mode that forests have


def walked(attributes: Mapping[str, Array], x: Var) -> Var:
    """TreeEnsemble's attributes, x [N, F] float64 → [N, T] float64: the weight of the leaf that each tree leads to.

    A leaf is a node that leads to itself, so a short tree waits there for the deepest one.
    NaN: no threshold is as large, so it goes where `false` leads.
    """
    assert (attributes["nodes_modes"] == _LEQ).all(), "a forest's nodes ask x <= threshold"
    inner, leaves = len(attributes["nodes_splits"]), len(attributes["leaf_weights"])
    assert inner + leaves < 2**31, "nodes are counted in int32"
    stay = np.arange(inner, inner + leaves)
    true, false = (
        np.concatenate([attributes[f"nodes_{side}nodeids"] + inner * attributes[f"nodes_{side}leafs"], stay])
        for side in ("true", "false")
    )
    roots = np.asarray(attributes["tree_roots"])
    features = table(np.concatenate([attributes["nodes_featureids"], np.zeros(leaves)]).astype(np.int32))
    thresholds = table(np.concatenate([attributes["nodes_splits"], np.zeros(leaves)]))
    yes, no = table(true.astype(np.int32)), table(false.astype(np.int32))
    node = op.expand(constant(roots.astype(np.int32)[None, :]), beside_rows(x, len(roots)))
    for _ in range(_depth(true, false, roots, inner)):
        value = op.gather_elements(x, op.gather(features, node), axis=1)
        below = op.less_or_equal(value, op.gather(thresholds, node))
        node = op.where(below, op.gather(yes, node), op.gather(no, node))
    weights = table(np.concatenate([np.zeros(inner), attributes["leaf_weights"]]))
    return op.gather(weights, node)


def _depth(true: Array, false: Array, roots: Array, inner: int) -> int:
    """Splits on the longest way from a root to a leaf."""
    depth, nodes = 0, roots[roots < inner]
    while len(nodes):
        depth += 1
        nodes = np.concatenate([true[nodes], false[nodes]])
        nodes = nodes[nodes < inner]
    return depth
