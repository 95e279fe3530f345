"""Trees in the graph: `ai.onnx.ml.TreeEnsemble` (v5, double) answers, tree by tree, the number of the leaf reached.

What is made of the leaf (votes, a prediction, a weighted sum) is looked up and added afterwards, in Spark's order.
Every split is emitted as `x <= threshold` (true: the value is known and not greater; NaN goes the other way):

* onnxruntime 1.21 answers wrongly for set membership with 0 or with more than 64 among the members, 1.32 for fractions
  below a member, and each copies the subtree below such a split once a member. So a categorical split asks a column of
  its own, 0 or 1, that says whether the value is in its set.
* 1.32 refuses a node with two parents, 1.21 copies it. 1.21 takes a root whose two ends have one number for a leaf, also
  where one end is a node and the other a leaf. So a tree that is only a leaf becomes a node with two leaves alike, and a
  root's leaf beside a node has a number that no node has.

102,300 nodes through spox's attributes took 0.9 s: the operator is built with one node and filled in after the build.
Where the Triton release has no such operator, the same tables are walked by plain ones (`walking`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np
import onnx
import spox.opset.ai.onnx.ml.v5 as ml
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.idioms import constant, sequential_sum, slots, table, to_index
from builder.graph.targeting import target
from builder.graph.walking import walked
from builder.sparkml.trees import SavedTrees
from builder.types import Array

_forests: ContextVar[list[Forest] | None] = ContextVar("forests", default=None)


@dataclass(frozen=True)
class _Membership:
    """Sets asked of one feature: `columns` [size + 1, M], row v: in which of M sets v is; the last row: no category."""

    feature: int
    columns: Array


@dataclass(frozen=True)
class Forest:
    """T trees ready for the operator. `attributes` are TreeEnsemble's; `memberships` the columns put after the features."""

    trees: int
    attributes: dict[str, Array]
    memberships: tuple[_Membership, ...] = field(default=())


def forest_of(saved: SavedTrees, width: int) -> Forest:
    """Saved trees over features [N, width] → TreeEnsemble's attributes."""
    feature, threshold = saved.feature.copy(), saved.threshold.copy()
    true, false = saved.left.copy(), saved.right.copy()
    memberships = _memberships(saved, width, feature, threshold, true, false)
    return Forest(saved.trees, attributes_of(saved.tree, feature, threshold, true, false), memberships)


def attributes_of(tree: Array, feature: Array, threshold: Array, true: Array, false: Array) -> dict[str, Array]:
    """TreeEnsemble's attributes of nodes [n], tree after tree, each tree's root first; `true` and `false` are places.

    A node without children (-1) is a leaf; leaves are numbered in the order in which they stand.
    """
    inner, leaves = np.flatnonzero(true >= 0), np.flatnonzero(true < 0)
    number = np.empty(len(tree), dtype=np.int64)  # of an inner node among inner ones, of a leaf among leaves
    number[inner], number[leaves] = np.arange(len(inner)), np.arange(len(leaves))
    roots = np.flatnonzero(np.diff(tree, prepend=-1))
    bare = true[roots] < 0
    lone, at = number[roots[bare]], np.arange(int(bare.sum()))
    tree_roots = number[roots]
    tree_roots[bare] = len(inner) + at
    ends = {"true": (true[inner], lone), "false": (false[inner], len(leaves) + at)}
    attributes = {
        "nodes_featureids": np.concatenate([feature[inner], np.zeros_like(at)]),
        "nodes_splits": np.concatenate([threshold[inner], np.zeros(len(at))]),
        "nodes_modes": np.zeros(len(inner) + len(at), np.uint8),  # BRANCH_LEQ
        "tree_roots": tree_roots,
        "leaf_targetids": np.concatenate([tree[leaves], np.flatnonzero(bare)]),
        "leaf_weights": np.concatenate([np.arange(len(leaves)), lone]).astype(np.float64),
    }
    for side, (children, own) in ends.items():
        attributes[f"nodes_{side}nodeids"] = np.concatenate([number[children], own])
        attributes[f"nodes_{side}leafs"] = np.concatenate([true[children] < 0, np.ones(len(at), bool)]).astype(int)
    _tell_roots_apart(attributes, tree_roots[~bare])
    return attributes


def _tell_roots_apart(attributes: dict[str, Array], roots: Array) -> None:
    """A root with one leaf gets that leaf once more, with a number above every node's."""
    for side, other in (("true", "false"), ("false", "true")):
        leaf, inner = attributes[f"nodes_{side}leafs"][roots] == 1, attributes[f"nodes_{other}leafs"][roots] == 0
        places = roots[leaf & inner]
        ends = attributes[f"nodes_{side}nodeids"]
        for name in ("leaf_targetids", "leaf_weights"):
            attributes[name] = np.concatenate([attributes[name], attributes[name][ends[places]]])
        ends[places] = len(attributes["leaf_weights"]) - len(places) + np.arange(len(places))


