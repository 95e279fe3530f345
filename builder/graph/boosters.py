"""Boosted trees of other makers in the graph, by way of `forests`: every split is `column <= threshold`.

A column is a feature in one reading, in which what is missing is NaN. NaN goes right; a split that sends it left asks the
same column with negative infinity in its stead. A categorical split asks a column that is 0 where the value is in its set,
else 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Origin
from builder.graph.forests import Forest, attributes_of, leaf_numbers
from builder.graph.idioms import constant, slots, table, to_index
from builder.sparkml.boosters import BoostedTrees
from builder.types import Array, Probe


def leaves_reached(trees: BoostedTrees, readings: Sequence[Var], above: float) -> Var:
    """readings [N, F] float64 each, missing is NaN → [N, T]: the number of the leaf that each tree leads to.

    `above`: a number above this, cut to an integer, is a category.
    """
    column, threshold = np.zeros_like(trees.feature), trees.threshold.copy()
    inner = np.flatnonzero(trees.left >= 0)
    coded = np.array(sorted(trees.sets), dtype=np.int64)
    plain = np.setdiff1d(inner, coded, assume_unique=True)
    columns: list[Var] = []
    width = 0
    for places, maker in ((plain, None), (coded, trees.sets)):
        kinds = np.stack([trees.reading[places], trees.missing_left[places]], axis=1)
        for reading, left in np.unique(kinds, axis=0).tolist():
            here = places[(kinds == [reading, left]).all(axis=1)]
            if maker is None:
                used, at = np.unique(trees.feature[here], return_inverse=True)
                found = slots(readings[reading], used)
                count = len(used)
            else:
                found, at, count = _memberships(trees, here, readings[reading], above)
                threshold[here] = 0.5
            columns.append(_missing_first(found) if left else found)
            column[here] = width + at
            width += count
    given = op.concat(columns, axis=1) if columns else readings[0]
    forest = Forest(trees.trees, attributes_of(trees.tree, column, threshold, trees.left, trees.right))
    return leaf_numbers(forest, given)


def _missing_first(x: Var) -> Var:
    """x float64, NaN as negative infinity."""
    return op.where(op.isnan(x), constant(-np.inf), x)


def _memberships(trees: BoostedTrees, places: Array, x: Var, above: float) -> tuple[Var, Array, int]:
    """[N, M]: 0 where the value is in the set, else 1, NaN where it is missing; each place's column, and M."""
    asked: dict[int, dict[frozenset[int], list[int]]] = {}
    for order, at in enumerate(places.tolist()):
        asked.setdefault(int(trees.feature[at]), {}).setdefault(trees.sets[at], []).append(order)
    parts, at_column, width = [], np.zeros(len(places), dtype=np.int64), 0
    for feature, sets in sorted(asked.items()):
        size = max((max(one, default=0) for one in sets), default=0) + 1
        rows = np.ones((size + 1, len(sets)))
        for index, (one, orders) in enumerate(sets.items()):
            rows[np.array(sorted(one), dtype=np.int64), index] = 0.0
            at_column[orders] = width + index
        parts.append(_looked_up(slots(x, np.array([feature])), rows, above))
        width += len(sets)
    return op.concat(parts, axis=1), at_column, width


def _looked_up(value: Var, rows: Array, above: float) -> Var:
    """value [N, 1], rows [size + 1, M] → [N, M]: the row of the value cut to an integer, the last where it is no category."""
    size = len(rows) - 1
    known = op.and_(op.greater(value, constant(above)), op.less(value, constant(float(size))))
    row = op.where(known, to_index(value, size), constant(np.array(size, dtype=np.int64)))
    found = op.gather(table(rows), op.squeeze(row, constant(np.array([1], dtype=np.int64))))
    return op.where(op.isnan(value), constant(np.nan), found)


def probes_of(trees: BoostedTrees, cuts: Array, origins: Sequence[Origin | None]) -> tuple[Probe, ...]:
    """Each feature's cuts [n] and categories, led back to the input column that it comes from."""
    found = []
    inner = np.flatnonzero(trees.left >= 0)
    coded = np.isin(inner, np.array([*trees.sets], dtype=np.int64))
    for feature in np.unique(trees.feature[inner]).tolist():
        origin = origins[feature] if feature < len(origins) else None
        if origin is None:
            continue
        here = trees.feature[inner] == feature
        found.append(origin.probe(np.unique(cuts[inner[here & ~coded]]).tolist()))
        codes = {code for at in inner[here & coded].tolist() for code in trees.sets[at]}
        if codes:
            asked = [*map(float, sorted(codes)), float(max(codes) + 1), -1.0, -0.5, 0.5]
            found.append(Probe(origin.input, exact=origin.probe(asked).thresholds))
    return tuple(found)
