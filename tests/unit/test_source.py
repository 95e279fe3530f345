"""A folder on disk → its pipeline, schema and evidence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from builder.errors import SourceError, Unreachable, UsageError
from builder.source import fetch, keep
from builder.types import Field, NoTensor, Scalar, TextArray, VectorType
from tests.saved import min_max, write_pipeline

SCHEMA = json.dumps({"type": "struct", "fields": [{"name": "x", "type": "double", "nullable": False, "metadata": {}}]})
MLMODEL = """
flavors:
  spark:
    model_data: sparkml
    pyspark_version: 4.3.0
run_id: abc
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path / "pipeline", [min_max("M_1", "v", "y", [0.0], [1.0])])


@pytest.fixture
def mlflow_folder(tmp_path: Path) -> Path:
    write_pipeline(tmp_path / "model" / "sparkml", [min_max("M_1", "v", "y", [0.0], [1.0])])
    (tmp_path / "model" / "MLmodel").write_text(MLMODEL)
    return tmp_path / "model"


def signed(folder: Path, inputs: object) -> Path:
    (folder / "MLmodel").write_text(MLMODEL + f"signature:\n  inputs: '{json.dumps(inputs)}'\n")
    return folder


def schema_file(folder: Path, text: str = SCHEMA) -> Path:
    file = folder / "schema.json"
    file.write_text(text)
    return file


def test_a_spark_folder_needs_a_schema_and_takes_the_one_given(pipeline: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="knows no column types") as caught:
        fetch(str(pipeline))
    assert "--schema" in caught.value.fix

    model = fetch(str(pipeline), schema=schema_file(tmp_path))

    assert model.path == model.root == pipeline
    assert model.schema == (Field("x", Scalar("double"), False),)


def test_a_signature_gives_types_and_nullability(mlflow_folder: Path) -> None:
    signed(
        mlflow_folder,
        [
            {"type": "string", "name": "s", "required": False},
            {"type": "integer", "name": "i", "required": True},
            {"type": "long", "name": "l"},
            {"type": "float", "name": "f"},
            {"type": "double", "name": "d"},
            {"type": "boolean", "name": "b"},
            {"type": "datetime", "name": "t"},
            {"type": "sparkml_vector", "name": "v"},
            {"type": "array", "items": {"type": "string"}, "name": "w"},
            {"type": "binary", "name": "z"},
        ],
    )

    model = fetch(str(mlflow_folder))

    assert model.path == mlflow_folder / "sparkml"
    assert model.run_id == "abc"
    assert model.schema == (
        Field("s", Scalar("string"), True),
        *(
            Field(name, Scalar(type), False)  # type: ignore[arg-type]
            for name, type in zip("ilfdbt", ["integer", "long", "float", "double", "boolean", "timestamp"], strict=True)
        ),
        Field("v", VectorType(None), False),
        Field("w", TextArray(), False),
        Field("z", NoTensor("binary"), False),
    )
    assert any("'z'" in note for note in model.notes)


def test_a_signature_in_which_all_is_required_comes_with_a_note(mlflow_folder: Path) -> None:
    model = fetch(str(signed(mlflow_folder, [{"type": "double", "name": "x", "required": True}])))

    assert "required" in model.notes[0]


def test_the_exact_schema_beside_the_model_goes_before_the_signature_and_the_given_one_before_both(
    mlflow_folder: Path, tmp_path: Path
) -> None:
    signed(mlflow_folder, [{"type": "string", "name": "x"}])
    assert fetch(str(mlflow_folder)).schema[0].type == Scalar("string")

    (mlflow_folder / "tritonbuild").mkdir()
    schema_file(mlflow_folder / "tritonbuild")
    assert fetch(str(mlflow_folder)).schema[0].type == Scalar("double")

    other = schema_file(tmp_path, SCHEMA.replace("double", "float"))
    assert fetch(str(mlflow_folder), schema=other).schema[0].type == Scalar("float")


