"""What a publication tells MLflow: tags on the version, metrics on its run, an alias; and what becomes of it when it fails."""

from __future__ import annotations

import hashlib
import json

import pytest

from builder.errors import UsageError
from builder.source.writeback import check_alias
from tests.unit.cli import tritonbuild


def test_publishing_a_registered_version_writes_its_facts_back(flights):
    result = flights.publish()

    model = (flights.repository / flights.name / "1" / "model.onnx").read_bytes()
    assert result.exit_code == 0, result.stderr
    assert flights.tags | {"tritonbuild.written_by": "", "tritonbuild.evidence_sha256": ""} == {
        "tritonbuild.name": flights.name,
        "tritonbuild.version": "1",
        "tritonbuild.status": "proven",
        "tritonbuild.parity": "passed",
        "tritonbuild.proven_rows": "4",
        "tritonbuild.proven_against": "Spark 4.3.0",
        "tritonbuild.model_sha256": hashlib.sha256(model).hexdigest(),
        "tritonbuild.triton": "25.03 and newer",
        "tritonbuild.written_by": "",
        "tritonbuild.evidence_sha256": "",
    }
    assert flights.metrics == {
        "tritonbuild.rows": 4.0,
        "tritonbuild.values": 16.0,
        "tritonbuild.near": 0.0,
        "tritonbuild.differing": 0.0,
        "tritonbuild.largest_difference": 0.0,
        "tritonbuild.coverage": 1.0,
    }
    assert f"models:/{flights.name}/1 has the tags" in result.stdout


def test_publishing_again_writes_nothing_again(flights, gateway):
    flights.publish()

    again = flights.publish("--promote", "champion", at=gateway.uri)
    gateway.seen.clear()
    third = flights.publish("--promote", "champion", at=gateway.uri)

    assert (again.exit_code, third.exit_code) == (0, 0)
    assert flights.points("tritonbuild.rows") == 1
    assert [line for line in gateway.seen if not line.startswith("GET")] == []


def test_no_write_back_leaves_mlflow_alone(flights, gateway):
    result = flights.publish("--no-write-back", at=gateway.uri)

    assert result.exit_code == 0, result.stderr
    assert (flights.tags, flights.metrics) == ({}, {})
    assert all(line.startswith("GET") for line in gateway.seen)


def test_a_model_published_unproven_is_tagged_so(flights):
    (flights.folder / "tritonbuild" / "evidence.parquet").unlink()
    run = flights.client.create_run("0")
    flights.client.log_artifacts(run.info.run_id, str(flights.folder), "model")
    flights.client.create_model_version(flights.name, f"{run.info.artifact_uri}/model", run.info.run_id)

    result = flights.publish("--unproven", source=f"models:/{flights.name}/2")

    tags = flights.client.get_model_version(flights.name, "2").tags
    assert result.exit_code == 0, result.stderr
    assert tags["tritonbuild.status"] == "unproven"
    assert "tritonbuild.parity" not in tags
    assert flights.client.get_run(run.info.run_id).data.metrics == {}


def test_a_version_whose_run_was_deleted_gets_its_tags_and_is_published(flights):
    flights.client.delete_run(flights.run_id)

    result = flights.publish("--json")

    told = json.loads(result.stdout)["mlflow"]
    assert result.exit_code == 0, result.stderr
    assert (told["metrics"], flights.metrics) == ({}, {})
    assert flights.tags["tritonbuild.status"] == "proven"


def test_a_runs_model_is_told_as_the_version_that_was_registered_from_it(flights):
    result = flights.publish("--json", source=f"runs:/{flights.run_id}/model")

    assert json.loads(result.stdout)["mlflow"]["subject"] == f"models:/{flights.name}/1"
    assert flights.tags["tritonbuild.status"] == "proven"


def test_another_path_of_the_run_is_not_that_version(flights):
    flights.client.log_artifacts(flights.run_id, str(flights.folder), "other")

    result = flights.publish("--name", "other", "--json", source=f"runs:/{flights.run_id}/other")

    assert json.loads(result.stdout)["mlflow"] is None
    assert flights.tags == {}


def test_the_alias_moves_after_all_else(flights, gateway):
    result = flights.publish("--promote", "champion", "--json", at=gateway.uri)

    writes = [line.split("mlflow/")[-1].partition("?")[0] for line in gateway.seen if not line.startswith("GET")]
    assert flights.aliases == {"champion": "1"}
    assert json.loads(result.stdout)["mlflow"]["alias"] == "champion"
    assert writes[0] == "runs/log-batch"
    assert set(writes[1:-1]) == {"model-versions/set-tag"}
    assert writes[-1] == "registered-models/alias"


