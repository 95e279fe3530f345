"""Isotonic models that no recent Spark fits but an old one may have saved, asked as Spark's own search asks them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.errors import SourceError
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import Field, Scalar, Servable, Table
from tests.saved import Stage, write_pipeline

NUMBERS = (0.0, -0.0, 0.1, 1 / 3, -2.7, 3.1, 1e300, -1e300, 5e-324, 16777217.0, 1.0)
VALUES = (
    *NUMBERS,
    *(float(np.nextafter(number, end)) for number in NUMBERS for end in (-np.inf, np.inf)),
    *(0.5, -1.0, 2.0, 1e30, np.inf, -np.inf, np.nan),
)


def servable(folder: Path, boundaries: list[float], predictions: list[float]) -> Servable:
    numbers = pa.list_(pa.float64())
    columns = {"boundaries": pa.array([boundaries], numbers), "predictions": pa.array([predictions], numbers)}
    data = pa.table(columns | {"isotonic": [True]})
    params = {"featuresCol": "x", "predictionCol": "p", "featureIndex": 0}
    stage = Stage("org.apache.spark.ml.regression.IsotonicRegressionModel", "Iso_1", params, data=data)
    schema = (Field("x", Scalar("double"), False),)
    return lower(read_pipeline(write_pipeline(folder / "pipeline", [stage])), schema, all_rules())


def place(values: list[float], key: float) -> int:
    """Where the key stands, as java.util.Arrays.binarySearch says it, by Java's order of doubles."""
    rank = [_rank(value) for value in values]
    low, high = 0, len(values) - 1
    while low <= high:
        middle = (low + high) >> 1
        if rank[middle] < _rank(key):
            low = middle + 1
        elif rank[middle] > _rank(key):
            high = middle - 1
        else:
            return middle
    return -(low + 1)


def _rank(value: float) -> tuple[float, bool]:
    return (np.inf, True) if np.isnan(value) else (value, not np.signbit(value))


def predict(boundaries: list[float], predictions: list[float], x: float) -> float:
    found = place(boundaries, x)
    if found >= 0:
        return predictions[found]
    at = -found - 1
    if at in (0, len(boundaries)):
        return predictions[0 if at == 0 else -1]
    (x1, x2), (y1, y2) = np.array(boundaries[at - 1 : at + 1]), np.array(predictions[at - 1 : at + 1])
    with np.errstate(all="ignore"):
        return float(y1 + (y2 - y1) * (x - x1) / (x2 - x1))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS)), min_size=1, max_size=40))
def test_any_model_answers_as_sparks_search_does(pairs: list[tuple[float, float]]) -> None:
    boundaries = sorted((x for x, _ in pairs), key=_rank)
    predictions = sorted((y for _, y in pairs), key=_rank)
    with tempfile.TemporaryDirectory() as folder:
        model = servable(Path(folder), boundaries, predictions)

    answers = in_process(model)(Table({"x": np.array(VALUES)[:, None]}))

    expected = [predict(boundaries, predictions, value) for value in VALUES]
    np.testing.assert_array_equal(answers["p"][:, 0], expected)


def test_a_model_of_no_boundaries_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="0 boundaries"):
        servable(tmp_path, [], [])