@pytest.mark.parametrize("inputs", [[{"type": "tensor", "tensor-spec": {"dtype": "float64"}}], [{"type": "double"}]])
def test_a_signature_without_column_names_is_refused(mlflow_folder: Path, inputs: object) -> None:
    with pytest.raises(SourceError, match="names no columns"):
        fetch(str(signed(mlflow_folder, inputs)))


def test_an_mlflow_model_without_a_signature_asks_for_a_schema(mlflow_folder: Path) -> None:
    with pytest.raises(SourceError, match="without a signature") as caught:
        fetch(str(mlflow_folder))

    assert "--schema" in caught.value.fix


def test_a_second_model_saved_into_the_first_is_refused(mlflow_folder: Path) -> None:
    signed(mlflow_folder, [{"type": "double", "name": "x"}])
    write_pipeline(mlflow_folder / "sparkml" / "9f3c", [min_max("M_2", "v", "y", [0.0], [2.0])])

    with pytest.raises(SourceError, match="9f3c"):
        fetch(str(mlflow_folder))


def test_a_model_of_another_flavor_is_refused_by_name(mlflow_folder: Path) -> None:
    (mlflow_folder / "MLmodel").write_text("flavors:\n  sklearn: {}\n")

    with pytest.raises(SourceError, match="it has: sklearn"):
        fetch(str(mlflow_folder))


@pytest.mark.parametrize("text", ["a: [", "just text", "flavors: 3"])
def test_a_broken_mlmodel_is_refused(mlflow_folder: Path, text: str) -> None:
    (mlflow_folder / "MLmodel").write_text(text)

    with pytest.raises(SourceError, match="MLmodel"):
        fetch(str(mlflow_folder))


def test_what_is_not_there_is_told_with_the_five_forms(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist") as caught:
        fetch(str(tmp_path / "nowhere"))
    assert "models:/name@alias" in caught.value.fix

    with pytest.raises(UsageError, match="s3://"):
        fetch("s3://bucket/model")


def test_a_schema_file_that_is_not_there_is_a_usage_error(pipeline: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.json"):
        fetch(str(pipeline), schema=tmp_path / "nothing.json")


def test_the_digest_changes_with_any_file_and_with_nothing_else(pipeline: Path, tmp_path: Path) -> None:
    schema = schema_file(tmp_path)
    before = fetch(str(pipeline), schema=schema).digest

    (pipeline / "metadata" / "_SUCCESS").touch()
    (pipeline / "metadata" / ".part.crc").write_bytes(b"crc")
    (pipeline / "tritonbuild").mkdir()
    (pipeline / "tritonbuild" / "evidence.parquet").write_bytes(b"rows")
    beside = fetch(str(pipeline), schema=schema)
    assert beside.digest == before
    assert beside.evidence == pipeline / "tritonbuild" / "evidence.parquet"

    part = next((pipeline / "stages").rglob("part-*.txt"))
    part.write_text(part.read_text().replace("4.3.0", "4.3.1"))
    assert fetch(str(pipeline), schema=schema).digest != before


def test_files_are_kept_beside_a_folders_stages(pipeline: Path, tmp_path: Path) -> None:
    schema = schema_file(tmp_path)

    keep(fetch(str(pipeline), schema=schema), [schema])

    assert fetch(str(pipeline)).schema == (Field("x", Scalar("double"), False),)


def test_a_folder_that_cannot_be_written_says_so(pipeline: Path, tmp_path: Path) -> None:
    schema = schema_file(tmp_path)
    (pipeline / "tritonbuild").write_text("a file where our folder should be")

    with pytest.raises(Unreachable, match="cannot be written"):
        keep(fetch(str(pipeline), schema=schema), [schema])


def test_a_folder_is_fetched_without_mlflow_or_spark(mlflow_folder: Path) -> None:
    signed(mlflow_folder, [{"type": "double", "name": "x"}])
    code = (
        "import sys; from builder.source import fetch; fetch(sys.argv[1]); "
        "print([name for name in ('mlflow', 'pyspark', 'onnxruntime', 'spox') if name in sys.modules])"
    )

    result = subprocess.run(
        [sys.executable, "-c", code, str(mlflow_folder)], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"
