"""Isotonic regression: a line from boundary to boundary."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused, SourceError
from builder.graph.columns import DOUBLE, Column, Number, Vector, number
from builder.graph.forests import forest_of, leaf_numbers
from builder.graph.idioms import constant, is_negative_zero, slots, table
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT
from builder.sparkml.reader import SavedStage
from builder.sparkml.trees import SavedTrees
from builder.types import Array


@converts(
    "org.apache.spark.ml.regression.IsotonicRegressionModel",
    word="bit",
    reads=("featuresCol",),
    writes=("predictionCol",),
    ignores=("featuresCol", "isotonic", "labelCol", "weightCol"),
)
def isotonic_regression(stage: SavedStage, x: Column) -> Number:
    """The prediction of the boundary that x equals, else y₁ + (y₂ - y₁) * (x - x₁) / (x₂ - x₁) between its neighbours.

    Shapes: x [N, 1], or slot `featureIndex` of x [N, F] -> [N, 1].
    Order:  as Arrays.binarySearch finds x: -0.0 lies before 0.0, of boundaries alike it takes the one that it meets.
    NaN:    behind the last boundary: the last prediction. Null: stays null.
    Raises: Refused where x is neither a double nor a vector with such a slot.
    Source: IsotonicRegressionModel.transform (ml/regression/IsotonicRegression.scala), predict
            (mllib/regression/IsotonicRegression.scala, Spark 4.0.1)
    """
    row = stage.row()
    boundaries, predictions = np.array(row["boundaries"], float), np.array(row["predictions"], float)
    if not len(boundaries) or len(boundaries) != len(predictions):
        raise SourceError(
            f"{stage.uid}: data/ holds {len(boundaries)} boundaries and {len(predictions)} predictions.",
            fix="copy the saved model again; if it was fitted on no rows, fit it on some.",
        )
    _check_ordered(stage, boundaries, predictions if row["isotonic"] else -predictions)
    value, slack = _feature(stage, x)
    line = _Line(boundaries, predictions)
    y = line.at(value)
    nullable = isinstance(x, Number) and x.nullable
    if nullable:
        y = op.where(op.isnan(value), value, y)
    moved = None
    if slack is not None:
        ends = [op.abs(op.sub(line.at(end), y)) for end in (op.sub(value, slack), op.add(value, slack))]
        moved = op.add(op.add(*ends), constant(16 * UNIT * float(np.abs(predictions).max())))
        moved = op.where(op.or_(op.isnan(y), op.equal(slack, constant(0.0))), constant(0.0), moved)
    origin = x.origin(stage.params.integer("featureIndex") if isinstance(x, Vector) else 0)
    return number(y, nullable=nullable, slack=moved).probing(origin.probe(boundaries.tolist()) if origin else None)


def _check_ordered(stage: SavedStage, boundaries: Array, predictions: Array) -> None:
    """Raises SourceError where Spark's own constructor stops: mllib's IsotonicRegressionModel requires both to be sorted."""
    for what, values in (("boundaries", boundaries), ("predictions", predictions)):
        if (values[1:] < values[:-1]).any():
            raise SourceError(
                f"{stage.uid}: its {what} are not in order; Spark itself does not load them.",
                fix="copy the saved model again.",
            )


def _feature(stage: SavedStage, x: Column) -> tuple[Var, Var | None]:
    """The one double that is asked, [N, 1], and its tolerance."""
    index = stage.params.integer("featureIndex")
    match x:
        case Vector():
            if index >= x.width:
                raise Refused(
                    f"featureIndex is {index}; vector column {x.name!r} has width {x.width}.",
                    fix="Spark itself fails on every row: set featureIndex to a slot that is there.",
                )
            at = np.array([index])
            return slots(x.var, at), None if x.slack is None else slots(x.slack, at)
        case Number() if x.type == DOUBLE:
            return x.var, x.slack
    raise Refused(
        f"column {x.name!r} is {x.type}; IsotonicRegressionModel reads doubles and vectors.",
        fix="check the schema given: Spark itself refuses this. Cast the column to double before, in fitting too.",
    )


class _Line:
    """What is answered on, before and behind each boundary: rows x₁, y₁, x₂ - x₁, y₂ - y₁, and 1 where y₁ is the answer.

    Row 2k stands for what lies below the k-th boundary (each value counted once) and above the one before, row 2k + 1
    for the boundary itself, the last row for -0.0.
    """

    def __init__(self, boundaries: Array, predictions: Array) -> None:
        self._x, self._y = boundaries, predictions
        self._values = np.unique(boundaries)
        before = [*np.searchsorted(boundaries, self._values, side="left").tolist(), len(boundaries)]
        rows = []
        for place, value in zip(before, self._values.tolist(), strict=False):
            rows += [self._between(place), self._found(value + 0.0)]
        self._rows = np.array([*rows, self._between(before[-1]), self._found(-0.0)])
        self._forest = forest_of(_cuts(self._values), 1)

    def _found(self, value: float) -> tuple[float, ...]:
        place = _binary_search(self._x.tolist(), value)
        return self._between(-place - 1) if place < 0 else (0.0, float(self._y[place]), 1.0, 0.0, 1.0)

    def _between(self, place: int) -> tuple[float, ...]:
        if place in (0, len(self._x)):
            return (0.0, float(self._y[0 if place == 0 else -1]), 1.0, 0.0, 1.0)
        (x1, x2), (y1, y2) = self._x[place - 1 : place + 1], self._y[place - 1 : place + 1]
        with np.errstate(all="ignore"):
            return (float(x1), float(y1), float(x2 - x1), float(y2 - y1), 0.0)

    def at(self, x: Var) -> Var:
        """x [N, 1] → [N, 1]"""
        below = op.cast(leaf_numbers(self._forest, x), to=np.int64)
        two, one = constant(np.array(2, dtype=np.int64)), constant(np.array(1, dtype=np.int64))
        beside = op.gather(table(np.append(self._values, np.nan)), below)
        row = op.add(op.mul(below, two), op.where(op.equal(beside, x), one, constant(np.array(0, dtype=np.int64))))
        if (self._values == 0).any():
            row = op.where(is_negative_zero(x), constant(np.array(len(self._rows) - 1, dtype=np.int64)), row)
        found = op.gather(table(self._rows), op.squeeze(row, constant(np.array([1], dtype=np.int64))))
        x1, y1, width, height, fixed = (slots(found, np.array([at])) for at in range(5))
        line = op.add(y1, op.div(op.mul(height, op.sub(x, x1)), width))
        return op.where(op.equal(fixed, constant(1.0)), y1, line)


def _binary_search(values: Sequence[float], key: float) -> int:
    """java.util.Arrays.binarySearch(double[], double): the place, or -(where it would stand) - 1."""
    low, high = 0, len(values) - 1
    while low <= high:
        middle = (low + high) // 2
        here = values[middle]
        if here == key and _bits(here) == _bits(key):
            return middle
        if here < key or (here == key and _bits(here) < _bits(key)):
            low = middle + 1
        else:
            high = middle - 1
    return -(low + 1)


def _bits(value: float) -> int:
    """Double.doubleToLongBits"""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def _cuts(values: Array) -> SavedTrees:
    """A tree over one feature whose leaf k is reached by what lies above k of the values, ascending."""
    left: list[int] = []
    right: list[int] = []
    threshold: list[float] = []

    def grow(low: int, high: int) -> int:
        """The values [low, high) → the place of their subtree, in pre-order."""
        place = len(left)
        left.append(-1)
        right.append(-1)
        threshold.append(np.nan)
        if low < high:
            middle = (low + high) // 2
            threshold[place] = float(values[middle])
            left[place] = grow(low, middle)
            right[place] = grow(middle + 1, high)
        return place

    grow(0, len(values))
    n = len(left)
    zeros = np.zeros(n, dtype=np.int64)
    return SavedTrees(
        zeros,
        zeros,
        np.array(left),
        np.array(right),
        np.array(threshold),
        np.zeros(n),
        np.zeros((n, 0)),
        {},
        np.ones(1),
    )
