"""Vectors of which few slots hold anything: hashed and counted text. Never N × width numbers inside the graph.

A row's K entries lie in ascending order of their slots, absent ones anywhere between: an entry that is not there has
value 0 and a slot in range, so it can be looked up, multiplied and added without a mask, and adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.idioms import beside_rows, constant, last_sum, sequential_sum, table
from builder.types import Array


@dataclass(frozen=True)
class Sparse:
    """`indices` int64, `values` float64 and `there` bool, all [N, K], K ≥ 1; indices that are there ascend, each once.

    `finite`: no value is infinite or NaN.
    """

    indices: Var
    values: Var
    there: Var
    width: int
    finite: bool = True

    def where(self, kept: Var) -> Sparse:
        """Only the entries [N, K] that are kept."""
        return replace(self, values=only(kept, self.values), there=op.and_(self.there, kept))

    def with_values(self, values: Var) -> Sparse:
        """Other values in the same slots, 0 where nothing is there."""
        return replace(self, values=values)

    def times(self, factors: Array) -> Sparse:
        """Each value times its slot's factor [width], all finite."""
        return self.with_values(op.mul(self.values, self.looked_up(factors)))

    def looked_up(self, weights: Array) -> Var:
        """weights [width] → [N, K]; weights [width, C] → [N, K, C]: what stands at each entry's slot."""
        return op.gather(table(np.ascontiguousarray(weights)), self.indices)

    def dense(self) -> Var:
        """[N, width] float64."""
        return spread_out(self.values, self.indices, self.width)

    def stored(self) -> Var:
        """[N, width] bool: the slots that Spark's vector stores."""
        marks = spread_out(op.cast(self.there, to=np.float64), self.indices, self.width)
        return op.greater(marks, constant(0.0))

    def dot(self, weights: Array, stored: Array | None = None) -> Var:
        """weights [width, C] → [N, C]: Σ valuesᵢ·weightsᵢ, added slot after slot, as Spark's BLAS does with a sparse vector.

        `stored` bool, the weights' shape: those that Spark stores; the others add nothing, whatever the value.
        """
        if weights.shape[1] == 1 and np.isfinite(weights).all() and (stored is None or stored.all() or self.finite):
            return last_sum(op.mul(self.values, self.looked_up(weights[:, 0])))
        products = op.mul(op.unsqueeze(self.values, _ints(2)), self.looked_up(weights))
        if not np.isfinite(weights).all():
            products = only(op.unsqueeze(self.there, _ints(2)), products)
        if stored is not None and not stored.all() and not self.finite:
            products = only(op.greater(self.looked_up(stored.astype(np.float64)), constant(0.0)), products)
        return sequential_sum(products)

    def size(self) -> Sparse:
        """|value| of each entry; 0 where it is infinite or no number."""
        if self.finite:
            return replace(self, values=op.abs(self.values))
        lost = op.or_(op.isnan(self.values), op.isinf(self.values))
        return replace(self, values=op.where(lost, constant(0.0), op.abs(self.values)), finite=True)

    def at(self, slots: Array) -> Var:
        """[N, len(slots)] float64: these slots alone, each named once."""
        return self._narrow(self.values, slots)

    def stored_at(self, slots: Array) -> Var:
        """[N, len(slots)] bool: which of these slots Spark's vector stores."""
        return op.greater(self._narrow(op.cast(self.there, to=np.float64), slots), constant(0.0))

    def picked(self, slots: Array) -> Sparse:
        """These slots alone, ascending, as entries of a narrower vector."""
        places = op.gather(table(self._places(slots)), self.indices)
        kept = op.less(places, constant(np.array(len(slots), dtype=np.int64)))
        indices = op.min([places, constant(np.array(len(slots) - 1, dtype=np.int64))])
        return replace(self.where(kept), indices=indices, width=len(slots))

    def _places(self, slots: Array) -> Array:
        """[width]: each slot's place among those that are asked for; all others fall into one column behind."""
        places = np.full(self.width, len(slots), dtype=np.int64)
        places[slots] = np.arange(len(slots))
        return places

    def _narrow(self, values: Var, slots: Array) -> Var:
        spread = spread_out(values, op.gather(table(self._places(slots)), self.indices), len(slots) + 1)
        return op.slice(spread, _ints(0), _ints(len(slots)), _ints(1))


