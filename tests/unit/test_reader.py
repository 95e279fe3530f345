"""The reader: what a saved pipeline's folder must hold, and what is said where it does not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builder.errors import SourceError
from builder.sparkml.params import Params
from builder.sparkml.reader import read_pipeline
from builder.sparkml.vectors import dense_matrix, dense_vector
from builder.sparkml.verdicts import no_rule
from tests.saved import Stage, min_max, write_pipeline, write_stage


def scaler(uid: str = "MinMaxScaler_1") -> Stage:
    return min_max(uid, "x", "y", [0.0, 1.0], [2.0, 3.0])


def test_stages_come_in_the_order_of_stage_uids(tmp_path: Path) -> None:
    stages = [scaler(f"MinMaxScaler_{i}") for i in range(12)]

    pipeline = read_pipeline(write_pipeline(tmp_path / "p", stages))

    assert [stage.uid for stage in pipeline.stages] == [stage.uid for stage in stages]
    assert pipeline.spark_version == "4.3.0"


def test_a_nested_pipeline_and_a_search_are_flattened(tmp_path: Path) -> None:
    outer = write_pipeline(
        tmp_path / "p",
        [
            Stage("org.apache.spark.ml.PipelineModel", "Pipeline_in", {"stageUids": ["MinMaxScaler_in"]}),
            Stage("org.apache.spark.ml.tuning.CrossValidatorModel", "CrossValidator_1", {}),
        ],
    )
    write_stage(outer / "stages/0_Pipeline_in/stages/0_MinMaxScaler_in", scaler("MinMaxScaler_in"))
    write_stage(outer / "stages/1_CrossValidator_1/bestModel", scaler("MinMaxScaler_best"))

    pipeline = read_pipeline(outer)

    assert [stage.uid for stage in pipeline.stages] == ["MinMaxScaler_in", "MinMaxScaler_best"]


def test_several_part_files_are_one_table(tmp_path: Path) -> None:
    path = write_pipeline(tmp_path / "p", [scaler()])
    part = next((path / "stages/0_MinMaxScaler_1/data").glob("*.parquet"))
    (part.parent / "part-00007-1-c000.snappy.parquet").write_bytes(part.read_bytes())

    table = read_pipeline(path).stages[0].table()

    assert table.num_rows == 2
    with pytest.raises(SourceError, match="should hold one row and holds 2"):
        read_pipeline(path).stages[0].row()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / "metadata/part-00000-0-c000.txt").unlink(), "metadata/part-\\* is missing or empty"),
        (lambda p: (p / "metadata/part-00000-0-c000.txt").write_text("{"), "is not JSON"),
        (lambda p: (p / "metadata/part-00000-0-c000.txt").write_text("[]"), "not a JSON object"),
        (lambda p: (p / "metadata/part-00000-0-c000.txt").write_text("{}"), "should be a text"),
        (lambda p: (p / "stages/0_MinMaxScaler_1").rename(p / "elsewhere"), "1 stages in its metadata and 0 folders"),
        (lambda p: write_stage(p / "stages/1_Other_2", scaler("Other_2")), "among them 1_Other_2"),
    ],
)
def test_a_damaged_folder_is_named(tmp_path: Path, damage: object, message: str) -> None:
    path = write_pipeline(tmp_path / "p", [scaler()])
    damage(path)

    with pytest.raises(SourceError, match=message) as caught:
        read_pipeline(path)

    assert caught.value.fix
    assert caught.value.exit_code == 2


def test_a_truncated_parquet_file_is_named(tmp_path: Path) -> None:
    path = write_pipeline(tmp_path / "p", [scaler()])
    part = next((path / "stages/0_MinMaxScaler_1/data").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-20])

    with pytest.raises(SourceError, match=part.name):
        read_pipeline(path).stages[0].row()


def test_a_missing_part_file_is_told_with_its_folder(tmp_path: Path) -> None:
    path = write_pipeline(tmp_path / "p", [scaler()])
    next((path / "stages/0_MinMaxScaler_1/data").glob("*.parquet")).unlink()

    with pytest.raises(SourceError, match="data holds no Parquet file"):
        read_pipeline(path).stages[0].row()


def test_spark_2_is_refused_by_its_version(tmp_path: Path) -> None:
    path = write_pipeline(tmp_path / "p", [scaler()], spark_version="2.4.8")

    with pytest.raises(SourceError, match=r"saved by Spark 2\.4\.8") as caught:
        read_pipeline(path)

    assert "load and save it with Spark 3.5" in caught.value.fix


@pytest.mark.parametrize(
    ("spark_class", "version"),
    [
        ("org.apache.spark.ml.feature.HashingTF", "2.4.5"),
        ("org.apache.spark.ml.feature.HashingTF", "1.6.3"),
        ("org.apache.spark.ml.feature.OneHotEncoder", "2.2.0"),
        ("org.apache.spark.ml.feature.SQLTransformer", "2.4.5"),
        ("org.apache.spark.ml.feature.VectorAssembler", "2.3.4"),
        ("com.acme.Stemmer", "2.4.5"),
    ],
)
@pytest.mark.parametrize("inside", ["alone", "pipeline", "nested", "search"])
def test_a_stage_of_spark_2_that_changed_is_to_be_fitted_again(
    tmp_path: Path, spark_class: str, version: str, inside: str
) -> None:
    changed = Stage(spark_class, "Changed_1", {})
    match inside:
        case "alone":
            path = write_stage(tmp_path / "p", changed, version)
        case "pipeline":
            path = write_pipeline(tmp_path / "p", [scaler(), changed], version)
        case "nested":
            outer = Stage("org.apache.spark.ml.PipelineModel", "Pipeline_in", {"stageUids": ["Changed_1"]})
            path = write_pipeline(tmp_path / "p", [outer], version)
            write_stage(path / "stages/0_Pipeline_in/stages/0_Changed_1", changed, version)
        case "search":
            search = Stage("org.apache.spark.ml.tuning.CrossValidatorModel", "CrossValidator_1", {})
            path = write_stage(tmp_path / "p", search, version)
            write_pipeline(path / "bestModel", [changed], version)

    with pytest.raises(SourceError, match=f"saved by Spark {version}") as caught:
        read_pipeline(path)

    assert "fit the whole pipeline again" in caught.value.fix
    assert "load and save" not in str(caught.value)
    assert spark_class.rpartition(".")[2] in caught.value.message


def test_a_vector_assembler_of_spark_2_4_keeps_its_meaning(tmp_path: Path) -> None:
    assembler = Stage("org.apache.spark.ml.feature.VectorAssembler", "VectorAssembler_1", {})

    with pytest.raises(SourceError, match="another layout"):
        read_pipeline(write_pipeline(tmp_path / "p", [assembler], "2.4.5"))


@pytest.mark.parametrize("spark_class", ["org.apache.spark.ml.Pipeline", "pyspark.ml.pipeline.Pipeline"])
def test_a_pipeline_that_was_never_fitted_says_what_to_save(tmp_path: Path, spark_class: str) -> None:
    path = write_stage(tmp_path / "p", Stage(spark_class, "Pipeline_1", {"stageUids": ["MinMaxScaler_1"]}))

    with pytest.raises(SourceError, match="this is a Pipeline that was never fitted") as caught:
        read_pipeline(path)

    assert caught.value.fix == "save pipeline.fit(df)."


@pytest.mark.parametrize(
    "spark_class",
    [
        "org.apache.spark.ml.feature.StringIndexer",
        "org.apache.spark.ml.tuning.CrossValidator",
        "pyspark.ml.tuning.TrainValidationSplit",
        "pyspark.ml.classification.OneVsRest",
        "xgboost.spark.estimator.SparkXGBClassifier",
        "com.microsoft.azure.synapse.ml.lightgbm.LightGBMRegressor",
    ],
)
def test_an_estimator_that_was_never_fitted_says_what_to_save(tmp_path: Path, spark_class: str) -> None:
    path = write_stage(tmp_path / "p", Stage(spark_class, "Estimator_1", {"strange": 1}))

    with pytest.raises(SourceError, match="that was never fitted") as caught:
        read_pipeline(path)

    assert "fit(df) returns" in caught.value.fix


def test_a_model_of_the_rdd_api_is_told(tmp_path: Path) -> None:
    (tmp_path / "p" / "metadata").mkdir(parents=True)
    (tmp_path / "p" / "metadata" / "part-00000").write_text(
        '{"class":"org.apache.spark.mllib.classification.SVMModel","version":"1.0","numFeatures":2,"numClasses":2}'
    )

    with pytest.raises(SourceError, match=r"a SVMModel of spark\.mllib, the RDD API"):
        read_pipeline(tmp_path / "p")


def test_a_class_of_ones_own_names_both_doors() -> None:
    told = no_rule("__main__.Stemmer")

    assert "__main__.Stemmer" in told.reason
    assert "tritonbuild.stages" in told.fix
    assert "--converter" in told.fix


def test_a_param_that_is_set_hides_its_default() -> None:
    params = Params("S_1", {"min": 0.0, "max": 1.0}, {"max": "Inf"})

    assert (params.number("min"), params.number("max")) == (0.0, math.inf)


def test_only_params_that_were_asked_for_count_as_read() -> None:
    params = Params("S_1", {"min": 0.0, "max": 1.0, "p": "NaN"}, {})

    assert math.isnan(params.number("p"))
    assert params.unread() == {"min", "max"}


@pytest.mark.parametrize("value", ["0.5", None, True, [1.0]])
def test_a_param_of_another_type_is_an_error_that_names_it(value: object) -> None:
    with pytest.raises(SourceError, match="S_1: param 'p' should be a number"):
        Params("S_1", {"p": value}, {}).number("p")


def test_sparse_and_dense_vectors_are_the_same_numbers() -> None:
    sparse = {"type": 0, "size": 4, "indices": [1, 3], "values": [2.5, -0.1]}

    assert dense_vector(sparse).tolist() == [0.0, 2.5, 0.0, -0.1]
    assert dense_vector({"type": 1, "size": None, "indices": None, "values": [1.0, 2.0]}).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_every_matrix_layout_is_the_same_numbers(kind: str, transposed: bool) -> None:
    wanted = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, -3.5]])
    major = wanted if transposed else wanted.T
    rows, columns = np.nonzero(major)
    saved = {
        "type": 1 if kind == "dense" else 0,
        "numRows": 2,
        "numCols": 3,
        "isTransposed": transposed,
        "values": major.ravel().tolist() if kind == "dense" else major[rows, columns].tolist(),
        "rowIndices": columns.tolist(),
        "colPtrs": np.searchsorted(rows, np.arange(len(major) + 1)).tolist(),
    }

    assert dense_matrix(saved).tolist() == wanted.tolist()


def test_stage_folders_in_another_order_than_the_metadatas_are_refused(tmp_path: Path) -> None:
    stages = write_pipeline(tmp_path / "p", [scaler("MinMaxScaler_a"), scaler("MinMaxScaler_b")]) / "stages"
    (stages / "0_MinMaxScaler_a").rename(stages / "2_MinMaxScaler_a")

    with pytest.raises(SourceError, match="among them 2_MinMaxScaler_a"):
        read_pipeline(stages.parent)


def test_part_files_of_two_models_are_told(tmp_path: Path) -> None:
    path = write_pipeline(tmp_path / "p", [scaler()])
    pq.write_table(pa.table({"other": [1]}), path / "stages/0_MinMaxScaler_1/data/part-00007-1-c000.snappy.parquet")

    with pytest.raises(SourceError, match="have different columns"):
        read_pipeline(path).stages[0].table()


def test_a_version_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"sparkVersion .4x. is not a version"):
        read_pipeline(write_pipeline(tmp_path / "p", [scaler()], spark_version="4x"))
