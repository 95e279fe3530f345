"""Boosted trees of other makers (XGBoost, LightGBM) as flat numpy arrays: no object a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from builder.errors import SourceError
from builder.sparkml.reader import SavedStage
from builder.types import Array

AGAIN = "copy the saved model again: a part of it is missing, doubled or damaged."


@dataclass(frozen=True)
class BoostedTrees:
    """n nodes of T trees, tree after tree, the root first.

    `tree`, `feature`, `left`, `right` [n] int64: `left` and `right` are places in these arrays, -1 at a leaf.
    `threshold` [n] float64: `x <= threshold` goes left. `missing_left` [n] bool: a missing value goes left.
    `reading` [n] int64: which of several readings of the features a node asks (they differ in what is missing).
    `value` [n]: the leaf's answer, in its maker's precision.
    `sets`: place of a categorical split → the categories that go left.
    """

    tree: Array
    feature: Array
    left: Array
    right: Array
    threshold: Array
    missing_left: Array
    reading: Array
    value: Array
    sets: Mapping[int, frozenset[int]]

    @property
    def trees(self) -> int:
        return int(self.tree[-1]) + 1 if len(self.tree) else 0

    @property
    def leaves(self) -> Array:
        """Places of the leaves, ascending: their order is their number."""
        return np.flatnonzero(self.left < 0)

    @property
    def tree_of_leaf(self) -> Array:
        """[L] int64."""
        return self.tree[self.leaves]


def checked(stage: SavedStage, trees: BoostedTrees, features: int) -> BoostedTrees:
    """The trees without nodes that no root leads to (pruning leaves such behind).

    Raises SourceError where a child is no node of its tree or the child of two, or a split asks a feature that is not there.
    """
    count = len(trees.tree)
    inner = np.flatnonzero(trees.left >= 0)
    children = np.concatenate([trees.left[inner], trees.right[inner]])
    parents = np.concatenate([inner, inner])
    inside = (children >= 0) & (children < count)
    if not inside.all() or (trees.tree[children] != trees.tree[parents]).any():
        raise SourceError(f"{stage.uid}: a node's child is no node of its tree.", fix=AGAIN)
    if ((trees.feature[inner] < 0) | (trees.feature[inner] >= features)).any():
        raise SourceError(f"{stage.uid}: a node splits on a feature outside of 0 to {features - 1}.", fix=AGAIN)
    if np.isnan(trees.threshold[inner]).any():
        raise SourceError(f"{stage.uid}: a threshold is no number.", fix=AGAIN)
    seen = np.zeros(count, dtype=bool)
    front = np.flatnonzero(np.diff(trees.tree, prepend=-1))
    while len(front):
        if seen[front].any() or len(np.unique(front)) != len(front):
            raise SourceError(f"{stage.uid}: its nodes do not form trees.", fix=AGAIN)
        seen[front] = True
        front = front[trees.left[front] >= 0]
        front = np.concatenate([trees.left[front], trees.right[front]])
    return trees if seen.all() else only(trees, seen)


def only(trees: BoostedTrees, kept: Array) -> BoostedTrees:
    """The nodes `kept` [n] bool, trees numbered anew."""
    place = np.cumsum(kept) - 1
    left, right = (np.where(child >= 0, place[child], -1)[kept] for child in (trees.left, trees.right))
    return BoostedTrees(
        np.unique(trees.tree[kept], return_inverse=True)[1],
        trees.feature[kept],
        left,
        right,
        trees.threshold[kept],
        trees.missing_left[kept],
        trees.reading[kept],
        trees.value[kept],
        {int(place[at]): of for at, of in trees.sets.items() if kept[at]},
    )
