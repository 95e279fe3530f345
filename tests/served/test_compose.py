"""docker-compose.yml's services, run without Docker: each one's own line, flag for flag, but for folders and addresses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from builder.triton.client import Client
from builder.types import Table
from tests.house.sources import ROOT
from tests.served.launched import HEADER, free_ports, launched
from tests.unit.cli import save_model

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
ROWS = Table({"v": np.array([[0.1, 2.5, -3.0]])})
SECRET = "triton-control=kept to ourselves"


def words(service: str) -> list[str]:
    """What the container runs; NVIDIA's entrypoint, which ends by running the rest, left out."""
    given = SERVICES[service]
    line = [*given.get("entrypoint", ()), *given["command"]]
    return line[1:] if line[0].endswith("nvidia_entrypoint.sh") else line


def line_of(service: str, places: dict[str, str]) -> str:
    """For a shell: it fills `${NAME:?…}` in as compose does. `places`: what the container has → what is here."""
    text = " ".join(f'"{word}"' for word in words(service))
    for there, here in places.items():
        assert there in text, f"{service} has no {there}"
        text = text.replace(there, here)
    return f"exec {text}"


@pytest.fixture
def ports() -> tuple[int, int, int]:
    http, grpc, metrics = free_ports(3)
    return http, grpc, metrics


def triton(repository: Path, ports: tuple[int, int, int]) -> str:
    http, grpc, metrics = ports
    return line_of(
        "triton",
        {
            "=/models": f"={repository}",
            "0.0.0.0": "127.0.0.1",
            "-port=8000": f"-port={http}",
            "-port=8001": f"-port={grpc}",
            "-port=8002": f"-port={metrics}",
        },
    )


def load(port: int, name: str, **headers: str) -> int:
    """The status that the server answers with."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v2/repository/models/{name}/load", b"{}", headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_triton_service_serves_what_is_there_and_another_by_the_header_alone(tmp_path, ports):
    saved = save_model(tmp_path)
    saved.add_evidence()
    saved.publish("--name", "first")
    (saved.repository / "README.md").write_text("as in model_repository/", encoding="utf-8")
    (saved.repository / "lost+found").mkdir()

    with launched(triton(saved.repository, ports), tmp_path / "server", ports[0], **{HEADER: SECRET}):
        saved.publish("--name", "second")
        refused, loaded = load(ports[0], "second"), load(ports[0], "second", **dict([SECRET.split("=")]))
        with Client(f"127.0.0.1:{ports[1]}") as client:
            answers = [client.predict(name, ROWS)["scaled"].tolist() for name in ("first", "second")]

    assert (refused, loaded) == (403, 200)
    assert answers[0] == answers[1]


def test_the_triton_service_starts_over_an_empty_repository(tmp_path, ports):
    (tmp_path / "models").mkdir()

    service = launched(triton(tmp_path / "models", ports), tmp_path / "server", ports[0], **{HEADER: SECRET})

    with service, Client(f"127.0.0.1:{ports[1]}") as client:
        assert client.ready()


def test_without_its_header_the_triton_service_does_not_start(tmp_path, ports):
    done = subprocess.run(
        ["sh", "-c", triton(tmp_path, ports)],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "NAME=VALUE, the header" in done.stderr


def test_the_gpus_service_runs_the_same_flags_and_its_own_config():
    assert words("triton-gpu") == ["tritonserver", "--model-config-name=gpu", *words("triton")[1:]]


@pytest.fixture(scope="module")
def mlflow_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The `mlflow` service."""
    folder, (port,) = tmp_path_factory.mktemp("mlflow"), free_ports(1)
    line = line_of("mlflow", {"/mlflow/": f"{folder}/", "0.0.0.0": "127.0.0.1", "--port=5000": f"--port={port}"})
    line = line.replace('"mlflow"', f'"{Path(sys.executable).parent / "mlflow"}"', 1)
    with (folder / "log").open("w") as log:
        known = os.environ | SERVICES["mlflow"]["environment"]
        process = subprocess.Popen(
            ["sh", "-c", line], cwd=folder, env=known, stdout=log, stderr=log, start_new_session=True
        )
    try:
        end = time.monotonic() + 120
        while status(port, f"localhost:{port}", "/health") != 200:
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < end, (folder / "log").read_text()[-2000:]
            time.sleep(0.3)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers outlive a SIGTERM to their parent
        process.wait()


def status(port: int, host: str, path: str) -> int:
    """What a request that names `host` gets; 0 where nobody listens."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_the_mlflow_service_answers_by_its_name_and_to_no_strange_host(mlflow_port):
    path = "/api/2.0/mlflow/experiments/search?max_results=1"

    told = {host: status(mlflow_port, host, path) for host in ("mlflow:5000", "localhost:5000", "elsewhere.example")}

    assert told == {"mlflow:5000": 200, "localhost:5000": 200, "elsewhere.example": 403}


def test_the_publish_service_publishes_from_the_registry_and_rolls_it_out(tmp_path, ports, mlflow_port):
    saved = save_model(tmp_path)
    saved.add_evidence()
    register("scaled", saved, tmp_path, f"http://127.0.0.1:{mlflow_port}")
    saved.repository.mkdir()
    places = {"=/models": f"={saved.repository}", "triton-server:8001": f"127.0.0.1:{ports[1]}"}
    line = line_of("publish", places).replace('"tritonbuild"', f'"{sys.executable}" -m builder.cli', 1)
    line = line.replace('"--help"', '"models:/scaled@champion" --json')
    environment = SERVICES["publish"]["environment"] | {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{mlflow_port}",
        HEADER: SECRET,
        "PATH": "/usr/bin:/bin",
    }

    with launched(triton(saved.repository, ports), tmp_path / "server", ports[0], **{HEADER: SECRET}):
        done = subprocess.run(
            ["sh", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        with Client(f"127.0.0.1:{ports[1]}") as client:
            answers = client.predict("scaled", ROWS)

    document = json.loads(done.stdout)
    assert document["rollout"]["done"]
    assert document["manifest"]["source"]["uri"] == "models:/scaled/1"
    assert answers["scaled"].shape == (1, 3)


def register(name: str, saved: Any, folder: Path, uri: str) -> None:
    """A model of the spark flavor under the alias champion, without Spark."""
    import mlflow

    logged = folder / "logged"
    shutil.copytree(saved.path, logged / "sparkml", ignore=shutil.ignore_patterns("tritonbuild"))
    shutil.copytree(saved.path / "tritonbuild", logged / "tritonbuild")
    shutil.copy(saved.schema, logged / "tritonbuild" / "schema.json")
    (logged / "MLmodel").write_text("flavors:\n  spark:\n    model_data: sparkml\n", encoding="utf-8")
    client = mlflow.MlflowClient(uri)
    run = client.create_run(client.create_experiment(name)).info
    client.log_artifacts(run.run_id, str(logged), "model")
    client.create_registered_model(name)
    version = client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)
    client.set_registered_model_alias(name, "champion", version.version)
