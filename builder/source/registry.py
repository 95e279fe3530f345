"""MLflow's registry and runs → a model folder on disk, and files back into it."""

from __future__ import annotations

import atexit
import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from builder.errors import Forbidden, SourceError, Unreachable, UsageError
from builder.source.redacting import discreet

if TYPE_CHECKING:
    from mlflow import MlflowClient

_log = logging.getLogger(__name__)

_VERSION = re.compile(r"models:/+(?P<name>[^/@]+)/(?P<version>[0-9]+)")
_ALIAS = re.compile(r"models:/+(?P<name>[^/@]+)@(?P<alias>[^/@]+)")
_RUN = re.compile(r"runs:/+(?P<run>[^/]+)/(?P<path>.+)")
_ABSENT = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND", "ENDPOINT_NOT_FOUND"})
_FORBIDDEN = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"})
_READ_ONLY = re.compile(r"readonly database|read-only transaction|permission denied for", re.IGNORECASE)
PATIENCE_S = 5  # for one metadata call; a registry that takes longer is not there
TRANSFER_PATIENCE_S = 30  # for files: so long may a store be silent between two pieces

_URI_FIX = (
    "check MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI (or --tracking-uri, --registry-uri), and that MLflow runs."
)


@dataclass(frozen=True)
class Stores:
    """Where MLflow keeps runs and models; None is what MLflow finds by itself."""

    tracking_uri: str | None = None
    registry_uri: str | None = None


@dataclass(frozen=True)
class Located:
    """A model that MLflow has: its `artifacts` URI, and its folder here once downloaded."""

    root: Path
    artifacts: str
    run_id: str | None
    name: str | None = None
    version: int | None = None


def download(source: str, stores: Stores) -> Located:
    """`models:/name/3`, `models:/name@alias` or `runs:/id/path` → its folder. A store on this disk is not copied.

    Raises UsageError on a malformed URI, SourceError where MLflow has no such model, Unreachable where it does not answer.
    """
    if run := _RUN.fullmatch(source):
        return _download_run(source, run["run"], stores)
    match = _VERSION.fullmatch(source) or _ALIAS.fullmatch(source)
    if match is None:
        raise UsageError(
            f"{source!r} names no version of a model.", fix="write models:/name/3, models:/name@alias or runs:/id/path."
        )
    found = match.groupdict()
    with asking(stores) as client:
        version = _version(client, found["name"], found.get("version"), found.get("alias"))
        artifacts = client.get_model_version_download_uri(version.name, version.version)
    uri = f"models:/{version.name}/{version.version}"
    root = _on_this_disk(uri, artifacts) or _fetch(uri, artifacts, stores)
    return Located(root, artifacts, version.run_id or None, version.name, int(version.version))


