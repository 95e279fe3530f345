"""Load and its percentiles."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from builder.bench import Load, measure, summarise
from builder.graph.identity import identity_of
from builder.graph.session import in_process
from builder.types import INVALID, Scalar, Table, TensorSpec, TextArray, VectorType

ROWS = Table({"x": np.arange(10.0).reshape(-1, 1)})


def test_percentiles_are_latencies_that_occurred():
    took = np.arange(1.0, 101.0)

    latency = summarise("model", "gRPC", took, 0.5, Load(rows_per_request=3))

    assert (latency.p50_us, latency.p95_us, latency.p99_us) == (50, 95, 99)
    assert latency.rows_per_s == 600


def test_every_worker_has_its_own_connection_and_asks_its_share():
    opened, asked = [], []

    @contextmanager
    def connect():
        opened.append(1)
        yield lambda table: asked.append(table.rows) or table

    (latency,) = measure({("m", "here"): connect}, ROWS, Load(concurrency=4, rows_per_request=2, requests=80, rounds=2))

    assert len(opened) == 8
    assert latency.requests == 80
    assert set(asked) == {2}


def test_targets_take_turns():
    turns = []

    def target(name):
        @contextmanager
        def connect():
            turns.append(name)
            yield lambda table: table

        return connect

    measure({("a", ""): target("a"), ("b", ""): target("b")}, ROWS, Load(requests=30, rounds=3))

    assert turns == ["a", "b"] * 3


def test_a_failing_request_ends_the_measurement_with_its_own_error():
    @contextmanager
    def connect():
        def predict(table):
            raise ConnectionError("gone")

        yield predict

    with pytest.raises(ConnectionError, match="gone"):
        measure({("m", ""): connect}, ROWS, Load(concurrency=3, requests=30))


def test_the_identity_model_has_the_same_tensors_and_computes_nothing():
    inputs = (TensorSpec("text", Scalar("string"), True), TensorSpec("x", Scalar("double"), True))
    outputs = (
        TensorSpec("label", Scalar("string"), False),
        TensorSpec("prediction", Scalar("double"), False),
        TensorSpec("probability", VectorType(3), False, 3),
        INVALID,
    )
    rows = Table({"text": np.array([["a"], ["ß"]], object), "x": np.array([[1 / 3], [np.nan]])})

    answers = in_process(identity_of(inputs, outputs))(rows)

    assert answers["label"].tolist() == [["a"], ["ß"]]
    assert np.array_equal(answers["prediction"], rows["x"], equal_nan=True)
    assert answers["probability"].tolist() == [[0, 0, 0]] * 2
    assert answers["invalid"].dtype == np.int32


def test_the_identity_model_keeps_ragged_text():
    tokens = TensorSpec("tokens", TextArray(), True, -1)
    rows = Table({"tokens": np.array([["a", "b"], ["c", "␀"]], object)})

    answers = in_process(identity_of([tokens], [TensorSpec("out", TextArray(), True, -1), INVALID]))(rows)

    assert answers["out"].tolist() == rows["tokens"].tolist()
