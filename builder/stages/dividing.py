"""Clusters of clusters: a walk from the root of a tree to one of its leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.documents import parse_json
from builder.errors import SourceError
from builder.graph.columns import Number, Vector, number
from builder.graph.idioms import beside_rows, constant, slots
from builder.graph.rules import converts
from builder.graph.tolerance import undecided
from builder.sparkml.attributes import Attribute
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector
from builder.stages.clustering import measured
from builder.types import Array, Scalar


@converts(
    "org.apache.spark.ml.clustering.BisectingKMeansModel",
    word="dot",
    arrays=True,
    reads=("featuresCol",),
    writes=("predictionCol",),
    ignores=(
        "distanceMeasure",
        "featuresCol",
        "k",
        "maxIter",
        "minDivisibleClusterSize",
        "seed",
        "weightCol",
    ),
    note="the label is Spark's unless two branches are as near as the tolerance",
)
def bisecting_k_means(stage: SavedStage, x: Vector) -> Number:
    """From the root on to the nearer of two children, the first where both are as near, until a leaf: its index.

    Shapes: x [N, F] -> prediction [N, 1] int32.
    Order:  distances as those of KMeansModel; `distanceMeasure` is that of data/metadata, which Spark reads too.
    NaN:    refused, for Spark requires a length; with `cosine` one above 0. A distance that is no number is the farther.
    Source: BisectingKMeansModel.predict (ml/clustering/BisectingKMeans.scala), ClusteringTreeNode.predict
            (mllib/clustering/BisectingKMeans.scala, Spark 4.0.1)
    """
    measure, tree = _saved_tree(stage)
    x = x.sized(tree.centers.shape[1])
    distances, slack, mask = measured(measure, x, tree.centers)
    if len(tree.children):
        label, lost = _walked(tree, distances, slack)
    else:
        label, lost = op.expand(_whole(tree.leaf), op.shape(mask.rows)), constant(0.0)
    return number(
        op.cast(label, to=np.int32),
        type=Scalar("integer"),
        attribute=Attribute("nominal", num_values=tree.leaves),
        masks=(mask,),
        slack=lost,
    )


@dataclass(frozen=True)
class _Tree:
    """`centers` [M, F] of all nodes; of each inner node its two `children` [I, 2], as rows of `centers`;
    where a cluster could not be divided it has one child, which stands there twice.

    `goes` [I, 2]: where a child leads: an inner node's place in `children`, or -1 - (a leaf's index). The root is the
    first inner node; `leaf` is the root's index where it is a leaf itself. `depth`: steps to the farthest leaf.
    """

    centers: Array
    leaves: int
    children: Array
    goes: Array
    depth: int
    leaf: int


def _saved_tree(stage: SavedStage) -> tuple[str, _Tree]:
    """The measure and the tree of data/. Raises SourceError where a node is missing or has more than two children."""
    saved = _model_metadata(stage)
    rows = {row["index"]: row for row in stage.rows("data/data")}
    inner, depth, todo = [], 0, [(saved["rootId"], 0)]
    while todo:
        index, level = todo.pop(0)
        children = rows[index]["children"] if index in rows else None
        if children is None or len(children) > 2:
            raise SourceError(
                f"{stage.uid}: cluster {index} of data/data is missing, or has more than two children.",
                fix="copy the saved model again: a part file of it is missing.",
            )
        depth = max(depth, level)
        if children:
            inner.append(index)
            todo += [(child, level + 1) for child in children]
    at = {index: place for place, index in enumerate(rows)}
    place = {index: place for place, index in enumerate(inner)}
    pairs = [(rows[index]["children"] * 2)[:2] for index in inner]
    return saved.get("distanceMeasure", "euclidean"), _Tree(
        np.array([dense_vector(row["center"]) for row in rows.values()]),
        len(rows) - len(inner),
        np.array([[at[child] for child in pair] for pair in pairs], dtype=np.int64).reshape(-1, 2),
        np.array([[place.get(child, -1 - child) for child in pair] for pair in pairs], dtype=np.int64).reshape(-1, 2),
        depth,
        saved["rootId"],
    )


def _model_metadata(stage: SavedStage) -> dict[str, Any]:
    """What mllib wrote beside the nodes. Raises SourceError where it is not there."""
    folder = stage.path / "data" / "metadata"
    texts = [part.read_text(encoding="utf-8") for part in sorted(folder.glob("part-*")) if part.stat().st_size]
    if not texts:
        raise SourceError(f"{stage.uid}: {folder} is missing or empty.", fix="copy the saved model again.")
    try:
        found: dict[str, Any] = parse_json(texts[0])
    except ValueError as error:
        raise SourceError(
            f"{stage.uid}: {folder} is no readable JSON ({error}).", fix="copy the saved model again."
        ) from error
    return found


def _walked(tree: _Tree, distances: Var, slack: Var) -> tuple[Var, Var]:
    """The leaf's index [N, 1] int64, and infinity where a choice on the way lies inside the tolerance."""
    left, right = slots(distances, tree.children[:, 0]), slots(distances, tree.children[:, 1])
    only_left_nan = op.and_(op.isnan(left), op.not_(op.isnan(right)))
    second = op.cast(op.or_(op.less(right, left), only_left_nan), to=np.int64)
    slack_of_both = op.add(slots(slack, tree.children[:, 0]), slots(slack, tree.children[:, 1]))
    apart = op.abs(op.sub(left, right))
    close_by = op.and_(op.less_or_equal(apart, slack_of_both), op.greater(slack_of_both, constant(0.0)))
    both_ways = constant(tree.children[:, 0] != tree.children[:, 1])
    close = op.cast(op.and_(close_by, both_ways), to=np.int64)

    zero, two = _whole(0), _whole(2)
    goes = constant(tree.goes.reshape(-1))
    node = op.expand(zero, beside_rows(distances, 1))  # every row at the root
    lost = node
    for _ in range(tree.depth):
        here = op.max([node, zero])
        walking = op.greater_or_equal(node, zero)
        step = op.gather(goes, op.add(op.mul(here, two), op.gather_elements(second, here, axis=1)))
        lost = op.where(walking, op.max([lost, op.gather_elements(close, here, axis=1)]), lost)
        node = op.where(walking, step, node)
    return op.sub(_whole(-1), node), undecided(op.greater(lost, zero))


def _whole(value: int) -> Var:
    return constant(np.array(value, dtype=np.int64))
