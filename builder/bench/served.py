"""A published model beside an empty one with the same tensors: both on one server of our own, asked in turns."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from builder.bench.load import Connect, Latency, Load, measure
from builder.errors import UsageError
from builder.packing import packs_from_json
from builder.types import Array, Predict, Progress, Servable, Table, TensorSpec

if TYPE_CHECKING:
    from builder.source import FetchedModel
    from builder.triton.client import Protocol
    from builder.triton.layout import Repository
    from builder.triton.server import Server

EMPTY = "empty_model"
_WIRES: dict[str, Protocol] = {"gRPC": "grpc", "HTTP": "http"}


def measure_served(
    name: str,
    repository: Repository,
    requests: int,
    concurrencies: Sequence[int],
    sizes: Sequence[int],
    server: Path | None,
    server_python: Path | None,
    progress: Progress,
) -> tuple[Latency, ...]:
    """One latency a target, protocol, number of workers and size of request; in process for one worker.

    Raises UsageError where the repository has no such model, Unreachable where no server starts.
    """
    from builder.triton.repository import models
    from builder.triton.server import start

    if name not in models(repository):
        raise UsageError(f"{repository} holds no model {name} with a config.pbtxt.", fix="publish it first.")
    rows, model = published(repository, name)
    with _own_repository(repository, name, model) as own:
        progress.step("starting a tritonserver to measure")
        with start(own, server=server, server_python=server_python) as running:
            found: list[Latency] = []
            for size in sizes:
                for workers in concurrencies:
                    progress.step(f"measuring {name}: workers {workers}, rows a request {size}")
                    load = Load(workers, size, max(200, requests // size), rounds=5)
                    targets = _served_targets(running, name)
                    if workers == 1:
                        targets[name, "onnxruntime, in process"] = _in_process(model)
                    found += measure(targets, rows, load, progress)
            return tuple(found)


def measure_spark(source: FetchedModel, repository: Repository, name: str, progress: Progress) -> tuple[Latency, ...]:
    """Spark's `transform` of one row, row in and answer out, in a session that runs already.

    Raises Unreachable where pyspark or Java is missing.
    """
    from builder.bench.load import summarise
    from builder.evidence.timing import time_transform
    from builder.triton.repository import read_manifest

    rows, model = published(repository, name)
    dropped = {stage["uid"] for stage in read_manifest(repository, name)["stages"] if stage["verdict"] == "dropped"}
    progress.step("measuring Spark's transform of one row")
    took_us = time_transform(source.path, source.schema, rows.take(slice(0, 1)), model, dropped)
    return (summarise(name, "Spark's transform", took_us, float(took_us.sum()) / 1e6, Load()),)


def published(repository: Repository, name: str) -> tuple[Table, Servable]:
    """Rows to ask (the evidence's, else one row of nulls and zeros) and the model of the version that answers."""
    from builder.evidence import load
    from builder.triton.repository import on_this_machine, read_manifest, serving

    manifest = read_manifest(repository, name)
    inputs = tuple(map(TensorSpec.from_json, manifest["inputs"]))
    outputs = tuple(map(TensorSpec.from_json, manifest["outputs"]))
    packs = packs_from_json(manifest.get("packed", ()), inputs)
    with on_this_machine(repository, f"{name}/{serving(repository, name)}") as folder:
        try:
            servable = Servable((folder / "model.onnx").read_bytes(), inputs, outputs, packs=packs)
        except OSError as error:
            raise UsageError(
                f"{repository} does not hold {name} whole: {error}", fix="publish this version again."
            ) from error
        file = folder / "evidence.parquet"
        evidence = load(file) if file.is_file() else None
    if evidence is None or not evidence.rows:  # none, or all of them were a user's
        return Table({spec.name: _blank(spec) for spec in inputs}), servable
    fine = evidence.answers["invalid"][:, 0] == 0
    return evidence.inputs.take(fine if fine.any() else slice(None)), servable


def _blank(spec: TensorSpec) -> Array:
    value = spec.null if spec.nullable else "" if spec.dtype == np.object_ else 0
    return np.full((1, max(spec.width, 1)), value, dtype=spec.dtype)


@contextmanager
def _own_repository(repository: Repository, name: str, model: Servable) -> Iterator[Path]:
    """A repository with the model as it is published, and the empty one under the same settings."""
    from google.protobuf import text_format

    from builder.graph.identity import identity_of
    from builder.triton.policy import parse
    from builder.triton.repository import CONFIG, on_this_machine, serving, settings_of, write_version

    settings = dict(settings_of(repository, name))
    with tempfile.TemporaryDirectory(prefix="tritonbuild-bench-") as folder:
        own = Path(folder) / "model_repository"
        version = str(serving(repository, name))
        with on_this_machine(repository, f"{name}/{version}") as there:
            shutil.copytree(there, own / name / version)
        for path, content in settings.items():
            (own / name / path).parent.mkdir(exist_ok=True)
            (own / name / path).write_bytes(content)
        config = parse(settings[CONFIG].decode("utf-8", "replace"), f"{repository}/{name}/{CONFIG}")
        config.name = EMPTY
        identity = identity_of(model.travelling, model.outputs)
        beside = settings | {CONFIG: text_format.MessageToString(config, as_utf8=True).encode()}
        write_version(own, EMPTY, 1, {"model.onnx": identity.model}, beside)
        yield own


def _served_targets(server: Server, name: str) -> dict[tuple[str, str], Connect]:
    addresses = {"gRPC": server.grpc, "HTTP": server.http}
    return {
        (told, label): over(addresses[label], protocol, served)
        for label, protocol in _WIRES.items()
        for told, served in ((name, name), ("empty model", EMPTY))
    }


def over(address: str, protocol: Protocol, served: str) -> Connect:
    """A connection that asks one model of a server."""

    @contextmanager
    def connect() -> Iterator[Predict]:
        from builder.triton.client import Client

        with Client(address, protocol) as client:
            yield client.predictor(served)

    return connect


def _in_process(model: Servable) -> Callable[[], AbstractContextManager[Predict]]:
    from builder.graph.session import in_process

    predict = in_process(model)

    @contextmanager
    def connect() -> Iterator[Predict]:
        yield predict

    return connect