def _memberships(
    saved: SavedTrees, width: int, feature: Array, threshold: Array, true: Array, false: Array
) -> tuple[_Membership, ...]:
    """Point each categorical split at its set's column, in place.

    Spark keeps the left set where it has at most half of the categories (integer division), else the right one: what is
    no category (NaN, a fraction, unseen) is in neither, so it goes where the kept set does not lead.
    """
    sets: dict[int, dict[tuple[float, ...], list[tuple[int, bool]]]] = {}
    sizes: dict[int, int] = {}
    for at, (size, left) in saved.categories.items():
        keeps_left = len(left) <= size // 2
        kept = frozenset(left) if keeps_left else frozenset(map(float, range(size))) - frozenset(left)
        on = int(saved.feature[at])
        sets.setdefault(on, {}).setdefault(tuple(sorted(kept)), []).append((at, keeps_left))
        sizes[on] = max(sizes.get(on, 0), size)
    memberships, column = [], width
    for on in sorted(sets):
        columns = np.zeros((sizes[on] + 1, len(sets[on])))
        for index, (kept_set, places) in enumerate(sets[on].items()):
            columns[np.array(kept_set, dtype=np.int64), index] = 1.0
            for at, keeps_left in places:
                feature[at], threshold[at] = column + index, 0.5  # true: not in the set
                if keeps_left:
                    true[at], false[at] = saved.right[at], saved.left[at]
        memberships.append(_Membership(on, columns))
        column += len(sets[on])
    return tuple(memberships)


def leaf_numbers(forest: Forest, x: Var) -> Var:
    """x [N, F] → [N, T] float64: the number, among the leaves of all trees, of the leaf that each tree leads to."""
    columns = [x, *(_members(membership, x) for membership in forest.memberships)]
    given = op.concat(columns, axis=1) if len(columns) > 1 else x
    if not target().tree_ensemble:
        return walked(forest.attributes, given)
    waiting = _forests.get()
    assert waiting is not None, "leaf_numbers is called while a graph is lowered"
    waiting.append(forest)
    return ml.tree_ensemble(
        given,
        n_targets=forest.trees,
        aggregate_function=1,  # SUM: of the one leaf of each target's tree
        post_transform=0,
        leaf_targetids=[0, 0],
        leaf_weights=np.zeros(2),
        nodes_featureids=[0],
        nodes_modes=np.zeros(1, np.uint8),
        nodes_splits=np.array([len(waiting) - 1.0]),  # which forest to fill in
        nodes_truenodeids=[0],
        nodes_trueleafs=[1],
        nodes_falsenodeids=[1],
        nodes_falseleafs=[1],
        tree_roots=[0],
    )


def _members(membership: _Membership, x: Var) -> Var:
    """x [N, F] → [N, M]: 1 where the feature's value is in the set, else 0."""
    size = len(membership.columns) - 1
    value = slots(x, np.array([membership.feature]))
    index = to_index(value, size)
    known = op.equal(op.cast(index, to=np.float64), value)
    row = op.where(known, index, constant(np.array(size, dtype=np.int64)))
    return op.gather(table(membership.columns), op.squeeze(row, constant(np.array([1], dtype=np.int64))))


def leaf_rows(leaves: Array, numbers: Var) -> Var:
    """leaves [L, K] float64, numbers [N, T] from `leaf_numbers` → [N, T, K]: what stands at each leaf reached."""
    return op.gather(table(np.ascontiguousarray(leaves)), op.cast(numbers, to=np.int64))


def summed_over_trees(leaves: Array, numbers: Var) -> Var:
    """leaves [L, K], numbers [N, T] → [N, K]: added tree by tree, first to last."""
    return sequential_sum(leaf_rows(leaves, numbers))


def within_trees(numbers: Var, saved: SavedTrees) -> Var:
    """[N, T]: the leaf's number within its own tree, as predictLeaf counts them."""
    return op.sub(numbers, constant(saved.first_leaf.astype(np.float64)))


@contextmanager
def collecting_forests() -> Iterator[list[Forest]]:
    """While open, `leaf_numbers` sets its trees aside here; whoever builds the model fills them in."""
    forests: list[Forest] = []
    token = _forests.set(forests)
    try:
        yield forests
    finally:
        _forests.reset(token)


def plant(model: onnx.ModelProto, forests: Sequence[Forest]) -> None:
    """Fill in the attributes of every TreeEnsemble that `leaf_numbers` left to do."""
    for node in model.graph.node:
        if node.op_type != "TreeEnsemble":
            continue
        attributes = {attribute.name: attribute for attribute in node.attribute}
        index = int(onnx.numpy_helper.to_array(attributes["nodes_splits"].t)[0])
        for name, values in forests[index].attributes.items():
            attribute = attributes[name]
            if attribute.type == onnx.AttributeProto.TENSOR:
                attribute.t.CopyFrom(onnx.numpy_helper.from_array(values, name))
            else:
                attribute.ints[:] = values.tolist()
