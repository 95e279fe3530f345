"""Factorization machines: features weighed alone, and by pairs."""

from __future__ import annotations

import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Number, Vector, number, vector
from builder.graph.idioms import constant, dot, exp, ordered_sum
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, dot_bound, logistic_bound, weighed
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_matrix, dense_vector, stored_vector
from builder.stages.classifying import COLUMNS, classified, slot
from builder.stages.linear import weighted
from builder.stages.logistic import both_sides
from builder.types import Array

_FITTING = (
    "factorSize",
    "featuresCol",
    "fitIntercept",
    "fitLinear",
    "initStd",
    "labelCol",
    "maxIter",
    "miniBatchFraction",
    "regParam",
    "seed",
    "solver",
    "stepSize",
    "tol",
    "weightCol",
)


@converts(
    "org.apache.spark.ml.regression.FMRegressionModel",
    word="dot",
    reads=("featuresCol",),
    writes=("predictionCol",),
    ignores=_FITTING,
)
def fm_regressor(stage: SavedStage, x: Vector) -> Number:
    """prediction = intercept + linear · x + Σ over factors f of ((Σ v_f x)² - Σ (v_f x)²) / 2.

    Shapes: x [N, F] -> prediction [N, 1].
    Order:  the factors from the first on; within each, and in the linear part, within the bound of a dot product.
    Source: FactorizationMachines.getRawPrediction (ml/regression/FMRegressor.scala, Spark 4.0.1)
    """
    return _score(stage, x)


@converts(
    "org.apache.spark.ml.classification.FMClassificationModel",
    word="elementary",
    reads=("featuresCol",),
    writes=COLUMNS,
    ignores=_FITTING,
    note="rawPrediction is `dot`",
)
def fm_classifier(stage: SavedStage, x: Vector) -> tuple[Vector, Vector, Number]:
    """m as `fm_regressor` makes it; raw = [-m, m]; p = 1 / (1 + exp(-m)); probability = [1 - p, p].

    Shapes: x [N, F] -> raw and probability [N, 2], prediction [N, 1].
    Source: FMClassificationModel.predictRaw, raw2probabilityInPlace (ml/classification/FMClassifier.scala, Spark 4.0.1)
    """
    raw = both_sides(_score(stage, x))
    margin, slack = slot(raw, 1)
    p = op.div(constant(1.0), op.add(constant(1.0), exp(op.neg(margin))))
    other = op.sub(constant(1.0), p)
    bound = None
    if slack is not None:
        moved = logistic_bound(p, slack)
        bound = op.concat([op.add(moved, op.mul(other, constant(2 * UNIT))), moved], axis=1)
    probability = vector(op.concat([other, p], axis=1), 2, masks=raw.masks, slack=bound)
    return classified(stage, raw, probability)


def _score(stage: SavedStage, x: Vector) -> Number:
    row = stage.row()
    factors = dense_matrix(row["factors"])
    x = x.sized(len(factors))
    alone = weighted(x, dense_vector(row["linear"]), stored_vector(row["linear"]), float(row["intercept"]))
    sums, squares = dot(x.var, factors), dot(op.mul(x.var, x.var), factors * factors)
    pairs = op.mul(constant(0.5), op.sub(op.mul(sums, sums), squares))
    total = ordered_sum(op.concat([alone.var, pairs], axis=1))
    return number(total, slack=_bound(x, alone, factors, sums, squares, total))


def _bound(x: Vector, alone: Number, factors: Array, sums: Var, squares: Var, total: Var) -> Var | None:
    """Of the linear part; of each square, by the tolerance of its root; and of adding them."""
    if alone.slack is None:
        return None
    root = weighed(x.var, x.slack, factors)
    square = dot_bound(squares, len(factors) + 2)
    if x.slack is not None:
        own = op.mul(x.slack, op.add(op.mul(constant(2.0), op.abs(x.var)), x.slack))
        square = op.add(square, dot(own, factors * factors))
    moved = op.add(op.mul(root, op.add(op.mul(constant(2.0), op.abs(sums)), root)), square)
    sizes = op.concat([op.abs(alone.var), op.add(op.mul(sums, sums), squares)], axis=1)
    parts = op.concat([alone.slack, moved], axis=1)
    bound = op.add(ordered_sum(parts), dot_bound(ordered_sum(sizes), factors.shape[1] + 1))
    return op.where(op.or_(op.isnan(total), op.isinf(total)), constant(0.0), bound)
