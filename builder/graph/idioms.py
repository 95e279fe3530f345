"""Ways around onnxruntime's traps, each closed once. `stages/` may not touch the raw operators (a house test looks).

What was measured on onnxruntime 1.19, 1.21 and 1.31 on x86-64:

* double Exp, Log, Tanh, Sigmoid and Softmax give other last bits in a SIMD packet than in its tail, so a row's answer
  would hang on its batch: `elementwise` makes every value fill a packet of its own.
* ReduceSum adds in order over axis 1 of [N, T, K] only up to T = 512 or so, and for N = 1 beyond; over the last axis not
  at all. CumSum adds in order: `sequential_sum`.
* MatMul of more than 256 terms adds them in blocks whose size depends on the batch (seen with two threads, 16 columns
  and more): `dot` cuts them into blocks of its own.
* ArgMax with NaN first answers 0, as Scala's loop does; ReduceMax leaves NaN out, Math.max does not: `argmax`, `java_max`.
* Casting NaN, inf or 1e30 to an integer, integer division by zero, Gather out of range: `to_index` guards its operand.
* Where has no kernel for int16, nor (1.21) for int8, nor for bool: `choose`.
* The optimizer takes `x + 0.0` for x, though it drops the sign of -0.0: `without_sign_of_zero`. It takes `x * (1 / y)` for
  `x / y`: `inverse`. What it thinks of constants that are nearly 0 or 1: `neutral`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import spox.opset.ai.onnx.ml.v5 as ml
import spox.opset.ai.onnx.v21 as op
from spox import Tensor, Var, argument

from builder.graph.sharing import shared
from builder.graph.targeting import target
from builder.types import Array

_SMALLEST_NORMAL = 2.0**-1022
_PACKET = 8  # doubles in the widest SIMD packet (AVX-512)
_LARGE_BYTES = 1 << 16  # spox's inference copies a constant at each use: 40 uses of 0.8 MB took 5 s
_SHARED_BYTES = 1 << 10  # above, it is a model's own, and hashing it would be the longer way
_DOT_TERMS = 128  # of one MatMul: as many as onnxruntime adds in one go
_tables: ContextVar[list[tuple[Var, Array]] | None] = ContextVar("tables", default=None)


def constant(value: Array | float | int | bool) -> Var:
    """A small constant; Python floats become float64 scalars."""
    array = np.asarray(value)
    if array.nbytes > _SHARED_BYTES or array.dtype.hasobject:
        return op.const(array)
    return _constant(array.dtype.str, array.shape, array.tobytes())


@shared
def _constant(dtype: str, shape: tuple[int, ...], held: bytes) -> Var:
    return op.const(np.frombuffer(held, dtype).reshape(shape))


def table(array: Array) -> Var:
    """A constant of any size. Above 64 KB it becomes an initializer after the build: op.const of 244 MB took 12 s and 2.8 GB.

    A long row's length is left open: ONNX's inference takes integers for a shape, and made half a second of each use of 1 M.
    """
    open_tables = _tables.get()
    if array.nbytes <= _LARGE_BYTES or open_tables is None:
        return op.const(array)
    var = argument(Tensor(array.dtype, array.shape if array.ndim > 1 else (None,)))
    open_tables.append((var, array))
    return var


@contextmanager
def collecting_tables() -> Iterator[list[tuple[Var, Array]]]:
    """While open, `table` sets large arrays aside here; whoever builds the model puts them in."""
    tables: list[tuple[Var, Array]] = []
    token = _tables.set(tables)
    try:
        yield tables
    finally:
        _tables.reset(token)


def elementwise(operator: Callable[[Var], Var], x: Var) -> Var:
    """`operator` on each value of x [N, K] (float64), the same bits whatever stands beside it in the batch."""
    last = constant(np.array([-1], dtype=np.int64))
    packets = op.expand(op.unsqueeze(x, last), constant(np.array([1, 1, _PACKET], dtype=np.int64)))
    return op.gather(operator(packets), constant(np.array(0, dtype=np.int64)), axis=2)


def exp(x: Var) -> Var:
    """e^x, [N, K] float64.

    Where onnxruntime's Exp ends at -708.4 (before 1.21), what is below is e^(x + 700) * e^-700: the sum is exact.
    """
    if target().subnormals:
        return elementwise(op.exp, x)
    deep = op.less(x, constant(-708.0))
    raised = elementwise(op.exp, op.where(deep, op.add(x, constant(700.0)), x))
    return op.mul(raised, op.where(deep, constant(math.exp(-700.0)), constant(1.0)))


def log(x: Var) -> Var:
    """ln x, [N, K] float64.

    Where onnxruntime's Log takes all that is below 2.2e-308 for that (before 1.21): ln(x * 2^60) - 60 ln 2; the product is exact.
    """
    if target().subnormals:
        return elementwise(op.log, x)
    tiny = op.less(x, constant(_SMALLEST_NORMAL))
    raised = elementwise(op.log, op.where(tiny, op.mul(x, constant(2.0**60)), x))
    return op.sub(raised, op.where(tiny, constant(60 * math.log(2)), constant(0.0)))


def sequential_sum(x: Var) -> Var:
    """x [N, T, K] → [N, K]: the T terms added one after the other, first to last."""
    sums = op.cumsum(x, constant(np.array(1, dtype=np.int64)))
    return op.gather(sums, constant(np.array(-1, dtype=np.int64)), axis=1)


def ordered_sum(x: Var) -> Var:
    """x [N, K] → [N, 1]: the K terms added one after the other, first to last."""
    last = constant(np.array([-1], dtype=np.int64))
    return sequential_sum(op.unsqueeze(x, last))


def dot(x: Var, weights: Array) -> Var:
    """x [N, F], weights [F, K] → [N, K], Σ xᵢwᵢ; the same bits whatever stands beside a row in the batch."""
    total: Var | None = None
    for start in range(0, len(weights), _DOT_TERMS):
        terms = weights[start : start + _DOT_TERMS]
        ends = [constant(np.array([end], dtype=np.int64)) for end in (start, start + len(terms), 1)]
        part = x if len(terms) == len(weights) else op.slice(x, ends[0], ends[1], ends[2])
        product = op.matmul(part, table(np.ascontiguousarray(terms)))
        total = product if total is None else op.add(total, product)
    if total is None:
        return op.expand(constant(np.zeros((1, weights.shape[1]))), beside_rows(x, weights.shape[1]))
    return total


@shared
def beside_rows(x: Var, width: int) -> Var:
    """The shape [N, width], N being x's."""
    return op.concat([op.shape(x, start=0, end=1), constant(np.array([width], dtype=np.int64))], axis=0)


