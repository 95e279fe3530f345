"""A stage that tells null from NaN is named: on the wire NaN in a nullable column stands for null."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder import flow
from builder.evidence.rows import read_rows
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.nullability import schema_text, widened
from builder.sparkml.reader import read_pipeline
from builder.sparkml.schema import parse_schema
from builder.stages import all_rules
from builder.types import Field, Scalar, Servable, Table, TensorSpec, VectorType
from tests.saved import Stage, write_pipeline

FEATURE = "org.apache.spark.ml.feature."
STAGES = {
    "bucketizer": Stage(
        FEATURE + "Bucketizer",
        "stage",
        {"inputCol": "x", "outputCol": "o", "splits": [0.0, 1.0, 2.0], "handleInvalid": "keep"},
    ),
    "imputer": Stage(
        FEATURE + "ImputerModel",
        "stage",
        {"inputCols": ["x"], "outputCols": ["o"], "missingValue": -1.0, "strategy": "mean"},
        {"relativeError": 0.001},
        pa.table({"x": [2.5]}),
    ),
    "imputer-of-nan": Stage(
        FEATURE + "ImputerModel",
        "stage",
        {"inputCols": ["x"], "outputCols": ["o"], "missingValue": "NaN", "strategy": "mean"},
        {"relativeError": 0.001},
        pa.table({"x": [2.5]}),
    ),
    "assembler": Stage(
        FEATURE + "VectorAssembler", "stage", {"inputCols": ["x"], "outputCol": "o", "handleInvalid": "error"}
    ),
    "hasher": Stage(
        FEATURE + "FeatureHasher",
        "stage",
        {"inputCols": ["x"], "outputCol": "o", "numFeatures": 8},
        {"categoricalCols": []},
    ),
    "isnan": Stage(FEATURE + "SQLTransformer", "stage", {"statement": "SELECT *, isnan(x) AS o FROM __THIS__"}),
    "coalesce": Stage(FEATURE + "SQLTransformer", "stage", {"statement": "SELECT *, coalesce(x, 7.0D) AS o FROM __THIS__"}),
    "nanvl": Stage(FEATURE + "SQLTransformer", "stage", {"statement": "SELECT *, nanvl(x, 7.0D) AS o FROM __THIS__"}),
    "sum": Stage(FEATURE + "SQLTransformer", "stage", {"statement": "SELECT *, x + 1 AS o FROM __THIS__"}),
}  # fmt: skip


def lowered(folder: Path, nullable: bool) -> Servable:
    return lower(read_pipeline(folder), (Field("x", Scalar("double"), nullable),), all_rules())


def answer(servable: Servable) -> list[Any]:
    told = in_process(servable)(Table({"x": np.array([[np.nan]])}))
    return [np.nan_to_num(array.astype(np.float64), nan=-99.0).tolist() for array in told.values()]


@pytest.mark.parametrize("name", STAGES)
def test_where_nan_and_null_are_answered_apart_the_column_is_named(tmp_path: Path, name: str) -> None:
    folder = write_pipeline(tmp_path / "p", [STAGES[name]])
    null, nan = lowered(folder, True), lowered(folder, False)

    assert nan.apart == {}
    if answer(null) != answer(nan):
        assert null.apart == {"x": "stage"}
    if name in ("assembler", "imputer-of-nan"):
        assert null.apart == {}


@pytest.mark.parametrize("name", ["bucketizer", "imputer", "hasher", "isnan", "coalesce", "nanvl"])
def test_check_says_so(tmp_path: Path, name: str) -> None:
    folder = write_pipeline(tmp_path / "p", [STAGES[name]])
    schema = tmp_path / "schema.json"
    schema.write_text(schema_text((Field("x", Scalar("double"), True),), None))

    checked = flow.check(flow.Wanted(str(folder), schema))

    assert any("column 'x': stage tells null from NaN" in note for note in checked.json()["notes"])


def test_nan_in_a_nullable_column_is_counted(tmp_path: Path) -> None:
    specs = [TensorSpec("x", Scalar("double"), True), TensorSpec("y", Scalar("double"), False)]
    pq.write_table(pa.table({"x": [float("nan"), None, 1.0], "y": [float("nan")] * 3}), tmp_path / "r.parquet")
    (tmp_path / "r.json").write_text('{"x": "NaN", "y": 1.0}\n{"x": null, "y": "NaN"}\n')

    for name in ("r.parquet", "r.json"):
        found: Counter[str] = Counter()
        read_rows(tmp_path / name, specs, found)
        assert found["x"] == 1
        assert found["y"] == 0


def test_a_widened_schema_reads_back_as_it_is() -> None:
    schema = (
        Field("a", Scalar("integer"), False),
        Field("m", Scalar("decimal"), False, {"decimal": "decimal(38,18)"}),
        Field("v", VectorType(None), True),
    )

    assert parse_schema(schema_text(widened(schema, ["a"]), None)) == (Field("a", Scalar("integer"), True), *schema[1:])


@pytest.mark.parametrize("inverse", [False, True])
def test_an_infinite_slot_of_a_long_cosine_transform_makes_every_slot_nan_as_in_spark(
    tmp_path: Path, inverse: bool
) -> None:
    stage = Stage(FEATURE + "DCT", "stage", {"inputCol": "x", "outputCol": "o", "inverse": inverse})
    servable = lower(
        read_pipeline(write_pipeline(tmp_path / "p", [stage])), (Field("x", VectorType(211)),), all_rules()
    )
    rows = np.full((3, 211), 0.5)
    rows[0, 0], rows[1, 105] = np.inf, -np.inf

    told = in_process(servable)(Table({"x": rows}))["o"]

    assert np.isnan(told[:2]).all()
    assert np.isfinite(told[2]).all()
