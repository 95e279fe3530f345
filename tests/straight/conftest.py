"""A pipeline trained by Spark, registered in MLflow with its evidence, published; and `tritonbuild serve` over it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.conftest import forget_stores
from tests.house.sources import ROOT
from tests.unit.cli import tritonbuild

CARRIERS = ("UA", "ß", "日本", "")


@dataclass(frozen=True)
class Registered:
    """`name` in a registry at `uri`; `trained` is the folder that Spark itself saved, `schema` its columns."""

    name: str
    uri: str
    trained: Path
    schema: Path
    repository: Path


@pytest.fixture(scope="package")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    import mlflow
    from pyspark.sql import SparkSession

    import builder

    folder = tmp_path_factory.mktemp("straight")
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1"}
    spark = SparkSession.builder.master("local[2]").appName("straight").config(map=settings).getOrCreate()
    rows = [(CARRIERS[i % 4], i % 7 if i % 5 else None, i / 3, float(i % 3)) for i in range(60)]
    frame = spark.createDataFrame(rows, "carrier string, seats int, delay double, label double")
    model = pipeline().fit(frame)
    model.write().save(str(folder / "trained"))
    (folder / "schema.json").write_text(frame.drop("label").schema.json())
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("straight", (folder / "artifacts").as_uri()))
    with mlflow.start_run():
        builder.log_model(model, frame.drop("label"), registered_model_name="carriers", alias="champion")
    found = Registered("carriers", uri, folder / "trained", folder / "schema.json", folder / "model_repository")
    published = tritonbuild(
        "publish", "models:/carriers@champion", "--repository", found.repository, "--tracking-uri", uri
    )
    assert published.exit_code == 0, published.stderr
    yield found
    forget_stores()
    spark.stop()


def pipeline():
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import RandomForestClassifier
    from pyspark.ml.feature import Imputer, StringIndexer, VectorAssembler

    return Pipeline(
        stages=[
            StringIndexer(inputCol="carrier", outputCol="carrier_index"),  # an unseen carrier is an error
            Imputer(inputCols=["seats"], outputCols=["seats_filled"]),
            VectorAssembler(inputCols=["carrier_index", "seats_filled", "delay"], outputCol="features"),
            RandomForestClassifier(numTrees=5, maxDepth=3, seed=13),
        ]
    )


class Serving:
    """`tritonbuild serve` in a process of its own, on free ports."""

    def __init__(self, repository: Path) -> None:
        command = [sys.executable, "-m", "builder.cli", "serve", "--repository", str(repository)]
        ports = ["--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [*command, *ports], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        addresses = dict(_addresses(self.process.stdout))
        assert addresses, f"nothing serves: {self.process.communicate()[1]}"
        self.grpc, self.http, self.metrics = (addresses[what] for what in ("gRPC", "HTTP", "metrics"))

    @property
    def servers(self) -> list[int]:
        """Pids of the tritonservers that this process started."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command, status = entry.read_bytes(), (entry.parent / "stat").read_text()
            except OSError:
                continue  # it ended while we looked
            if b"tritonserver\0" in command and int(status.rpartition(")")[2].split()[1]) == self.process.pid:
                found.append(int(entry.parent.name))
        return found

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)
        return self.process.returncode


def _addresses(stdout: IO[str]) -> Iterator[tuple[str, str]]:
    for _ in range(3):
        what, _, address = stdout.readline().strip().partition(" ")
        if what:
            yield what, address.strip()


@pytest.fixture(scope="package")
def serving(registered: Registered) -> Iterator[Serving]:
    running = Serving(registered.repository)
    yield running
    if running.process.poll() is None:
        running.interrupt()
