"""Scalers: each slot by its own numbers, or all by the vector's norm."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Vector, compressed, scaled_origins, sparse_vector, vector
from builder.graph.idioms import constant, largest, ordered_sum
from builder.graph.rules import converts
from builder.graph.sparse import Sparse, only
from builder.graph.tolerance import UNIT, stretched
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector
from builder.types import Array, Word


@converts("org.apache.spark.ml.feature.MinMaxScalerModel", word="bit")
def min_max_scaler(stage: SavedStage, x: Vector) -> Vector:
    """y = (x - low) * scale + min; where scale is 0, y = (min + max) / 2.

    Shapes: x [N, F] -> y [N, F].
    Order:  subtract, multiply, add, as Spark does: equal bit for bit.
    NaN:    stays NaN, also where scale is 0.
    Source: MinMaxScalerModel.transform (ml/feature/MinMaxScaler.scala, Spark 4.0.1)
    """
    row = stage.row()
    low, high = dense_vector(row["originalMin"]), dense_vector(row["originalMax"])
    bottom, top = stage.params.number("min"), stage.params.number("max")
    x = x.sized(len(low))
    with np.errstate(all="ignore"):
        spread = high - low
        scale = np.where(spread != 0, (top - bottom) / spread, 0.0)
        back = bottom - low * scale
    flat = scale == 0  # Spark's test: also true when the spread overflows to infinity
    y = op.add(op.mul(op.sub(x.var, constant(low)), constant(scale)), constant(bottom))
    middle = op.where(op.isnan(x.var), x.var, constant((bottom + top) / 2))
    y = op.where(constant(flat), middle, y)
    return vector(
        y,
        len(low),
        origins=scaled_origins(x, np.where(flat, 0.0, scale), back, len(low)),
        slack=stretched(x.slack, np.where(flat, 0.0, scale), op.add(op.abs(y), constant(abs(bottom)))),
        stored=compressed(y, len(low)),
    )


@converts("org.apache.spark.ml.feature.StandardScalerModel", word="bit", nulls=True)
def standard_scaler(stage: SavedStage, x: Vector) -> Vector:
    """y = (x - mean) * (1 / std), each half if asked for; where std is 0 the factor is 0.

    Shapes: x [N, F] -> y [N, F].
    Order:  subtract, then multiply by the reciprocal.
    NaN:    stays NaN. With neither half asked for, a null vector stays null.
    Source: StandardScalerModel.transform, getTransformFunc (ml/feature/StandardScaler.scala, Spark 4.0.1)
    """
    row = stage.row()
    shift = dense_vector(row["mean"]) if stage.params.flag("withMean") else None
    scale = _reciprocal(dense_vector(row["std"]), 0.0) if stage.params.flag("withStd") else None
    return _scaled(x.sized(len(dense_vector(row["mean"]))), shift, scale)


@converts(
    "org.apache.spark.ml.feature.RobustScalerModel", word="bit", ignores=("lower", "upper", "relativeError"), nulls=True
)
def robust_scaler(stage: SavedStage, x: Vector) -> Vector:
    """y = (x - median) * (1 / range), each half if asked for; where the range is 0 the factor is 0.

    Shapes: x [N, F] -> y [N, F].
    Order:  subtract, then multiply by the reciprocal.
    NaN:    stays NaN. With neither half asked for, a null vector stays null.
    Source: RobustScalerModel.transform (ml/feature/RobustScaler.scala, Spark 4.0.1)
    """
    row = stage.row()
    shift = dense_vector(row["median"]) if stage.params.flag("withCentering") else None
    scale = _reciprocal(dense_vector(row["range"]), 0.0) if stage.params.flag("withScaling") else None
    return _scaled(x.sized(len(dense_vector(row["median"]))), shift, scale)


@converts("org.apache.spark.ml.feature.MaxAbsScalerModel", word="bit")
def max_abs_scaler(stage: SavedStage, x: Vector) -> Vector:
    """y = x * (1 / maxAbs); where maxAbs is 0 the factor is 1.

    Shapes: x [N, F] -> y [N, F].
    Source: MaxAbsScalerModel.transform (ml/feature/MaxAbsScaler.scala, Spark 4.0.1)
    """
    scale = _reciprocal(dense_vector(stage.row()["maxAbs"]), 1.0)
    return _scaled(x.sized(len(scale)), None, scale)


@converts("org.apache.spark.ml.feature.ElementwiseProduct", word="bit")
def elementwise_product(stage: SavedStage, x: Vector) -> Vector:
    """y = x * scalingVec, slot by slot.

    Shapes: x [N, F] -> y [N, F].
    Source: ElementwiseProduct.createTransformFunc (ml/feature/ElementwiseProduct.scala, Spark 4.0.1)
    """
    scale = stage.params.vector("scalingVec")
    return _scaled(x.sized(len(scale)), None, scale)


def _reciprocal(value: Array, where_zero: float) -> Array:
    with np.errstate(all="ignore"):
        return np.where(value == 0, where_zero, 1.0 / value)


def _scaled(x: Vector, shift: Array | None, scale: Array | None) -> Vector:
    """(x - shift) * scale, each if given. Without a shift, a sparse vector stays sparse: only stored values are multiplied.

    Source: StandardScalerModel.getTransformFunc
    """
    if shift is None and scale is None:
        return replace(x, attributes=None, masks=(), probes=())
    if any(len(given) != x.width for given in (shift, scale) if given is not None):
        raise ValueError(f"its saved vectors have other sizes than {x.width}")
    factor, offset = (1.0 if scale is None else scale), (0.0 if shift is None else shift)
    y, stored = x.var, x.stored
    if shift is not None:
        y, stored = op.sub(y, constant(shift)), None
    if scale is not None:
        y = op.mul(y, constant(scale))
        if not np.isfinite(scale).all():  # 0 * inf is NaN in a dense vector, and stays 0 unstored
            y = y if stored is None else op.where(stored, y, constant(0.0))
    with np.errstate(all="ignore"):
        back = -offset * factor
    few = None
    if x.sparse is not None and x.slack is None and shift is None and scale is not None and np.isfinite(scale).all():
        few = x.sparse.times(scale)
    return vector(
        y,
        x.width,
        sparse=few,
        origins=scaled_origins(x, factor, back, x.width),
        slack=stretched(x.slack, factor, y),
        stored=stored,
    ).because(*x.refused_nulls())


def _normalizer_word(stage: SavedStage) -> Word:
    return "bit" if stage.params.number("p") in (1, 2, math.inf) else "elementary"


@converts(
    "org.apache.spark.ml.feature.Normalizer",
    word="bit",
    weakened=_normalizer_word,
    note="with p other than 1, 2 and inf: elementary, Java's pow and C's differ in the last bits",
)
def normalizer(stage: SavedStage, x: Vector) -> Vector:
    """y = x / (norm of order p); a vector of norm 0 stays.

    Shapes: x [N, F] -> y [N, F].
    Order:  terms are added first to last; p = 1, 2 and inf are cases of their own.
    NaN:    the norm is NaN, and so are all stored slots; with p = inf NaN is left out of the norm.
    Source: Normalizer.transform (mllib/feature/Normalizer.scala), Vectors.norm (mllib/linalg/Vectors.scala, Spark 4.0.1)
    """
    p = stage.params.number("p")
    norm = _norm(x.var, p)
    unit = op.where(op.equal(norm, constant(0.0)), x.var, x.only_stored(op.div(x.var, norm)))
    if x.sparse is not None and x.slack is None and p in (1, 2, math.inf):
        return sparse_vector(_normalized_entries(x.sparse, p))
    return vector(unit, x.width, slack=_normalizer_slack(x, unit, norm, p), stored=x.stored)


def _normalized_entries(x: Sparse, p: float) -> Sparse:
    norm = _norm(x.values, p)
    shares = op.where(op.equal(norm, constant(0.0)), x.values, only(x.there, op.div(x.values, norm)))
    return replace(x.with_values(shares), finite=False)


def _norm(x: Var, p: float) -> Var:
    """[N, F] -> [N, 1]"""
    if p == 1:
        return ordered_sum(op.abs(x))
    if p == 2:
        return op.sqrt(ordered_sum(op.mul(x, x)))
    if p == math.inf:
        return largest(op.abs(x))
    return op.pow(ordered_sum(op.pow(op.abs(x), constant(p))), constant(1.0 / p))


def _normalizer_slack(x: Vector, y: Var, norm: Var, p: float) -> Var | None:
    """Of x / |x|: its own tolerance and its share of the norm's (at most the sum of all), and 4 ulps for each pow."""
    slack = None
    if p not in (1, 2, math.inf):
        slack = op.mul(op.abs(y), constant((x.width + 20) * UNIT))
    if x.slack is not None:
        total = ordered_sum(x.slack)
        moved = op.div(op.add(x.slack, op.mul(op.abs(y), total)), norm)
        rounded = op.mul(op.abs(y), constant((x.width + 8) * UNIT))
        moved = op.where(op.equal(total, constant(0.0)), constant(0.0), op.add(moved, rounded))
        moved = op.where(op.isinf(total), total, moved)
        slack = moved if slack is None else op.add(slack, moved)
    return None if slack is None else op.where(op.isnan(y), constant(0.0), slack)
