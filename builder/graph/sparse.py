"""Vectors of which few slots hold anything: hashed and counted text. Never N × width numbers inside the graph.

A row's K entries lie in ascending order of their slots, absent ones anywhere between: an entry that is not there has
value 0 and a slot in range, so it can be looked up, multiplied and added without a mask, and adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.idioms import beside_rows, constant, sequential_sum, table
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
        """Other values in the same slots."""
        return replace(self, values=only(self.there, values))

    def looked_up(self, weights: Array) -> Var:
        """weights [width] → [N, K]; weights [width, C] → [N, K, C]: what stands at each entry's slot."""
        return op.gather(table(np.ascontiguousarray(weights)), self.indices)

    def dense(self) -> Var:
        """[N, width] float64."""
        return self._spread(self.values, self.indices, self.width)

    def stored(self) -> Var:
        """[N, width] bool: the slots that Spark's vector stores."""
        marks = self._spread(op.cast(self.there, to=np.float64), self.indices, self.width)
        return op.greater(marks, constant(0.0))

    def dot(self, weights: Array, stored: Array | None = None) -> Var:
        """weights [width, C] → [N, C]: Σ valuesᵢ·weightsᵢ, added slot after slot, as Spark's BLAS does with a sparse vector.

        `stored` bool, the weights' shape: those that Spark stores; the others add nothing, whatever the value.
        """
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
        places = np.full(self.width, len(slots), dtype=np.int64)  # all others fall into one column behind
        places[slots] = np.arange(len(slots))
        spread = self._spread(self.values, op.gather(table(places), self.indices), len(slots) + 1)
        return op.slice(spread, _ints(0), _ints(len(slots)), _ints(1))

    def mapped(self, values: Callable[[Var], Var]) -> Sparse:
        """A function of each value, which leaves 0 at 0."""
        return self.with_values(values(self.values))

    def _spread(self, values: Var, indices: Var, width: int) -> Var:
        """[N, width] with values [N, K] added at indices: of those that meet in one slot all but one are 0, or nobody reads it."""
        blank = op.expand(constant(0.0), beside_rows(indices, width))
        return op.scatter_elements(blank, indices, values, axis=1, reduction="add")


def counted(slots: Var, there: Var, width: int, *, binary: bool = False) -> Sparse:
    """slots [N, T] int64 below `width` of things that are there or not, in any order → how often each slot occurs (or 1).

    Sorted, equal slots make runs; each run is an entry, its length the count.
    """
    marked = op.where(there, slots, op.const(np.array(width, dtype=np.int64)))
    ascending, _ = op.top_k(marked, _columns(slots), axis=1, largest=0, sorted=1)
    nothing = op.expand(op.const(np.array(width, dtype=np.int64)), op.shape(slots))
    run = runs(ascending)
    indices = op.scatter_elements(nothing, run, ascending, axis=1)
    present = op.less(indices, op.const(np.array(width, dtype=np.int64)))
    safe = op.min([indices, op.const(np.array(width - 1, dtype=np.int64))])
    one, none = constant(1.0), constant(0.0)
    if binary:
        return Sparse(safe, op.where(present, one, none), present, width)
    blank = op.expand(none, op.shape(slots))
    counts = op.scatter_elements(blank, run, op.expand(one, op.shape(slots)), axis=1, reduction="add")
    return Sparse(safe, op.where(present, counts, none), present, width)


def runs(ascending: Var) -> Var:
    """[N, T] sorted → int64 [N, T]: to which run of equal values each belongs, from 0 on."""
    last = _ints(np.iinfo(np.int64).max)
    later = op.slice(ascending, _ints(1), last, _ints(1))
    earlier = op.slice(ascending, _ints(0), _ints(-1), _ints(1))
    steps = op.cast(op.not_(op.equal(later, earlier)), to=np.int64)
    first = op.expand(op.const(np.array([[0]])), beside_rows(ascending, 1))
    return op.cumsum(op.concat([first, steps], axis=1), op.const(np.array(1, dtype=np.int64)))


def only(kept: Var, values: Var) -> Var:
    """0 where not kept."""
    return op.where(kept, values, constant(0.0))


def _columns(x: Var) -> Var:
    return op.shape(x, start=1, end=2)


def _ints(*values: int) -> Var:
    return op.const(np.array(values, dtype=np.int64))
