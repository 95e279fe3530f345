"""Bad input: a clear letter with a fix, the contract's exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.house.sources import ROOT
from tests.saved import Stage, min_max, write_pipeline
from tests.unit.cli import HIGH, LOW, ROWS, VECTOR, Saved, save_model, tritonbuild, write_schema


@pytest.fixture
def saved(tmp_path) -> Saved:
    return save_model(tmp_path)


def data_file(saved: Saved) -> Path:
    (file,) = (saved.path / "stages").rglob("*.parquet")
    return file


def edit_params(saved: Saved, **params: object) -> None:
    """Change the scaler's saved params by hand."""
    (file,) = (saved.path / "stages").glob("*/metadata/part-*")
    document = json.loads(file.read_text("utf-8"))
    document["paramMap"] |= params
    file.write_text(json.dumps(document), "utf-8")


def assert_refused(result, saved: Saved, code: int, *words: str) -> None:
    """Exit code, every word in the letter, advice in it, and no trace on the disk."""
    assert result.exit_code == code, result.stderr
    for word in words:
        assert word in result.stderr
    assert "fix" in result.stderr
    assert saved.untouched


def test_no_folder_there(saved):
    result = tritonbuild("publish", saved.path / "nothing", "--schema", saved.schema, "--unproven")

    assert_refused(result, saved, 2, "does not exist")


def test_a_file_in_the_place_of_the_folder(saved):
    result = tritonbuild("publish", saved.schema, "--schema", saved.schema, "--unproven")

    assert_refused(result, saved, 2, "is a file, not a folder")


def test_a_path_that_the_disk_does_not_take(saved):
    result = tritonbuild("check", "x" * 300, "--schema", saved.schema)

    assert (result.exit_code, "cannot be read" in result.stderr) == (2, True)


def test_a_folder_that_is_no_model(saved):
    shutil.rmtree(saved.path / "metadata")

    assert_refused(saved.publish("--unproven"), saved, 2, "holds no Spark ML model")


def test_metadata_that_is_no_text(saved):
    (part,) = (saved.path / "metadata").glob("part-*")
    part.write_bytes(b"\xff\xfe\x00")

    assert_refused(saved.publish("--unproven"), saved, 2, "cannot be read")


def test_a_missing_part_file(saved):
    data_file(saved).unlink()

    assert_refused(saved.publish("--unproven"), saved, 2, "scaler", "holds no Parquet file")


def test_a_missing_stage_folder(saved):
    shutil.rmtree(next((saved.path / "stages").iterdir()))

    assert_refused(saved.publish("--unproven"), saved, 2, "1 stages in its metadata and 0 folders")


def test_a_truncated_part_file(saved):
    file = data_file(saved)
    file.write_bytes(file.read_bytes()[:-20])

    assert_refused(saved.publish("--unproven"), saved, 2, "scaler", "not a readable Parquet file")


def test_a_part_file_of_another_stage(saved):
    pq.write_table(pa.table({"surrogate": [1.0]}), data_file(saved))

    assert_refused(saved.publish("--unproven"), saved, 2, "scaler", "no column 'originalMin'; it has surrogate")


def test_a_schema_without_the_column(saved):
    write_schema(saved.schema, w=VECTOR)

    assert_refused(saved.publish("--unproven"), saved, 2, "the schema lacks 'v'", "scaler")


def test_a_schema_with_the_column_of_another_type(saved):
    write_schema(saved.schema, v="string")

    assert_refused(saved.publish("--unproven"), saved, 3, "column 'v' is string", "reads vectors")


def test_a_schema_file_that_is_no_schema(saved):
    saved.schema.write_text("[1, 2]")

    assert_refused(saved.publish("--unproven"), saved, 2, "not a Spark schema")


def test_no_schema_at_all(saved):
    result = tritonbuild("publish", saved.path, "--repository", saved.repository, "--unproven")

    assert_refused(result, saved, 2, "types of its input columns are not known", "--schema schema.json")