def argmax(x: Var) -> Var:
    """x [N, K] float64 → [N, 1] float64: the first index of the largest value, as Scala's `if (v > max)` loop finds it."""
    return op.cast(op.arg_max(x, axis=1, keepdims=1, select_last_index=0), to=np.float64)


def picked(x: Var, index: Var) -> Var:
    """x [N, K], index [N, 1] float64 from `argmax` → [N, 1]: the value there."""
    return op.gather_elements(x, op.cast(index, to=np.int64), axis=1)


def java_max(x: Var) -> Var:
    """x [N, K] → [N, 1]: the maximum, NaN where any value is NaN (Math.max)."""
    axis = constant(np.array([1], dtype=np.int64))
    any_nan = op.cast(op.reduce_max(op.cast(op.isnan(x), to=np.int32), axis, keepdims=1), to=np.bool_)
    return op.where(any_nan, constant(np.nan), op.reduce_max(x, axis, keepdims=1))


def any_of(x: Var) -> Var:
    """x [N, K] bool → [N, 1] bool: whether any is true in the row."""
    axis = constant(np.array([1], dtype=np.int64))
    return op.cast(op.reduce_max(op.cast(x, to=np.int32), axis, keepdims=1), to=np.bool_)


def to_index(x: Var, size: int) -> Var:
    """x [N, K] float64 → int64 truncated towards zero and clamped into [0, size): NaN and what is outside become 0 or an end.

    The mask of what was out of range is the caller's to make, before.
    """
    finite = op.where(op.isnan(x), constant(0.0), x)
    clamped = op.min([op.max([finite, constant(0.0)]), constant(float(size - 1))])
    return op.cast(clamped, to=np.int64)


def whole(x: Var) -> Var:
    """x [N, 1] float64 from `argmax` → int32."""
    return op.cast(x, to=np.int32)


def slots(x: Var, indices: Array) -> Var:
    """x [N, F] → [N, len(indices)]: the named columns."""
    return op.gather(x, table(np.asarray(indices, dtype=np.int64)), axis=1)


def count(x: Var) -> Var:
    """x [N, K] bool → [N, 1] float64: how many are true (whole numbers: exact in any order)."""
    axis = constant(np.array([1], dtype=np.int64))
    return op.reduce_sum(op.cast(x, to=np.float64), axis, keepdims=1)


def largest(x: Var, start: float = 0.0) -> Var:
    """x [N, K] → [N, 1]: as `if (v > max) max = v` from `start` on finds the largest: NaN left out."""
    axis = constant(np.array([1], dtype=np.int64))
    return op.reduce_max(op.where(op.greater(x, constant(start)), x, constant(start)), axis, keepdims=1)


