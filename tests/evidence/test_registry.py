"""A model in a real MLflow store → a folder here, and clear words where it is not there."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.errors import SourceError, Unreachable, UsageError
from builder.source import fetch, keep
from builder.types import Field, Scalar
from tests.saved import min_max, write_pipeline

X = (Field("x", Scalar("double"), False),)


@pytest.fixture(scope="module")
def registered(mlflow: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run id of a model that is registered as version 1 of `flights`, alias `champion`."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    write_pipeline(folder / "sparkml", [min_max("M_1", "v", "y", [0.0], [1.0])])
    signature = json.dumps([{"type": "double", "name": "x", "required": True}])
    (folder / "MLmodel").write_text(
        f"flavors:\n  spark:\n    model_data: sparkml\nsignature:\n  inputs: '{signature}'\n"
    )
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder), "model")
    mlflow.register_model(f"runs:/{run.info.run_id}/model", "flights")
    mlflow.MlflowClient().set_registered_model_alias("flights", "champion", "1")
    return str(run.info.run_id)


@pytest.mark.parametrize("source", ["models:/flights/1", "models:/flights@champion"])
def test_a_registered_version_is_fetched_by_number_or_alias_without_a_copy(
    mlflow: Any, registered: str, source: str
) -> None:
    model = fetch(source)

    assert (model.name, model.version, model.run_id, model.uri) == ("flights", 1, registered, source)
    assert model.schema == X
    artifacts = mlflow.get_run(registered).info.artifact_uri.removeprefix("file://")
    assert model.path == Path(artifacts) / "model" / "sparkml"


def test_a_runs_model_is_fetched_without_a_registered_name(registered: str) -> None:
    model = fetch(f"runs:/{registered}/model")

    assert (model.name, model.version, model.run_id) == (None, None, registered)
    assert model.schema == X


def test_files_kept_with_a_version_come_along_with_it(registered: str, tmp_path: Path) -> None:
    file = tmp_path / "evidence.parquet"
    file.write_bytes(b"rows")

    keep(fetch("models:/flights/1"), [file])

    found = fetch("models:/flights@champion").evidence
    assert found is not None
    assert found.read_bytes() == b"rows"


@pytest.mark.parametrize(
    ("source", "says", "fix"),
    [
        ("models:/fligths/1", "no registered model 'fligths'", "it has: flights"),
        ("models:/flights@chief", "no alias 'chief'", "it has: champion"),
        ("models:/flights/7", "no version 7", "it has: 1"),
        ("runs:/0123/model", "no run '0123'", "copy the run's id"),
    ],
)
def test_what_mlflow_has_not_is_told_with_what_it_has(registered: str, source: str, says: str, fix: str) -> None:
    with pytest.raises(SourceError, match=says) as caught:
        fetch(source)

    assert fix in caught.value.fix


def test_a_path_that_the_run_has_not_is_told(registered: str) -> None:
    with pytest.raises(SourceError, match=r"not there|no model folder|does not exist"):
        fetch(f"runs:/{registered}/nowhere")


@pytest.mark.parametrize("source", ["models:/flights", "models:/flights@", "models:flights/1x", "runs:/0123"])
def test_a_uri_that_names_no_version_is_a_usage_error(source: str) -> None:
    with pytest.raises(UsageError, match="names no version"):
        fetch(source)


@pytest.fixture
def elsewhere(mlflow: Any) -> Iterator[None]:
    """For a test that names another store: MLflow keeps the one named last."""
    uri = mlflow.get_tracking_uri()
    yield
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)


def test_a_database_that_is_not_there_is_not_made(elsewhere: None, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/other.db"

    with pytest.raises(Unreachable, match="does not exist") as caught:
        fetch("models:/flights/1", tracking_uri=uri, registry_uri=uri)

    assert caught.value.exit_code == 4
    assert not (tmp_path / "other.db").exists()


def test_a_server_that_does_not_answer_is_given_up_on_soon(elsewhere: None) -> None:
    with socket.socket() as silent:  # bound, listening, never answering
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()

        with pytest.raises(Unreachable, match="did not answer") as caught:
            fetch("models:/flights/1", tracking_uri=uri, registry_uri=uri)

    assert time.monotonic() - started < 30
    assert "MLFLOW_TRACKING_URI" in caught.value.fix


def test_a_server_that_is_not_there_is_told(elsewhere: None) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"

    with pytest.raises(Unreachable, match="did not answer"):
        fetch("runs:/0123/model", tracking_uri=uri, registry_uri=uri)