def test_an_unknown_stage_and_an_unread_param_are_told_together(saved):
    shutil.rmtree(saved.path)
    scaler = min_max("scaler", "v", "scaled", LOW, HIGH, epsilon=0.1)
    mystery = Stage("com.example.Mystery", "mystery", {"inputCol": "scaled", "outputCol": "out"})
    write_pipeline(saved.path, [scaler, mystery])

    result = saved.publish("--unproven")

    assert_refused(result, saved, 3, "2 of 2 stages", "com.example.Mystery", "no param 'epsilon'")


def test_check_tells_what_is_refused_and_exits_3(saved):
    edit_params(saved, epsilon=0.1)

    result = tritonbuild("check", saved.path, "--schema", saved.schema, "--json")

    (stage,) = json.loads(result.stdout)["stages"]
    assert result.exit_code == 3
    assert (stage["verdict"], "epsilon" in stage["note"]) == ("refused", True)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "with space", "x" * 129, "-x"])
def test_a_name_that_triton_cannot_have_or_that_climbs_out(saved, name):
    assert_refused(saved.publish("--unproven", f"--name={name}"), saved, 2, "no valid Triton model name")


def test_a_repository_that_cannot_be_written(saved):
    in_the_way = saved.schema / "model_repository"  # a file in the place of a folder: chmod does not stop root

    result = tritonbuild("publish", saved.path, "--schema", saved.schema, "--unproven", "--repository", in_the_way)

    assert_refused(result, saved, 4, "cannot be read or written")


def test_another_model_under_the_same_version(saved):
    saved.publish("--unproven", "--version", "1")
    edit_params(saved, max=2.0)

    result = saved.publish("--unproven", "--version", "1")

    assert result.exit_code == 2
    assert "there already, with other content" in result.stderr


def test_no_evidence_and_no_word_for_it(saved):
    assert_refused(saved.publish(), saved, 2, "has no evidence", "--unproven", "tritonbuild record")


@pytest.mark.parametrize("marker", ["", "a\0b"])
def test_a_null_marker_that_cannot_be_told_from_a_string(saved, marker):
    assert_refused(saved.publish("--unproven", "--null-marker", marker), saved, 2, "cannot stand for null")


def test_evidence_of_another_pipeline(saved):
    saved.add_evidence()
    edit_params(saved, max=2.0)

    assert_refused(saved.publish(), saved, 2, "recorded for other files")


def test_evidence_cut_short(saved):
    saved.add_evidence()
    file = saved.path / "tritonbuild" / "evidence.parquet"
    file.write_bytes(file.read_bytes()[:100])

    assert_refused(saved.publish(), saved, 2, "not evidence that can be read")


def test_evidence_without_a_row_proves_nothing(saved):
    saved.add_evidence(ROWS.take(slice(0, 0)))

    assert_refused(saved.publish(), saved, 2, "holds no row that Spark answered")


def test_verifying_where_all_rows_were_a_users(saved):
    saved.add_evidence(ROWS.take(slice(0, 1)))
    saved.publish()

    result = tritonbuild("verify", "model", "--repository", saved.repository)

    assert result.exit_code == 2
    assert "there is nothing to compare" in result.stderr


def test_an_address_in_the_place_of_the_repository(saved, monkeypatch):
    monkeypatch.chdir(saved.repository.parent)

    result = tritonbuild(
        "publish", saved.path, "--schema", saved.schema, "--unproven", "--repository", "ftp://host/models"
    )

    assert_refused(result, saved, 2, "ftp:// is not known here")


def test_answers_that_are_not_sparks_are_not_published(saved):
    saved.add_evidence(spoil=True)

    assert_refused(saved.publish(), saved, 1, "does not answer as Spark 4.3.0 did", "scaled", "row 3 slot 1")


def test_mlflow_that_does_not_answer(saved):
    with socket.socket() as held:  # bound, never listening: connections are refused
        held.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{held.getsockname()[1]}"

        # in a process of its own, told nothing else: MLflow writes the stores that other tests named into the environment
        told = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        result = outside("publish", "models:/flights@champion", environment=told | {
            "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": uri,
        }, cwd=saved.path.parent)  # fmt: skip

    assert result.returncode == 4, result.stderr
    assert "MLflow did not answer" in result.stderr
    assert "check MLFLOW_TRACKING_URI" in result.stderr
    assert saved.untouched


