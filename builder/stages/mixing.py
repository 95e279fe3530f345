"""Mixtures of normal distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Number, Vector, number, vector
from builder.graph.idioms import any_of, argmax, constant, dot, exp, ordered_sum, sequential_sum, whole
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, outdone, shared_bound, weighed
from builder.sparkml.attributes import Attribute
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_matrix, dense_vector
from builder.types import Array, Scalar

_EPSILON = 2.0**-52  # ml.impl.Utils.EPSILON
_UNSURE = 4.0  # an eigenvalue within this factor of Spark's limit for 0: rounding decides on which side it is


@converts(
    "org.apache.spark.ml.clustering.GaussianMixtureModel",
    word="iterative",
    arrays=True,
    reads=("featuresCol",),
    writes=("probabilityCol", "predictionCol"),
    ignores=("aggregationDepth", "featuresCol", "k", "maxIter", "seed", "tol", "weightCol"),
    note="within what two eigensolvers may differ by: about u times the covariances' condition",
)
def gaussian_mixture(stage: SavedStage, x: Vector) -> tuple[Vector, Number]:
    """p = epsilon + weight * density(x), probability = p / Σp; the prediction is the first of the most probable.

    The density of a component is exp(c - |R mu - R x|² / 2), R = D^-1/2 Uᵀ of its covariance U D Uᵀ, without the
    directions in which it is flat; c = -(F log 2 pi + Σ log D) / 2.

    Shapes: x [N, F] -> probability [N, K], prediction [N, 1] int32.
    Order:  R x is left to BLAS by Spark, and U and D to LAPACK: what they may differ by is carried through.
    NaN:    every probability is NaN, the prediction 0.
    Raises: Refused where rounding decides whether a covariance is flat in some direction.
    Source: GaussianMixtureModel.transform, computeProbabilities (ml/clustering/GaussianMixture.scala, Spark 4.0.1);
            MultivariateGaussian.logpdf (ml/stat/distribution/MultivariateGaussian.scala, Spark 4.3.0)
    """
    row = stage.row()
    means = [dense_vector(mean) for mean in row["mus"]]
    parts = [_component(mean, dense_matrix(sigma)) for mean, sigma in zip(means, row["sigmas"], strict=True)]
    weights = np.array(row["weights"], dtype=np.float64)
    x = x.sized(len(means[0]))
    logarithm, unsure = _log_densities(x, parts)
    density = exp(logarithm)
    shares = op.add(constant(_EPSILON), op.mul(constant(weights), density))
    total = ordered_sum(shares)
    probability = op.div(shares, total)

    moved = op.where(
        op.less(unsure, constant(1e-3)),
        op.mul(density, op.add(op.mul(unsure, constant(1.001)), constant(8 * UNIT))),
        exp(op.min([op.add(logarithm, unsure), constant(700.0)])),
    )
    errors = op.mul(constant(weights), moved)
    spread = op.add(op.div(errors, total), op.div(op.mul(probability, ordered_sum(errors)), total))
    rounding = op.mul(probability, constant(2 * (len(parts) + 4) * UNIT))
    some = any_of(op.greater_or_equal(op.add(op.mul(constant(weights), density), errors), constant(_EPSILON * 2**-55)))
    slack = op.where(some, shared_bound(probability, op.add(spread, rounding)), constant(0.0))  # else each is epsilon
    index = argmax(probability)
    return vector(probability, len(parts), slack=slack), number(
        whole(index),
        type=Scalar("integer"),
        attribute=Attribute("nominal", num_values=len(parts)),
        slack=outdone(probability, slack, index, len(parts)),
    )


@dataclass(frozen=True)
class _Component:
    """log density = constant - |shift - root x|² / 2.

    What another eigensolver's may differ by: `of_square` relative to the square, `of_constant`, and `of_offset` times
    |x - mean| for each |shift - root x|, where the covariance is flat in some direction.
    """

    root: Array
    shift: Array
    mean: Array
    constant: float
    of_square: float
    of_constant: float
    of_offset: float


def _component(mean: Array, sigma: Array) -> _Component:
    if not (np.isfinite(sigma).all() and np.isfinite(mean).all()):
        raise Refused("a covariance or mean of the model is not finite.", fix="fit the model again, on finite rows.")
    values, directions = np.linalg.eigh(sigma)
    size, largest = len(values), float(values.max())
    limit = _EPSILON * largest * size
    if ((values > limit / _UNSURE) & (values < limit * _UNSURE)).any():
        raise Refused(
            "a covariance of the model is flat in some direction, or is not: rounding decides, and Spark's answers hang on it.",
            fix="fit with a smaller k, or leave out features that depend on each other.",
        )
    kept = values > limit
    inverse = np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)
    root = np.sqrt(inverse)[:, None] * directions.T
    determinant = 0.0
    for value in values[kept].tolist():
        determinant += math.log(value)
    apart = 8 * size * UNIT  # of two backward stable solvers, relative to the largest eigenvalue
    steepest = float(inverse.max())
    return _Component(
        root,
        root @ mean,
        mean,
        -0.5 * (size * math.log(2.0 * math.pi) + determinant),
        apart * largest * steepest,
        apart * largest * float(inverse.sum()) + 4 * UNIT * (1 + abs(determinant) + 2 * size),
        0.0 if kept.all() else apart * largest * steepest * math.sqrt(steepest),
    )


def _log_densities(x: Vector, parts: list[_Component]) -> tuple[Var, Var]:
    """[N, K], and how far each may be from Spark's."""
    size, count = len(parts[0].mean), len(parts)
    roots = np.stack([part.root for part in parts], axis=1).reshape(size * count, size).T  # slot f * count + k
    shifts = np.stack([part.shift for part in parts], axis=1).reshape(-1)
    by_slot = constant(np.array([0, size, count], dtype=np.int64))
    away = op.reshape(op.sub(constant(shifts), dot(x.var, roots)), by_slot)
    square = sequential_sum(op.mul(away, away))
    logarithm = op.sub(constant(np.array([part.constant for part in parts])), op.mul(constant(0.5), square))

    bound = op.reshape(weighed(x.var, x.slack, roots, shifts), by_slot)
    if any(part.of_offset for part in parts):
        last = constant(np.array([-1], dtype=np.int64))
        means = constant(np.stack([part.mean for part in parts], axis=1)[None])
        offset = op.sub(op.unsqueeze(x.var, last), means)
        length = op.sqrt(sequential_sum(op.mul(offset, offset)))
        turned = op.mul(length, constant(np.array([part.of_offset for part in parts])))
        bound = op.add(bound, op.unsqueeze(turned, constant(np.array([1], dtype=np.int64))))
    of_square = sequential_sum(op.mul(bound, op.add(op.mul(constant(2.0), op.abs(away)), bound)))
    relative = constant(np.array([part.of_square for part in parts]) + 2 * (size + 4) * UNIT)
    unsure = op.add(
        op.mul(constant(0.5), op.add(of_square, op.mul(square, relative))),
        op.add(constant(np.array([part.of_constant for part in parts])), op.mul(op.abs(logarithm), constant(4 * UNIT))),
    )
    return logarithm, op.where(op.or_(op.isinf(square), op.isnan(square)), constant(0.0), unsure)
