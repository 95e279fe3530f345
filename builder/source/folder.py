"""A folder on disk → its pipeline, schema and evidence. Speaks no MLflow, starts no Spark."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.documents import Unreadable, read_bytes, read_yaml
from builder.errors import SourceError, UsageError
from builder.source.foreign import check_is_model
from builder.source.signature import schema_of_signature, without_tensors
from builder.sparkml.reader import read_stage
from builder.sparkml.schema import parse_schema
from builder.sparkml.verdicts import PIPELINES
from builder.types import Schema

BESIDE = "tritonbuild"  # our folder inside a model's folder
SCHEMA_FILE = "schema.json"
EVIDENCE_FILE = "evidence.parquet"

_SCHEMA_FIX = (
    "where the model is trained, open('schema.json', 'w').write(df.schema.json()) with df the DataFrame that goes "
    "into transform; then give --schema schema.json."
)


@dataclass(frozen=True)
class FetchedModel:
    """A model on this machine's disk.

    `root` holds all that was fetched, `path` is the Spark PipelineModel folder in it. `evidence` is None where none was
    recorded. `digest`: sha256 over the pipeline's files. `notes`: what a person should know of the schema.
    `run_id`, `name`, `version` and `artifacts` (a URI) are MLflow's, where the source has them.
    """

    uri: str
    root: Path
    path: Path
    schema: Schema
    digest: str
    evidence: Path | None = None
    name: str | None = None
    version: int | None = None
    run_id: str | None = None
    artifacts: str | None = None
    notes: tuple[str, ...] = ()


def read_folder(
    root: Path,
    *,
    uri: str,
    schema: Path | None = None,
    name: str | None = None,
    version: int | None = None,
    run_id: str | None = None,
    artifacts: str | None = None,
) -> FetchedModel:
    """An MLflow model folder, or the folder that `PipelineModel.save` wrote, as a FetchedModel.

    The schema is `schema` (a file) where given, else `tritonbuild/schema.json` beside the model, else MLflow's signature.
    Raises SourceError where the folder is no model, holds two, or tells no schema; UsageError on the schema file.
    """
    try:
        check_is_model(root)
        _check_links(root)
        mlmodel = _read_mlmodel(root)
        path = root if mlmodel is None else _spark_data(root, mlmodel)
        _check_one_model(path)
        found, notes = _schema(root, schema, mlmodel)
        evidence = root / BESIDE / EVIDENCE_FILE
        return FetchedModel(
            uri,
            root,
            path,
            found,
            digest(path),
            evidence if evidence.is_file() else None,
            name,
            version,
            run_id or (mlmodel or {}).get("run_id"),
            artifacts,
            notes,
        )
    except OSError as error:
        raise SourceError(f"{root} cannot be read ({error}).", fix="check the path and its permissions.") from error


def digest(path: Path) -> str:
    """sha256 over relative names and contents of a pipeline's files; Hadoop's markers and our own folder aside."""
    total = hashlib.sha256()
    for file in _files(path):
        with file.open("rb") as content:
            inner = hashlib.file_digest(content, "sha256")
        total.update(f"{file.relative_to(path).as_posix()}\0{inner.hexdigest()}\n".encode())
    return total.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    for file in sorted(_entries(path)):
        relative = file.relative_to(path)
        if relative.parts[0] != BESIDE and file.is_file() and file.suffix != ".crc" and file.name != "_SUCCESS":
            yield file


def _read_mlmodel(root: Path) -> Mapping[str, Any] | None:
    """The MLmodel document, or None where the folder is not an MLflow model."""
    file = root / "MLmodel"
    if not file.is_file():
        return None
    try:
        document: Mapping[str, Any] = read_yaml(file)
    except (OSError, Unreadable) as error:
        raise SourceError(f"{file} cannot be read ({error}).", fix="copy or download the model again.") from error
    flavors = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(flavors, dict) or not all(isinstance(name, str) for name in flavors):
        raise SourceError(f"{file} is not an MLflow model description.", fix="copy or download the model again.")
    for key, kind in (("run_id", str), ("signature", dict)):
        if not isinstance(document.get(key), kind | None):
            raise SourceError(f"{file}: {key} is not a {kind.__name__}.", fix="copy or download the model again.")
    return document


def _spark_data(root: Path, mlmodel: Mapping[str, Any]) -> Path:
    spark = mlmodel["flavors"].get("spark")
    if not isinstance(spark, dict) or not spark.get("model_data"):
        flavors = ", ".join(sorted(mlmodel["flavors"])) or "none"
        raise SourceError(
            f"{root} is an MLflow model without Spark's flavor; it has: {flavors}.",
            fix="give a model that mlflow.spark.log_model or builder.log_model wrote.",
        )
    data = spark["model_data"]
    if not isinstance(data, str) or "\0" in data or not _inside(root / data, root):
        told = (
            repr(data[:200]) if isinstance(data, str) else f"(a {type(data).__name__})"
        )  # aliases: its text may be huge
        raise SourceError(
            f"{root / 'MLmodel'}: model_data {told} is not a folder inside of the model's own.",
            fix="a model reads nothing outside of its folder: copy or download it again.",
        )
    return root / data


def _inside(path: Path, root: Path) -> bool:
    """Whether a path, its links followed, lies in the folder."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False


