"""Packs as they arrive → columns in their own dtypes (`builder/packing.py` says what travels in which).

A double travels for an integer, so that a slot may hold what the column's type does not: 1.5, 1e30, a NaN where no null
may be. Raw, the cast would answer whatever the CPU does. Here it is guarded, and the row is refused: it keeps its place
in the batch, and its neighbours theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Tensor, Var, argument

from builder.graph.idioms import any_of, constant, negated
from builder.types import Array, InvalidReason, Pack, TensorSpec

_LIMITS = {"bool": (0, 1)}


@dataclass(frozen=True)
class Unpacked:
    """Graph inputs by name, columns by name, and the rows (bool [N, 1]) that hold what a column's type does not."""

    arguments: dict[str, Var]
    columns: dict[str, Var]
    unfit: tuple[Var, ...] = ()
    names: tuple[str, ...] = ()  # of the packs that have such rows

    @property
    def refused(self) -> Var | None:
        found = None
        for rows in self.unfit:
            found = rows if found is None else op.or_(found, rows)
        return found

    def reason(self, code: int) -> InvalidReason:
        """Of no stage: Spark cannot be asked what it would do with such a row."""
        told = (
            "a slot holds what its column's type does not: no whole number, out of range, or NaN where null may not be"
        )
        return InvalidReason(code, "", ", ".join(self.names), told)


def unpacked(packs: Sequence[Pack], specs: Mapping[str, TensorSpec]) -> Unpacked:
    """An argument a pack, and from it its columns `[N, 1]`. `specs`: those of the columns, by name."""
    arguments, columns, unfit, names = dict[str, Var](), dict[str, Var](), list[Var](), list[str]()
    for pack in packs:
        dtype = np.str_ if pack.spec.dtype == np.object_ else pack.spec.dtype
        arguments[pack.spec.name] = var = argument(Tensor(dtype, ("N", len(pack.columns))))
        for group, part in _groups([specs[name] for name in pack.columns], var):
            values, rows = _settled(group, part)
            columns |= zip((spec.name for spec in group), _apart(values, len(group)), strict=True)
            if rows is not None:
                unfit.append(rows)
                names.append(pack.spec.name)
    return Unpacked(arguments, columns, tuple(unfit), tuple(dict.fromkeys(names)))


def _groups(specs: Sequence[TensorSpec], var: Var) -> Iterator[tuple[list[TensorSpec], Var]]:
    """Neighbours of one dtype, and their slots."""
    start = 0
    for _, found in groupby(specs, key=lambda spec: spec.dtype):
        group = list(found)
        ends = [constant(np.array([end], dtype=np.int64)) for end in (start, start + len(group), 1)]
        yield group, var if len(group) == len(specs) else op.slice(var, ends[0], ends[1], ends[2])
        start += len(group)


def _apart(var: Var, width: int) -> Sequence[Var]:
    return [var] if width == 1 else op.split(var, axis=1, num_outputs=width)


def _settled(group: Sequence[TensorSpec], part: Var) -> tuple[Var, Var | None]:
    """The slots in the columns' dtype, and the rows that it does not hold; None where it holds every double.

    A float32 takes the nearest value, infinity beyond its range, as Spark's CAST does.
    """
    dtype = group[0].dtype
    if dtype in (np.float64, np.int64, np.object_):  # as they travel
        return part, None
    if dtype == np.float32:
        return op.cast(part, to=np.float32), None
    low, high = _LIMITS.get(dtype.name) or (np.iinfo(dtype).min, np.iinfo(dtype).max)
    within = op.and_(op.greater_or_equal(part, constant(float(low))), op.less_or_equal(part, constant(float(high))))
    guarded = op.where(within, part, constant(0.0))  # NaN is within nothing
    whole = op.cast(op.cast(guarded, to=np.int64), to=np.float64)
    fits = op.and_(within, op.equal(whole, guarded))
    if any(spec.nullable for spec in group):
        null = op.and_(op.isnan(part), constant(_row([spec.nullable for spec in group])))
        whole = op.where(null, constant(float(group[0].null)), whole)
        fits = op.or_(fits, null)
    return op.cast(whole, to=dtype), any_of(negated(fits))


def _row(values: Sequence[bool]) -> Array:
    return np.array([values])
