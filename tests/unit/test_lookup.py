"""Rows found by any 32-bit number, and tables too large for the model's own file."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spox import Tensor, argument, build

from benchmarks.factors import ids_of, write_factors
from builder.graph import weights
from builder.graph.lookup import place_of, rows_at
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.sparkml.schema import parse_schema
from builder.stages import all_rules
from builder.types import Array, Servable, Table

INTEGERS = st.integers(-(2**31), 2**31 - 1)
PRIME = 1_000_003


def found(keys: list[int], asked: list[int]) -> Array:
    """Each key's own number, -1 where there is none."""
    x = argument(Tensor(np.int64, ("N", 1)))
    place, order = place_of(x, np.array(keys))
    numbers = np.append(np.arange(len(keys), dtype=np.float32)[order], np.float32(-1))[:, None]
    model = build({"x": x}, {"y": rows_at(numbers, place)})
    model.ir_version = 10
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.array(asked, dtype=np.int64)[:, None]})[0][:, 0]


@settings(max_examples=60, deadline=None)
@given(st.lists(INTEGERS, min_size=1, max_size=60, unique=True), st.lists(INTEGERS, max_size=20))
@example([-(2**31), 2**31 - 1], [0, -1])
@example([7], [7, 8, 6])
@example([PRIME * i for i in range(50)], [0, PRIME, PRIME + 1, -PRIME])
def test_every_key_is_found_and_nothing_else(keys, others):
    asked = [*keys, *others, *(key + 1 for key in keys), -(2**31), 2**31 - 1]

    numbers = found(keys, asked)

    at = {key: number for number, key in enumerate(keys)}
    assert numbers.tolist() == [at.get(one, -1) for one in asked]


@pytest.fixture(params=["inside", "beside"])
def servable(request, tmp_path, monkeypatch) -> Servable:
    """Of 30,000 users and 40 items; its tables in the file or beside it."""
    if request.param == "beside":
        monkeypatch.setattr(weights, "_TOGETHER", 1 << 20)
        monkeypatch.setattr(weights, "_ALONE", 1 << 10)
    model = read_pipeline(write_factors(tmp_path, 30_000, 40, 16))
    made = lower(model, parse_schema((tmp_path / "schema.json").read_text()), all_rules())
    assert bool(made.weights) == (request.param == "beside")
    return made


def test_tables_beside_the_model_answer_as_those_inside(servable, tmp_path):
    users, items = ids_of(30_000)[:500], np.resize(ids_of(40), 500)
    rows = Table({"user": users[:, None], "item": items[:, None]})
    (tmp_path / "model.onnx").write_bytes(servable.model)
    for name, content in weights.files_of(servable.weights).items():
        (tmp_path / name).write_bytes(content)

    here = in_process(servable)(rows)["prediction"]
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    from_files = session.run(["prediction"], dict(rows.items()))[0]

    expected = _dots(tmp_path / "factors" / "stages" / "0_ALS_1", users, items)
    np.testing.assert_array_equal(here, from_files)
    np.testing.assert_array_equal(here[:, 0], expected)


def test_the_proof_graph_holds_no_factors_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_TOGETHER", 1 << 20)
    model = read_pipeline(write_factors(tmp_path, 30_000, 40, 16))
    schema = parse_schema((tmp_path / "schema.json").read_text())

    served, proof = (lower(model, schema, all_rules(), proof=proof) for proof in (False, True))

    assert served.weights.keys() == proof.weights.keys()
    assert any(array is proof.weights[name] for name, array in served.weights.items() if array.dtype == np.float32)


def _dots(stage, users, items) -> Array:
    """By hand, one product after the other in float32."""
    import pyarrow.parquet as pq

    tables = []
    for name in ("userFactors", "itemFactors"):
        saved = pq.read_table(stage / name)
        rows = dict(zip(saved["id"].to_pylist(), saved["features"].to_pylist(), strict=True))
        tables.append({key: np.array(values, dtype=np.float32) for key, values in rows.items()})
    found = []
    for user, item in zip(users.tolist(), items.tolist(), strict=True):
        total = np.float32(0)
        for a, b in zip(tables[0][user], tables[1][item], strict=True):
            total = np.float32(total + np.float32(a * b))
        found.append(total)
    return np.array(found)
