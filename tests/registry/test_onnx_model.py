"""The graph as an MLflow model: loaded by MLflow, without tritonbuild's help, it says what tritonbuild's own door says."""

from __future__ import annotations

import datetime
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.wide import write_wide
from builder import tables
from builder.graph.session import in_process
from builder.source.onnx_model import write_onnx_model
from builder.types import Scalar, Servable, TensorSpec
from tests.registry.conftest import register
from tests.small_models import carriers, every_type, identity, picks, words
from tests.unit.cli import tritonbuild


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[Servable], Any]:
    """loaded(servable): the MLflow model made of it, as `mlflow.pyfunc` loads it."""
    import mlflow

    def load(servable: Servable) -> Any:
        write_onnx_model(tmp_path / "model", servable, name="m", run_id="0")
        return mlflow.pyfunc.load_model(str(tmp_path / "model"))

    return load


UTC = datetime.UTC
ROWS = {
    "a_string": ["", "None", "日本", None],
    "a_double": [0.1, -0.0, float("inf"), None],
    "a_float": [0.5, float(np.float32(0.1)), -2.5, None],
    "a_integer": [-(2**31) + 1, 2**31 - 1, 7, None],
    "a_long": [-(2**63) + 1, 2**63 - 1, 2**53 + 1, 0],
    "a_short": [-(2**15) + 1, 2**15 - 1, 0, None],
    "a_byte": [-127, 127, 0, None],
    "a_boolean": [True, False, True, None],
    "a_date": [datetime.date(1970, 1, 1), datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None],
    "a_timestamp": [
        datetime.datetime(2013, 7, 4, 5, 0, 0, 123456, UTC),
        datetime.datetime(1, 1, 1, tzinfo=UTC),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        None,
    ],
    "a_truth": [True, False, True, False],
    "a_vector": [[0.1, 2.0, float("nan")], [1.0, 2.0, 3.0], [0.0, -0.0, 5e-324], [1e308, 0.0, 1.0]],
}


def same(one: object, other: object) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and one == other


def test_a_value_of_every_type_is_read_and_told_as_tritonbuilds_own_tables_do(loaded):
    servable = every_type()
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in ROWS.items()})
    frame["a_double"] = frame["a_double"].astype(float)
    frame["a_float"] = frame["a_float"].astype(np.float32)
    rows = [{name: values[row] for name, values in ROWS.items()} for row in range(4)]
    ours = tables.decode(in_process(servable)(tables.from_dicts(rows, servable.inputs)), servable.outputs).to_pylist()

    told = loaded(servable).predict(frame)

    for row in range(4):
        for name in ROWS:
            mine, theirs = ours[row][f"{name}_out"], told[f"{name}_out"].tolist()[row]
            theirs = None if name in ("a_double", "a_float") and theirs != theirs else theirs
            assert same(mine, theirs), (name, row, mine, theirs)


def test_arrays_of_text_travel_with_nulls_inside(loaded):
    rows = [["a", None, "None"], [], ["日本"]]

    told = loaded(words()).predict(pd.DataFrame({"words": rows}))

    assert told["words_out"].tolist() == rows


def test_a_refused_row_has_no_answer_but_its_reason_and_its_neighbour_keeps_its_own(loaded):
    told = loaded(carriers()).predict(pd.DataFrame({"carrier": ["ß", None, "None"], "x": [0.1, 0.2, 0.3]}))

    assert told["invalid"].tolist() == [0, 1, 1]
    assert told["prediction"].tolist() == [1.0, None, None]
    assert told["doubled"].tolist() == [0.2, None, None]
    reason = "Spark would stop: StringIndexer_7a1, column carrier: a label that was not seen in training"
    assert told["invalid_reason"].tolist() == [None, reason, reason]


def test_a_column_that_is_left_out_is_null(loaded):
    told = loaded(carriers()).predict(pd.DataFrame({"carrier": ["UA"]}))

    assert told["prediction"].tolist() == [0.0]
    assert math.isnan(told["doubled"][0])


def test_the_graph_itself_is_there_as_the_onnx_flavour(loaded, tmp_path):
    import mlflow

    servable = carriers()
    loaded(servable)

    graph = mlflow.onnx.load_model(str(tmp_path / "model"))

    assert graph.SerializeToString() == servable.model


@pytest.mark.parametrize(
    ("kind", "nullable", "value", "says"),
    [
        ("string", True, 7, "is no text"),
        ("integer", True, 3_000_000_000, "out of range"),
        ("long", True, 1.5, "no whole number"),
        ("long", True, float(2**53), "no whole number for sure"),
        ("integer", True, True, "no whole number"),
        ("boolean", True, 2, "neither true nor false"),
        ("boolean", False, None, "knows no null"),
        ("long", False, None, "knows no null"),
        ("date", True, "yesterday", "isoformat"),
    ],
)
def test_a_value_of_another_type_is_refused_by_the_columns_name(loaded, kind, nullable, value, says):
    model = loaded(identity(TensorSpec("x", Scalar(kind), nullable)))

    with pytest.raises(ValueError, match=f"input 'x' is {kind}: .*{says}"):
        model.predict(pd.DataFrame({"x": pd.Series([value], dtype=object)}))


def test_a_long_that_pandas_rounded_beside_a_null_is_refused_and_not_answered_wrongly(loaded):
    model = loaded(identity(TensorSpec("x", Scalar("long"), nullable=True)))

    assert model.predict(pd.DataFrame({"x": [2**53 - 1, None]}))["x_out"].tolist() == [2**53 - 1, None]
    with pytest.raises(ValueError, match="no whole number for sure"):
        model.predict(pd.DataFrame({"x": [2**53 + 1, None]}))


def test_a_single_column_is_one_column(loaded):
    told = loaded(picks()).predict(pd.DataFrame({"place": [0, 3, 1]}))

    assert told["picked"].tolist() == [1.5, 4.5, 2.5]


def test_a_packed_model_goes_to_mlflow_with_a_tensor_a_column(mlflow_server, tmp_path):
    """Who asks MLflow's server has columns."""
    import mlflow

    def wide(model: Path) -> None:
        shutil.rmtree(model / "sparkml")
        shutil.copytree(write_wide(tmp_path / "wide", 5), model / "sparkml")
        shutil.copy(tmp_path / "wide" / "schema.json", model / "tritonbuild" / "schema.json")
        (model / "tritonbuild" / "evidence.parquet").unlink()

    flights = register(mlflow_server, tmp_path / "model", wide)
    where = ("--repository", str(flights.repository), "--tracking-uri", flights.uri)

    published = tritonbuild(
        "publish", f"models:/{flights.name}/1", "--unproven", "--pack", "--log-onnx", "--json", *where
    )
    mlflow.set_tracking_uri(flights.uri)
    document = json.loads(published.stdout)
    model = mlflow.pyfunc.load_model(document["mlflow"]["onnx"])

    assert published.exit_code == 0, published.stderr
    assert [pack["name"] for pack in document["manifest"]["packed"]] == ["numbers"]
    assert model.metadata.get_input_schema().input_names() == [f"column_{i}" for i in range(5)]
