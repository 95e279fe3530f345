"""The nearest of some centres: all of them, or from node to node of a tree of clusters."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused, SourceError
from builder.graph.columns import Mask, Number, Vector, number
from builder.graph.idioms import argmax, constant, dot, ordered_sum, sequential_sum, whole
from builder.graph.rules import converts
from builder.graph.tolerance import dot_bound, outdone
from builder.sparkml.attributes import Attribute
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector
from builder.types import Array, Scalar

_OPPOSITE = 2 - 1e-12  # a cosine distance so near to 2 that Spark's 1 - sqrt(1 - d / 2) may be NaN


@converts(
    "org.apache.spark.ml.clustering.KMeansModel",
    word="dot",
    arrays=True,
    reads=("featuresCol",),
    writes=("predictionCol",),
    ignores=(
        "featuresCol",
        "initMode",
        "initSteps",
        "intermediateStorageLevel",
        "k",
        "maxBlockSizeInMB",
        "maxIter",
        "seed",
        "solver",
        "tol",
        "weightCol",
    ),
    note="the label is Spark's unless two centres are as near as the tolerance",
)
def k_means(stage: SavedStage, x: Vector) -> Number:
    """The first of the centres with the smallest distance: Σ(x - c)², or 1 - x·c / |c| / |x| (`cosine`).

    Shapes: x [N, F] -> prediction [N, 1] int32.
    Order:  Σ(x - c)² from the first slot on, as Spark 4 does for dense vectors. For sparse ones, and before 4.0, it takes
            |x|² + |c|² - 2 x·c, and by bounds from the triangle it leaves out centres that cannot win: the same
            label, but for centres whose distances are equal within rounding.
    NaN:    refused, for Spark requires a length; with `cosine` one above 0. Where it overflows, the first centre.
    Source: KMeansModel.predict (mllib/clustering/KMeansModel.scala), DistanceMeasure.findClosest (Spark 4.0.1)
    """
    centers = _centers(stage)
    x = x.sized(centers.shape[1])
    measure = stage.params.text("distanceMeasure")
    if measure == "cosine":
        _check_angles(centers)
    distances, slack, mask = measured(measure, x, centers)
    near = op.neg(distances)
    index = argmax(near)
    return number(
        whole(index),
        type=Scalar("integer"),
        attribute=Attribute("nominal", num_values=len(centers)),
        masks=(mask,),
        slack=outdone(near, slack, index, len(centers)),
    )


def _centers(stage: SavedStage) -> Array:
    """[K, F], in the order of their index. Raises SourceError where one is missing."""
    rows = sorted(stage.rows(), key=lambda row: row["clusterIdx"])
    if [row["clusterIdx"] for row in rows] != list(range(len(rows))) or not rows:
        raise SourceError(
            f"{stage.uid}: data/ holds clusters {[row['clusterIdx'] for row in rows]}, not each from 0 on once.",
            fix="copy the saved model again: a part file of it is missing or doubled.",
        )
    return np.array([dense_vector(row["clusterCenter"]) for row in rows])


def measured(measure: str, x: Vector, centers: Array) -> tuple[Var, Var, Mask]:
    """Distances [N, K], their tolerance, and the rows that have none. Raises Refused on a measure that Spark has not."""
    length = op.sqrt(ordered_sum(op.mul(x.var, x.var)))
    if measure == "euclidean":
        distances, slack = _euclidean(x, centers)
        mask = Mask(op.isnan(length), f"vector {x.name!r} holds NaN")
    elif measure == "cosine":
        distances, slack = _cosine(x, length, centers, _norms(centers))
        mask = Mask(op.not_(op.greater(length, constant(0.0))), f"vector {x.name!r} is of length 0 or holds NaN")
    else:
        raise Refused(f"distanceMeasure is {measure!r}.", fix="Spark knows 'euclidean' and 'cosine'.")
    return distances, op.where(op.isinf(length), constant(0.0), slack), mask  # infinitely long: all are as far


def _euclidean(x: Vector, centers: Array) -> tuple[Var, Var]:
    """Squared distances [N, K] and their tolerance."""
    last = constant(np.array([-1], dtype=np.int64))
    wide = op.unsqueeze(x.var, last)
    apart = op.sub(wide, constant(centers.T[None]))
    sizes = op.add(op.abs(wide), constant(np.abs(centers.T)[None]))
    slack = dot_bound(sequential_sum(op.mul(sizes, sizes)), centers.shape[1])
    if x.slack is not None:
        moved = op.unsqueeze(x.slack, last)
        step = op.mul(moved, op.add(op.mul(constant(2.0), op.abs(apart)), moved))
        slack = op.add(slack, sequential_sum(step))
    return sequential_sum(op.mul(apart, apart)), slack


def _cosine(x: Vector, length: Var, centers: Array, norms: Array) -> tuple[Var, Var]:
    """Distances [N, K] and their tolerance."""
    cosines = op.div(op.div(dot(x.var, centers.T), constant(norms)), length)
    distances = op.sub(constant(1.0), cosines)
    terms = centers.shape[1]
    sizes = op.div(op.div(dot(op.abs(x.var), np.abs(centers.T)), constant(norms)), length)
    slack = dot_bound(op.add(constant(2.0), sizes), terms)
    if x.slack is not None:
        slack = op.add(slack, op.div(op.mul(constant(4.0), ordered_sum(x.slack)), length))
    return distances, slack


def _check_angles(centers: Array) -> None:
    """Raises Refused where the bounds by which Spark leaves out centres are no numbers."""
    directions = centers / _norms(centers)[:, None]
    if (1 - directions @ directions.T > _OPPOSITE).any():
        raise Refused(
            "two centres are exactly opposite; the bounds by which Spark leaves out centres are then no numbers.",
            fix="fit with another k or seed.",
        )


def _norms(centers: Array) -> Array:
    """[K]. Raises Refused where one is 0."""
    norms: Array = np.sqrt(np.array([_in_order(center * center) for center in centers]))
    if not (norms > 0).all():
        raise Refused("a centre has length 0.", fix="Spark itself refuses every row: fit the model again.")
    return norms


def _in_order(terms: Array) -> float:
    total = 0.0
    for term in terms.tolist():
        total += term
    return total
