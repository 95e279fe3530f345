"""Naive Bayes: the class that makes the features likeliest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Mask, Number, Vector, vector
from builder.graph.idioms import any_of, constant, dot, exp, largest, log, ordered_sum, sequential_sum
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, dot_bound
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_matrix, dense_vector, stored_matrix
from builder.stages.classifying import COLUMNS, classified
from builder.stages.linear import margins, softmax
from builder.types import Array


@converts(
    "org.apache.spark.ml.classification.NaiveBayesModel",
    word="elementary",
    reads=("featuresCol",),
    writes=COLUMNS,
    ignores=("featuresCol", "labelCol", "smoothing", "weightCol"),
)
def naive_bayes(stage: SavedStage, x: Vector) -> tuple[Vector, Vector, Number]:
    """raw = the log-likelihood of each class by `modelType`; probability = softmax(raw).

    Shapes: x [N, F] -> raw and probability [N, K], prediction [N, 1].
    NaN:    refused by all but gaussian, where raw is NaN.
    Raises: Refused on a modelType that Spark does not know.
    Source: NaiveBayesModel (ml/classification/NaiveBayes.scala, Spark 4.0.1)
    """
    kinds: Mapping[str, Callable[[Mapping[str, Any], Vector], Vector]] = {
        "multinomial": _multinomial,
        "complement": _complement,
        "bernoulli": _bernoulli,
        "gaussian": _gaussian,
    }
    kind = stage.params.text("modelType")
    if kind not in kinds:
        raise Refused(f"modelType is {kind!r}.", fix=f"Spark knows {', '.join(kinds)}.")
    row = stage.row()
    raw = kinds[kind](row, x.sized(row["theta"]["numCols"]))
    return classified(stage, raw, softmax(raw))


def _multinomial(row: Mapping[str, Any], x: Vector) -> Vector:
    """pi + theta · x, x not below 0."""
    raw = _added(x, dense_matrix(row["theta"]), stored_matrix(row["theta"]), dense_vector(row["pi"]))
    return raw.because(_below_zero(x))


def _complement(row: Mapping[str, Any], x: Vector) -> Vector:
    """theta · x less the logarithm of the sum of its exponentials; x not below 0. Order: from the first class on."""
    theta = dense_matrix(row["theta"])
    scores = _added(x, theta, stored_matrix(row["theta"]), np.zeros(len(theta)))
    top = largest(scores.var, -np.inf)
    total = op.add(log(ordered_sum(exp(op.sub(scores.var, top)))), top)
    raw = op.sub(scores.var, total)
    slack = None
    if scores.slack is not None:
        sizes = op.add(op.add(op.abs(raw), op.abs(top)), constant(scores.width + 20.0))
        slack = op.add(op.add(scores.slack, largest(scores.slack)), op.mul(sizes, constant(4 * UNIT)))
    return vector(raw, scores.width, slack=_of_numbers(raw, slack)).because(_below_zero(x))


def _below_zero(x: Vector) -> Mask:
    return Mask(
        any_of(op.not_(op.greater_or_equal(_entries(x), constant(0.0)))),
        f"vector {x.name!r} holds NaN or what is below 0",
    )


def _entries(x: Vector) -> Var:
    """Values of x, those of slots that are not stored aside where there are many."""
    return x.var if x.sparse is None else x.sparse.values


def _bernoulli(row: Mapping[str, Any], x: Vector) -> Vector:
    """pi + Σ log(1 - e^theta) + (theta - log(1 - e^theta)) · x, x of 0 and 1 alone."""
    theta, pi = dense_matrix(row["theta"]), dense_vector(row["pi"])
    with np.errstate(all="ignore"):
        chance = np.exp(theta)
        absent = np.log1p(-chance)
        weights, start = theta - absent, pi + absent.sum(axis=1)
        apart = np.where(np.isfinite(absent), np.abs(absent) + np.abs(theta) + chance / (1 - chance), 0.0)
    raw = _added(x, weights, np.ones(theta.shape, dtype=bool), start)
    if raw.slack is not None:  # Java's exp and log1p are ulps away, and its sums in another order
        sums = (16.0 + min(2 * (theta.shape[1] + 4), 32)) * UNIT * (apart.sum(axis=1) + np.abs(pi))
        raw = raw.within(_of_numbers(raw.var, op.add(raw.slack, constant(sums))))
    given = _entries(x)
    neither = op.not_(op.or_(op.equal(given, constant(0.0)), op.equal(given, constant(1.0))))
    return raw.because(Mask(any_of(neither), f"vector {x.name!r} holds what is neither 0 nor 1"))


def _added(x: Vector, weights: Array, stored: Array, start: Array) -> Vector:
    """start + weights · x, weights [K, F] → [N, K]. Of infinite weights (smoothing 0) a stored 0 makes NaN."""
    endless = np.isinf(weights)
    if not endless.any():
        return margins(x, weights, stored, start)
    raw = margins(x, np.where(endless, 0.0, weights), stored & ~endless, start)
    zero = op.equal(x.var, constant(0.0))
    counted = zero if x.stored is None else op.and_(zero, x.stored)
    up, down = (_touched(op.not_(zero), weights == end) for end in (np.inf, -np.inf))
    lost = op.or_(_touched(counted, endless), op.and_(up, down))
    moved = op.where(up, constant(np.inf), op.where(down, constant(-np.inf), constant(0.0)))
    total = op.add(op.where(lost, constant(np.nan), moved), raw.var)
    return vector(total, raw.width, slack=_of_numbers(total, raw.slack))


def _touched(rows: Var, of: Array) -> Var:
    """rows [N, F] bool, of [K, F] bool → [N, K]: whether any slot is true in both."""
    return op.greater(dot(op.cast(rows, to=np.float64), of.T.astype(np.float64)), constant(0.0))


def _of_numbers(value: Var, slack: Var | None) -> Var | None:
    """No tolerance where the value is infinite or no number."""
    return None if slack is None else op.where(op.or_(op.isnan(value), op.isinf(value)), constant(0.0), slack)


def _gaussian(row: Mapping[str, Any], x: Vector) -> Vector:
    """pi - (Σ (x - theta)² / sigma + Σ log(sigma)) / 2. Order: from the first slot on."""
    theta, sigma, pi = dense_matrix(row["theta"]), dense_matrix(row["sigma"]), dense_vector(row["pi"])
    with np.errstate(all="ignore"):
        spread = np.cumsum(np.log(sigma), axis=1)[:, -1]
    last = constant(np.array([-1], dtype=np.int64))
    apart = op.sub(op.unsqueeze(x.var, last), constant(theta.T[None]))
    far = sequential_sum(op.div(op.mul(apart, apart), constant(sigma.T[None])))
    raw = op.sub(constant(pi), op.div(op.add(far, constant(spread)), constant(2.0)))
    slack = _gaussian_slack(x, apart, far, sigma, pi)
    return vector(raw, len(pi), slack=_of_numbers(raw, slack))


def _gaussian_slack(x: Vector, apart: Var, far: Var, sigma: Array, pi: Array) -> Var:
    with np.errstate(all="ignore"):
        logs = np.log(sigma)
        spread = np.cumsum(logs, axis=1)[:, -1]
    reach = 4 * UNIT * np.where(np.isfinite(logs), np.abs(logs), 0.0).sum(axis=1)  # of Java's logarithms from ours
    less, more = (
        op.sub(constant(pi), op.div(op.add(far, constant(total)), constant(2.0)))
        for total in (spread + reach, spread - reach)
    )
    slack = op.sub(more, less)
    if x.slack is None:
        return slack
    wide = op.unsqueeze(x.slack, constant(np.array([-1], dtype=np.int64)))
    step = op.mul(wide, op.add(op.mul(constant(2.0), op.abs(apart)), wide))
    moved = sequential_sum(op.div(step, constant(sigma.T[None])))
    sizes = op.add(far, constant(np.abs(np.where(np.isfinite(spread), spread, 0.0)) + np.abs(pi)))
    return op.add(slack, op.add(moved, dot_bound(sizes, x.width)))
