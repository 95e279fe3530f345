"""Vectors led into another space."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Vector, vector
from builder.graph.cosine_infinities import infinities
from builder.graph.idioms import any_of, constant, count, dot
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, undecided, weighed
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_matrix
from builder.types import Array


@converts("org.apache.spark.ml.feature.PCAModel", word="dot", ignores=("k",))
def pca(stage: SavedStage, x: Vector) -> Vector:
    """y = pcᵀ x.

    Shapes: x [N, F] -> y [N, K].
    Order:  Spark's gemv leaves it to its BLAS: within min(2(F + 4), 32)·u·Σ|pc·x|.
    Source: PCAModel.transform (ml/feature/PCA.scala, Spark 4.0.1)
    """
    components = dense_matrix(stage.row()["pc"])
    terms, width = components.shape
    x = x.sized(terms)
    return vector(dot(x.var, components), width, slack=weighed(x.var, x.slack, components))


@converts(
    "org.apache.spark.ml.feature.DCT",
    word="dot",
    note="where a prime p from 7 to 199 divides the width: p²/4·u·√(2/F)·Σ|x| more, so far off are JTransforms' own cosines; a row with ±∞ is undecided where the width is a power of two from 16 on, or above 1024 with no factor of 211 or more beside 2, 3 and 5",
)
def dct(stage: SavedStage, x: Vector) -> Vector:
    """y_k = s_k Σ x_j cos(π (2j + 1) k / 2F), s_0 = √(1/F), else √(2/F); the inverse is its transpose.

    Shapes: x [N, F] -> y [N, F].
    Order:  a fast transform of JTransforms: each slot is within min(2(F + 4), 32)·u·√(2/F)·Σ|x|, for it adds and takes
            away again what the cosines weigh little. For each prime p from 7 to 199 in F, p²/4 such u more: its cosines
            are multiplied up step by step there (p = 167 was seen to be off by 2,691·u, nearly p²/10).
    NaN:    every slot is NaN. So it is with an infinite slot where JTransforms goes by Bluestein's convolution. Elsewhere that
            makes a slot +∞, −∞ or NaN by where the fast transform's sums meet (graph/cosine_infinities); undecided where
            the width is a power of two from 16 on, or above 1024 where it does not.
    Source: DCT.createTransformFunc (ml/feature/DCT.scala, Spark 4.0.1), DoubleDCT_1D (JTransforms 3.1)
    """
    inverse, cosines = stage.params.flag("inverse"), _cosines(x.width)
    if x.width == 1:
        return vector(x.var, 1, slack=x.slack, origins=x.origins)
    y = dot(x.var, cosines if inverse else np.ascontiguousarray(cosines.T))
    signs = np.zeros((x.width, x.width)) if _convolved(x.width) else infinities(x.width, inverse)
    if signs is not None:
        y = op.where(any_of(op.isinf(x.var)), _met(x.var, signs), y)
    return vector(y, x.width, slack=_dct_slack(x, told=signs is not None))


def _met(x: Var, signs: Array) -> Var:
    """Of a row with infinite slots: ±∞ where all of them come with that one sign, else NaN; so it is beside a NaN."""
    if not signs.any():
        return constant(np.nan)
    infinite = op.isinf(x)
    come = dot(op.where(infinite, op.sign(x), constant(0.0)), signs)
    agreed = op.and_(op.equal(op.abs(come), count(infinite)), op.not_(any_of(op.isnan(x))))
    return op.where(agreed, op.mul(come, constant(np.inf)), constant(np.nan))


def _dct_slack(x: Vector, told: bool) -> Var:
    largest = np.full((x.width, x.width), np.sqrt(2 / x.width))
    lost = op.or_(op.isnan(x.var), op.isinf(x.var))
    sizes = dot(op.where(lost, constant(0.0), op.abs(x.var)), largest[:, :1])
    slack = op.add(weighed(x.var, x.slack, largest), op.mul(sizes, constant(_rounding(x.width) * UNIT)))
    return slack if told else op.add(slack, undecided(any_of(op.isinf(x.var))))


def _rounding(width: int) -> float:
    """Σ p²/4 over the primes that JTransforms has no butterfly of its own for; from 211 on it goes another way."""
    if _convolved(width):
        return 0.0
    rest, total = _rest(width), 0
    for prime in range(7, rest + 1):
        while rest % prime == 0:
            rest, total = rest // prime, total + prime * prime
    return total / 4


def _convolved(width: int) -> bool:
    """Whether JTransforms goes by Bluestein's convolution: every slot meets every other there."""
    return _rest(width) >= 211


def _rest(width: int) -> int:
    for prime in (2, 3, 5):
        while width % prime == 0:
            width //= prime
    return width


def _cosines(width: int) -> Array:
    """[F, F], row k: what y_k takes of each x. Angles are folded into [0, π/4] first, where cosine and sine are exact to an ulp."""
    k, j = np.ogrid[:width, :width]
    turn = (2 * j + 1) * k % (4 * width)  # in steps of π / 2F
    turn = np.where(turn > 2 * width, 4 * width - turn, turn)
    sign, turn = np.where(turn > width, -1.0, 1.0), np.where(turn > width, 2 * width - turn, turn)
    step = np.pi / (2 * width)
    value = np.where(2 * turn > width, np.sin((width - turn) * step), np.cos(turn * step))
    return np.asarray(sign * value * np.where(k == 0, np.sqrt(1 / width), np.sqrt(2 / width)))
