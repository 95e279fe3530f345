"""From a trained pipeline into MLflow with its evidence, and back out."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import builder
from builder.errors import TritonbuildError
from builder.evidence import Evidence, compare, first_difference, load
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.recording import record
from builder.source import FetchedModel, fetch
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import Scalar, VectorType

SCALER = "org.apache.spark.ml.feature.StandardScalerModel"


@pytest.fixture(scope="module")
def training(spark: Any) -> Any:
    rows = [
        ("abc"[i % 3] if i % 7 else None, i / 3 - 2.7 if i % 5 else None, i % 11, "yes" if i % 2 else "no")
        for i in range(60)
    ]
    return spark.createDataFrame(rows, "carrier string, delay double, hour int, late string")


@pytest.fixture(scope="module")
def fitted(training: Any) -> Any:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Imputer, OneHotEncoder, StandardScaler, StringIndexer, VectorAssembler

    stages = [
        StringIndexer(inputCol="late", outputCol="label", handleInvalid="skip"),
        StringIndexer(inputCol="carrier", outputCol="ci", handleInvalid="keep"),
        OneHotEncoder(inputCol="ci", outputCol="co", handleInvalid="keep"),
        Imputer(inputCols=["delay"], outputCols=["di"]),
        VectorAssembler(inputCols=["co", "di", "hour"], outputCol="raw", handleInvalid="error"),
        StandardScaler(inputCol="raw", outputCol="features", withMean=True),
    ]
    return Pipeline(stages=stages).fit(training)


def proven(model: FetchedModel, rules: dict[str, Any] | None = None) -> tuple[Evidence, Any]:
    servable = lower(read_pipeline(model.path), model.schema, rules or all_rules(), ["features"])
    assert model.evidence is not None
    evidence = load(model.evidence).of_model(servable, model.digest)
    return evidence, compare(evidence, in_process(servable)(evidence.inputs))


@pytest.fixture(scope="module")
def logged(mlflow: Any, fitted: Any, training: Any) -> FetchedModel:
    info = builder.log_model(
        fitted,
        training,
        name="flights",
        registered_model_name="flights",
        alias="champion",
        outputs=["features"],
        evidence_rows=40,
    )
    assert info.registered_model_version == 1
    assert info.signature.outputs.input_names() == ["features"]
    return fetch("models:/flights@champion")


def test_a_logged_pipeline_comes_back_registered_with_exact_schema_and_proof(
    mlflow: Any, spark: Any, logged: FetchedModel, training: Any
) -> None:
    evidence, report = proven(logged)

    assert report.passed, report.words()
    assert (~evidence.derived).sum() == 40
    assert evidence.coverage == 1.0
    assert [field.name for field in logged.schema] == ["carrier", "delay", "hour", "late"]
    assert [field.type for field in logged.schema][1:3] == [Scalar("double"), Scalar("integer")]
    assert [spec.name for spec in evidence.input_specs] == ["carrier", "delay", "hour"]
    assert evidence.output_specs[0].type == VectorType(6)
    again = mlflow.spark.load_model("models:/flights@champion").transform(training.limit(3))
    assert again.count() == 3
    signature = mlflow.models.get_model_info("models:/flights/1").signature
    assert signature.inputs.input_names() == ["carrier", "delay", "hour"]
    assert not signature.inputs.input_dict()["hour"].required


def test_a_wrong_rule_fails_the_proof_and_is_named_by_its_stage(logged: FetchedModel) -> None:
    rules = all_rules()
    right = rules[SCALER]

    def wrong(stage: Any, x: Any) -> Any:
        y = right.function(stage, x)
        import spox.opset.ai.onnx.v21 as op

        return replace(y, var=op.add(y.var, op.const(np.float64(1e-14))))

    broken = {**rules, SCALER: replace(right, function=wrong)}

    evidence, report = proven(logged, broken)

    assert not report.passed
    assert evidence.steps is not None
    every = lower(read_pipeline(logged.path), logged.schema, broken, ["features"], proof=True, every_column=True)
    found = first_difference(evidence, in_process(every)(evidence.inputs.take(evidence.steps.rows)))
    assert found is not None
    assert found.stage.startswith("StandardScaler")
    assert list(evidence.steps.made_by)[:2] == ["ci", "co"]


def test_new_rows_for_a_registered_version_take_the_place_of_its_evidence(
    mlflow: Any, logged: FetchedModel, tmp_path: Path
) -> None:
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(logged.root), "copy")
    mlflow.register_model(f"runs:/{run.info.run_id}/copy", "copies")
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"carrier": "zz", "delay": 1e300, "hour": 7}\n{"hour": null}\n{"hour": 3}\n')

    told = record("models:/copies/1", rows, outputs=["features"])

    evidence, report = proven(fetch("models:/copies/1"))
    assert report.passed, report.words()
    assert evidence.rows == told.rows
    # The row whose hour is null makes VectorAssembler stop; refused rows come last.
    user = evidence.take(~evidence.derived)
    assert user.inputs["carrier"][:2].tolist() == [["zz"], ["␀"]]
    assert sorted(user.answers["invalid"][:, 0].tolist())[0] == 0


def test_a_plain_folder_keeps_its_schema_and_evidence_and_spark_still_loads_it(
    spark: Any, fitted: Any, training: Any, tmp_path: Path
) -> None:
    from pyspark.ml import PipelineModel

    folder = tmp_path / "my model"
    fitted.save(str(folder))
    schema = tmp_path / "schema.json"
    schema.write_text(training.schema.json())

    record(str(folder), None, schema=schema, outputs=["features"])

    evidence, report = proven(fetch(str(folder)))
    assert report.passed, report.words()
    assert evidence.derived.all()
    assert len(PipelineModel.load(str(folder)).stages) == 6


def test_vectors_and_rare_types_go_the_whole_way(mlflow: Any, spark: Any) -> None:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import StandardScaler, VectorAssembler

    frame = spark.sql(
        "select cast(id as decimal(6,2)) / 3 as price, cast(id as short) as s, cast(id as byte) as y, "
        "cast(id as float) / 7 as f, id % 2 = 0 as b, cast(id as long) * 1000000007 as l from range(30)"
    )
    inner = VectorAssembler(inputCols=["l", "f"], outputCol="v").transform(frame).drop("l", "f")
    stages = [
        VectorAssembler(inputCols=["v", "price", "s", "y", "b"], outputCol="raw", handleInvalid="keep"),
        StandardScaler(inputCol="raw", outputCol="features"),
    ]
    model = Pipeline(stages=stages).fit(inner)

    builder.log_model(model, inner, name="rare", outputs=["features"])

    run = mlflow.last_active_run().info.run_id
    found = fetch(f"runs:/{run}/rare")
    evidence, report = proven(found)
    assert report.passed, report.words()
    assert {spec.name: spec.triton for spec in evidence.input_specs} == {
        "v": "FP64",
        "price": "FP64",
        "s": "INT16",
        "y": "INT8",
        "b": "BOOL" if not found.schema[3].nullable else "INT8",
    }
    assert all(math.isfinite(value) for value in evidence.inputs["price"][:, 0] if not math.isnan(value))


def test_a_pipeline_that_cannot_be_converted_stays_in_its_run_unregistered(mlflow: Any, spark: Any) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import SQLTransformer

    frame = spark.createDataFrame([(1.0,)], "x double")
    model = PipelineModel([SQLTransformer(statement="SELECT *, x + rand() AS y FROM __THIS__")])

    with pytest.raises(TritonbuildError):
        builder.log_model(model, frame, name="m", registered_model_name="sums")

    assert "sums" not in [model.name for model in mlflow.MlflowClient().search_registered_models()]
    kept = mlflow.MlflowClient().list_artifacts(mlflow.last_active_run().info.run_id, "m/tritonbuild")
    assert [file.path for file in kept] == ["m/tritonbuild/schema.json"]
    assert json.loads(frame.schema.json())["type"] == "struct"
