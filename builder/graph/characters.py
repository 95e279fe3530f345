"""Strings cut and counted by their characters: code points, as Spark's UTF8String counts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.idioms import constant
from builder.graph.sharing import shared
from builder.graph.texts import READABLE, characters_of, flat, joined, places, upright

_FAR = np.iinfo(np.int64).max // 4


@dataclass(frozen=True)
class Characters:
    """[N, C] strings, one character a cell, "" behind a row's last; `refused`: bool [N, 1], rows that are no UTF-8."""

    cells: Var
    there: Var
    refused: Var

    def count(self) -> Var:
        """int64 [N, 1]"""
        return op.reduce_sum(op.cast(self.there, to=np.int64), constant(np.array([1])), keepdims=1)

    def between(self, start: Var, end: Var) -> Var:
        """The characters from `start` on and before `end` (int64 [N, 1] or a scalar), put together: [N, 1]."""
        at = places(self.cells)
        kept = op.and_(op.greater_or_equal(at, start), op.less(at, end))
        return upright(joined(op.where(kept, self.cells, _text(""))))

    def outer(self, character: str) -> tuple[Var, Var]:
        """Where the first character stands that is another, and behind the last such: int64 [N, 1] both."""
        at, axis = places(self.cells), constant(np.array([1]))
        other = op.and_(self.there, op.not_(op.equal(self.cells, _text(character))))
        first = op.reduce_min(op.where(other, at, constant(_FAR)), axis, keepdims=1)
        last = op.reduce_max(op.where(other, at, constant(-1)), axis, keepdims=1)
        return first, op.add(last, constant(1))


@shared
def taken_apart(text: Var) -> Characters:
    """text [N, 1] → its characters; a row that is no UTF-8 has none."""
    readable = matches(text, READABLE)
    cells = characters_of(flat(op.where(readable, text, _text(""))))
    return Characters(cells, op.not_(op.equal(cells, _text(""))), op.not_(readable))


@shared
def matches(text: Var, pattern: str) -> Var:
    """text [N, 1] → bool [N, 1]: whether all of it matches the RE2 pattern."""
    return op.regex_full_match(text, pattern=pattern)


def far() -> Var:
    """A place that no string reaches."""
    return constant(_FAR)


def _text(text: str) -> Var:
    return constant(np.array([[text]], dtype=np.str_))