def test_the_alias_does_not_move_to_a_version_that_does_not_answer(flights):
    flights.publish("--version", "2", "--no-write-back")
    before = flights.published

    result = flights.publish("--promote", "champion")

    assert result.exit_code == 1
    assert "version 2 goes on answering" in result.stderr
    assert (flights.aliases, flights.published) == ({}, before)

    assert flights.publish().exit_code == 0
    assert tritonbuild("rollback", flights.name, "--to", "1", "--repository", flights.repository).exit_code == 0
    assert flights.publish("--promote", "champion").exit_code == 0
    assert flights.aliases == {"champion": "1"}


def test_a_failed_proof_moves_no_alias_and_tells_nothing(flights, mlflow_server, tmp_path):
    from tests.registry.conftest import register

    spoilt = register(mlflow_server, tmp_path / "spoilt", spoil)

    result = spoilt.publish("--promote", "champion")

    assert result.exit_code == 1
    assert (spoilt.tags, spoilt.metrics, spoilt.aliases, spoilt.published) == ({}, {}, {}, [])


def spoil(model):
    """One bit of the evidence."""
    import numpy as np

    from builder.evidence import load, save

    file = model / "tritonbuild" / "evidence.parquet"
    evidence = load(file)
    evidence.answers["scaled"][3, 1] = np.nextafter(evidence.answers["scaled"][3, 1], 1)
    save(evidence, file)


def test_a_registry_that_only_lets_read_publishes_all_the_same_and_says_so(flights, gateway):
    gateway.read_only = True

    result = flights.publish(at=gateway.uri)

    assert result.exit_code == 0, result.stderr
    assert f"models:/{flights.name}/1 was not told" in result.stdout
    assert "--no-write-back" in result.stdout
    assert (flights.repository / flights.name / "1" / "model.onnx").is_file()
    assert flights.tags == {}


@pytest.mark.parametrize("wish", [["--write-back"], ["--promote", "champion"], ["--log-onnx"]])
def test_what_was_asked_for_and_is_not_allowed_ends_with_4_and_nothing_changed(flights, gateway, wish):
    gateway.read_only = True

    result = flights.publish(*wish, at=gateway.uri)

    assert result.exit_code == 4
    assert "MLflow does not allow it" in result.stderr
    assert (flights.published, flights.tags, flights.aliases) == ([], {}, {})


def test_a_wish_and_its_contrary_are_refused(flights):
    result = flights.publish("--promote", "champion", "--no-write-back")

    assert result.exit_code == 2
    assert "contradict" in result.stderr
    assert flights.published == []


@pytest.mark.parametrize("wish", [["--promote", "champion"], ["--write-back"], ["--log-onnx"]])
def test_a_folder_has_no_place_in_mlflow(flights, wish):
    result = flights.publish(*wish, source=str(flights.folder))

    assert result.exit_code == 2
    assert flights.published == []


@pytest.mark.parametrize("alias", ["latest", "v1", "V12", "a b", "", "a/b", "x" * 256])
def test_an_alias_that_mlflow_would_refuse_is_refused_before_any_work(alias, flights):
    from mlflow.exceptions import MlflowException

    with pytest.raises(UsageError, match="no alias that MLflow takes"):
        check_alias(alias)

    with pytest.raises(MlflowException):
        flights.client.set_registered_model_alias(flights.name, alias, "1")


def test_mlflow_hears_nothing_of_a_version_that_the_repository_refuses(flights):
    other = flights.repository / flights.name / "1"
    other.mkdir(parents=True)
    (other / "model.onnx").write_bytes(b"another model")
    (other.parent / "config.pbtxt").write_text('backend: "onnxruntime"\n')

    result = flights.publish()

    assert result.exit_code == 2, result.stderr
    assert "other content" in result.stderr
    assert (flights.tags, flights.metrics) == ({}, {})


def test_an_unwritable_repository_is_told_before_mlflow_is_asked(flights, gateway, tmp_path):
    flights.repository.parent.mkdir(parents=True, exist_ok=True)
    flights.repository.write_text("a file in the place")

    result = flights.publish(at=gateway.uri)

    assert result.exit_code == 4
    assert gateway.seen == []
    assert (flights.tags, flights.metrics) == ({}, {})
