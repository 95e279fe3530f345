"""Rows as people hold them to rows as they travel, and back."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest

from builder.errors import UsageError
from builder.tables import decode, encode, from_dicts
from builder.types import Scalar, ScalarName, Table, TensorSpec, TextArray, VectorType


def spec(name: ScalarName, nullable: bool = True) -> TensorSpec:
    return TensorSpec("c", Scalar(name), nullable)


@pytest.mark.parametrize(
    ("name", "value", "sent", "null", "wire"),
    [
        ("string", "日本", "日本", "␀", "BYTES"),
        ("double", 0.1, 0.1, math.nan, "FP64"),
        ("float", 0.5, 0.5, math.nan, "FP32"),
        ("integer", -7, -7, -(2**31), "INT32"),
        ("long", 2**53 + 1, 2**53 + 1, -(2**63), "INT64"),
        ("short", 5, 5, -(2**15), "INT16"),
        ("byte", 5, 5, -128, "INT8"),
        ("boolean", True, 1, -128, "INT8"),
        ("date", dt.date(1970, 1, 3), 2, -(2**31), "INT32"),
        ("timestamp", dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC), 10**6, -(2**63), "INT64"),
    ],
)
def test_every_type_and_its_null_go_and_come_back(
    name: ScalarName, value: object, sent: object, null: object, wire: str
) -> None:
    table = from_dicts([{"c": value}, {"c": None}, {}], [spec(name)])

    np.testing.assert_array_equal(table["c"][:, 0].tolist(), [sent, null, null])
    assert spec(name).triton == wire
    assert decode(table, [spec(name)])["c"].to_pylist() == [value, None, None]


def test_a_boolean_that_is_never_null_is_bool() -> None:
    table = from_dicts([{"c": True}], [spec("boolean", nullable=False)])

    assert table["c"].dtype == np.bool_
    assert spec("boolean", nullable=False).triton == "BOOL"


def test_nan_in_a_column_without_nulls_stays_nan() -> None:
    table = from_dicts([{"c": math.nan}], [spec("double", nullable=False)])

    assert math.isnan(decode(table, [spec("double", nullable=False)])["c"].to_pylist()[0])


def test_vectors_and_text_arrays_go_and_come_back() -> None:
    specs = [TensorSpec("v", VectorType(2), False, 2), TensorSpec("t", TextArray(), True, -1)]

    table = from_dicts([{"v": [1.0, -0.5], "t": ["a", "ß"]}, {"v": [0.0, 1.0], "t": []}], specs)

    assert table["t"].tolist() == [["a", "ß"], ["␀", "␀"]]
    assert decode(table, specs).to_pylist() == [{"v": [1.0, -0.5], "t": ["a", "ß"]}, {"v": [0.0, 1.0], "t": []}]


@pytest.mark.parametrize(
    ("rows", "nullable", "message"),
    [
        ([{"c": "many"}], True, "input 'c' is integer"),
        ([{"c": 2**40}], True, "input 'c' is integer"),
        ([{"d": 1}], True, "no input named 'd'"),
        ([{"c": None}], False, "not nullable"),
    ],
)
def test_rows_that_do_not_fit_are_a_usage_error_with_a_fix(
    rows: list[dict[str, object]], nullable: bool, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        from_dicts(rows, [spec("integer", nullable)])

    assert caught.value.fix


def test_a_missing_column_is_named_and_a_strange_one_left_out() -> None:
    assert list(encode(pa.table({"c": [1], "z": [2]}), [spec("integer")])) == ["c"]
    with pytest.raises(UsageError, match="column 'c' missing"):
        encode(pa.table({"z": [2]}), [spec("integer")])


def test_a_vector_of_another_width_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="has width 2; a row holds 3"):
        from_dicts([{"v": [1.0, 2.0, 3.0]}], [TensorSpec("v", VectorType(2), False, 2)])


def test_a_table_of_unequal_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="one number of rows"):
        Table({"a": np.zeros((1, 1)), "b": np.zeros((2, 1))})
    with pytest.raises(ValueError, match=r"are \[N, width\]"):
        Table({"a": np.zeros(1)})


@pytest.mark.parametrize(
    ("name", "value"),
    [("integer", 1.5), ("timestamp", 1.5), ("double", True), ("string", "\udcff"), ("double", 10**400)],
)
def test_a_value_that_would_be_changed_on_its_way_is_refused(name: ScalarName, value: object) -> None:
    with pytest.raises(UsageError, match=f"input 'c' is {name}"):
        from_dicts([{"c": value}], [spec(name)])


def test_dates_and_times_may_come_as_text_since_json_has_none() -> None:
    days = from_dicts([{"c": "1970-01-03"}, {"c": None}], [spec("date")])
    times = from_dicts([{"c": "1970-01-01T00:00:01Z"}], [spec("timestamp")])

    assert days["c"].tolist() == [[2], [-(2**31)]]
    assert times["c"].tolist() == [[10**6]]


@pytest.mark.parametrize("rows", [[1.0], [["a", "b"]], [{"type": 2, "values": [1.0, 2.0]}]])
def test_a_column_that_holds_no_vectors_is_refused(rows: list[object]) -> None:
    with pytest.raises(UsageError, match=r"is vector|is no vector"):
        encode(pa.table({"v": rows}), [TensorSpec("v", VectorType(2), True, 2)])


def test_a_null_inside_a_text_array_is_its_marker() -> None:
    table = from_dicts([{"c": ["a", None]}], [TensorSpec("c", TextArray(), True, -1)])

    assert table["c"].tolist() == [["a", "␀"]]