def spread_out(values: Var, indices: Var, width: int) -> Var:
    """values [N, K] added at indices [N, K] → [N, width]: of those that meet all but one are 0, or nobody reads the slot."""
    blank = op.expand(constant(0.0), beside_rows(indices, width))
    return op.scatter_elements(blank, indices, values, axis=1, reduction="add")


def entries_of(x: Var, width: int) -> Sparse:
    """Every slot of a dense x [N, width] an entry; of which only those that are not 0 count as stored."""
    indices = op.expand(constant(np.arange(width, dtype=np.int64)), op.shape(x))
    return Sparse(indices, x, op.not_(op.equal(x, constant(0.0))), width, finite=False)


def side_by_side(parts: Sequence[Sparse]) -> Sparse:
    """One vector after another; a stored 0 is none."""
    starts = np.cumsum([0, *(part.width for part in parts)])
    indices = [op.add(part.indices, constant(start)) for part, start in zip(parts, starts, strict=False)]
    values = op.concat([part.values for part in parts], axis=1)
    used = op.not_(op.equal(values, constant(0.0)))
    finite = all(part.finite for part in parts)
    return Sparse(op.concat(indices, axis=1), only(used, values), used, int(starts[-1]), finite)


def counted(slots: Var, there: Var, width: int, *, binary: bool = False) -> Sparse:
    """slots [N, T] int64 of things that are there or not, in any order → how often each slot occurs (or 1).

    A slot `width` is none, and counts nowhere.

    Sorted, equal slots make runs; each run is an entry, its length the count.
    """
    beyond = constant(np.array(width, dtype=np.int64))
    ascending, _ = op.top_k(op.where(there, slots, beyond), _columns(slots), axis=1, largest=0, sorted=1)
    known = op.cast(op.less(ascending, beyond), to=np.float64)
    entries = _entries(ascending, known, width, finite=True)
    return entries.with_values(op.cast(entries.there, to=np.float64)) if binary else entries


def summed(slots: Var, values: Var, there: Var, width: int, *, finite: bool) -> Sparse:
    """slots int64, values float64, there bool, all [N, K]: the values of one slot added in the order of the columns."""
    number = op.squeeze(_columns(slots), _ints(0))
    at = op.range(constant(0), number, constant(1))
    beyond = constant(np.array(width, dtype=np.int64))
    marked = op.where(there, slots, beyond)
    keys, _ = op.top_k(op.add(op.mul(marked, number), at), _columns(slots), axis=1, largest=0, sorted=1)
    order = op.mod(keys, number)
    given = op.gather_elements(only(there, values), order, axis=1)
    sums = _entries(op.gather_elements(marked, order, axis=1), given, width, finite=finite)
    held = op.cast(op.gather_elements(there, order, axis=1), to=np.float64)
    return replace(sums, there=_entries(op.gather_elements(marked, order, axis=1), held, width, finite=True).there)


def _entries(ascending: Var, values: Var, width: int, *, finite: bool) -> Sparse:
    """Sorted slots [N, K], `width` where nothing is, and values: those of one slot added. 0 is taken for nothing there.

    The r-th run of equal slots is the r-th entry; behind the last one stay slots of which the value is 0.
    """
    run = runs(ascending)
    indices = op.scatter_elements(ascending, run, ascending, axis=1)
    blank = op.expand(constant(0.0), op.shape(ascending))
    totals = op.scatter_elements(blank, run, values, axis=1, reduction="add")
    safe = op.min([indices, constant(np.array(width - 1, dtype=np.int64))])
    return Sparse(safe, totals, op.greater(totals, constant(0.0)), width, finite)


def runs(ascending: Var) -> Var:
    """[N, K] sorted → int64 [N, K]: to which run of equal values each belongs, from 0 on."""
    following = op.pad(ascending, _ints(0, -1, 0, 1), constant(np.array(0, dtype=np.int64)))
    ends = op.sign(op.sub(following, ascending))  # 1 at a run's end; the row's last is not counted
    return op.cumsum(ends, constant(np.array(1, dtype=np.int64)), exclusive=1)


def only(kept: Var, values: Var) -> Var:
    """0 where not kept."""
    return op.where(kept, values, constant(0.0))


def _columns(x: Var) -> Var:
    return op.shape(x, start=1, end=2)


def _ints(*values: int) -> Var:
    return constant(np.array(values, dtype=np.int64))
