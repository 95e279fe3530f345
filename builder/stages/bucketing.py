"""Numbers cut into buckets."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import DOUBLE, Column, Mask, Number, Vector, compressed, number, vector
from builder.graph.idioms import constant, count, is_negative_zero
from builder.graph.rules import converts
from builder.graph.tolerance import ends, stepped
from builder.sparkml.attributes import Attribute
from builder.sparkml.printing import java_double
from builder.sparkml.reader import SavedStage
from builder.types import Array


@converts("org.apache.spark.ml.feature.Bucketizer", word="bit")
def bucketizer(stage: SavedStage, i: int, x: Number) -> Number:
    """The bucket [low, high) that x lies in; the last one is closed.

    Shapes: x [N, 1] -> [N, 1].
    NaN:    error refuses, skip drops, keep answers a bucket behind the last. Outside of the splits: refused, always.
    Null:   stays null with error and keep; skip drops it.
    Order:  Arrays.binarySearch puts -0.0 before 0.0: it lies below a split at 0.0, yet equals a last one.
    Source: Bucketizer.transform, binarySearchForBuckets (ml/feature/Bucketizer.scala, Spark 4.0.1)
    """
    splits = _splits(stage, i)
    value = x.numeric().double()
    bucket = _bucket(value, splits)
    outside = op.or_(op.less(value, constant(splits[0])), op.greater(value, constant(splits[-1])))
    if splits[0] == 0 and math.copysign(1.0, splits[0]) > 0:
        outside = op.or_(outside, is_negative_zero(value))
    lost, handle = op.isnan(value), stage.params.text("handleInvalid")
    masks = [Mask(outside, f"column {x.name!r} is outside of the splits")]
    nullable = x.nullable and handle != "skip"
    if handle == "keep":
        bucket = op.where(lost, constant(float(len(splits) - 1)), bucket)
    elif handle == "skip":
        masks.append(Mask(lost, f"column {x.name!r} is null or NaN", drops=True))
    else:
        bare = op.and_(lost, op.not_(x.is_null())) if x.nullable else lost
        masks.append(Mask(bare, f"column {x.name!r} is NaN"))
    if nullable:
        bucket = op.where(x.is_null(), constant(np.nan), bucket)
    both, origin = ends(x), x.origin()
    names = tuple(f"{java_double(low)}, {java_double(high)}" for low, high in pairwise(splits.tolist()))
    return (
        number(
            bucket,
            nullable=nullable,
            below=len(names) + (handle == "keep"),
            attribute=Attribute("nominal", values=names),
            slack=None if both is None else stepped(*(_bucket(end, splits) for end in both)),
        )
        .because(*masks)
        .probing(origin.probe(splits.tolist()) if origin else None)
    )


def _splits(stage: SavedStage, i: int) -> Array:
    splits = stage.params.nested("splitsArray")[i] if "inputCols" in stage.params else stage.params.numbers("splits")
    return np.asarray(splits, dtype=np.float64)


def _bucket(value: Var, splits: Array) -> Var:
    """How many of the inner splits lie at or below each value."""
    inner = splits[1:-1].reshape(1, -1)
    reached = op.less_or_equal(constant(inner), value)
    zero = (inner == 0) & ~np.signbit(inner)
    if zero.any():
        reached = op.and_(reached, op.not_(op.and_(constant(zero), is_negative_zero(value))))
    return count(reached)


@converts("org.apache.spark.ml.feature.Binarizer", word="bit")
def binarizer(stage: SavedStage, i: int, x: Column) -> Column:
    """1 where x is above the threshold, else 0; a double, or each slot of a vector.

    Shapes: x [N, 1] -> [N, 1]; x [N, F] -> [N, F].
    NaN:    0; in a vector with a negative threshold 1, since Spark asks `value <= threshold` there.
    Null:   0; before Spark 4, whose `when` took the place of a function of a Double, it stays null.
    Source: Binarizer.transform (ml/feature/Binarizer.scala, Spark 3.5.7 and 4.0.0)
    """
    several = "inputCols" in stage.params and "thresholds" in stage.params
    threshold = stage.params.number("threshold")
    if several:  # then `threshold` is the default that nobody set: Spark refuses both
        threshold = float(stage.params.numbers("thresholds")[i])
    origins = x.origins
    probes = [origin.probe([threshold]) for origin in origins if origin is not None]
    both = ends(x)
    match x:
        case Vector() if not math.isnan(threshold):
            slack = None if both is None else stepped(*(_above(end, threshold, threshold < 0) for end in both))
            y = _above(x.var, threshold, threshold < 0)
            return vector(y, x.width, slack=slack, stored=compressed(y, x.width)).probing(*probes)
        case Number() if x.type == DOUBLE:
            slack = None if both is None else stepped(*(_above(end, threshold, False) for end in both))
            y, nullable = _above(x.var, threshold, False), x.nullable and not stage.since(4, 0)
            if nullable:
                y = op.where(x.is_null(), constant(np.nan), y)
            return number(y, nullable=nullable, attribute=Attribute("binary"), slack=slack).probing(*probes)
    raise Refused(
        f"column {x.name!r} is {x.type}, threshold {threshold}; Binarizer reads doubles and vectors.",
        fix="check the schema given: Spark itself refuses this. Cast the column to double before, in fitting too.",
    )


def _above(x: Var, threshold: float, or_nan: bool) -> Var:
    limit = constant(threshold)
    above = op.not_(op.less_or_equal(x, limit)) if or_nan else op.greater(x, limit)
    return op.cast(above, to=np.float64)
