"""Saved trees and forests without Spark: the folders that Spark 4.3 writes, for tests and for big benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tests.saved import Stage, write_stage

Array = npt.NDArray[Any]

CLASSES = {
    "tree-classifier": "org.apache.spark.ml.classification.DecisionTreeClassificationModel",
    "tree-regressor": "org.apache.spark.ml.regression.DecisionTreeRegressionModel",
    "forest-classifier": "org.apache.spark.ml.classification.RandomForestClassificationModel",
    "forest-regressor": "org.apache.spark.ml.regression.RandomForestRegressionModel",
    "boosted-classifier": "org.apache.spark.ml.classification.GBTClassificationModel",
    "boosted-regressor": "org.apache.spark.ml.regression.GBTRegressionModel",
}
_COLUMNS = {"featuresCol": "features", "predictionCol": "prediction", "leafCol": ""}
_CLASSIFIER = {"rawPredictionCol": "rawPrediction", "probabilityCol": "probability"}


@dataclass(frozen=True)
class Nodes:
    """n nodes of T trees, each tree in pre-order. `given`: per node a split's left categories, or its threshold, or []."""

    tree: Array
    id: Array
    left: Array
    right: Array
    feature: Array
    sizes: Array  # numCategories, -1 where the split is continuous or the node a leaf
    given: pa.ListArray
    prediction: Array
    stats: Array  # [n, S]

    @property
    def trees(self) -> int:
        return int(self.tree.max()) + 1


def complete(trees: int, depth: int, features: int, classes: int = 2, seed: int = 0) -> Nodes:
    """Trees with every node down to `depth`: trees * (2 ** (depth + 1) - 1) nodes, continuous splits of numbers 0 to 1."""
    draw = np.random.default_rng(seed)
    left, right = _pre_order(depth)
    count = len(left)
    total = count * trees
    leaf = np.tile(left < 0, trees)
    ends = np.concatenate([[0], np.cumsum(~leaf)]).astype(np.int32)
    return Nodes(
        np.repeat(np.arange(trees, dtype=np.int32), count),
        np.tile(np.arange(count, dtype=np.int32), trees),
        np.tile(left, trees),
        np.tile(right, trees),
        np.where(leaf, -1, draw.integers(0, features, total)).astype(np.int32),
        np.full(total, -1, np.int32),
        pa.ListArray.from_arrays(pa.array(ends), pa.array(draw.random(int(ends[-1])))),
        draw.integers(0, classes, total).astype(np.float64),
        draw.integers(1, 1000, (total, classes)).astype(np.float64),
    )


def _pre_order(depth: int) -> tuple[Array, Array]:
    """Children of each node of a complete tree, numbered in pre-order; -1 at leaves."""
    if depth == 0:
        return np.array([-1], np.int32), np.array([-1], np.int32)
    left, right = _pre_order(depth - 1)
    size = len(left)

    def moved(children: Array, by: int) -> Array:
        return np.where(children < 0, -1, children + by).astype(np.int32)

    first = (np.array([1], np.int32), np.array([1 + size], np.int32))
    return (
        np.concatenate([first[0], moved(left, 1), moved(left, 1 + size)]),
        np.concatenate([first[1], moved(right, 1), moved(right, 1 + size)]),
    )


@dataclass(frozen=True)
class Leaf:
    prediction: float
    stats: tuple[float, ...]


@dataclass(frozen=True)
class Split:
    """`threshold`, or the categories that go left and how many there are."""

    feature: int
    left: Split | Leaf
    right: Split | Leaf
    threshold: float = 0.0
    categories: tuple[float, ...] = ()
    size: int = -1


