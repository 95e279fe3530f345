"""The booster that xgboost.spark saves: its JSON document as text, in pieces of 4 MB, a line each.

Source: SparkXGBModelWriter.saveImpl (xgboost/spark/core.py, 3.2.0); doc/model.schema of XGBoost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.errors import Refused, SourceError
from builder.sparkml.boosters import AGAIN, BoostedTrees, checked
from builder.sparkml.reader import SavedStage
from builder.types import Array


@dataclass(frozen=True)
class XGBoost:
    """`trees`' values are float32. `group` [T]: the class that a tree adds to. `base_score` [K] float32, as saved.

    `weights` [T] float32: DART's; None where trees are not weighted. `rounds` [R + 1]: where each round's trees begin.
    `best`: the last round to ask, where training stopped early. `version`: of the XGBoost that saved it.
    """

    objective: str
    features: int
    classes: int
    base_score: Array
    trees: BoostedTrees
    group: Array
    weights: Array | None
    rounds: Array
    best: int | None
    version: tuple[int, ...]

    def within(self, first: int, end: int) -> Array:
        """[T] bool: trees of rounds first to end, end not included."""
        at = np.arange(len(self.group))
        within: Array = (at >= self.rounds[first]) & (at < self.rounds[end])
        return within


def read_xgboost(stage: SavedStage) -> XGBoost:
    """Raises SourceError where it is no booster; Refused where it is one of another kind than trees with one value a leaf."""
    document = _document(stage)
    try:
        learner = document["learner"]
        booster = learner["gradient_booster"]
        weights = None
        if booster["name"] == "dart":
            weights = np.array(booster["weight_drop"], dtype=np.float32)
            booster = booster["gbtree"]
        elif booster["name"] != "gbtree":
            raise Refused(
                f"its booster is {booster['name']}; this rule reads trees (gbtree, dart).",
                fix="train with booster='gbtree'.",
            )
        told = learner["learner_model_param"]
        model, features, classes = booster["model"], int(told["num_feature"]), max(1, int(told["num_class"]))
        if int(told.get("num_target", 1)) > 1 or (model.get("cats") or {}).get("enc"):
            raise Refused("its booster has several targets, or categories by name.", fix="train one model a target.")
        scores = np.array(json.loads(told["base_score"]), dtype=np.float32).reshape(-1)
        group = np.array(model["tree_info"], dtype=np.int64)
        best = (learner.get("attributes") or {}).get("best_iteration")
        booster = XGBoost(
            learner["objective"]["name"],
            features,
            classes,
            np.broadcast_to(scores, classes) if len(scores) == 1 else scores,
            checked(stage, _trees(stage, model["trees"]), features),
            group,
            weights,
            _rounds(model, classes, len(group)),
            None if best is None else int(best),
            tuple(map(int, document["version"])),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SourceError(f"{stage.uid}: model/ is no booster as XGBoost saves it ({error!r}).", fix=AGAIN) from error
    _check(stage, booster)
    return booster


def _document(stage: SavedStage) -> Mapping[str, Any]:
    parts = sorted(part for part in (stage.path / "model").glob("part-*") if part.is_file())
    if not parts:
        raise SourceError(f"{stage.uid}: {stage.path / 'model'} holds no part of the booster.", fix=AGAIN)
    try:
        text = "".join(line for part in parts for line in part.read_text(encoding="utf-8").split("\n"))
        document: Mapping[str, Any] = json.loads(text, object_hook=_slim)
    except (OSError, ValueError) as error:
        raise SourceError(f"{stage.uid}: model/ is no readable JSON ({error}).", fix=AGAIN) from error
    return document


_COLUMNS: Mapping[str, Any] = {
    "left_children": np.int64,
    "right_children": np.int64,
    "split_indices": np.int64,
    "split_conditions": np.float32,
    "default_left": np.int64,
    "categories": np.int64,
    "categories_nodes": np.int64,
    "categories_segments": np.int64,
    "categories_sizes": np.int64,
}


def _slim(read: dict[str, Any]) -> dict[str, Any]:
    """A tree's columns as arrays as soon as it is read, without those that no prediction asks: lists took 1 KB a node."""
    if "left_children" not in read:
        return read
    columns = {name: np.array(read[name], dtype=kind) for name, kind in _COLUMNS.items() if name in read}
    return {"tree_param": read["tree_param"], **columns}


def _rounds(model: Mapping[str, Any], classes: int, trees: int) -> Array:
    """[R + 1]; models before 2.0 tell only how many trees a round has."""
    if "iteration_indptr" in model:
        return np.array(model["iteration_indptr"], dtype=np.int64)
    parallel = max(1, int(model["gbtree_model_param"].get("num_parallel_tree", 1)))
    return np.arange(0, trees + 1, classes * parallel)


def _check(stage: SavedStage, booster: XGBoost) -> None:
    trees = len(booster.group)
    whole = booster.trees.trees == trees and booster.rounds[0] == 0 and booster.rounds[-1] == trees
    weighted = booster.weights is None or len(booster.weights) == trees
    known = len(booster.base_score) == booster.classes and np.isfinite(booster.base_score).all()
    if not (whole and weighted and known and np.isin(booster.group, np.arange(booster.classes)).all()):
        raise SourceError(f"{stage.uid}: the booster's trees are not those that it tells of.", fix=AGAIN)


def _trees(stage: SavedStage, trees: Sequence[Mapping[str, Any]]) -> BoostedTrees:
    """`x < threshold`, both float32, goes left: `x <= the float32 before it`."""
    if not trees:
        raise Refused("its booster has no tree.", fix="train at least one round.")
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        raise Refused("its leaves hold vectors.", fix="train with multi_strategy='one_output_per_tree'.")
    sizes = [len(tree["left_children"]) for tree in trees]
    base = np.repeat(np.cumsum(sizes) - sizes, sizes)

    def column(name: str) -> Array:
        return np.concatenate([tree[name] for tree in trees])

    left, right = (column(name) for name in ("left_children", "right_children"))
    leaf = left < 0
    left, right = (np.where(leaf, -1, child + base) for child in (left, right))
    conditions, missing_left = column("split_conditions"), column("default_left") != 0
    if np.isneginf(conditions[~leaf]).any():
        raise SourceError(f"{stage.uid}: a threshold is minus infinity, below which nothing is.", fix=AGAIN)
    before = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)
    sets = _sets(trees, np.cumsum(sizes) - sizes)
    for at in sets:  # what is in the set goes right
        left[at], right[at] = right[at], left[at]
        missing_left[at], before[at] = not missing_left[at], 0.0
    return BoostedTrees(
        np.repeat(np.arange(len(trees)), sizes),
        column("split_indices"),
        left,
        right,
        before,
        missing_left,
        np.zeros(len(leaf), np.int64),
        conditions,
        sets,
    )


def _sets(trees: Sequence[Mapping[str, Any]], offsets: Array) -> dict[int, frozenset[int]]:
    """Place of a categorical split → its categories."""
    sets = {}
    for tree, offset in zip(trees, offsets.tolist(), strict=True):
        columns = (tree.get(f"categories_{name}", np.empty(0)).tolist() for name in ("nodes", "segments", "sizes"))
        for node, start, size in zip(*columns, strict=True):
            sets[offset + node] = frozenset(tree["categories"][start : start + size].tolist())
    return sets
