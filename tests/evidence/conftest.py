"""Real Spark and a real MLflow store, for this room alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import forget_stores


@pytest.fixture(scope="package")
def spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("tests").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.shuffle.partitions", "1").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """MLflow on a fresh sqlite file, artifacts beside it."""
    import mlflow

    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("tests", f"file://{folder}/artifacts"))
    yield mlflow
    forget_stores()


@pytest.fixture(autouse=True)
def _no_run_stays_open(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "mlflow" in request.fixturenames:
        request.getfixturevalue("mlflow").end_run()
