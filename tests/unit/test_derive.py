"""Rows derived from a model."""

from __future__ import annotations

import math

import numpy as np
import pytest

from builder.evidence.derive import ERRORS, coverage, derive, spread
from builder.types import INVALID, Probe, Scalar, Servable, Table, TensorSpec, TextArray, VectorType

X = TensorSpec("x", Scalar("double"), True)
F = TensorSpec("f", Scalar("float"), False)
N = TensorSpec("n", Scalar("integer"), True)
C = TensorSpec("c", Scalar("string"), True)


def model(*inputs: TensorSpec, probes: tuple[Probe, ...] = ()) -> Servable:
    return Servable(b"", inputs, (INVALID,), probes=probes)


def accept(rows: Table) -> Table:
    return Table({"invalid": np.zeros((rows.rows, 1), dtype=np.int32)})


def values(rows: Table, name: str) -> set[object]:
    return set(rows[name].reshape(-1).tolist())


def test_a_threshold_stands_in_a_row_with_both_its_neighbours() -> None:
    rows = derive(model(X, probes=(Probe("x", thresholds=(0.1, 2.5)),)), accept)

    for threshold in (0.1, 2.5):
        assert {threshold, np.nextafter(threshold, -9), np.nextafter(threshold, 9)} <= values(rows, "x")


def test_a_float_columns_neighbours_are_floats() -> None:
    rows = derive(model(F, probes=(Probe("f", thresholds=(0.1, 1e300)),)), accept)

    at = np.float32(0.1)
    assert rows["f"].dtype == np.float32
    assert {float(at), float(np.nextafter(at, np.float32(1)))} <= values(rows, "f")


def test_a_whole_number_column_gets_the_whole_numbers_around_a_threshold() -> None:
    rows = derive(model(N, probes=(Probe("n", thresholds=(4.5, 1e30)),)), accept)

    assert {3, 4, 5, 6} <= values(rows, "n")


def test_every_edge_comes_in_a_row_of_its_own() -> None:
    rows = derive(model(X, N, C, probes=(Probe("c", exact=("red", "blue")),)), accept)

    texts, whole, floats = values(rows, "c"), values(rows, "n"), rows["x"].reshape(-1).tolist()
    assert {"red", "blue", "␀", "", "ß", "日本", "⟨unseen⟩"} <= texts
    assert {np.iinfo(np.int32).min, np.iinfo(np.int32).min + 1, np.iinfo(np.int32).max, 0, -1} <= whole
    assert {math.inf, -math.inf} <= set(floats)
    assert any(math.isnan(value) for value in floats)
    assert any(value == 0 and math.copysign(1, value) < 0 for value in floats)


def test_a_column_that_may_not_be_null_never_is() -> None:
    strict = TensorSpec("c", Scalar("string"), False)
    flag = TensorSpec("b", Scalar("boolean"), False)

    rows = derive(model(strict, flag), accept)

    assert "␀" not in values(rows, "c")
    assert rows["b"].dtype == np.bool_


def test_vectors_and_words_are_varied_too() -> None:
    rows = derive(model(TensorSpec("v", VectorType(3), False, 3), TensorSpec("w", TextArray(), True, -1)), accept)

    assert rows["v"].shape[1] == 3
    assert np.isnan(rows["v"]).any()
    assert ["␀"] * rows["w"].shape[1] in rows["w"].tolist()


def test_the_same_model_gives_the_same_rows() -> None:
    probes = (Probe("x", thresholds=tuple(np.linspace(-3, 3, 50))), Probe("c", exact=tuple("abc")))

    first, second = (derive(model(X, N, C, probes=probes), accept) for _ in range(2))

    assert all(first[name].tolist().__repr__() == second[name].tolist().__repr__() for name in first)


def test_each_threshold_comes_once_before_any_neighbour_when_there_is_no_room_for_all() -> None:
    thresholds = tuple(float(t) for t in range(150))
    crowded = model(X, probes=(Probe("x", thresholds=thresholds),))

    rows = derive(crowded, accept, limit=200)

    assert rows.rows <= 200
    assert set(thresholds) <= values(rows, "x")
    assert coverage(crowded, rows) == 1.0


def test_coverage_is_the_share_of_thresholds_and_categories_that_stand_in_a_row() -> None:
    probes = (Probe("x", thresholds=(1.0, 2.0)), Probe("c", exact=("a", "b")))
    rows = Table({"x": np.array([[1.0], [7.0]]), "c": np.array([["a"], ["b"]], dtype=object)})

    assert coverage(model(X, C, probes=probes), rows) == 0.75
    assert coverage(model(X, C), rows) == 1.0


def test_of_rows_that_the_model_refuses_only_a_few_stay_and_of_every_reason_some() -> None:
    def refuse(rows: Table) -> Table:
        bad = np.where(~np.isfinite(rows["x"]), 1, np.where(rows["x"] > 100, 2, 0))
        return Table({"invalid": bad.astype(np.int32)})

    rows = derive(model(X, probes=(Probe("x", thresholds=tuple(float(t) for t in range(500))),)), refuse)

    codes = refuse(rows)["invalid"][:, 0]
    assert (codes > 0).sum() == ERRORS
    assert {1, 2} <= set(codes.tolist())


def test_ordinary_rows_are_such_that_the_model_accepts() -> None:
    def refuse(rows: Table) -> Table:
        return Table({"invalid": (rows["c"] != "b").astype(np.int32)})

    rows = derive(model(X, C, probes=(Probe("c", exact=("a", "b", "c")),)), refuse)

    edges = rows.take(np.isinf(rows["x"][:, 0]))
    assert edges.rows == 2
    assert values(edges, "c") == {"b"}


@pytest.mark.parametrize(("limit", "expected"), [(3, [0, 1, 4]), (99, [0, 1, 2, 3, 4])])
def test_errors_are_spread_over_their_codes(limit: int, expected: list[int]) -> None:
    codes = np.array([5, 7, 5, 5, 9, 0, -1])

    assert spread(codes, limit) == expected