def upload(file: Path, located: str, stores: Stores, *, into: str) -> None:
    """Put a file into the folder `into` of a model's artifacts (`runs:/id/path` or the URI that `Located` tells).

    Raises Unreachable where the store refuses.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    _set_stores(stores)
    try:
        with patient(TRANSFER_PATIENCE_S):
            get_artifact_repository(located).log_artifact(str(file), into)
    except (MlflowException, OSError) as error:
        raise Unreachable(
            discreet(f"{located} could not be written ({error})."),
            fix="check the artifact store's permissions and space.",
        ) from error


def _download_run(source: str, run_id: str, stores: Stores) -> Located:
    with asking(stores) as client:
        try:
            run = client.get_run(run_id)
        except Exception as error:
            raise told(
                error, f"MLflow has no run {run_id!r}", "copy the run's id from MLflow's page or CLI."
            ) from error
    return Located(_fetch(source, run.info.artifact_uri, stores), source, run_id)


def _version(client: MlflowClient, name: str, version: str | None, alias: str | None) -> Any:
    """The model version, or an error that tells what there is instead."""
    try:
        registered = client.get_registered_model(name)
    except Exception as error:
        raise told(error, f"MLflow has no registered model {name!r}", lambda: _registered(client)) from error
    try:
        if alias is not None:
            return client.get_model_version_by_alias(name, alias)
        return client.get_model_version(name, str(version))
    except Exception as error:
        if alias is not None:
            aliases = ", ".join(sorted(registered.aliases)) or "none"
            raise told(error, f"model {name!r} has no alias {alias!r}", f"it has: {aliases}.") from error
        raise told(error, f"model {name!r} has no version {version}", lambda: _versions(client, name)) from error


def _registered(client: MlflowClient) -> str:
    names = [model.name for model in client.search_registered_models(max_results=20)]
    return f"it has: {', '.join(names)}." if names else "nothing is registered there: " + _URI_FIX


def _versions(client: MlflowClient, name: str) -> str:
    versions = sorted(
        int(version.version) for version in client.search_model_versions(f"name='{name}'", max_results=20)
    )
    return f"it has: {', '.join(map(str, versions)) or 'none'}."


def _on_this_disk(uri: str, artifacts: str) -> Path | None:
    """The folder that a `file:` URI or a path names, opened as it is: MLflow would load its tracking store to say the same,
    a second and a half of imports. None where the artifacts are elsewhere. Raises SourceError where they are gone.
    """
    at = urlparse(artifacts)
    if at.scheme not in ("", "file"):
        return None
    folder = Path(url2pathname(at.path) if at.scheme else artifacts)
    if not folder.is_dir():
        raise SourceError(f"the files of {uri} are not there.", fix="check the path, and that its artifacts were kept.")
    return folder


def _fetch(uri: str, artifacts: str, stores: Stores) -> Path:
    """The artifacts as a folder here; what had to be downloaded goes when the process ends."""
    from mlflow.artifacts import download_artifacts

    folder = None
    if urlparse(artifacts).scheme not in ("", "file"):
        folder = tempfile.mkdtemp(prefix="tritonbuild-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _log.info("fetching %s", uri)
    try:
        with patient(TRANSFER_PATIENCE_S):
            found = Path(download_artifacts(artifact_uri=uri, dst_path=folder, tracking_uri=stores.tracking_uri))
    except Exception as error:
        raise told(
            error, f"the files of {uri} are not there", "check the path, and that its artifacts were kept."
        ) from error
    if not found.is_dir():
        raise SourceError(f"{uri} is no model folder.", fix="give the path of the folder that holds MLmodel.")
    return found


@contextmanager
def asking(stores: Stores, patience_s: int = PATIENCE_S) -> Iterator[MlflowClient]:
    """A client that gives up soon; what MLflow raises in the block becomes an error of ours."""
    from mlflow import MlflowClient

    _set_stores(stores)
    try:
        with patient(patience_s):
            yield MlflowClient(tracking_uri=stores.tracking_uri, registry_uri=stores.registry_uri)
    except (UsageError, Unreachable):
        raise
    except Exception as error:
        raise told(error, "MLflow has no such model", _URI_FIX) from error


@contextmanager
def patient(seconds: int) -> Iterator[None]:
    """Within the block MLflow waits so long for an answer, twice, where the environment does not say how long."""
    from mlflow import environment_variables

    limits = (
        (environment_variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES, 1),
        (environment_variables.MLFLOW_HTTP_REQUEST_TIMEOUT, seconds),
    )
    ours = [variable for variable, _ in limits if not variable.is_set()]
    for variable, value in limits:
        if variable in ours:
            variable.set(value)
    try:
        yield
    finally:
        for variable in ours:
            variable.unset()


def _set_stores(stores: Stores) -> None:
    """Tell MLflow the stores given, and refuse a database that is not there: MLflow would make an empty one."""
    import mlflow

    if stores.tracking_uri is not None:
        mlflow.set_tracking_uri(stores.tracking_uri)
    if stores.registry_uri is not None:
        mlflow.set_registry_uri(stores.registry_uri)
    for uri in {mlflow.get_tracking_uri(), mlflow.get_registry_uri()}:
        if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
            raise Unreachable(f"MLflow's database {discreet(uri)} does not exist.", fix=_URI_FIX)


def told(error: Exception, absent: str, fix: str | Callable[[], str]) -> SourceError | Unreachable:
    """MLflow's exception as ours: what it does not have is SourceError, what it does not allow is Forbidden, all else
    means that it did not answer. No address keeps its password.
    """
    from mlflow.exceptions import MlflowException

    code = error.error_code if isinstance(error, MlflowException) else ""
    if code in _ABSENT or isinstance(error, FileNotFoundError):
        return SourceError(discreet(f"{absent}."), fix=discreet(fix() if callable(fix) else fix))
    said = str(error).strip()
    reason = discreet(said.splitlines()[0]) if said else type(error).__name__
    if code in _FORBIDDEN or _READ_ONLY.search(said):
        return Forbidden(f"MLflow does not allow it: {reason}", fix="ask whoever runs it for the permission.")
    return Unreachable(f"MLflow did not answer: {reason}", fix=_URI_FIX)
