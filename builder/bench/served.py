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
    from builder.triton.server import Server

EMPTY = "empty_model"
_WIRES: dict[str, Protocol] = {"gRPC": "grpc", "HTTP": "http"}


def measure_served(
    name: str,
    repository: Path,
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


def measure_spark(source: FetchedModel, repository: Path, name: str, progress: Progress) -> tuple[Latency, ...]:
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


def published(repository: Path, name: str) -> tuple[Table, Servable]:
    """Rows to ask (the evidence's, else one row of nulls and zeros) and the model of the version that answers."""
    from builder.triton.repository import read_manifest, serving

    manifest = read_manifest(repository, name)
    folder = repository / name / str(serving(repository, name))
    inputs = tuple(map(TensorSpec.from_json, manifest["inputs"]))
    outputs = tuple(map(TensorSpec.from_json, manifest["outputs"]))
    try:
        packs = packs_from_json(manifest.get("packed", ()), inputs)
        servable = Servable((folder / "model.onnx").read_bytes(), inputs, outputs, packs=packs)
    except OSError as error:
        raise UsageError(f"{folder} is not whole: {error}", fix="publish this version again.") from error
    file = folder / "evidence.parquet"
    if not file.is_file():
        return Table({spec.name: _blank(spec) for spec in inputs}), servable
    from builder.evidence import load

    evidence = load(file)
    if not evidence.rows:  # all of them were a user's
        return Table({spec.name: _blank(spec) for spec in inputs}), servable
    fine = evidence.answers["invalid"][:, 0] == 0
    return evidence.inputs.take(fine if fine.any() else slice(None)), servable


def _blank(spec: TensorSpec) -> Array:
    value = spec.null if spec.nullable else "" if spec.dtype == np.object_ else 0
    return np.full((1, max(spec.width, 1)), value, dtype=spec.dtype)


@contextmanager
def _own_repository(repository: Path, name: str, model: Servable) -> Iterator[Path]:
    """A repository with the model as it is published, and the empty one under the same settings."""
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    from builder.graph.identity import identity_of
    from builder.triton.layout import is_setting
    from builder.triton.repository import serving, versions, write_version

    with tempfile.TemporaryDirectory(prefix="tritonbuild-bench-") as folder:
        own = Path(folder) / "model_repository"
        others = {*versions(repository, name)} - {serving(repository, name)}
        shutil.copytree(repository / name, own / name, ignore=shutil.ignore_patterns(*map(str, others), "tmp.*"))
        try:
            text = (own / name / "config.pbtxt").read_text("utf-8")
            config = text_format.Parse(text, model_config_pb2.ModelConfig())
        except (UnicodeDecodeError, text_format.ParseError) as error:
            raise UsageError(
                f"{repository / name / 'config.pbtxt'} is no model configuration: {error}",
                fix="publish the model again.",
            ) from error
        config.name = EMPTY
        identity = identity_of(model.travelling, model.outputs)
        placed = (file for file in (own / name).rglob("*") if file.is_file())
        beside = {str(file.relative_to(own / name)): file.read_bytes() for file in placed}
        settings = {path: one for path, one in beside.items() if is_setting(path)}  # also the rows of warmup/
        text = text_format.MessageToString(config, as_utf8=True)
        write_version(own, EMPTY, 1, {"model.onnx": identity.model}, settings | {"config.pbtxt": text.encode()})
        yield own


def _served_targets(server: Server, name: str) -> dict[tuple[str, str], Connect]:
    addresses = {"gRPC": server.grpc, "HTTP": server.http}
    return {
        (told, label): _over(addresses[label], protocol, served)
        for label, protocol in _WIRES.items()
        for told, served in ((name, name), ("empty model", EMPTY))
    }


def _over(address: str, protocol: Protocol, served: str) -> Connect:
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
