"""A saved decision tree or forest → flat numpy arrays: no object a node.

Source: DecisionTreeModelReadWrite and EnsembleModelReadWrite (ml/tree/treeModels.scala, Spark 4.0.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.errors import SourceError
from builder.sparkml.reader import SavedStage
from builder.types import Array

if TYPE_CHECKING:
    import pyarrow as pa

_AGAIN = "copy the saved model again: a part file of it is missing, doubled or damaged."


@dataclass(frozen=True)
class SavedTrees:
    """n nodes of T trees, tree after tree, each in pre-order (so leaves stand in Spark's leaf order).

    `tree`, `feature`, `left`, `right` [n] int64: `left` and `right` are places in these arrays, -1 at a leaf.
    `threshold` [n] float64, NaN where the split is categorical. `prediction` [n], `stats` [n, S] float64.
    `categories`: place of a categorical split → (numCategories, categories that go left).
    `weights` [T] float64.
    """

    tree: Array
    feature: Array
    left: Array
    right: Array
    threshold: Array
    prediction: Array
    stats: Array
    categories: Mapping[int, tuple[int, tuple[float, ...]]]
    weights: Array

    @property
    def trees(self) -> int:
        return len(self.weights)

    @property
    def leaves(self) -> Array:
        """Places of the leaves, ascending: their order is their number."""
        return np.flatnonzero(self.left < 0)

    @property
    def first_leaf(self) -> Array:
        """[T]: the number of each tree's first leaf."""
        return np.searchsorted(self.tree[self.leaves], np.arange(self.trees))


def read_tree(stage: SavedStage) -> SavedTrees:
    """The one tree of a DecisionTree model. Raises SourceError where nodes are missing, doubled or point nowhere."""
    nodes = stage.table()
    return _flat(stage, np.zeros(len(nodes), np.int64), nodes, np.ones(1))


def read_forest(stage: SavedStage) -> SavedTrees:
    """The trees of a RandomForest or GBT model. Raises SourceError where nodes, trees or their weights are missing."""
    import pyarrow as pa

    rows = stage.table()
    try:
        tree, nodes = _numbers(rows.column("treeID")), pa.Table.from_struct_array(rows.column("nodeData"))
    except KeyError as error:
        raise SourceError(f"{stage.uid}: data/ holds no trees ({error}).", fix=_AGAIN) from error
    return _flat(stage, tree.astype(np.int64), nodes, _weights(stage))


def _weights(stage: SavedStage) -> Array:
    """[T] float64. The columns of treesMetadata have other names from Spark 4.1 on: id, JSON, weight, by position."""
    metadata = stage.table("treesMetadata")
    if metadata.num_columns != 3:
        raise SourceError(f"{stage.uid}: treesMetadata has {metadata.num_columns} columns, not 3.", fix=_AGAIN)
    ids, weights = _numbers(metadata.column(0)), _numbers(metadata.column(2)).astype(np.float64)
    order = np.argsort(ids, kind="stable")
    count = stage.count("numTrees", len(ids))
    if not np.array_equal(ids[order], np.arange(count)):
        raise SourceError(f"{stage.uid}: treesMetadata names {len(ids)} trees, not each of {count} once.", fix=_AGAIN)
    return weights[order]


def _flat(stage: SavedStage, tree: Array, nodes: pa.Table, weights: Array) -> SavedTrees:
    try:
        columns = {name: nodes.column(name) for name in ("id", "leftChild", "rightChild", "prediction")}
        ids, left, right, prediction = (_numbers(column) for column in columns.values())
        split = nodes.column("split").combine_chunks().flatten()
        names = [field.name for field in nodes.schema.field("split").type]
        feature, sizes = (_numbers(split[names.index(name)]) for name in ("featureIndex", "numCategories"))
        values, starts = _lists(split[names.index("leftCategoriesOrThreshold")])
        stats, ends = _lists(nodes.column("impurityStats"))
    except (KeyError, ValueError) as error:
        raise SourceError(f"{stage.uid}: data/ is no tree as Spark saves it ({error}).", fix=_AGAIN) from error
    order = np.lexsort((ids, tree))
    offsets = _offsets(stage, tree[order], ids[order].astype(np.int64), len(weights))
    tree, leaf = tree[order], left[order] < 0
    base = offsets[tree]
    left, right = (np.where(leaf, -1, child[order] + base) for child in (left, right))
    _check_children(stage, left, right, offsets)
    width = int(ends[1] - ends[0])
    if not np.array_equal(ends, np.arange(len(ends)) * width):
        raise SourceError(f"{stage.uid}: nodes have impurityStats of several lengths.", fix=_AGAIN)
    threshold, categories = _splits(stage, leaf, sizes[order], values, starts[:-1][order], np.diff(starts)[order])
    feature = np.where(leaf, -1, feature[order])
    wide = stage.count("numFeatures", 0)
    if wide and (feature.max(initial=-1) >= wide or feature[~leaf].min(initial=0) < 0):
        raise SourceError(f"{stage.uid}: a node splits on a feature outside of 0 to {wide - 1}.", fix=_AGAIN)
    return SavedTrees(
        tree,
        feature.astype(np.int64),
        left.astype(np.int64),
        right.astype(np.int64),
        threshold,
        prediction[order],
        stats.reshape(-1, width)[order],
        categories,
        weights,
    )


def _offsets(stage: SavedStage, tree: Array, ids: Array, count: int) -> Array:
    """[T]: where each tree begins, once every tree has its nodes 0, 1, … each once."""
    if len(tree) and (tree[0] < 0 or tree[-1] >= count):
        raise SourceError(f"{stage.uid}: a tree is not one of the {count} in treesMetadata.", fix=_AGAIN)
    sizes = np.bincount(tree, minlength=count)
    if (sizes == 0).any():
        raise SourceError(f"{stage.uid}: tree {int(np.argmin(sizes))} of {count} has no nodes.", fix=_AGAIN)
    offsets = np.cumsum(sizes) - sizes
    wrong = np.flatnonzero(ids != np.arange(len(ids)) - offsets[tree])
    if wrong.size:
        at = wrong[0]
        raise SourceError(
            f"{stage.uid}: tree {int(tree[at])} lacks node {int(at - offsets[tree[at]])}, or has another twice.",
            fix=_AGAIN,
        )
    return offsets


def _check_children(stage: SavedStage, left: Array, right: Array, offsets: Array) -> None:
    """Every node but the roots is one node's child; the left one follows its parent, as pre-order has it."""
    inner = np.flatnonzero(left >= 0)
    children = np.sort(np.concatenate([left[inner], right[inner]]))
    others = np.setdiff1d(np.arange(len(left)), offsets, assume_unique=True)
    if not (np.array_equal(children, others) and (left[inner] == inner + 1).all() and (right[inner] > inner).all()):
        raise SourceError(f"{stage.uid}: its nodes do not form {len(offsets)} trees.", fix=_AGAIN)


def _splits(
    stage: SavedStage, leaf: Array, sizes: Array, values: Array, starts: Array, counts: Array
) -> tuple[Array, dict[int, tuple[int, tuple[float, ...]]]]:
    """Thresholds [n], and the categorical splits by place."""
    continuous = ~leaf & (sizes == -1)
    if (counts[continuous] != 1).any():
        raise SourceError(f"{stage.uid}: a continuous split has not one threshold.", fix=_AGAIN)
    threshold = np.full(len(leaf), np.nan)
    threshold[continuous] = values[starts[continuous]]
    categories = {}
    for at in np.flatnonzero(~leaf & (sizes != -1)).tolist():
        left = values[starts[at] : starts[at] + counts[at]]
        if (left < 0).any() or (left >= sizes[at]).any():
            raise SourceError(f"{stage.uid}: a split's categories are not below {int(sizes[at])}.", fix=_AGAIN)
        categories[at] = (int(sizes[at]), tuple(left.tolist()))
    return threshold, categories


def _numbers(column: pa.ChunkedArray | pa.Array) -> Array:
    array: Any = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if array.null_count:
        raise ValueError("a null where a number should be")
    numbers: Array = np.from_dlpack(array)  # to_numpy would import pandas: half a second
    return numbers


def _lists(column: pa.ChunkedArray | pa.Array) -> tuple[Array, Array]:
    """list<double> → all values [m], and offsets [n + 1] into them."""
    array: Any = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if array.null_count:
        raise ValueError("a null where a list should be")
    offsets = np.from_dlpack(array.offsets)
    return np.from_dlpack(array.values)[offsets[0] : offsets[-1]], offsets - offsets[0]
