"""Weighted sums: linear and logistic regression, linear support vector machines.

Spark's BLAS adds in an order that depends on the processor, so sums are within min(2(n + 4), 32)·u·Σ|xᵢwᵢ|.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Number, Vector, number, vector
from builder.graph.idioms import argmax, constant, dot, exp, largest, ordered_sum, slots
from builder.graph.rules import converts
from builder.graph.sparse import Sparse
from builder.graph.tolerance import UNIT, dot_bound, exponential_growth, logistic_bound, shared_bound, weighed
from builder.sparkml.attributes import Attribute
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_matrix, dense_vector, stored_matrix, stored_vector
from builder.stages.classifying import COLUMNS, above, classified, slot
from builder.stages.logistic import both_sides, two_class_probability
from builder.types import Array

_FITTING = (
    "aggregationDepth",
    "elasticNetParam",
    "featuresCol",
    "fitIntercept",
    "labelCol",
    "maxBlockSizeInMB",
    "maxIter",
    "regParam",
    "standardization",
    "tol",
    "weightCol",
)
_BOUNDS = tuple(f"{end}BoundsOn{what}" for end in ("lower", "upper") for what in ("Coefficients", "Intercepts"))


def weighted(x: Vector, weights: Array, stored: Array, intercept: float) -> Number:
    """Σ xᵢwᵢ + intercept over the weights that Spark stores: another's slot may be infinite and adds nothing.

    Shapes: x [N, F], weights and stored [F] -> [N, 1].
    """
    x = x.sized(len(weights))
    if x.sparse is not None and x.slack is None:
        summed, bound = _weighted_entries(x.sparse, weights[:, None], stored[:, None], np.array([intercept]))
        return number(summed, slack=bound)
    used = np.flatnonzero(stored)
    column = weights[used][:, None]
    every = len(used) == len(weights)
    given = x.var if every else slots(x.var, used)
    slack = None if x.slack is None or not used.size else slots(x.slack, used)
    total = op.add(dot(given, column), constant(intercept))
    return number(total, slack=weighed(given, slack, column, intercept))


def _weighted_entries(x: Sparse, weights: Array, stored: Array, intercepts: Array) -> tuple[Var, Var]:
    """Of few entries, weights and stored [F, K]: the sums [N, K], and the bound of their terms."""
    sizes = op.add(x.size().dot(np.abs(weights)), constant(np.where(np.isfinite(intercepts), np.abs(intercepts), 0.0)))
    return op.add(x.dot(weights, stored), constant(intercepts)), dot_bound(sizes, len(weights) + 1)


@converts(
    "org.apache.spark.ml.regression.LinearRegressionModel",
    word="dot",
    reads=("featuresCol",),
    writes=("predictionCol",),
    ignores=(*_FITTING, "epsilon", "loss", "solver"),
)
def linear_regression(stage: SavedStage, x: Vector) -> Number:
    """prediction = coefficients · x + intercept.

    Shapes: x [N, F] -> prediction [N, 1].
    Source: LinearRegressionModel.predict (ml/regression/LinearRegression.scala, Spark 4.0.1)
    """
    row = stage.row()
    return _weighted_vector(x, row["coefficients"], row["intercept"])


@converts(
    "org.apache.spark.ml.classification.LinearSVCModel",
    word="dot",
    reads=("featuresCol",),
    writes=("rawPredictionCol", "predictionCol"),
    ignores=_FITTING,
)
def linear_svc(stage: SavedStage, x: Vector) -> tuple[Vector, Number]:
    """m = coefficients · x + intercept; raw = [-m, m]; the label is 1 where m > threshold.

    Shapes: x [N, F] -> raw [N, 2], prediction [N, 1].
    NaN:    the label is 0.
    Source: LinearSVCModel.predictRaw, raw2prediction (ml/classification/LinearSVC.scala, Spark 4.0.1)
    """
    row = stage.row()
    margin = _weighted_vector(x, row["coefficients"], row["intercept"])
    label = above(margin.var, margin.slack, stage.params.number("threshold"))
    return both_sides(margin), number(label.var, attribute=Attribute("nominal", num_values=2), slack=label.slack)


def _weighted_vector(x: Vector, coefficients: Mapping[str, Any], intercept: float) -> Number:
    return weighted(x, dense_vector(coefficients), stored_vector(coefficients), float(intercept))


@converts(
    "org.apache.spark.ml.classification.LogisticRegressionModel",
    word="elementary",
    reads=("featuresCol",),
    writes=COLUMNS,
    ignores=(*_FITTING, *_BOUNDS, "family"),
    note="rawPrediction is `dot`",
)
def logistic_regression(stage: SavedStage, x: Vector) -> tuple[Vector, Vector, Number]:
    """Of two classes: m = coefficients · x + intercept, raw = [-m, m], p = 1 / (1 + exp(m)), probability = [p, 1 - p].
    Multinomial: raw = coefficients · x + intercepts, probability = softmax(raw).

    Shapes: x [N, F] -> raw and probability [N, K], prediction [N, 1].
    Source: LogisticRegressionModel (ml/classification/LogisticRegression.scala, Spark 4.0.1)
    """
    row = stage.row()
    weights, stored = dense_matrix(row["coefficientMatrix"]), stored_matrix(row["coefficientMatrix"])
    intercepts = dense_vector(row["interceptVector"])
    if row["isMultinomial"]:
        stage.params.raw("threshold")  # of two classes alone
        raw = margins(x, weights, stored, intercepts)
        return classified(stage, raw, softmax(raw))
    margin = weighted(x, weights[0], stored[0], float(intercepts[0]))
    threshold = _threshold(stage)
    edge = -math.inf if threshold == 0 else math.inf if threshold == 1 else math.log(threshold / (1 - threshold))
    raw = both_sides(margin)
    return classified(
        stage,
        raw,
        two_class_probability(raw),
        by_raw=lambda raw: above(*slot(raw, 1), edge),
        by_probability=lambda probability: above(*slot(probability, 1), threshold),
        by_features=lambda: _scored(margin, threshold),
    )


def _threshold(stage: SavedStage) -> float:
    """getThreshold: `thresholds` [a, b], where set, mean 1 / (1 + a / b)."""
    own = stage.params.number("threshold")
    if "thresholds" not in stage.params:
        return own
    with np.errstate(all="ignore"):
        first, second = stage.params.numbers("thresholds")[:2]
        return float(1.0 / (1.0 + first / second))


def _scored(margin: Number, threshold: float) -> Number:
    """Without a raw prediction or a probability the label hangs on 1 / (1 + exp(-m))."""
    score = op.div(constant(1.0), op.add(constant(1.0), exp(op.neg(margin.var))))
    slack = None if margin.slack is None else logistic_bound(score, margin.slack)
    return above(score, slack, threshold)


def margins(x: Vector, weights: Array, stored: Array, intercepts: Array) -> Vector:
    """weights and stored [K, F] -> [N, K]. One product for all classes where the matrix is dense."""
    classes, terms = weights.shape
    x = x.sized(terms)
    if x.sparse is not None and x.slack is None:
        total, slack = _weighted_entries(x.sparse, weights.T, stored.T, intercepts)
        return vector(total, classes, slack=slack)
    if not stored.all():
        rows = [weighted(x, weights[k], stored[k], float(intercepts[k])) for k in range(classes)]
        slacks = [row.slack for row in rows if row.slack is not None]
        return vector(op.concat([row.var for row in rows], axis=1), classes, slack=op.concat(slacks, axis=1))
    total = op.add(dot(x.var, weights.T), constant(intercepts))
    return vector(total, classes, slack=weighed(x.var, x.slack, weights.T, intercepts))


def softmax(raw: Vector) -> Vector:
    """exp(raw - its maximum) times 1 / their sum; where one is +inf, the first such has 1 and the others are times 0.

    Shapes: raw [N, K] -> [N, K].
    Order:  added from the first class on. NaN does not count for the maximum, which starts at the smallest double.
    Source: Utils.softmax (ml/impl/Utils.scala, Spark 4.0.1)
    """
    top = largest(raw.var, float(np.finfo(np.float64).min))
    powers = exp(op.sub(raw.var, top))
    shares = op.mul(powers, op.div(constant(1.0), ordered_sum(powers)))
    infinite = op.equal(raw.var, constant(np.inf))
    first = argmax(op.where(infinite, constant(1.0), constant(0.0)))
    here = op.equal(constant(np.arange(raw.width, dtype=np.float64)), first)
    certain = op.where(here, constant(1.0), op.mul(raw.var, constant(0.0)))
    probability = op.where(op.equal(top, constant(np.inf)), certain, shares)
    slack = None
    if raw.slack is not None:
        moved = exponential_growth(op.mul(largest(raw.slack), constant(2.0)))
        rounding = op.add(moved, constant(2 * (raw.width + 4) * UNIT))
        bound = op.where(op.isinf(rounding), rounding, op.mul(probability, rounding))
        slack = op.where(op.equal(top, constant(np.inf)), constant(0.0), shared_bound(probability, bound))
    return vector(probability, raw.width, masks=raw.masks, slack=slack)