def grown(trees: Sequence[Split | Leaf]) -> Nodes:
    """Small trees, node by node."""
    rows: list[dict[str, Any]] = []
    width = len(_any_leaf(trees[0]).stats)

    def add(tree: int, node: Split | Leaf, next_id: int) -> int:
        row: dict[str, Any] = {
            "tree": tree,
            "id": next_id,
            "left": -1,
            "right": -1,
            "feature": -1,
            "size": -1,
            "given": [],
        }
        rows.append(row)
        if isinstance(node, Leaf):
            row |= {"prediction": node.prediction, "stats": node.stats}
            return next_id + 1
        after = add(tree, node.left, next_id + 1)
        row |= {"left": next_id + 1, "right": after, "feature": node.feature, "size": node.size}
        row |= {"given": list(node.categories) if node.size >= 0 else [node.threshold]}
        row |= {"prediction": 0.0, "stats": (0.0,) * width}
        return add(tree, node.right, after)

    for index, tree in enumerate(trees):
        add(index, tree, 0)
    whole = {
        name: np.array([row[name] for row in rows], np.int32)
        for name in ("tree", "id", "left", "right", "feature", "size")
    }
    return Nodes(
        *whole.values(),
        pa.array([row["given"] for row in rows], pa.list_(pa.float64())),
        np.array([row["prediction"] for row in rows], np.float64),
        np.array([row["stats"] for row in rows], np.float64).reshape(len(rows), width),
    )


def _any_leaf(node: Split | Leaf) -> Leaf:
    return node if isinstance(node, Leaf) else _any_leaf(node.left)


def write_trees(
    path: Path,
    kind: str,
    nodes: Nodes,
    *,
    features: int,
    weights: Sequence[float] | None = None,
    params: Mapping[str, Any] | None = None,
    parts: int = 1,
    names: Sequence[str] = ("_1", "_2", "_3"),
) -> Path:
    """The folder of one stage. `parts`: over how many files, rows shuffled; `names`: of treesMetadata's columns."""
    classifier = kind.endswith("classifier")
    extra: dict[str, Any] = {"numFeatures": features}
    if classifier and not kind.startswith("boosted"):
        extra["numClasses"] = nodes.stats.shape[1]
    if not kind.startswith("tree"):
        extra["numTrees"] = nodes.trees
    defaults = {**_COLUMNS, **(_CLASSIFIER if classifier else {}), "impurity": "gini" if classifier else "variance"}
    uid = f"{CLASSES[kind].rsplit('.', 1)[1]}_1"
    write_stage(path, Stage(CLASSES[kind], uid, params or {}, defaults, extra=extra))
    data = _node_table(nodes)
    if not kind.startswith("tree"):
        data = pa.table({"treeID": pa.array(nodes.tree), "nodeData": data.to_struct_array().combine_chunks()})
        given = np.ones(nodes.trees) if weights is None else np.array(weights, np.float64)
        columns = [
            pa.array(np.arange(nodes.trees, dtype=np.int32)),
            pa.array([json.dumps({})] * nodes.trees),
            pa.array(given),
        ]
        (path / "treesMetadata").mkdir()
        pq.write_table(pa.table(columns, list(names)), path / "treesMetadata" / "part-00000-0-c000.snappy.parquet")
    (path / "data").mkdir()
    if parts > 1:
        data = data.take(np.random.default_rng(0).permutation(len(data)))
    for part, rows in enumerate(np.array_split(np.arange(len(data)), parts)):
        piece = data.slice(rows[0] if len(rows) else 0, len(rows))
        pq.write_table(piece, path / "data" / f"part-{part:05d}-0-c000.snappy.parquet")
    return path


def _node_table(nodes: Nodes) -> pa.Table:
    count, width = nodes.stats.shape
    ends = pa.array((np.arange(count + 1) * width).astype(np.int32))
    split = pa.StructArray.from_arrays(
        [pa.array(nodes.feature), nodes.given, pa.array(nodes.sizes)],
        ["featureIndex", "leftCategoriesOrThreshold", "numCategories"],
    )
    columns = {
        "id": pa.array(nodes.id),
        "prediction": pa.array(nodes.prediction),
        "impurity": pa.array(np.zeros(count)),
        "impurityStats": pa.ListArray.from_arrays(ends, pa.array(nodes.stats.reshape(-1))),
        "rawCount": pa.array(np.ones(count, np.int64)),
        "gain": pa.array(np.where(nodes.left < 0, -1.0, 0.5)),
        "leftChild": pa.array(nodes.left),
        "rightChild": pa.array(nodes.right),
        "split": split,
    }
    return pa.table(columns)
