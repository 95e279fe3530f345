"""The booster that SynapseML saves: LightGBM's text, inside of a serialized Java object.

Source: LightGBMBooster (synapse/ml/lightgbm/booster, SynapseML 1.0.5); Tree::Tree and GBDT::LoadModelFromString (LightGBM 3.3.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from builder.errors import Refused, SourceError
from builder.sparkml.boosters import AGAIN, BoostedTrees, checked
from builder.sparkml.reader import SavedStage
from builder.types import Array

_TEXT, _LONG_TEXT = 0x74, 0x7C  # Java's marks of a string and a long one: its length follows, in 2 bytes or 8
_FIRST_LINE = b"tree\nversion="
NONE, ZERO, NAN = 0, 1, 2  # LightGBM's missing types: which values a split takes for missing


@dataclass(frozen=True)
class LightGBM:
    """`objective`: its name, and what stands behind it. `trees`: round after round, a tree a class in each.

    A tree's leaves are numbered as LightGBM numbers them. `reading` of a node is its missing type.
    `averaged`: the answer is divided by the number of rounds (random forests).
    """

    objective: str
    options: Mapping[str, str]
    features: int
    classes: int
    trees: BoostedTrees
    averaged: bool

    @property
    def rounds(self) -> int:
        return self.trees.trees // self.classes


def objective_of(stage: SavedStage) -> str:
    """The objective's name alone; "" where the model tells of none."""
    found = re.search(rb"\nobjective=(\w+)", _text(stage))
    return found.group(1).decode() if found else ""


def read_lightgbm(stage: SavedStage) -> LightGBM:
    """Raises SourceError where it is no text of LightGBM's; Refused where its leaves are linear models."""
    header, _, rest = _text(stage).decode("utf-8", "replace").partition("\nTree=")
    trees = rest.partition("\nend of trees")[0].split("\nTree=")
    try:
        told = _pairs(header)
        name, *options = told.get("objective", "custom").split()
        features, classes = int(told["max_feature_idx"]) + 1, int(told["num_tree_per_iteration"])
        if len(trees) % classes or len(trees) != len(told["tree_sizes"].split()):
            raise SourceError(f"{stage.uid}: the booster's trees are not those that it tells of.", fix=AGAIN)
        return LightGBM(
            name,
            {key: value for key, _, value in (option.partition(":") for option in options)},
            features,
            classes,
            checked(stage, _joined([_pairs(tree) for tree in trees]), features),
            "\naverage_output" in header,
        )
    except (KeyError, ValueError, IndexError) as error:
        raise SourceError(
            f"{stage.uid}: its booster is no text as LightGBM writes it ({error!r}).", fix=AGAIN
        ) from error


def _text(stage: SavedStage) -> bytes:
    """The string in the serialized object that begins as LightGBM's models do."""
    places = stage.extra.get("complexParamLocs")
    place = places.get("lightGBMBooster") if isinstance(places, dict) else None
    path = stage.path / str(place or "complexParams/lightGBMBooster")
    try:
        files = [path] if path.is_file() else sorted(path.glob("part-*")) if path.is_dir() else []
        data = b"".join(file.read_bytes() for file in files)
    except (OSError, ValueError) as error:  # a path that is no path
        raise SourceError(
            f"{stage.uid}: {str(path)[:200]!r} cannot be read ({type(error).__name__}).", fix=AGAIN
        ) from error
    start = data.find(_FIRST_LINE)
    if start >= 9 and data[start - 9] == _LONG_TEXT:
        length = int.from_bytes(data[start - 8 : start], "big")
    elif start >= 3 and data[start - 3] == _TEXT:
        length = int.from_bytes(data[start - 2 : start], "big")
    else:
        raise SourceError(f"{stage.uid}: {path} holds no text of a LightGBM model.", fix=AGAIN)
    if len(data) < start + length:
        raise SourceError(f"{stage.uid}: {path} is cut short.", fix=AGAIN)
    return data[start : start + length]


def _pairs(text: str) -> dict[str, str]:
    return {key: value for key, found, value in (line.partition("=") for line in text.split("\n")) if found}


@dataclass(frozen=True)
class _Tree:
    """One tree's nodes: its inner ones, then its leaves."""

    feature: Array
    left: Array
    right: Array
    threshold: Array
    decision: Array
    value: Array
    sets: Mapping[int, frozenset[int]]


def _joined(texts: Sequence[Mapping[str, str]]) -> BoostedTrees:
    trees = [_tree(text) for text in texts]
    sizes = [len(tree.feature) for tree in trees]
    base = np.cumsum(sizes) - sizes
    offset = np.repeat(base, sizes)

    def column(name: str) -> Array:
        return np.concatenate([getattr(tree, name) for tree in trees])

    left, right, decision = column("left"), column("right"), column("decision")
    coded = (decision & 1) == 1
    return BoostedTrees(
        np.repeat(np.arange(len(trees)), sizes),
        column("feature"),
        np.where(left < 0, -1, left + offset),
        np.where(left < 0, -1, right + offset),
        column("threshold"),
        ((decision & 2) == 2) & ~coded,  # of a category, what is missing goes right
        np.where(coded, NAN, (decision >> 2) & 3),
        column("value"),
        {int(start) + at: of for start, tree in zip(base, trees, strict=True) for at, of in tree.sets.items()},
    )


def _tree(text: Mapping[str, str]) -> _Tree:
    leaves = int(text["num_leaves"])
    if text.get("is_linear", "0") != "0":
        raise Refused("its leaves are linear models.", fix="train with linear_tree=false.")
    inner = leaves - 1
    nodes = leaves + inner

    def padded(name: str, kind: type, size: int, before: int = 0) -> Array:
        values: Array = np.array(text[name].split() if size else [], dtype=kind)
        if len(values) != size:
            raise ValueError(f"{len(values)} of {name}, not {size}")
        whole: Array = np.zeros(nodes, dtype=kind)
        whole[before : before + size] = values
        return whole

    left, right = (padded(name, np.int64, inner) for name in ("left_child", "right_child"))
    left, right = (np.where(child < 0, inner + ~child, child) for child in (left, right))
    left[inner:] = right[inner:] = -1
    decision, threshold = padded("decision_type", np.int64, inner), padded("threshold", np.float64, inner)
    sets = _sets(text, np.flatnonzero(decision & 1), threshold)
    value = padded("leaf_value", np.float64, leaves, before=inner)
    return _Tree(padded("split_feature", np.int64, inner), left, right, threshold, decision, value, sets)


def _sets(text: Mapping[str, str], coded: Array, threshold: Array) -> dict[int, frozenset[int]]:
    """A categorical split's threshold says which piece of the bits is its own; a set bit goes left."""
    if not len(coded):
        return {}
    ends = np.array(text["cat_boundaries"].split(), dtype=np.int64)
    words = np.array(text["cat_threshold"].split(), dtype=np.uint32)
    sets = {}
    for at in coded.tolist():
        index = int(threshold[at])
        own = words[ends[index] : ends[index + 1]].astype("<u4")
        bits = np.unpackbits(own.view(np.uint8), bitorder="little")
        sets[at] = frozenset(np.flatnonzero(bits).tolist())
    return sets
