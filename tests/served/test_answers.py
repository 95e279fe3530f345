"""What the real server answers, over both protocols: bit for bit what onnxruntime answers in this process."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmarks.factors import ids_of, write_factors
from builder import tables
from builder.errors import UsageError
from builder.graph import weights
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.sparkml.schema import parse_schema
from builder.stages import all_rules
from builder.triton.settings import Settings
from builder.types import Scalar, Table, TensorSpec
from tests.small_models import carriers, every_type, identity, text_identity, words

TEXTS = ["", "ß", "日本", "␀", "a", "b'a'", "a" * 70_000, "line\nline", '"quoted"', " ", "\ufeff", "👩‍🚀"]


def text_column(values: list[str]) -> np.ndarray:
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = values
    return column


def assert_same_bits(answers: Table, expected: Table) -> None:
    assert set(answers) == set(expected)
    for name in expected:
        assert answers[name].dtype == expected[name].dtype, name
        assert answers[name].shape == expected[name].shape, name
        assert (
            answers[name].tolist() == expected[name].tolist()
            if expected[name].dtype == object
            else (answers[name].tobytes() == expected[name].tobytes())
        ), name


def test_text_comes_back_as_it_went(triton, protocol):
    triton.put("text", text_identity())

    with triton.client(protocol) as client:
        answers = client.predict("text", Table({"text": text_column(TEXTS)}))

    assert answers["text_out"][:, 0].tolist() == TEXTS
    assert answers["invalid"].tolist() == [[0]] * len(TEXTS)


def test_a_label_encoder_finds_each_string_and_refuses_the_unseen(triton, protocol):
    triton.put("carriers", carriers())
    rows = Table({"carrier": text_column(["UA", "ß", "日本", "", "␀", "ua"]), "x": np.arange(6.0).reshape(-1, 1)})

    with triton.client(protocol) as client:
        answers = client.predict("carriers", rows)

    np.testing.assert_array_equal(answers["prediction"][:, 0], [0, 1, 2, 3, np.nan, np.nan])
    assert answers["invalid"][:, 0].tolist() == [0, 0, 0, 0, 1, 1]
    assert answers["doubled"][:, 0].tolist() == [0, 2, 4, 6, 8, 10]


def test_every_type_keeps_every_bit(triton, protocol):
    servable = every_type()
    triton.put("every_type", servable)
    extremes = {
        "f": [0.0, -0.0, 1 / 3, 1e308, 5e-324, float("inf"), float("-inf"), float("nan")],
        "b": [True, False] * 4,
        "O": ["", "ß", "日本", "␀", "x", "y", "z", "0"],
    }
    with np.errstate(over="ignore"):  # 1e308 is infinity to a float32: also a value
        rows = Table(
            {
                spec.name: np.array(
                    [[value] * spec.width for value in extremes.get(spec.dtype.kind) or _integers(spec.dtype)],
                    dtype=spec.dtype,
                )
                for spec in servable.inputs
            }
        )

    with triton.client(protocol) as client:
        answers = client.predict("every_type", rows)

    assert_same_bits(answers, in_process(servable)(rows))
    assert_same_bits(Table({name: answers[f"{name}_out"] for name in rows}), rows)


def _integers(dtype: np.dtype) -> list[int]:
    limits = np.iinfo(dtype)
    return [0, 1, -1, limits.min, limits.max, limits.min + 1, 7, -7]


def test_random_doubles_come_back_to_the_bit_also_over_http(triton, protocol):
    triton.put("doubles", identity(TensorSpec("x", Scalar("double"), nullable=True)))
    rows = Table({"x": np.random.default_rng(7).standard_normal((4000, 1)) * 1e-3})

    with triton.client(protocol) as client:
        answers = client.predict("doubles", rows)

    assert answers["x_out"].tobytes() == rows["x"].tobytes()


def test_rows_beyond_max_batch_size_go_as_several_requests_in_order(triton, protocol):
    triton.put("small_batches", carriers(), Settings(max_batch_size=3))
    rows = Table({"carrier": text_column(["UA"] * 10), "x": np.arange(10.0).reshape(-1, 1)})

    with triton.client(protocol) as client:
        answers = client.predict("small_batches", rows)

    assert answers["doubled"][:, 0].tolist() == [2.0 * i for i in range(10)]


def test_no_rows_are_answered_by_no_rows(triton, protocol):
    triton.put("carriers", carriers())

    with triton.client(protocol) as client:
        answers = client.predict("carriers", Table({"carrier": text_column([]), "x": np.empty((0, 1))}))

    assert {name: answers[name].shape for name in answers} == dict.fromkeys(
        ("prediction", "doubled", "invalid"), (0, 1)
    )


def test_arrays_of_text_travel_padded(triton, protocol):
    triton.put("words", words())
    specs = words().inputs
    rows = tables.encode(pa.table({"words": [["a", "ß"], [], None, ["", "日本", "c"]]}), specs)

    with triton.client(protocol) as client:
        answers = client.predict("words", rows)

    assert tables.decode(answers, client.specs("words").outputs)["words_out"].to_pylist() == [
        ["a", "ß"],
        [],
        [],
        ["", "日本", "c"],
    ]


def test_a_client_learns_the_model_from_the_server(triton, protocol):
    servable = carriers()
    triton.put("carriers", servable)

    with triton.client(protocol) as client:
        info = client.specs("carriers")

    assert (info.inputs, info.outputs, info.invalid) == (servable.inputs, servable.outputs, servable.invalid)
    assert info.provenance == {"source": "tests", "version": "1"}
    assert info.max_batch_size == 1024


def test_a_frame_comes_back_as_a_frame_with_nulls_and_reasons_in_words(triton, protocol):
    triton.put("carriers", carriers())
    frame = pd.DataFrame({"x": [1.5, None, 3.0], "carrier": ["UA", "XX", None], "more": [1, 2, 3]}, index=[10, 20, 30])

    with triton.client(protocol) as client:
        answers = client.predict_frame("carriers", frame)

    assert list(answers.index) == [10, 20, 30]
    assert answers["doubled"].isna().tolist() == [False, True, False]
    assert answers["doubled"][30] == 6.0
    assert answers["invalid_reason"].tolist() == [
        None,
        *["Spark would stop: StringIndexer_7a1, column carrier: a label that was not seen in training"] * 2,
    ]


def test_rows_that_do_not_fit_are_named_before_they_are_sent(triton, protocol):
    triton.put("carriers", carriers())
    fine = {"carrier": text_column(["UA"]), "x": np.zeros((1, 1))}

    with triton.client(protocol) as client:
        for wrong, said in [
            ({"carrier": fine["carrier"]}, "'x' is missing"),
            (fine | {"x": np.zeros((1, 1), np.float32)}, "'x' is double, so float64; the rows hold float32"),
            (fine | {"x": np.zeros((1, 2))}, "'x' has width 1; the rows hold 2"),
            (fine | {"carrier": text_column(["U\0A"])}, "'carrier' holds a NUL"),
        ]:
            with pytest.raises(UsageError, match=said):
                client.predict("carriers", Table(wrong))


def test_the_server_reads_tables_from_beside_the_model(triton, protocol, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_TOGETHER", 1 << 20)
    model = read_pipeline(write_factors(tmp_path, users=30_000, items=40, rank=16))
    servable = lower(model, parse_schema((tmp_path / "schema.json").read_text()), all_rules())
    assert servable.weights
    users, items = ids_of(30_000)[:500], np.resize(ids_of(41), 500)  # the 41st is unknown
    rows = Table({"user": users[:, None], "item": items[:, None]})

    triton.put("factors", servable)
    with triton.client(protocol) as client:
        answers = client.predict("factors", rows)

    assert_same_bits(answers, in_process(servable)(rows))
    assert 0 < np.isfinite(answers["prediction"]).sum() < len(users)
