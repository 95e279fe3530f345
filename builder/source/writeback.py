"""What became of a model → MLflow: tags on its registered version, metrics and the ONNX on its run, an alias.

Nothing is written that is there already, so doing it twice changes nothing. `tritonbuild.status` is the last of the tags:
a version that has it has the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import SourceError, Unreachable, UsageError
from builder.source.folder import FetchedModel
from builder.source.registry import TRANSFER_PATIENCE_S, Stores, asking, told

if TYPE_CHECKING:
    from mlflow import MlflowClient

PREFIX = "tritonbuild."
STATUS = "status"


@dataclass(frozen=True)
class Version:
    """A registered version, and its run, where the registry knows one."""

    name: str
    number: int
    run_id: str | None

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.number}"


def version_of(model: FetchedModel, stores: Stores) -> Version | None:
    """The registered version that a model is; of a run's model the newest that was registered from it. None: none.

    Raises Unreachable.
    """
    if model.name and model.version:
        return Version(model.name, model.version, model.run_id)
    if not model.uri.startswith("runs:") or not model.run_id:
        return None
    path = model.uri.partition(model.run_id)[2].strip("/")
    with asking(stores) as client:
        found = [
            Version(one.name, int(one.version), model.run_id)
            for one in client.search_model_versions(f"run_id='{model.run_id}'")
            if _logged_as(client, one.source or "") == path
        ]
    return max(found, key=lambda one: one.number, default=None)


def check_alias(alias: str) -> str:
    """The alias, where it is one that MLflow takes. Raises UsageError."""
    reserved = alias.lower() == "latest" or re.fullmatch(r"[vV]\d+", alias)
    if reserved or not re.fullmatch(r"[A-Za-z0-9_\-]{1,255}", alias):
        raise UsageError(
            f"{alias!r} is no alias that MLflow takes.",
            fix="use letters, digits, _ and -; neither latest nor v1, which mean versions.",
        )
    return alias


def write_tags(version: Version, tags: Mapping[str, str], stores: Stores) -> None:
    """Tags on the version, the status last. Raises Unreachable; Forbidden where the registry takes no writes."""
    with asking(stores) as client:
        there = client.get_model_version(version.name, str(version.number)).tags
        for key in sorted(tags, key=lambda key: key == STATUS):
            if there.get(PREFIX + key) != tags[key]:
                client.set_model_version_tag(version.name, str(version.number), PREFIX + key, tags[key])


def tags_of(version: Version, stores: Stores) -> dict[str, str]:
    """Our tags that the version has, without their prefix. Raises Unreachable."""
    with asking(stores) as client:
        there = client.get_model_version(version.name, str(version.number)).tags
    return {key.removeprefix(PREFIX): value for key, value in there.items() if key.startswith(PREFIX)}


def write_metrics(run_id: str, metrics: Mapping[str, float], stores: Stores) -> bool:
    """A point for each metric whose latest value is another, all in one request. False where the run was deleted.

    Raises Unreachable, Forbidden.
    """
    import time

    from mlflow.entities import Metric

    with asking(stores) as client:
        try:
            run = client.get_run(run_id)
        except Exception as error:
            lost = told(error, f"MLflow has no run {run_id!r}", "")
            if isinstance(lost, SourceError):
                return False
            raise lost from error
        if run.info.lifecycle_stage != "active":
            return False
        there = run.data.metrics
        now = int(time.time() * 1000)
        new = [
            Metric(PREFIX + key, value, now, 0)
            for key, value in metrics.items()
            if math.isfinite(value) and there.get(PREFIX + key) != value
        ]
        if new:
            client.log_batch(run_id, metrics=new)
    return True


def upload_model(folder: Path, run_id: str, path: str, stores: Stores) -> str:
    """A model folder among a run's artifacts, at `path`; its URI. Raises Unreachable, Forbidden."""
    with asking(stores, TRANSFER_PATIENCE_S) as client:
        client.log_artifacts(run_id, str(folder), path)
    return f"runs:/{run_id}/{path}"


def move_alias(version: Version, alias: str, stores: Stores) -> None:
    """Point an alias at the version. Where the answer was lost it is asked for once more.

    Raises Unreachable, Forbidden.
    """
    try:
        with asking(stores) as client:
            if _pointed_at(client, version.name, alias) != version.number:
                client.set_registered_model_alias(version.name, alias, str(version.number))
    except Unreachable:
        try:
            with asking(stores) as client:
                moved = _pointed_at(client, version.name, alias) == version.number
        except Unreachable:
            moved = False
        if not moved:
            raise


def _pointed_at(client: MlflowClient, name: str, alias: str) -> int | None:
    number = client.get_registered_model(name).aliases.get(alias)
    return None if number is None else int(number)


def _logged_as(client: MlflowClient, source: str) -> str:
    """The path in its run that a version was registered from; MLflow 3 tells a logged model's id in its place."""
    if source.startswith("models:/"):
        return str(client.get_logged_model(source.removeprefix("models:/")).name)
    return source.rpartition("/artifacts/")[2] if "/artifacts/" in source else source.partition("://")[2] or source
