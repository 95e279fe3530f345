"""A trained pipeline → MLflow: its files, schema, evidence and signature, then its registered version."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import Unreachable
from builder.source.folder import BESIDE, SCHEMA_FILE
from builder.source.redacting import discreet
from builder.source.registry import Stores, told, upload
from builder.source.signature import signature_of
from builder.types import INVALID, TensorSpec

if TYPE_CHECKING:
    from mlflow.models.model import ModelInfo

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Logged:
    """A model among a run's artifacts; `uri` is `runs:/<run>/<name>`."""

    uri: str
    run_id: str


def log_pipeline(pipeline: Any, schema: str, *, name: str, pip_requirements: Sequence[str] | None = None) -> Logged:
    """`mlflow.spark.log_model` in the active run (or a new one), with the exact Spark schema beside the pipeline.

    `schema`: what `df.schema.json()` prints. Without `pip_requirements` the installed pyspark is pinned: MLflow would
    start another Spark to guess, 13 to 35 s. Raises Unreachable where MLflow does not take it.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    pins = list(pip_requirements) if pip_requirements is not None else [f"pyspark=={installed('pyspark')}"]
    try:
        info = mlflow.spark.log_model(pipeline, artifact_path=name, pip_requirements=pins)
    except (MlflowException, OSError) as error:
        raise told(error, f"MLflow could not log {name!r}", "") from error
    uri = f"runs:/{info.run_id}/{name}"
    with tempfile.TemporaryDirectory(prefix="tritonbuild-") as folder:
        file = Path(folder) / SCHEMA_FILE
        file.write_text(schema, encoding="utf-8")
        upload(file, uri, Stores(), into=BESIDE)
    _log.info("logged %s", uri)
    return Logged(uri, info.run_id)


def complete(logged: Logged, evidence: Path) -> None:
    """Put the evidence into the logged model's folder, before it is registered. Raises Unreachable."""
    upload(evidence, logged.uri, Stores(), into=BESIDE)


def sign(logged: Logged, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> ModelInfo:
    """Give the logged model its signature (the columns it needs, those it answers with); MLflow's word on it since."""
    from mlflow.models import get_model_info, set_signature

    set_signature(logged.uri, signature_of(inputs, [spec for spec in outputs if spec.name != INVALID.name]))
    info: ModelInfo = get_model_info(logged.uri)
    return info


def register(logged: Logged, name: str, alias: str | None = None) -> int:
    """Register the logged model as the next version of `name`, and point `alias` at it. Returns the version.

    Raises Unreachable where the registry does not answer or refuses.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        version = int(mlflow.register_model(logged.uri, name).version)
        if alias is not None:
            mlflow.MlflowClient().set_registered_model_alias(name, alias, str(version))
    except (MlflowException, OSError) as error:
        raise Unreachable(
            discreet(f"{logged.uri} is logged, but could not be registered as {name!r} ({error})."),
            fix=f"register it by hand: mlflow.register_model({logged.uri!r}, {name!r}).",
        ) from error
    return version
