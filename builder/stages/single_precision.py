"""float32 as the C library, NumPy and SciPy compute with it: links of XGBoost's margins.

The C library's expf is not always the nearest float32: what it may give besides is carried through, so that the tolerance
of an answer is nearly always 0. SciPy's softmax asks NumPy's float32 exp, good to 4 ulps.
"""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.idioms import constant, exp, java_max, sequential_sum
from builder.types import Array

_EXPF = 6e-10  # relative error of expf before it rounds, with room: glibc tells of 0.502 ulp
_UNIT = 2.0**-24  # u of float32
_SMALLEST = 2.0**-125  # below it float32 exps may lose digits, or all of them


def single(value: Array | float) -> Var:
    return constant(np.asarray(value, dtype=np.float32))


def _expf(z: Var) -> tuple[Var, Var, Var]:
    """z float32 [N, K] → e^z in float32, and the least and the most that a C library's expf may give."""
    exact = exp(op.cast(z, to=np.float64))
    ends = (exact, op.mul(exact, constant(1 - _EXPF)), op.mul(exact, constant(1 + _EXPF)))
    near, low, high = (op.cast(end, to=np.float32) for end in ends)
    return near, low, high


def _logistic(z: Var) -> tuple[Var, Var, Var]:
    """1 / (1 + e^z) in float32, and the least and the most that expf's errors make of it."""
    near, low, high = (op.div(single(1.0), op.add(e, single(1.0))) for e in _expf(z))
    return near, high, low


def two_classes(margin: Var) -> tuple[Var, Var]:
    """[1 - p, p] of SciPy's expit, [N, 2] float32, and its tolerance."""
    near, low, high = (op.concat([op.sub(single(1.0), p), p], axis=1) for p in _logistic(op.neg(margin)))
    return near, op.abs(op.sub(op.cast(high, to=np.float64), op.cast(low, to=np.float64)))


def _apart(low: Var, high: Var) -> Var:
    """high - low as float64; 0 where they are alike, infinite or not."""
    wide = op.sub(op.cast(high, to=np.float64), op.cast(low, to=np.float64))
    return op.where(op.greater(wide, constant(0.0)), wide, constant(0.0))


def identity(margin: Var) -> tuple[Var, Var | None]:
    return margin, None


def both_sides(margin: Var) -> tuple[Var, Var | None]:
    """[-m, m]."""
    return op.concat([op.neg(margin), margin], axis=1), None


def hinge(margin: Var) -> tuple[Var, Var | None]:
    """1 where the margin is above 0."""
    return op.cast(op.greater(margin, single(0.0)), to=np.float32), None


def exponential(margin: Var) -> tuple[Var, Var | None]:
    """expf of it."""
    near, low, high = _expf(margin)
    return near, _apart(low, high)


def sigmoid(margin: Var) -> tuple[Var, Var | None]:
    """1 / (expf(min(-m, 88.7)) + 1). What XGBoost adds below, 1e-16, no float32 above 1 can hold."""
    p, low, high = _logistic(op.min([op.neg(margin), single(88.7)]))
    return p, _apart(low, high)


def softmax(margin: Var, classes: int) -> tuple[Var, Var]:
    """[N, K] float32, and its tolerance: 4 ulps for each exp, the sum in any order, one division."""
    most = op.cast(java_max(op.cast(margin, to=np.float64)), to=np.float32)
    near, _, _ = _expf(op.sub(margin, most))
    total = sequential_sum(op.unsqueeze(near, constant(np.array([-1], dtype=np.int64))))
    p = op.div(near, total)
    share = (2 * 8 + 2 * (classes + 1) + 2) * _UNIT
    return p, op.add(op.mul(op.cast(p, to=np.float64), constant(share)), constant(_SMALLEST))
