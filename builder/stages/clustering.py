"""Clusters: the nearest centre."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import SourceError
from builder.graph.columns import Mask, Number, Vector, number
from builder.graph.idioms import argmax, constant, count, java_max, ordered_sum, sequential_sum, table
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT
from builder.sparkml.attributes import Attribute
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector
from builder.types import Array, Scalar


@converts(
    "org.apache.spark.ml.clustering.KMeansModel",
    word="dot",
    reads=["featuresCol"],
    writes=["predictionCol"],
    ignores=(
        "initMode",
        "initSteps",
        "k",
        "maxBlockSizeInMB",
        "maxIter",
        "seed",
        "solver",
        "tol",
        "weightCol",
        "intermediateStorageLevel",
    ),
    note="a point as near to two centres as rounding tells is undecided",
)
def k_means(stage: SavedStage, x: Vector) -> Number:
    """The index of the nearest centre, the first of equals. INT32.

    Shapes: x [N, F] -> [N, 1].
    Order:  distances are exact sums in order where x is dense; of a sparse x Spark takes |x|² + |c|² - 2xc, and it
            leaves out centres by bounds on norms: both decide as here but where two distances meet within rounding.
    NaN:    refused, for Spark requires a norm. A norm that overflows is nearest to the first centre.
    Source: KMeansModel.predict, EuclideanDistanceMeasure and CosineDistanceMeasure.findClosest, MLUtils.fastSquaredDistance
            (mllib/clustering, mllib/util, Spark 4.0.1)
    """
    centers = _centers(stage)
    x = x.sized(centers.shape[1])
    norm = op.sqrt(ordered_sum(op.mul(x.var, x.var)))
    if stage.params.text("distanceMeasure") == "cosine":
        positive = op.greater(norm, constant(0.0))
        mask = Mask(op.not_(positive), f"vector {x.name!r} is zero or holds NaN: it has no cosine")
        distance, tolerance = _cosine(x, norm, centers)
    else:
        mask = Mask(op.isnan(norm), f"vector {x.name!r} holds NaN")
        distance, tolerance = _squared(x, centers)
    distance = op.where(op.isinf(norm), constant(0.0), op.where(op.isnan(distance), constant(np.inf), distance))
    nearest = op.neg(java_max(op.neg(distance)))
    reach = op.add(
        nearest, op.neg(java_max(op.neg(op.where(op.equal(distance, nearest), tolerance, constant(np.inf)))))
    )
    rivals = count(op.less_or_equal(op.sub(distance, tolerance), reach))
    undecided = op.and_(op.greater(rivals, constant(1.0)), op.not_(op.isinf(norm)))
    return number(
        op.cast(argmax(op.neg(distance)), to=np.int32),
        type=Scalar("integer"),
        attribute=Attribute("nominal", num_values=len(centers)),
        slack=op.where(undecided, constant(np.inf), constant(0.0)),
    ).because(mask)


def _centers(stage: SavedStage) -> Array:
    """[K, F] float64, in the order of clusterIdx. Raises SourceError where one is missing."""
    rows = sorted(stage.table().to_pylist(), key=lambda row: row["clusterIdx"])
    if [row["clusterIdx"] for row in rows] != list(range(len(rows))):
        raise SourceError(
            f"{stage.uid}: cluster centres {[row['clusterIdx'] for row in rows]} are not 0 to {len(rows) - 1}.",
            fix="copy the saved model again: a part file is missing.",
        )
    return np.stack([dense_vector(row["clusterCenter"]) for row in rows])


def _bound(terms: int) -> float:
    return min(2 * (terms + 4), 32) * UNIT


def _squared(x: Vector, centers: Array) -> tuple[Var, Var]:
    """Σ(c - x)² in order, [N, K], and its tolerance: what |x|² + |c|² - 2xc may lose, twice |x|² + |c|² in rounding."""
    last = constant(np.array([-1], dtype=np.int64))
    apart = op.sub(op.unsqueeze(x.var, last), table(centers.T[np.newaxis].copy()))
    sizes = op.add(ordered_sum(op.mul(x.var, x.var)), constant(np.square(centers).sum(axis=1)[np.newaxis]))
    tolerance = op.mul(sizes, constant(2 * _bound(centers.shape[1])))
    if x.slack is not None:
        spread = op.unsqueeze(x.slack, last)
        moved = op.add(op.mul(op.mul(op.abs(apart), spread), constant(2.0)), op.mul(spread, spread))
        tolerance = op.add(tolerance, sequential_sum(moved))
    return sequential_sum(op.mul(apart, apart)), tolerance


def _cosine(x: Vector, norm: Var, centers: Array) -> tuple[Var, Var]:
    """1 - xc / |c| / |x|, [N, K], and its tolerance."""
    norms = np.sqrt(np.square(centers).sum(axis=1))[np.newaxis]
    scaled = op.div(op.div(op.matmul(x.var, table(centers.T.copy())), constant(norms)), norm)
    sizes = op.div(op.div(op.matmul(op.abs(x.var), table(np.abs(centers).T.copy())), constant(norms)), norm)
    tolerance = op.add(op.mul(sizes, constant(_bound(centers.shape[1]))), constant(8 * UNIT))
    if x.slack is not None:
        moved = op.div(op.sqrt(ordered_sum(op.mul(x.slack, x.slack))), norm)
        tolerance = op.add(tolerance, op.mul(moved, constant(2.0)))
    return op.sub(constant(1.0), scaled), tolerance
