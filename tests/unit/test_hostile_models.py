"""Saved models that once ended in a traceback, took gigabytes, or were converted though Spark refuses them.

Each folder of `hostile/` is a pipeline and its schema; it is named after the error that it raised, or `spark-refuses`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder.errors import ConversionRefused, SourceError, TritonbuildError
from builder.graph.lowering import lower
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import Field, Scalar, Schema, TextArray, VectorType
from tests.saved import Stage, min_max, vectors, write_pipeline, write_stage
from tests.unit.cli import tritonbuild

HOSTILE = Path(__file__).with_name("hostile")
ROOT = HOSTILE.parents[2]
V: Schema = (Field("v", VectorType(3), False),)
W: Schema = (Field("w", TextArray()),)
SPARK = "org.apache.spark.ml."


@pytest.mark.parametrize("name", sorted(folder.name for folder in HOSTILE.iterdir()))
def test_a_hostile_model_is_refused_in_words(name: str) -> None:
    result = tritonbuild("check", HOSTILE / name / "pipeline", "--schema", HOSTILE / name / "schema.json")

    assert result.exit_code in (2, 3)
    assert "Traceback" not in result.stdout + result.stderr


def test_twenty_million_rows_in_some_kilobytes_are_not_made() -> None:
    """It took 19 s and 5 GB; the limit is that of the fuzzer."""
    hang = next(folder for folder in HOSTILE.iterdir() if folder.name.startswith("hang"))
    code = (
        "import atexit, sys; from pathlib import Path; from builder.cli import main;"
        "atexit.register(lambda: print('most', Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0]));"
        "sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "check", str(hang / "pipeline"), "--schema", str(hang / "schema.json")]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2, done.stderr
    assert int(done.stdout.partition("most ")[2]) < 1 << 20  # kilobytes


def refused(folder: Path, *stages: Stage, schema: Schema = V) -> TritonbuildError:
    with pytest.raises(TritonbuildError) as caught:
        lower(read_pipeline(write_pipeline(folder / "model", list(stages))), schema, all_rules())
    assert caught.value.exit_code in (2, 3)
    return caught.value


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"outputCols": ["x"]}, "no param 'outputCols'"),
        ({"min": 10**350}, "a number that a double holds"),
        ({"min": "one"}, "a number"),
        ({"inputCol": ["v"]}, ""),
        ({"inputCol": {"v": 1}}, "a column's name"),
        ({"outputCol": 7}, "a column's name"),
    ],
)
def test_a_param_that_the_class_does_not_have_or_of_another_type(tmp_path: Path, params: dict, said: str) -> None:
    stage = min_max("scaler", "v", "y", [0, 0, 0], [1, 1, 1])
    changed = Stage(stage.spark_class, stage.uid, {**stage.params, **params}, stage.defaults, stage.data)
    if said:
        assert said in str(refused(tmp_path, changed))
    else:  # a list of one names the same column
        lower(read_pipeline(write_pipeline(tmp_path / "model", [changed])), V, all_rules())


@pytest.mark.parametrize(
    ("spark_class", "params", "said"),
    [
        ("feature.StringIndexerModel", {"inputCol": "s", "outputCol": "i", "handleInvalid": "kee"}, "handleInvalid is 'kee'"),
        ("feature.HashingTF", {"inputCol": "w", "outputCol": "t", "numFeatures": 0}, "numFeatures is 0, not at least 1"),
        ("feature.Normalizer", {"inputCol": "v", "outputCol": "n", "p": 0.5}, "p is 0.5, not at least 1.0"),
    ],
)  # fmt: skip
def test_a_value_that_sparks_validator_refuses(tmp_path: Path, spark_class: str, params: dict, said: str) -> None:
    schema = (*V, Field("s", Scalar("string")), Field("w", Scalar("string")))

    error = refused(tmp_path, Stage(SPARK + spark_class, "stage_1", params), schema=schema)

    assert isinstance(error, ConversionRefused)
    assert said in str(error)


def test_data_of_another_type_than_spark_saves(tmp_path: Path) -> None:
    row = vectors(coefficients=[1.0, 2.0, 3.0]).append_column("intercept", pa.array([1], pa.uint64()))
    stage = Stage(
        SPARK + "regression.LinearRegressionModel", "lr", {"featuresCol": "v", "predictionCol": "p"}, data=row
    )

    assert "column 'intercept' is uint64, and Spark saves double" in str(refused(tmp_path, stage))


def test_a_null_where_spark_saves_none(tmp_path: Path) -> None:
    data = pa.table({"word": ["a", None], "vector": pa.array([[1.0], [2.0]], pa.list_(pa.float32()))})
    params = {"inputCol": "w", "outputCol": "o", "vectorSize": 1}
    stage = Stage(SPARK + "feature.Word2VecModel", "w2v", params, data=data)

    assert "a null stands in 'word'" in str(refused(tmp_path, stage, schema=W))


def test_a_slot_that_is_selected_twice(tmp_path: Path) -> None:
    data = pa.table({"selectedFeatures": pa.array([[0, 1, 1]], pa.list_(pa.int32()))})
    params = {"featuresCol": "v", "outputCol": "o"}
    stage = Stage(SPARK + "feature.VarianceThresholdSelectorModel", "vts", params, data=data)

    assert "not slots, each once" in str(refused(tmp_path, stage))


def test_boundaries_out_of_order(tmp_path: Path) -> None:
    doubles = pa.list_(pa.float64())
    columns = {"boundaries": pa.array([[2.0, 1.0]], doubles), "predictions": pa.array([[0.0, 1.0]], doubles)}
    data = pa.table(columns | {"isotonic": [True]})
    params = {"featuresCol": "x", "predictionCol": "p", "featureIndex": 0}
    stage = Stage(SPARK + "regression.IsotonicRegressionModel", "iso", params, data=data)

    assert "not in order" in str(refused(tmp_path, stage, schema=(Field("x", Scalar("double"), False),)))


def test_a_vector_of_two_thousand_million_slots(tmp_path: Path) -> None:
    stage = Stage(
        SPARK + "feature.HashingTF",
        "tf",
        {"inputCol": "w", "outputCol": "t", "numFeatures": 2**31 - 1, "binary": False},
    )

    assert "slots takes 17.2 GB a row" in str(refused(tmp_path, stage, schema=W))


def test_pipelines_inside_of_pipelines_end(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for depth in range(60):
        inner = Stage(SPARK + "PipelineModel", f"P_{depth}", {"stageUids": [f"P_{depth + 1}"]})
        folder.mkdir(exist_ok=True)

        write_stage(folder, inner)
        folder = folder / "stages" / f"0_P_{depth + 1}"
        folder.mkdir(parents=True)
    write_stage(folder, Stage(SPARK + "PipelineModel", "P_60", {"stageUids": []}))

    with pytest.raises(SourceError, match="a pipeline inside of 50 others"):
        read_pipeline(tmp_path / "model")


def test_a_file_that_claims_more_than_it_can_hold_is_not_read(tmp_path: Path) -> None:
    stage = min_max("scaler", "v", "y", [0, 0, 0], [1, 1, 1])
    folder = write_pipeline(tmp_path / "model", [stage]) / "stages" / "0_scaler" / "data"
    file = next(folder.glob("*.parquet"))
    one = pq.read_table(file)
    with pq.ParquetWriter(file, one.schema, compression="zstd") as writer:
        for _ in range(20):
            writer.write_table(one.take(pa.array(np.zeros(500_000, np.int64))))

    with pytest.raises(SourceError, match="claims 10,000,000 rows"):
        lower(read_pipeline(tmp_path / "model"), V, all_rules())