def _check_links(root: Path) -> None:
    """Raises SourceError where a link of the model's folder leads out of it, or nowhere."""
    for path in _entries(root):
        if path.is_symlink() and not (_inside(path, root) and path.exists()):
            raise SourceError(
                f"{path} is a link that leads out of the model's folder, or nowhere.",
                fix="a model reads nothing outside of its folder: copy what it points to into its place (cp -rL does).",
            )


def _entries(root: Path) -> Iterator[Path]:
    """All in a folder, links not followed. pathlib and os.walk recurse, and a thousand levels end them."""
    waiting = [root]
    while waiting:
        for path in waiting.pop().iterdir():
            yield path
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)


def _check_one_model(path: Path) -> None:
    """MLflow saves a second model *into* the first, and loading gives the first: refuse such a folder."""
    stage = read_stage(path)
    if stage.spark_class not in PIPELINES:
        return
    strange = sorted(
        entry.name
        for entry in path.iterdir()
        if entry.is_dir() and entry.name not in ("metadata", "stages", BESIDE) and not entry.name.startswith((".", "_"))
    )
    if strange:
        raise SourceError(
            f"{path} holds a folder that no pipeline has: {', '.join(strange)}; a second model was saved into the first.",
            fix="save the model again into an empty folder, or log it again.",
        )


def _schema(root: Path, given: Path | None, mlmodel: Mapping[str, Any] | None) -> tuple[Schema, tuple[str, ...]]:
    stored = root / BESIDE / SCHEMA_FILE
    file = given or (stored if stored.is_file() else None)
    if file is not None:
        return _schema_file(file)
    signature = (mlmodel or {}).get("signature") or {}
    if not signature.get("inputs"):
        what = "was logged without a signature" if mlmodel else "is a plain Spark folder, which knows no column types"
        raise SourceError(f"{root} {what}: the types of its input columns are not known.", fix=_SCHEMA_FIX)
    return schema_of_signature(signature["inputs"], root / "MLmodel")


def _schema_file(file: Path) -> tuple[Schema, tuple[str, ...]]:
    try:
        text = read_bytes(file).decode("utf-8")
    except (OSError, UnicodeDecodeError, Unreadable) as error:
        raise UsageError(f"the schema file {file} cannot be read ({error}).", fix=_SCHEMA_FIX) from error
    try:
        schema = parse_schema(text)
        return schema, without_tensors(schema)
    except SourceError as error:
        raise SourceError(f"{file}: {error.message}", fix=error.fix) from error
