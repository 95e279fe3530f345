"""A saved pipeline with a forest of any size, written as Spark 4.3 writes it, without Spark and without fitting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.saved import data, metadata, vector

CARRIERS = tuple(f"carrier {number}" for number in range(16))
ORIGINS = ("EWR", "JFK", "LGA")
NUMBERS = tuple(f"x{number}" for number in range(10))
HOT = len(CARRIERS) + len(ORIGINS)  # handleInvalid=keep adds a category to each, dropLast takes it away again
FEATURES = HOT + len(NUMBERS)
CLASSES = 2


def write_forest(folder: Path, trees: int, depth: int, seed: int = 13) -> Path:
    """StringIndexer, OneHotEncoder, VectorAssembler, StandardScaler, RandomForestClassifier; `schema.json` beside it."""
    draw = np.random.default_rng(seed)
    stages = (
        ("StringIndexer", "feature.StringIndexerModel", _INDEXER, {}),
        ("OneHotEncoder", "feature.OneHotEncoderModel", _ENCODER, {}),
        ("VectorAssembler", "feature.VectorAssembler", _ASSEMBLER, {}),
        ("StandardScaler", "feature.StandardScalerModel", _SCALER, {}),
        (
            "RandomForest",
            "classification.RandomForestClassificationModel",
            _FOREST | {"numTrees": trees, "maxDepth": depth},
            {"numFeatures": FEATURES, "numClasses": CLASSES, "numTrees": trees},
        ),
    )
    model = folder / "forest"
    metadata(model, "PipelineModel", "PipelineModel_1", {"stageUids": [uid for uid, *_ in stages]}, {})
    paths = {}
    for index, (uid, spark_class, params, extra) in enumerate(stages):
        paths[uid] = model / "stages" / f"{index}_{uid}"
        metadata(paths[uid], spark_class, uid, params, extra)
    data(paths["StringIndexer"], pa.table({"labelsArray": [[list(CARRIERS), list(ORIGINS)]]}))
    data(
        paths["OneHotEncoder"],
        pa.table({"categorySizes": pa.array([[len(CARRIERS) + 1, len(ORIGINS) + 1]], pa.list_(pa.int32()))}),
    )
    spread, middle = draw.uniform(0.1, 3, FEATURES), draw.normal(size=FEATURES)
    data(paths["StandardScaler"], pa.table({"std": vector(spread), "mean": vector(middle)}))
    data(paths["RandomForest"], _nodes(draw, trees, depth))
    told = {"_1": pa.array(range(trees), pa.int32()), "_2": ["{}"] * trees, "_3": [1.0] * trees}
    data(paths["RandomForest"], pa.table(told), "treesMetadata")
    (folder / "schema.json").write_text(SCHEMA)
    return model


def rows(count: int, seed: int = 14) -> pa.Table:
    """Rows for it, with an unseen category and a null now and then."""
    draw = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "carrier": draw.choice([*CARRIERS, "unseen", None], count).tolist(),
        "origin": draw.choice(ORIGINS, count).tolist(),
    }
    return pa.table(columns | {name: draw.normal(size=count) * 2 for name in NUMBERS})


def _nodes(draw: np.random.Generator, trees: int, depth: int) -> pa.Table:
    """Perfect trees, numbered from the root down and left first, as Spark numbers them."""
    shape = _perfect(depth)
    nodes = len(shape) * trees
    inner = np.tile(shape[:, 1] >= 0, trees)
    counts = draw.integers(1, 1000, (nodes, CLASSES)).astype(np.float64)
    split = pa.StructArray.from_arrays(
        [
            pa.array(np.where(inner, draw.integers(0, FEATURES, nodes), -1), pa.int32()),
            _lists(draw.normal(size=int(inner.sum())), inner.astype(np.int32)),
            pa.array(np.full(nodes, -1), pa.int32()),
        ],
        names=["featureIndex", "leftCategoriesOrThreshold", "numCategories"],
    )
    columns: Mapping[str, pa.Array] = {
        "id": pa.array(np.tile(shape[:, 0], trees), pa.int32()),
        "prediction": pa.array(counts.argmax(axis=1).astype(np.float64)),
        "impurity": pa.array(np.full(nodes, 0.5)),
        "impurityStats": _lists(counts.reshape(-1), np.full(nodes, CLASSES, np.int32)),
        "rawCount": pa.array(counts.sum(axis=1).astype(np.int64)),
        "gain": pa.array(np.where(inner, 0.1, -1.0)),
        "leftChild": pa.array(np.tile(shape[:, 1], trees), pa.int32()),
        "rightChild": pa.array(np.tile(shape[:, 2], trees), pa.int32()),
        "split": split,
    }
    node = pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
    return pa.table({"treeID": pa.array(np.repeat(np.arange(trees), len(shape)), pa.int32()), "nodeData": node})


def _perfect(depth: int) -> npt.NDArray[np.int64]:
    """[nodes, 3] of (id, left child, right child); -1 where there is none."""
    if depth == 0:
        return np.array([[0, -1, -1]])
    below = _perfect(depth - 1)
    left = below + np.array([1, 1, 1]) * (below >= 0)
    right = below + np.array([1, 1, 1]) * (len(below) + 1) * (below >= 0)
    return np.concatenate([[[0, 1, len(below) + 1]], left, right])


def _lists(values: npt.NDArray[np.float64], lengths: npt.NDArray[np.int32]) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


_INDEXER = {
    "inputCols": ["carrier", "origin"],
    "outputCols": ["carrier_index", "origin_index"],
    "handleInvalid": "keep",
    "stringOrderType": "frequencyDesc",
}
_ENCODER = {
    "inputCols": ["carrier_index", "origin_index"],
    "outputCols": ["carrier_hot", "origin_hot"],
    "dropLast": True,
    "handleInvalid": "error",
}
_ASSEMBLER = {
    "inputCols": ["carrier_hot", "origin_hot", *NUMBERS],
    "outputCol": "assembled",
    "handleInvalid": "error",
}
_SCALER = {"inputCol": "assembled", "outputCol": "features", "withMean": True, "withStd": True}
_FOREST = {
    "featuresCol": "features",
    "labelCol": "label",
    "predictionCol": "prediction",
    "probabilityCol": "probability",
    "rawPredictionCol": "rawPrediction",
    "leafCol": "",
    "impurity": "gini",
    "seed": 13,
}
_KINDS = {"carrier": "string", "origin": "string"} | dict.fromkeys(NUMBERS, "double")
SCHEMA = json.dumps(
    {
        "type": "struct",
        "fields": [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in _KINDS.items()],
    }
)
