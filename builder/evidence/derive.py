"""Rows made from the model itself: every category and an unseen one, every threshold and its neighbours, what is no number.

Values come from the model and from the types alone, never from a user's rows: derived rows may travel where a user's may not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from builder.evidence.store import stack
from builder.types import INVALID, Array, Predict, Probe, Scalar, Servable, Table, TensorSpec, TextArray, VectorType

LIMIT = 2000  # derived rows
ERRORS = 24  # rows kept that the graph refuses: Spark has to be asked for each alone
_SEED = 20_231
_BASES = 32
_UNSEEN = "⟨unseen⟩"
_NUMBERS = (1.0, -1.5, 0.1, 1 / 3, -2.7, 3.1, 0.0, 100.25)  # most of them no float32 can hold
_TEXTS = ("a", "b", "")
_TEXT_EDGES = (_UNSEEN, "", "ß", "日本")
_FLOAT_EDGES = (np.nan, np.inf, -np.inf, 0.0, -0.0)

Pools = Mapping[str, Sequence[Any]]


def derive(servable: Servable, predict: Predict, *, limit: int = LIMIT) -> Table:
    """At most `limit` rows for the servable's inputs; always the same ones for the same model.

    First one edge at a time on rows that the model accepts (null, NaN, ±inf, ±0, unseen, type's ends), then rows in
    which every column stands at a category or threshold of its own: each once before its neighbours. `predict` is the
    graph in process: of rows that it refuses at most 24 stay, spread over the reasons.
    """
    draw = np.random.default_rng(_SEED)
    probes = {probe.input: probe for probe in servable.probes}
    usual = {spec.name: _usual(spec, probes.get(spec.name)) for spec in servable.inputs}
    bases = _bases(servable, predict, usual, draw)
    edges = _edge_rows(servable.inputs, bases, limit // 2)
    decisions = {spec.name: _decisions(spec, probes.get(spec.name), draw) for spec in servable.inputs}
    joint = _joint_rows(servable.inputs, bases, decisions, limit)
    return _accepted(stack([edges, joint], servable.inputs), predict, limit)


def coverage(servable: Servable, rows: Table) -> float:
    """The share of the model's thresholds and categories that stand in some row; 1 where it has none."""
    wanted = there = 0
    specs = {spec.name: spec for spec in servable.inputs}
    for probe in servable.probes:
        spec = specs[probe.input]
        present = set(rows[probe.input].reshape(-1).tolist())
        for given in (*probe.exact, *probe.thresholds):
            wanted += 1
            there += any(value in present for value in _cast(spec, given))
    return there / wanted if wanted else 1.0


def _accepted(rows: Table, predict: Predict, limit: int) -> Table:
    codes = predict(rows)[INVALID.name][:, 0]
    kept = [*np.flatnonzero(codes <= 0)[: limit - ERRORS], *spread(codes, ERRORS)]
    return rows.take(np.array(sorted(kept), dtype=np.int64)[:limit])


def spread(codes: Array, limit: int) -> list[int]:
    """Row numbers with a positive code, at most `limit`, the codes in turn."""
    by_code = [list(np.flatnonzero(codes == code)) for code in sorted(set(codes[codes > 0].tolist()))]
    chosen: list[int] = []
    while len(chosen) < limit and any(by_code):
        for rows in by_code:
            if rows and len(chosen) < limit:
                chosen.append(int(rows.pop(0)))
    return sorted(chosen)


def _bases(servable: Servable, predict: Predict, usual: Pools, draw: np.random.Generator) -> Table:
    """Up to 32 ordinary rows, such as the model accepts where it accepts any."""
    count = 256
    rows = Table({spec.name: _column(spec, _drawn(usual[spec.name], count, draw)) for spec in servable.inputs})
    fine = np.flatnonzero(predict(rows)[INVALID.name][:, 0] == 0)
    return rows.take((fine if fine.size else np.arange(count))[:_BASES])


def _edge_rows(specs: Sequence[TensorSpec], bases: Table, limit: int) -> Table:
    edges = {spec.name: _edges(spec) for spec in specs}
    turns = max(map(len, edges.values()), default=0)
    wanted = [(spec, edges[spec.name][turn]) for turn in range(turns) for spec in specs if turn < len(edges[spec.name])]
    wanted = wanted[:limit]
    columns = {}
    for spec in specs:
        values = [bases[spec.name][row % bases.rows] for row in range(len(wanted))]
        values = [
            _one(spec, edge) if spec is varied else value for value, (varied, edge) in zip(values, wanted, strict=True)
        ]
        columns[spec.name] = _column(spec, values)
    return Table(columns)


def _joint_rows(specs: Sequence[TensorSpec], bases: Table, decisions: Pools, limit: int) -> Table:
    count = min(limit, max(map(len, decisions.values()), default=0))
    columns = {}
    for spec in specs:
        own = [_one(spec, value) for value in decisions[spec.name][:count]]
        rest = [bases[spec.name][row % bases.rows] for row in range(len(own), count)]
        columns[spec.name] = _column(spec, own + rest)
    return Table(columns)


def _usual(spec: TensorSpec, probe: Probe | None) -> list[Any]:
    """Ordinary values: what the model knows, and points between its thresholds; else what any column might hold."""
    match spec.type:
        case VectorType():
            return [np.roll(np.resize(_NUMBERS, max(spec.width, 1)), shift) for shift in range(len(_NUMBERS))]
        case TextArray():
            return [["a", "b"], ["a"], []]
        case Scalar("string"):
            return list(probe.exact) if probe and probe.exact else list(_TEXTS)
    if probe is None or not (probe.exact or probe.thresholds):
        return [value for number in _NUMBERS for value in _cast(spec, number)]
    cuts = sorted(probe.thresholds)
    between = [(low + high) / 2 for low, high in pairwise(cuts)]
    outside = [cuts[0] - 1.0, cuts[-1] + 1.0] if cuts else []
    return [value for given in (*probe.exact, *between, *outside) for value in _cast(spec, given)]


def _edges(spec: TensorSpec) -> list[Any]:
    """What is at the end of the type, or no value at all; null first."""
    null = [spec.null] if spec.nullable else []
    match spec.type:
        case VectorType():
            slots = range(min(spec.width, 4))
            ones = [np.where(np.arange(spec.width) == slot, edge, 0.1) for edge in _FLOAT_EDGES for slot in slots]
            return [*([np.full(spec.width, np.nan)] if spec.nullable else []), np.zeros(spec.width), *ones]
        case TextArray():
            return [[], [""], [_UNSEEN]]
        case Scalar("string"):
            return [*null, *_TEXT_EDGES]
        case Scalar("double" | "float" | "decimal"):
            return list(_FLOAT_EDGES)
        case Scalar("boolean"):
            return [*null, False, True]
        case Scalar("date" | "timestamp" | "timestamp_ntz"):
            return [*null, 0, -1, 1]
        case _:
            ends = np.iinfo(spec.dtype)
            return [*null, 0, -1, ends.max, ends.min + 1]


def _decisions(spec: TensorSpec, probe: Probe | None, draw: np.random.Generator) -> list[Any]:
    """Each category and threshold once, then the thresholds' neighbours; both in an order of their own a column."""
    if probe is None or isinstance(spec.type, VectorType | TextArray):
        return []
    first = [value for given in (*probe.exact, *probe.thresholds) for value in _cast(spec, given)]
    beside = [value for given in probe.thresholds for value in _neighbours(spec, given)]
    return [*_shuffled(first, draw), *_shuffled(beside, draw)]


def _cast(spec: TensorSpec, given: Any) -> list[Any]:
    """A value of the model as values of the column's type: itself, or the whole numbers on both sides."""
    if spec.dtype == np.object_:
        return [str(given)]
    if spec.dtype.kind == "f":
        return [float(_floating(spec, given))]
    if spec.type == Scalar("boolean"):
        return [bool(given)]
    if not np.isfinite(given):
        return []
    return _within(spec, {int(np.floor(given)), int(np.ceil(given))})


def _neighbours(spec: TensorSpec, threshold: float) -> list[Any]:
    if spec.dtype.kind == "f":
        at = _floating(spec, threshold)
        return [float(np.nextafter(at, spec.dtype.type(end))) for end in (-np.inf, np.inf)]
    if spec.type == Scalar("boolean") or spec.dtype == np.object_ or not np.isfinite(threshold):
        return []
    return _within(spec, {int(np.floor(threshold)) - 1, int(np.ceil(threshold)) + 1})


def _floating(spec: TensorSpec, given: float) -> Any:
    with np.errstate(over="ignore"):  # beyond float32 is infinite, as Spark's cast has it
        return spec.dtype.type(given)


def _within(spec: TensorSpec, values: set[int]) -> list[Any]:
    ends = np.iinfo(spec.dtype)
    return [value for value in sorted(values) if ends.min < value <= ends.max]  # the minimum is null's marker


def _shuffled(values: Sequence[Any], draw: np.random.Generator) -> list[Any]:
    once = list(dict.fromkeys(values))
    return [once[index] for index in draw.permutation(len(once))]


def _drawn(pool: Sequence[Any], count: int, draw: np.random.Generator) -> list[Any]:
    return [pool[index] for index in draw.integers(0, len(pool), count)]


def _one(spec: TensorSpec, value: Any) -> Any:
    """A value as one row of the column's tensor."""
    return value if isinstance(spec.type, VectorType | TextArray) else [value]


def _column(spec: TensorSpec, values: Sequence[Any]) -> Array:
    """Rows → tensor [N, width]; scalars may come bare. Text arrays are padded with null's marker."""
    rows = [np.atleast_1d(np.asarray(value, dtype=spec.dtype)) for value in values]
    width = max((len(row) for row in rows), default=1) if spec.width < 0 else spec.width
    array = np.full((len(rows), max(width, 1)), spec.null if spec.nullable or spec.width < 0 else 0, dtype=spec.dtype)
    for index, row in enumerate(rows):
        array[index, : len(row)] = row
    return array
