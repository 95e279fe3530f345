"""Two real servers with strict readiness over one repository, and a saved model in as many versions as are wanted."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from builder.evidence import Evidence, save
from builder.evidence.store import Steps
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.source import read_folder
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.triton.client import Client
from builder.triton.server import Server, start
from builder.types import Table
from tests.saved import min_max, write_pipeline
from tests.unit.cli import VECTOR, tritonbuild, write_schema

STRICT = ("--strict-readiness=true",)
ROWS = Table({"v": np.array([[1 / 3, -2.7, 0.0], [0.1, np.nan, 7.3], [-1e300, 5e-324, -0.0], [2.5, 0.3, 1.0]])})
SCALERS = ("first", "second")  # uids of the stages


def write_model(folder: Path, version: int) -> Path:
    """Two scalers, one behind the other, whose weights are the version's own; evidence with the columns between them."""
    path = folder / f"version{version}"
    if path.exists():
        return path
    low, high = [1 / 3, -2.7, 0.0], [version + 3.1, 2.7 * version, 0.7]
    stages = [min_max("first", "v", "scaled", low, high), min_max("second", "scaled", "twice", [0.0] * 3, high)]
    write_pipeline(path, stages)
    write_schema(folder / "schema.json", v=VECTOR)
    model = read_folder(path, uri=str(path), schema=folder / "schema.json")
    pipeline = read_pipeline(path)
    servable = lower(pipeline, model.schema, all_rules())
    every = in_process(lower(pipeline, model.schema, all_rules(), proof=True, every_column=True))(ROWS)
    made_by = {"scaled": SCALERS[0], "twice": SCALERS[1]}
    columns = Table({name: every[name] for name in made_by})
    save(
        Evidence(
            inputs=ROWS,
            answers=Table(dict(in_process(servable)(ROWS))),
            tolerance={},
            derived=np.array([False, True, True, True]),
            input_specs=servable.inputs,
            output_specs=servable.outputs,
            words={"twice": "bit", "invalid": "bit"},
            coverage=1.0,
            spark_version="4.3.0",
            digest=model.digest,
            steps=Steps(np.arange(ROWS.rows), columns, made_by),
        ),
        path / "tritonbuild" / "evidence.parquet",
    )
    return path


@dataclass(frozen=True)
class Ground:
    """`servers` read `repository`; models lie in `models`."""

    models: Path
    repository: Path
    servers: tuple[Server, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The first over gRPC, the second over HTTP."""
        first, second = self.servers
        return f"grpc://{first.grpc}", f"http://{second.http}"

    @property
    def loads(self) -> tuple[str, ...]:
        return tuple(word for address in self.addresses for word in ("--load", address))

    def publish(self, name: str, version: int, *more: str | Path) -> Result:
        path = write_model(self.models, version)
        return tritonbuild("publish", path, "--schema", self.models / "schema.json", "--repository", self.repository,
                           "--name", name, "--version", str(version), *more)  # fmt: skip

    def answer(self, name: str, server: Server, version: str = "") -> Table:
        with Client(server.grpc) as client:
            return client.predict(name, ROWS, version)

    def answering(self, name: str) -> list[int | None]:
        """Server by server, whose answers they are; None where none comes."""
        found: list[int | None] = []
        for server in self.servers:
            with Client(server.grpc) as client:
                found.append(owner(client.predict(name, ROWS)) if client.ready(name) else None)
        return found

    @property
    def ready(self) -> list[int]:
        """What each server says at /v2/health/ready."""
        return [health(server) for server in self.servers]

    @property
    def visible(self) -> dict[str, bytes]:
        """Every file of the repository."""
        files = (path for path in self.repository.rglob("*") if path.is_file())
        return {str(path.relative_to(self.repository)): path.read_bytes() for path in files}


def health(server: Server) -> int:
    try:
        with urllib.request.urlopen(f"http://{server.http}/v2/health/ready") as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@cache
def expected(version: int) -> np.ndarray:
    """What the version answers to ROWS, in the arithmetic of its stages."""
    low, high = np.array([1 / 3, -2.7, 0.0]), np.array([version + 3.1, 2.7 * version, 0.7])
    with np.errstate(all="ignore"):
        scaled = (ROWS["v"] - low) * (1 / (high - low)) * 1.0 + 0.0
        return np.asarray(scaled * (1 / high) * 1.0 + 0.0)


def owner(answers: Table) -> int | None:
    """The version whose answers these are."""
    given = answers["twice"]
    return next((version for version in range(1, 40) if np.array_equal(expected(version), given, equal_nan=True)), None)


def document(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("rollout")
    repository = folder / "model_repository"
    repository.mkdir()
    models = folder / "models"
    models.mkdir()
    with start(repository, models=(), flags=STRICT) as first, start(repository, models=(), flags=STRICT) as second:
        yield Ground(models, repository, (first, second))
