"""A SOURCE → a folder on disk, its schema and its evidence; and a trained pipeline → MLflow."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from builder.errors import Unreachable, UsageError
from builder.source.folder import BESIDE, EVIDENCE_FILE, SCHEMA_FILE, FetchedModel, digest, read_folder

__all__ = ["BESIDE", "EVIDENCE_FILE", "SCHEMA_FILE", "FetchedModel", "digest", "fetch", "keep"]


def fetch(
    source: str,
    *,
    schema: Path | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> FetchedModel:
    """Bring a model to this machine: `models:/name/3`, `models:/name@alias`, `runs:/id/path`, or a folder.

    A folder is read without importing MLflow. `schema`: a file with what `df.schema.json()` prints; goes before any other.
    Raises SourceError where there is no such model or its schema is not known, UsageError on a malformed source,
    Unreachable where MLflow does not answer.
    """
    if source.startswith(("models:", "runs:")):
        from builder.source.registry import Stores, download

        found = download(source, Stores(tracking_uri, registry_uri))
        return read_folder(
            found.root,
            uri=source,
            schema=schema,
            name=found.name,
            version=found.version,
            run_id=found.run_id,
            artifacts=found.artifacts,
        )
    scheme, colon, _ = source.partition("://")
    if colon and scheme != "file":
        raise UsageError(
            f"a SOURCE cannot be a {scheme}:// address.",
            fix="give models:/name/3, models:/name@alias, runs:/id/path or a folder on this machine.",
        )
    return read_folder(Path(source.removeprefix("file://")), uri=source, schema=schema)


def keep(
    model: FetchedModel, files: Sequence[Path], *, tracking_uri: str | None = None, registry_uri: str | None = None
) -> None:
    """Put files into the model's own `tritonbuild/`: among its artifacts in MLflow, or beside a folder's stages.

    Raises Unreachable where the store or the folder cannot be written.
    """
    if model.artifacts is not None:
        from builder.source.registry import Stores, upload

        for file in files:
            upload(file, model.artifacts, Stores(tracking_uri, registry_uri), into=BESIDE)
        return
    folder = model.root / BESIDE
    try:
        folder.mkdir(exist_ok=True)
        for file in files:
            shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise Unreachable(f"{folder} cannot be written ({error}).", fix="check its permissions and space.") from error