@pytest.mark.parametrize("source", ["models:/flights", "models:/flights@", "runs:/", "s3://bucket/model"])
def test_a_source_of_no_known_form(saved, source):
    result = tritonbuild("publish", source, "--repository", saved.repository)

    assert_refused(result, saved, 2)


def test_a_port_that_is_taken(saved):
    saved.publish("--unproven")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        result = tritonbuild("serve", "--repository", saved.repository, "--http-port", port, "--grpc-port", "0",
                             "--metrics-port", "0")  # fmt: skip

    assert result.exit_code == 4
    assert f"port {port} for HTTP is taken" in result.stderr
    assert "--http-port" in result.stderr


def test_serving_a_repository_that_is_not_there(saved):
    assert_refused(tritonbuild("serve", "--repository", saved.repository), saved, 2, "is no folder")


def test_asking_a_server_that_is_not_there(saved):
    result = tritonbuild("predict", "flights", '{"v": 1}', "--grpc", "127.0.0.1:1")

    assert_refused(result, saved, 4, "did not answer", "tritonbuild serve")


@pytest.mark.parametrize("address", ["localhost", "localhost:abc", "localhost:99999", "", "[::1"])
def test_an_address_that_is_none(saved, address):
    result = tritonbuild("predict", "model", "{}", "--grpc", address)

    assert (result.exit_code, "is no address" in result.stderr) == (2, True)


def test_a_manifest_that_is_not_ours(saved):
    saved.publish("--unproven")
    (saved.repository / "model" / "1" / "manifest.json").write_text("{}")

    result = tritonbuild("verify", "model", "--repository", saved.repository)

    assert (result.exit_code, "lacks source" in result.stderr) == (2, True)


@pytest.mark.parametrize("row", ["{", "[1]", "null", "[" * 100_000, '{"v": 1' + "0" * 5000 + "}"])
def test_a_row_that_is_no_json_object(saved, row):
    assert_refused(tritonbuild("predict", "flights", row), saved, 2, "the row is")


def test_verifying_what_is_not_there(saved):
    result = tritonbuild("verify", "flights", "--repository", saved.repository)

    assert_refused(result, saved, 2, "does not hold flights")


def test_verifying_what_was_published_unproven(saved):
    saved.publish("--unproven")

    result = tritonbuild("verify", "model", "--repository", saved.repository)

    assert result.exit_code == 2
    assert "published unproven" in result.stderr


def test_java_missing_where_spark_is_asked_for(saved, tmp_path_factory):
    (empty,) = [tmp_path_factory.mktemp("bin")]
    (empty / "bash").symlink_to(shutil.which("bash"))  # Spark's launcher is a script
    for tool in ("dirname", "ps"):
        (empty / tool).symlink_to(shutil.which(tool))
    environment = {"PATH": str(empty), "HOME": str(empty), "PYTHONPATH": str(ROOT)}

    result = outside("record", saved.path, "--schema", saved.schema, environment=environment)

    assert result.returncode == 4, result.stderr
    assert "Spark did not start" in result.stderr
    assert "install Java 17" in result.stderr
    assert not (saved.path / "tritonbuild").exists()


def test_two_builds_of_onnxruntime_in_one_folder(saved, tmp_path_factory):
    saved.add_evidence()
    packages = tmp_path_factory.mktemp("packages")
    info = packages / "onnxruntime_gpu-1.23.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.23.0\n")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{packages}"}

    result = outside("publish", saved.path, "--schema", saved.schema, environment=environment, cwd=saved.path.parent)

    assert result.returncode == 2, result.stderr
    assert "onnxruntime and onnxruntime-gpu are both installed" in result.stderr
    assert "pip uninstall" in result.stderr
    assert saved.untouched


def outside(*arguments: object, environment: dict[str, str], cwd: Path | None = None):
    """The command in a process of its own, with another environment."""
    command = [sys.executable, "-m", "builder.cli", *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
