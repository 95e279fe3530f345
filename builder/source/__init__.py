"""A SOURCE → a folder on disk, its schema and its evidence; and a trained pipeline → MLflow."""

from __future__ import annotations

from pathlib import Path

from builder.errors import UsageError
from builder.source.folder import BESIDE, EVIDENCE_FILE, SCHEMA_FILE, FetchedModel, digest, read_folder

__all__ = ["BESIDE", "EVIDENCE_FILE", "SCHEMA_FILE", "FetchedModel", "digest", "fetch"]


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
            found.root, uri=source, schema=schema, name=found.name, version=found.version, run_id=found.run_id
        )
    scheme, colon, _ = source.partition("://")
    if colon and scheme != "file":
        raise UsageError(
            f"a SOURCE cannot be a {scheme}:// address.",
            fix="give models:/name/3, models:/name@alias, runs:/id/path or a folder on this machine.",
        )
    return read_folder(Path(source.removeprefix("file://")), uri=source, schema=schema)
