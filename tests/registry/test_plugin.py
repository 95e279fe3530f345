"""`mlflow deployments … -t triton`: the real command and MLflow's own client, against the embedded server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from builder.evidence import load
from builder.plugin import _address
from builder.triton.server import start
from tests.house.sources import ROOT
from tests.registry.conftest import register
from tests.served.launched import free_ports

ROWS = [[0.1, 0.2, 7.3], [1 / 3, -2.7, 0.0], [1e300, -1.0, 0.5]]


def mlflow(*arguments: str, uri: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": uri}
    command = [sys.executable, "-m", "mlflow", "deployments", *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture
def client(triton, flights, monkeypatch):
    """MLflow's client of the embedded server, in the folder where a repository is by default; it forgets what it deployed."""
    from mlflow.deployments import get_deploy_client

    monkeypatch.setenv("MLFLOW_TRACKING_URI", flights.uri)
    client = get_deploy_client(f"triton://{triton.server.grpc}")
    yield client
    client.delete_deployment(flights.name)


@pytest.fixture
def config(triton):
    return {"repository": str(triton.repository)}


def test_the_command_creates_asks_updates_lists_and_deletes(triton, flights, tmp_path):
    """One life of a deployment, each step by `mlflow deployments`."""
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"v": [0.5, 0.25, 7.0]}, {"v": [2.5, 0.5, 1.0]}]))
    where = ("-t", f"triton://{triton.server.grpc}")
    named, stored = ("--name", flights.name), ("-C", f"repository={triton.repository}")
    said = {}
    for step, arguments in {
        "create": (*named, *stored, "-m", f"models:/{flights.name}/1", "-C", "promote=champion"),
        "predict": (*named, "-I", str(rows)),
        "update": (*named, *stored, "-C", "max_queue_size=64"),
        "get": named,
        "list": (),
        "delete": named,
    }.items():
        done = mlflow(step, *where, *arguments, uri=flights.uri, cwd=tmp_path)
        assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"
        said[step] = done.stdout

    assert f"spark deployment {flights.name} is created" in said["create"]
    answers = json.loads(said["predict"])["predictions"]
    expected = [(0.5 - 1 / 3) / (3.1 - 1 / 3), (0.25 + 2.7) / 5.4, 0.5]
    assert np.allclose(answers[0]["scaled"], expected, rtol=1e-15)
    assert "with flavor spark" in said["update"]
    assert f"source: models:/{flights.name}/1" in said["get"]
    assert "proven_rows: 4" in said["get"]
    assert f"'name': '{flights.name}'" in said["list"]
    assert flights.aliases == {"champion": "1"}
    assert "max_queue_size: 64" in (triton.repository / flights.name / "config.pbtxt").read_text()
    with triton.client("grpc") as asked:
        assert not asked.ready(flights.name)


def test_the_answers_are_those_of_the_evidence_to_the_bit_from_a_frame_and_from_a_file(
    client, config, flights, tmp_path
):
    evidence = load(flights.folder / "tritonbuild" / "evidence.parquet")
    rows = evidence.inputs["v"].tolist()
    client.create_deployment(flights.name, f"models:/{flights.name}/1", config=config)
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps({"v": row}) for row in rows))

    for given in (pd.DataFrame({"v": rows}), str(file), [{"v": row} for row in rows]):
        told = client.predict(flights.name, given)
        travelled = json.loads(told.to_json())["predictions"]

        assert np.array_equal(np.array(travelled_values(travelled)), evidence.answers["scaled"], equal_nan=True)
        assert told.get_predictions()["invalid"].tolist() == [0, 0, 0, 0]


def travelled_values(rows):
    return [row["scaled"] for row in rows]


def test_a_name_that_is_deployed_is_updated_and_not_created(client, config, flights):
    from mlflow.exceptions import MlflowException

    source = f"models:/{flights.name}/1"
    client.create_deployment(flights.name, source, config=config)

    with pytest.raises(MlflowException, match=r"is deployed at .* already") as caught:
        client.create_deployment(flights.name, source, config=config)

    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_what_is_not_deployed_is_not_there(client, config, flights):
    from mlflow.exceptions import MlflowException

    for act in (
        lambda: client.get_deployment(flights.name),
        lambda: client.predict(flights.name, [{"v": [1.0, 2.0, 3.0]}]),
        lambda: client.update_deployment(flights.name, f"models:/{flights.name}/1", config=config),
    ):
        with pytest.raises(MlflowException, match="is not deployed at") as caught:
            act()
        assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.delete_deployment(flights.name)  # again and again is fine
    assert flights.name not in [one["name"] for one in client.list_deployments()]


