"""A real `mlflow server` process, a gateway before it that can fail as real ones do, and a registered model."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.conftest import forget_stores
from tests.house.sources import ROOT
from tests.unit.cli import VECTOR, Saved, save_model, tritonbuild


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class MlflowServer:
    """`mlflow server` over a sqlite file and a folder of artifacts. Killed and started again it has the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        stores = [f"sqlite:///{self.folder}/mlflow.db", "--artifacts-destination", str(self.folder / "artifacts")]
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        quiet = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
        self.log = self.folder / "server.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--workers", "1", "--backend-store-uri", *stores],
                env=quiet,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"mlflow server does not answer:\n{self.log.read_text()}")

    def kill(self) -> None:
        """SIGKILL to it and its workers, which are its own group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="package")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


class Gateway:
    """An HTTP gateway before a server. `fail_after(k)`: k requests pass, the rest are cut. `never_answer(path)`:
    requests to it wait for ever, `passing_it_on` or not.

    `read_only`: what a registry says to a token that may only read. `seen`: "METHOD path" of all that came;
    `headers`: theirs.
    """

    def __init__(self, server: MlflowServer) -> None:
        gateway, self.seen, self.headers = self, list[str](), list[str]()
        self.passing, self.read_only, self._silent, self._passing_it_on = float("inf"), False, "", False
        self._over = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gateway.seen.append(f"{self.command} {self.path}")
                gateway.headers.append(str(self.headers).lower())
                silent = bool(gateway._silent) and gateway._silent in self.path
                if len(gateway.seen) > gateway.passing:
                    self.close_connection = True
                    return
                if gateway.read_only and self.command != "GET" and "/search" not in self.path:
                    refusal = {"error_code": "PERMISSION_DENIED", "message": "Permission denied"}
                    self.answer(403, {"Content-Type": "application/json"}, json.dumps(refusal).encode())
                    return
                if silent and not gateway._passing_it_on:
                    gateway._over.wait()
                    return
                upstream = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                upstream.request(self.command, self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                if silent:
                    self.close_connection = True
                    return
                self.answer(answer.status, dict(answer.getheaders()), answer.read())
                upstream.close()

            def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response_only(status)
                for key, value in headers.items():
                    if key.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

            def log_message(self, *_: object) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.address = f"127.0.0.1:{self._http.server_port}"
        self.uri = f"http://{self.address}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def fail_after(self, requests: int) -> None:
        self.seen.clear()
        self.passing = requests

    def never_answer(self, path: str, *, passing_it_on: bool = False) -> None:
        self._silent, self._passing_it_on = path, passing_it_on

    def close(self) -> None:
        self._over.set()
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def gateway(mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    gateway = Gateway(mlflow_server)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    yield gateway
    gateway.close()


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: MLflow remembers stores from call to call."""
    quiet = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    return subprocess.run(
        [sys.executable, "-m", "builder.cli", *arguments],
        env=os.environ | quiet | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@dataclass(frozen=True)
class Flights:
    """Version 1 of a model `name` in the registry, with evidence; `folder` is what was logged."""

    name: str
    run_id: str
    client: Any
    folder: Path
    repository: Path
    uri: str

    def publish(self, *more: str, at: str | None = None, source: str | None = None) -> Result:
        where = ("--tracking-uri", at or self.uri, "--repository", str(self.repository))
        return tritonbuild("publish", source or f"models:/{self.name}/1", *where, *more)

    @property
    def tags(self) -> dict[str, str]:
        return dict(self.client.get_model_version(self.name, "1").tags)

    @property
    def metrics(self) -> dict[str, float]:
        return dict(self.client.get_run(self.run_id).data.metrics)

    def points(self, metric: str) -> int:
        return len(self.client.get_metric_history(self.run_id, metric))

    @property
    def aliases(self) -> dict[str, str]:
        return {key: str(number) for key, number in self.client.get_registered_model(self.name).aliases.items()}

    @property
    def published(self) -> list[str]:
        """Every file of the repository, and whatever lies beside it but what the test itself put there."""
        parent = self.repository.parent
        return sorted(
            str(path.relative_to(parent))
            for path in parent.rglob("*")
            if path.is_file() and parent / "logged" not in path.parents and path.name != ".tritonbuild.lock"
        )


def logged_model(folder: Path) -> Saved:
    """An MLflow model folder: a pipeline of one scaler, its schema and evidence."""
    saved = save_model(folder)
    saved.add_evidence()
    model = folder / "logged"
    model.mkdir()
    saved.path.rename(model / "sparkml")
    (model / "sparkml" / "tritonbuild").rename(model / "tritonbuild")
    saved.schema.rename(model / "tritonbuild" / "schema.json")
    (model / "MLmodel").write_text("flavors:\n  spark:\n    model_data: sparkml\n")
    return Saved(model, model / "tritonbuild" / "schema.json", folder / "model_repository")


_NUMBERS = iter(range(1, 1000))


@pytest.fixture
def flights(mlflow_server: MlflowServer, tmp_path: Path) -> Flights:
    return register(mlflow_server, tmp_path)


def register(server: MlflowServer, folder: Path, change: Callable[[Path], None] = lambda model: None) -> Flights:
    """A run with the model among its artifacts, registered; `change` may alter the folder before it is logged."""
    from mlflow import MlflowClient

    saved = logged_model(folder)
    change(saved.path)
    client, name = MlflowClient(server.uri, server.uri), f"flights{next(_NUMBERS)}"
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(saved.path), "model")
    client.create_registered_model(name)
    source = f"{run.info.artifact_uri}/model"
    client.create_model_version(name, source, run.info.run_id)
    return Flights(name, run.info.run_id, client, saved.path, saved.repository, server.uri)


@pytest.fixture(autouse=True)
def _mlflow_forgets() -> Iterator[None]:
    """MLflow keeps the store that was named last."""

    yield
    forget_stores()


__all__ = ["VECTOR", "Flights", "Gateway", "MlflowServer", "command", "free_port", "logged_model", "register"]
