"""MLflow stops answering at some moment of a publication: exit code 4, nothing visible changed, and the next one heals."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.house.sources import ROOT
from tests.registry.conftest import MlflowServer, command, register


def test_whichever_request_is_the_last_that_is_answered_nothing_visible_changes(flights, gateway):
    """One more request answered in each turn, until all are."""
    requests, results = 0, []
    while True:
        gateway.fail_after(requests)
        results.append(flights.publish("--promote", "champion", at=gateway.uri))
        if results[-1].exit_code == 0:
            break
        assert (results[-1].exit_code, flights.published, flights.aliases) == (4, [], {}), (
            requests,
            results[-1].stderr,
        )
        requests += 1

    assert requests > 15, "that few requests cannot have told tags, metrics and alias"
    assert flights.aliases == {"champion": "1"}
    assert flights.tags["tritonbuild.status"] == "proven"
    assert flights.points("tritonbuild.rows") == 1
    assert f"model_repository/{flights.name}/1/model.onnx" in flights.published


@pytest.mark.parametrize("request_", ["artifacts/", "runs/log-batch", "set-tag", "registered-models/alias"])
def test_a_server_that_takes_a_request_and_never_answers_is_given_up_on(flights, gateway, monkeypatch, request_):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    gateway.never_answer(request_)

    result = flights.publish("--promote", "champion", at=gateway.uri)

    assert result.exit_code == 4
    assert "MLflow did not answer" in result.stderr
    assert (flights.published, flights.aliases) == ([], {})


def test_an_alias_that_moved_though_the_answer_was_lost_is_found_moved(flights, gateway):
    gateway.never_answer("registered-models/alias", passing_it_on=True)

    result = flights.publish("--promote", "champion", at=gateway.uri)

    assert result.exit_code == 0, result.stderr
    assert flights.aliases == {"champion": "1"}
    assert f"model_repository/{flights.name}/1/model.onnx" in flights.published


def test_a_store_that_takes_the_onnx_and_never_answers_is_given_up_on(flights, gateway):
    gateway.never_answer("-onnx/")

    result = command("publish", f"models:/{flights.name}/1", "--log-onnx", "--tracking-uri", gateway.uri,
                     "--repository", str(flights.repository), MLFLOW_HTTP_REQUEST_TIMEOUT="2")  # fmt: skip

    assert result.returncode == 4, result.stderr
    assert (flights.published, flights.tags) == ([], {})


def test_servers_go_back_to_the_version_before_where_the_alias_cannot_be_moved(flights, gateway, triton):
    where = ("--repository", str(triton.repository), "--load", f"grpc://{triton.server.grpc}")
    assert flights.publish(*where, "--promote", "champion").exit_code == 0
    source = flights.client.get_model_version(flights.name, "1").source
    flights.client.create_model_version(flights.name, source, flights.run_id)
    second = f"models:/{flights.name}/2"
    gateway.never_answer("registered-models/alias")

    failed = flights.publish(*where, "--promote", "champion", source=second, at=gateway.uri)

    assert failed.exit_code == 4
    assert "withdrawn" in failed.stderr
    assert flights.aliases == {"champion": "1"}
    assert not (triton.repository / flights.name / "2").exists()
    with triton.client("grpc") as client:
        assert client.ready(flights.name, "1")
        assert not client.ready(flights.name, "2")

    assert flights.publish(*where, "--promote", "champion", source=second).exit_code == 0
    assert flights.aliases == {"champion": "2"}
    with triton.client("grpc") as client:
        assert client.ready(flights.name, "2")


def test_a_version_that_was_there_before_goes_on_where_the_alias_cannot_be_moved(flights, gateway):
    assert flights.publish().exit_code == 0
    before = flights.published
    gateway.never_answer("registered-models/alias")

    result = flights.publish("--promote", "champion", at=gateway.uri)

    assert result.exit_code == 4
    assert flights.published == before


def test_a_server_killed_while_publish_proves_ends_with_4_and_the_next_publish_completes(tmp_path):
    server = MlflowServer(tmp_path)
    try:
        flights = register(server, tmp_path / "model")
        publish = [sys.executable, "-m", "builder.cli", "publish", f"models:/{flights.name}/1", "--promote", "champion"]
        where = ["--tracking-uri", server.uri, "--repository", str(flights.repository)]
        running = subprocess.Popen(
            [*publish, *where],
            env=os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert running.stderr is not None
        said = ""
        for line in running.stderr:
            said += line
            if "fetching" in line:
                server.kill()
        code = running.wait(timeout=300)
        server.start()

        assert code == 4, said
        assert "MLflow did not answer" in said
        assert (flights.published, flights.aliases, flights.tags) == ([], {}, {})

        assert flights.publish("--promote", "champion").exit_code == 0
        assert flights.aliases == {"champion": "1"}
        assert flights.tags["tritonbuild.status"] == "proven"
    finally:
        server.kill()