def test_a_model_that_does_not_answer_as_spark_did_is_not_deployed(client, config, mlflow_server, triton, tmp_path):
    from mlflow.exceptions import MlflowException

    from tests.registry.test_writeback import spoil

    spoilt = register(mlflow_server, tmp_path / "spoilt", spoil)

    with pytest.raises(MlflowException, match="does not answer as Spark"):
        client.create_deployment(spoilt.name, f"models:/{spoilt.name}/1", config=config)

    assert not (triton.repository / spoilt.name).exists()
    assert spoilt.name not in [one["name"] for one in client.list_deployments()]


def test_an_option_or_a_flavor_that_there_is_not_is_told(client, config, flights):
    from mlflow.exceptions import MlflowException

    source = f"models:/{flights.name}/1"
    with pytest.raises(MlflowException, match="did you mean instances"):
        client.create_deployment(flights.name, source, config=config | {"instanecs": "4"})
    with pytest.raises(MlflowException, match="neither true nor false"):
        client.create_deployment(flights.name, source, config=config | {"unproven": "perhaps"})
    with pytest.raises(MlflowException, match="'sklearn' is not what"):
        client.create_deployment(flights.name, source, flavor="sklearn", config=config)


def test_texts_that_pandas_made_numbers_of_are_refused(triton, client):
    from mlflow.exceptions import MlflowException

    from tests.small_models import carriers

    triton.put("plugin_carriers", carriers())

    told = client.predict("plugin_carriers", pd.DataFrame({"carrier": ["ß", None], "x": [0.1, 0.2]}))
    with pytest.raises(MlflowException, match=r"'carrier' is string; the frame holds int64"):
        client.predict("plugin_carriers", pd.DataFrame({"carrier": [7], "x": [0.1]}))

    assert [row["prediction"] for row in told["predictions"]] == [1.0, None]
    assert "StringIndexer_7a1" in told["predictions"][1]["invalid_reason"]


def test_a_server_that_restricts_loading_gets_its_header_from_the_environment(flights, tmp_path, monkeypatch):
    from mlflow.deployments import get_deploy_client
    from mlflow.exceptions import MlflowException

    repository = tmp_path / "fenced"
    repository.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", flights.uri)
    with start(repository, models=(), flags=["--grpc-restricted-protocol=model-repository:ops=secret"]) as fenced:
        client = get_deploy_client(f"triton://{fenced.grpc}")
        with pytest.raises(MlflowException, match="restricted"):
            client.list_deployments()

        monkeypatch.setenv("TRITONBUILD_LOAD_HEADER", "ops=secret")
        client.create_deployment(flights.name, f"models:/{flights.name}/1", config={"repository": str(repository)})

        assert [one["name"] for one in client.list_deployments()] == [flights.name]


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("triton", "grpc://localhost:8001"),
        ("triton://gpu-7:9001", "grpc://gpu-7:9001"),
        ("triton://gpu-7", "grpc://gpu-7:8001"),
        ("triton://[::1]:9001", "grpc://[::1]:9001"),
    ],
)
def test_a_target_names_a_server(target, url):
    assert _address(target) == url


@pytest.mark.parametrize("target", ["triton://host:many", "triton://host:8001/model", "triton://me:secret@host:8001"])
def test_a_target_that_names_none_is_refused_without_its_password(target):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=r"triton://host:8001; nothing else") as caught:
        _address(target)

    assert "secret" not in str(caught.value)


def test_mlflow_prints_the_targets_help(flights, tmp_path):
    done = mlflow("help", "-t", "triton", uri=flights.uri, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "-C NAME=VALUE" in done.stdout
    assert "max_queue_size" in done.stdout


def test_run_local_serves_until_it_is_interrupted(flights, tmp_path):
    grpc, http, metrics = free_ports(3)
    ports = ["-C", f"grpc_port={grpc}", "-C", f"http_port={http}", "-C", f"metrics_port={metrics}"]
    address = f"127.0.0.1:{grpc}"
    command = ["run-local", "-t", "triton", "-m", f"models:/{flights.name}/1", "--name", flights.name, *ports]
    running = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "deployments", *command],
        env=os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": flights.uri},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr is not None
        said = []
        for line in running.stderr:
            said.append(line)
            if "answers: gRPC" in line:
                break
        assert address in said[-1], "".join(said)
        from builder.triton.client import Client

        with Client(address) as asked:
            told = asked.predict_frame(flights.name, pd.DataFrame({"v": ROWS}))
        assert told["invalid"].tolist() == [0, 0, 0]
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=120)
    assert running.returncode == 0
