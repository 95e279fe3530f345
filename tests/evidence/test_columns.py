"""Columns by another case, in backquotes, without AS, of time without zone and arrays of numbers: recorded, and proven."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.ml import Pipeline
from pyspark.ml.clustering import KMeans
from pyspark.ml.feature import Bucketizer, RFormula, SQLTransformer, StringIndexer, VectorAssembler
from pyspark.sql.types import ArrayType, _parse_datatype_string

from builder.evidence import load
from builder.types import INVALID
from tests.unit.cli import tritonbuild

INF, NAN = float("inf"), float("nan")
AGES = pa.array([1 / 3, None, 7.5, -2.7])
KINDS: dict[str, tuple[str, list[tuple[Any, ...]], dict[str, pa.Array], Callable[[], list[Any]]]] = {
    "other-case": (
        "Age double, Home string",
        [(1.0, "own"), (7.5, "rent"), (3.0, "own")],
        {"Age": AGES, "Home": pa.array(["own", "rent", None, "new"])},
        lambda: [
            Bucketizer(inputCol="age", outputCol="bucket", splits=[-INF, 5.0, INF], handleInvalid="keep"),
            StringIndexer(inputCol="home", outputCol="kind", handleInvalid="keep"),
            VectorAssembler(inputCols=["BUCKET", "Kind"], outputCol="v"),
        ],
    ),
    "backquoted": (
        "`net.income` double, `home.type` string",
        [(1.0, "own"), (7.5, "rent"), (3.0, "own")],
        {"net.income": AGES, "home.type": pa.array(["own", "rent", None, "new"])},
        lambda: [
            StringIndexer(inputCol="`home.type`", outputCol="kind", handleInvalid="keep"),
            VectorAssembler(inputCols=["`net.income`", "kind"], outputCol="v", handleInvalid="keep"),
        ],
    ),
    "unnamed": (
        "age double, married int, label double",
        [(1.0, 1, 0.5), (7.5, 0, 1.5), (3.0, 1, 2.5)],
        {"age": AGES, "married": pa.array([1, 0, None, 7], pa.int32())},
        lambda: [
            SQLTransformer(statement="SELECT *, IF(married == 1, 0, 1) FROM __THIS__"),
            RFormula(formula="label ~ . - married", handleInvalid="keep"),
        ],
    ),
    "timestamp-ntz": (
        "t timestamp_ntz",
        [(datetime(2024, 2, 29, 12),)],
        {"t": pa.array([datetime(2021, 3, 28, 2, 30), datetime(1, 1, 1), None], pa.timestamp("us"))},
        lambda: [SQLTransformer(statement="SELECT *, hour(t) AS h, year(t) AS y FROM __THIS__")],
    ),
    **{
        f"array-{element}": (
            f"features array<{element}>",
            [([0.0, 0.1],), ([5.1, -2.7],), ([0.3, 0.0],), ([5.0, -3.0],)],
            {
                "features": pa.array(
                    [[0.1, 1 / 3], [4.0, 0.0], [-0.0, 1e30], [NAN, 0.0], [NAN, NAN], None], pa.list_(arrow)
                )
            },
            lambda: [KMeans(k=2, seed=1)],
        )
        for element, arrow in (("double", pa.float64()), ("float", pa.float32()))
    },
}


def _schema(ddl: str) -> Any:
    """Arrays as clusterers want them: their elements are never null."""
    schema = _parse_datatype_string(ddl)
    for field in schema.fields:
        if isinstance(field.dataType, ArrayType):
            field.dataType.containsNull = False
    return schema


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_over_such_columns_is_recorded_and_proven(spark: Any, tmp_path: Path, kind: str) -> None:
    ddl, training, rows, stages = KINDS[kind]
    frame = spark.createDataFrame(training, _schema(ddl))
    Pipeline(stages=stages()).fit(frame).save(str(tmp_path / "model"))
    (tmp_path / "schema.json").write_text(frame.schema.json())
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    named = (tmp_path / "model", "--schema", tmp_path / "schema.json")

    recorded = tritonbuild("record", *named, "--rows", tmp_path / "rows.parquet", "--derived-rows", "60")
    published = tritonbuild("publish", *named, "--repository", tmp_path / "repository", "--name", "m")

    assert recorded.exit_code == 0, recorded.stderr
    assert published.exit_code == 0, published.stderr
    evidence = load(tmp_path / "model" / "tritonbuild" / "evidence.parquet")
    assert (evidence.answers[INVALID.name] == 0).any()
