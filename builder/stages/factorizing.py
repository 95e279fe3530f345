"""Factorization machines: features weighed alone, and by pairs."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Number, Vector, number, vector
from builder.graph.idioms import constant, dot, exp, ordered_sum, sequential_sum
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, dot_bound, logistic_bound, weighed
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_matrix, dense_vector, stored_vector
from builder.stages.classifying import COLUMNS, classified, slot
from builder.stages.linear import weighted
from builder.stages.logistic import both_sides
from builder.types import Array

_MANY_TERMS = 8192  # of a row: 64 MB in a batch of a thousand
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
    Order:  the factors from the first on, in each the slots from the first on; of more than 8,192 slots times factors,
            and in the linear part, within the bound of a dot product.
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
    terms = _terms(x, factors)
    if terms is None:
        sums, squares = dot(x.var, factors), dot(op.mul(x.var, x.var), factors * factors)
    else:
        sums, squares = sequential_sum(terms), sequential_sum(op.mul(terms, terms))
    pairs = op.mul(constant(0.5), op.sub(op.mul(sums, sums), squares))
    each = op.concat([alone.var, pairs], axis=1)
    total = ordered_sum(each)
    if alone.slack is None:
        return number(total)
    bound = op.add(alone.slack, dot_bound(ordered_sum(op.abs(each)), factors.shape[1] + 1))
    if terms is None or x.slack is not None:
        bound = op.add(bound, _moved(x, factors, sums, squares))
    lost = op.or_(op.isnan(total), op.isinf(total))
    return number(total, slack=op.where(lost, constant(0.0), bound))


def _terms(x: Vector, factors: Array) -> Var | None:
    """v x of each slot and factor, in the order that Spark adds them; None where they are too many to be kept."""
    last = constant(np.array([-1], dtype=np.int64))
    if x.sparse is not None:
        return op.mul(op.unsqueeze(x.sparse.values, last), x.sparse.looked_up(factors))
    return op.mul(op.unsqueeze(x.var, last), constant(factors[None])) if factors.size <= _MANY_TERMS else None


def _moved(x: Vector, factors: Array, sums: Var, squares: Var) -> Var:
    """What the tolerance of the sums, and of x, makes of all pairs together, [N, 1]."""
    root = weighed(x.var, x.slack, factors)
    square = op.add(dot_bound(squares, len(factors) + 2), op.mul(op.mul(sums, sums), constant(4 * UNIT)))
    if x.slack is not None:
        own = op.mul(x.slack, op.add(op.mul(constant(2.0), op.abs(x.var)), x.slack))
        square = op.add(square, dot(own, factors * factors))
    return ordered_sum(op.add(op.mul(root, op.add(op.mul(constant(2.0), op.abs(sums)), root)), square))
