"""Fixtures that every room of the suite shares."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.graph.weights import files_of
from builder.triton.client import Client, Protocol
from builder.triton.config import write_config
from builder.triton.repository import write_version
from builder.triton.server import Server, start
from builder.triton.settings import Settings
from builder.types import Servable

GOLDEN = Path(__file__).parent / "golden"

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would have every child ignore it
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and so would nohup

if not hasattr(sys.modules["__main__"], "__file__"):  # xdist's; pyspark takes it for a doctest and exits
    sys.modules["__main__"].__file__ = __file__


def forget_stores() -> None:
    """MLflow keeps the stores that it was told: in this process, and in its environment for the next ones."""
    import mlflow

    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)
    os.environ.pop("MLFLOW_REGISTRY_URI", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regold", action="store_true", help="write the golden files anew instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """golden(name, text): the text is what tests/golden/<name> holds, whole; --regold writes it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--regold"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{path} differs; look, then pytest --regold"

    return compare


class Triton:
    """The session's one embedded server, and its repository. It starts empty: put a model in, or publish and load."""

    def __init__(self, repository: Path, server: Server) -> None:
        self.repository, self.server = repository, server

    def url(self, protocol: Protocol) -> str:
        return self.server.grpc if protocol == "grpc" else self.server.http

    def client(self, protocol: Protocol) -> Client:
        return Client(self.url(protocol), protocol)

    def put(self, name: str, servable: Servable, settings: Settings | None = None) -> str:
        """Write a Servable as the model's next version and load it; the name."""
        config = write_config(servable, name, settings or Settings(), {"source": "tests"})
        write_version(self.repository, name, None, {"model.onnx": servable.model, **files_of(servable.weights)},
                      {"config.pbtxt": config.encode()})  # fmt: skip
        self.server.load(name)
        return name


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    repository = tmp_path_factory.mktemp("triton") / "model_repository"
    repository.mkdir()
    with start(repository, models=()) as server:
        yield Triton(repository, server)


@pytest.fixture(params=["grpc", "http"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Every test that asks for it runs over both."""
    return request.param
