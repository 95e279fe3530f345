"""Which row of a table a whole number means: millions of keys, a handful of operators, one cache line or two a row."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.idioms import constant, table
from builder.types import Array

_SPREAD = 4  # a start for each number of the range, where the range is at most this many times the keys
_TRIES = 8


def place_of(x: Var, keys: Array) -> tuple[Var, Array]:
    """x [N, 1] int64 → [N, 1] int64: the place of the equal key in the order that comes with it, len(keys) where none is.

    `keys` [n] are 32-bit, each once. Key i stands at place `order.index(i)`: whoever has a row for each key sorts them so.
    A hash table without a LabelEncoder's, which costs 100 bytes a key at load: bucket = (x - lowest) mod buckets, and
    every key of a bucket is compared.
    """
    lowest, buckets = int(keys.min()), _buckets(keys)
    bucket = np.mod(keys.astype(np.int64) - lowest, buckets)
    order = np.argsort(bucket, kind="stable")
    sizes = np.bincount(bucket, minlength=buckets)
    deepest = int(sizes.max())
    starts = (np.cumsum(sizes) - sizes).astype(np.int32)
    padded = np.concatenate([keys[order], np.repeat(keys[:1], deepest)]).astype(np.int32)

    here = op.mod(op.sub(x, _whole(lowest)), _whole(buckets))
    first = op.cast(op.gather(table(starts), here), to=np.int64)
    places = op.add(first, constant(np.arange(deepest, dtype=np.int64)[None]))
    equal = op.equal(op.cast(op.gather(table(padded), places), to=np.int64), x)
    none = _whole(len(keys))
    found = op.reduce_min(op.where(equal, places, none), constant(np.array([1], dtype=np.int64)), keepdims=1)
    return op.min([found, none]), order


def rows_at(rows: Array, place: Var) -> Var:
    """rows [n, K], place [N, 1] int64 from `place_of` → [N, K]; `rows` has one row more than there are keys, for none."""
    return op.gather(table(rows), op.squeeze(place, constant(np.array([1], dtype=np.int64))), axis=0)


def _whole(value: int) -> Var:
    return constant(np.array(value, dtype=np.int64))


def _buckets(keys: Array) -> int:
    """As many as the range is long where that is little; else about as many as keys, so that the deepest is shallow."""
    shifted = keys.astype(np.int64) - int(keys.min())
    span = int(shifted.max()) + 1
    if span <= _SPREAD * len(keys):
        return span
    odd = [len(keys) * (8 + step) // 8 | 1 for step in range(_TRIES)]
    return min(odd, key=lambda buckets: int(np.bincount(np.mod(shifted, buckets)).max()))