def is_negative_zero(x: Var) -> Var:
    """x float64 → bool: -0.0, which no comparison tells from 0.0."""
    return op.and_(op.equal(x, constant(0.0)), op.less(op.div(constant(1.0), x), constant(0.0)))


def without_sign_of_zero(x: Var) -> Var:
    """x float64, -0.0 as 0.0."""
    return op.where(op.equal(x, constant(0.0)), constant(0.0), x)


@shared
def negated(x: Var) -> Var:
    """Not x, bool."""
    return op.not_(x)


def choose(condition: Var, then: Var, otherwise: Var) -> Var:
    """Where, for every type: booleans by And and Or, small integers by way of int32, which holds them."""
    dtype = otherwise.unwrap_tensor().dtype
    if dtype == np.dtype(np.bool_):
        return op.or_(op.and_(condition, then), op.and_(negated(condition), otherwise))
    if dtype not in (np.dtype(np.int8), np.dtype(np.int16)):
        return op.where(condition, then, otherwise)
    return op.cast(op.where(condition, op.cast(then, to=np.int32), op.cast(otherwise, to=np.int32)), to=dtype)


def clamped(x: Var, low: int, high: int) -> Var:
    """x float64 → int64, truncated towards zero, the ends of [low, high] where it is beyond, 0 for NaN (Scala's toInt)."""
    finite = op.where(op.isnan(x), constant(0.0), x)
    inside = op.and_(op.greater(finite, constant(float(low))), op.less(finite, constant(float(high))))
    end = op.where(op.less(finite, constant(0.0)), constant(low), constant(high))
    return op.where(inside, op.cast(op.where(inside, finite, constant(0.0)), to=np.int64), end)


def text_number(x: Var, numbers: Mapping[str, float]) -> Var:
    """x [N, 1] string → [N, 1] float64: the number that stands beside it, -1 where none does."""
    keys, values = np.array([*numbers] or [""], dtype=np.str_), np.array([*numbers.values()] or [-1.0])
    return ml.label_encoder(x, keys_tensor=keys, values_tensor=values, default_tensor=np.array([-1.0]))


def number_number(x: Var, numbers: Mapping[float, float]) -> Var:
    """x [N, 1] float64 → [N, 1] float64: the number beside the equal key (0.0 = -0.0; no NaN among the keys), else -1."""
    keys, values = np.array([*numbers] or [0.0]), np.array([*numbers.values()] or [-1.0])
    return ml.label_encoder(x, keys_tensor=keys, values_tensor=values, default_tensor=np.array([-1.0]))


def long_number(x: Var, numbers: Mapping[int, float]) -> Var:
    """x [N, 1] of any integer type → [N, 1] float64: the whole number beside the equal key, else -1."""
    pairs = dict(numbers) or {0: -1.0}
    found = ml.label_encoder(
        op.cast(x, to=np.int64),
        keys_int64s=[*pairs],
        values_int64s=[int(value) for value in pairs.values()],
        default_int64=-1,
    )
    return op.cast(found, to=np.float64)


def text_at(texts: Sequence[str], x: Var) -> Var:
    """x [N, 1] float64 → [N, 1] string: the text of that index, truncated and clamped as `to_index` does."""
    return op.gather(constant(np.array(texts, dtype=np.str_)), to_index(x, len(texts)))


def remainder(x: Var, y: Var) -> Var:
    """Java's `%` of floats and doubles: the sign is x's. (Whole numbers would go by way of double here.)"""
    return op.mod(x, y, fmod=1)


def smallest(x: Var) -> Var:
    """x [N, T, K] float64, no NaN in it → [N, K]: the least of the T values."""
    return op.reduce_min(x, constant(np.array([1], dtype=np.int64)), keepdims=0)


@shared
def wrapped(x: Var, width: int) -> Var:
    """x of any integer type → int64 in [0, width): the remainder, as Spark's nonNegativeMod has it."""
    return op.mod(op.cast(x, to=np.int64), constant(np.array(width, dtype=np.int64)))  # takes the divisor's sign


def last_sum(x: Var) -> Var:
    """x [N, K] → [N, 1]: the K terms added one after the other, first to last; one node less than `ordered_sum`."""
    sums = op.cumsum(x, constant(np.array(1, dtype=np.int64)))
    return op.gather(sums, constant(np.array([-1], dtype=np.int64)), axis=1)


def inverse(x: Var) -> Var:
    """1 / x, float64, rounded before anything is multiplied by it: the optimizer knows a division of a constant 1 alone."""
    return op.div(op.expand(constant(1.0), op.shape(x)), x)
