"""A saved Spark ML pipeline → `SavedStage`s, with json and pyarrow alone.

Reads the layouts of Spark 3.x and 4.x: `metadata/part-*` (one JSON line), `data/*.parquet` in any number of part files
and in any order, `stages/<i>_<uid>/`, nested pipelines, `bestModel/` of CrossValidatorModel and
TrainValidationSplitModel, and `pipelineModel/` of RFormulaModel.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.documents import Unreadable, read_json
from builder.errors import SourceError
from builder.sparkml.known import NEWEST, check_columns, refused_values, unknown_params
from builder.sparkml.params import Params
from builder.sparkml.parquet import read_batches, read_table, readable
from builder.sparkml.verdicts import PIPELINES, SEARCHES, how_to_fit, how_to_renew, unfitted
from builder.types import UNSAID, Session

if TYPE_CHECKING:
    import pyarrow as pa

_JVM_NAMES = {  # what pyspark saves by itself, in the JVM's layout, where a stage inside has no JVM
    "pyspark.ml.classification.OneVsRestModel": "org.apache.spark.ml.classification.OneVsRestModel",
}
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")
_ORDINAL = re.compile(r"([0-9]{1,9})_")
_NOT_METADATA = "give the folder that PipelineModel.save wrote."
_DEPTH = 50  # of pipelines inside of pipelines
_FOLDERS = 10_000  # of a pipeline that an old Spark saved, that are looked at
_ROWS = 1_000_000  # of a table that is read row by row
FORMULA = "org.apache.spark.ml.feature.RFormulaModel"


@dataclass(frozen=True)
class SavedStage:
    """One stage as Spark saved it. `extra` holds metadata keys beside the params (numFeatures, numClasses, …).

    `names`: of the columns that it reads those that are spelt otherwise where they were made.
    """

    spark_class: str
    uid: str
    params: Params
    path: Path
    spark_version: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    session: Session = UNSAID
    names: Mapping[str, str] = field(default_factory=dict)
    _read: dict[str, SavedPipeline] = field(default_factory=dict, compare=False, repr=False)

    def pipeline(self, name: str) -> SavedPipeline:
        """A pipeline that is saved within the stage's folder; read once, however often it is asked for."""
        if name not in self._read:
            self._read[name] = read_pipeline(self.path / name)
        return self._read[name]

    def column(self, name: str) -> str:
        """What the column that the stage calls `name` is called where it was made."""
        return self.names.get(name, name)

    @property
    def ansi(self) -> bool:
        """Whether Spark computes by the ANSI standard here: as the session says, else as the version that saved it does."""
        return self.since(4, 0) if self.session.ansi is None else self.session.ansi

    def table(self, name: str = "data") -> pa.Table:
        """Every row of the stage's Parquet folder `name`, from all its part files; rows in no promised order.

        Raises SourceError where the folder is missing, empty, cut short or not Parquet.
        """
        import pyarrow as pa

        tables = []
        for file in self._files(name):
            with readable(file, f"{self.uid}: "):
                tables.append(read_table(file))
        try:
            whole = pa.concat_tables(tables)
        except pa.ArrowException as error:
            raise SourceError(
                f"{self.uid}: the part files in {self.path / name} have different columns.",
                fix="two models were saved into one folder: save it again into an empty one.",
            ) from error
        check_columns(self.spark_class, name, whole, f"{self.uid}: {self.path / name}")
        return whole

    def batches(self, name: str, column: str) -> Iterator[pa.Array]:
        """One column of all the folder's rows in the order of `table`, some thousands at a time: it may be gigabytes.

        Raises SourceError as `table` does, and where there is no such column.
        """
        import pyarrow as pa

        for file in self._files(name):
            with readable(file, f"{self.uid}: "):
                for array in read_batches(file, column):
                    there = pa.table({column: array})
                    check_columns(self.spark_class, name, there, f"{self.uid}: {self.path / name}")
                    yield array

    def _files(self, name: str) -> list[Path]:
        folder = self.path / name
        files = sorted(file for file in folder.glob("*.parquet") if file.is_file()) if folder.is_dir() else []
        if not files:
            raise SourceError(
                f"{self.uid}: {folder} holds no Parquet file.",
                fix="copy the saved model again; this folder is not whole.",
            )
        return files

    def refused_params(self) -> list[str]:
        """What Spark stops at where it loads the params. Of a Spark newer than known, nothing is told."""
        if self.since(NEWEST[0], NEWEST[1] + 1):
            return []
        unknown = unknown_params(self.spark_class, self.params.names())
        told = [f"it has no param {', '.join(map(repr, unknown))}"] if unknown else []
        return told + refused_values(self.spark_class, self.params.chosen())

    def count(self, name: str, default: int | None = None) -> int:
        """A whole number of the metadata beside the params, such as numFeatures. Raises SourceError where it is none."""
        value = self.extra.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
            raise SourceError(
                f"{self.uid}: {name} should be a count and is {value!r}.", fix="copy the saved model again."
            )
        return value

    def nested(self, name: str) -> SavedStage:
        """The stage saved in this one's folder `name`. Raises SourceError where there is none."""
        return read_stage(self.path / name)

    def since(self, major: int, minor: int) -> bool:
        """Whether a Spark of this version or a newer one saved it."""
        parts = [int(part) for part in self.spark_version.split(".")[:2]]
        return parts >= [major, minor]

    def row(self, name: str = "data") -> dict[str, Any]:
        """The one row of a folder that holds one (most models). Raises SourceError where there is not just one."""
        table = self.table(name)
        if len(table) != 1:
            raise SourceError(
                f"{self.uid}: {self.path / name} should hold one row and holds {len(table):,}.",
                fix="copy the saved model again into an empty folder.",
            )
        return _Row(table.to_pylist()[0], f"{self.uid}: {self.path / name}")

    def rows(self, name: str = "data") -> list[dict[str, Any]]:
        """Each row of a folder of few rows. Raises SourceError where there are more than a million."""
        table = self.table(name)
        if len(table) > _ROWS:
            raise SourceError(f"{self.uid}: {self.path / name} holds {len(table):,} rows, more than {_ROWS:,}.")
        return [_Row(row, f"{self.uid}: {self.path / name}") for row in table.to_pylist()]


class _Row(dict[str, Any]):
    """A row that tells where it was read when a column is missing."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        super().__init__(values)
        self._where = where

    def __missing__(self, column: str) -> Any:
        raise SourceError(
            f"{self._where} has no column {column!r}; it has {', '.join(self) or 'none'}.",
            fix="copy the saved model again: these are another stage's files, or of a Spark that is not known here.",
        )


@dataclass(frozen=True)
class SavedPipeline:
    """The stages in order, nested pipelines, searches and formulas flattened; behind a formula's stages, its own: the label's."""

    path: Path
    spark_version: str
    stages: tuple[SavedStage, ...]

    def under(self, session: Session) -> SavedPipeline:
        """The same pipeline, to answer as in this session."""
        return replace(self, stages=tuple(replace(stage, session=session) for stage in self.stages))


def read_pipeline(path: Path) -> SavedPipeline:
    """Read the folder that `PipelineModel.save` wrote (or a single saved stage). Raises SourceError with what is wrong."""
    try:
        root = read_stage(path)
        return SavedPipeline(path, root.spark_version, tuple(_flatten(root)))
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error}).", fix="check its permissions, or copy it again."
        ) from error


def read_stage(path: Path) -> SavedStage:
    """Read one stage's folder: its class, params and other metadata; data is read when asked for."""
    metadata = _read_metadata(path)
    _check_api(metadata, path)
    spark_class, uid, version = (_told(metadata, key, path) for key in ("class", "uid", "sparkVersion"))
    defaults, chosen = (_mapping(metadata, key, path) for key in ("defaultParamMap", "paramMap"))
    match = _VERSION.match(version)
    if match is None:
        raise SourceError(f"{path / 'metadata'}: sparkVersion {version!r} is not a version.", fix=_NOT_METADATA)
    spark_class = _JVM_NAMES.get(spark_class, spark_class)
    release = int(match[1]), int(match[2])
    if release < (3, 0):
        told = how_to_renew(_stages_inside(path), release)
        raise SourceError(f"{uid} was saved by Spark {version}; {told.reason}.", fix=told.fix)
    if unfitted(spark_class):
        told = how_to_fit(spark_class)
        raise SourceError(f"{uid}: {told.reason}.", fix=told.fix)
    params = Params(uid, defaults, chosen)
    known = {"class", "timestamp", "sparkVersion", "uid", "paramMap", "defaultParamMap"}
    extra = {key: value for key, value in metadata.items() if key not in known}
    return SavedStage(spark_class, uid, params, path, version, extra)


def _check_api(metadata: Mapping[str, Any], path: Path) -> None:
    """Raises SourceError on a model of spark.mllib, whose metadata has neither uid nor params."""
    spark_class = metadata.get("class")
    if isinstance(spark_class, str) and spark_class.startswith("org.apache.spark.mllib."):
        raise SourceError(
            f"{path} is a {spark_class.rpartition('.')[2]} of spark.mllib, the RDD API; only Spark ML's are converted.",
            fix="fit the class of pyspark.ml with the same purpose, in a Pipeline, and save the PipelineModel.",
        )


def _stages_inside(path: Path) -> list[tuple[str, str]]:
    """(uid, class) of a saved stage and of all in its folders, at any depth; what cannot be read is left out."""
    found: list[tuple[str, str]] = []
    waiting = deque([path])
    for _ in range(_FOLDERS):
        if not waiting:
            break
        folder = waiting.popleft()
        waiting += sorted(one for one in folder.iterdir() if one.is_dir() and not one.is_symlink())
        if any((folder / "metadata").glob("part-*")):
            with suppress(SourceError):
                metadata = _read_metadata(folder)
                found.append((_told(metadata, "uid", folder), _told(metadata, "class", folder)))
    return found


def _told(metadata: Mapping[str, Any], key: str, path: Path) -> str:
    value = metadata.get(key)
    if not isinstance(value, str) or not value:
        raise SourceError(f"{path / 'metadata'}: {key!r} should be a text and is {value!r}.", fix=_NOT_METADATA)
    return value


def _mapping(metadata: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    value = metadata.get(key, {})
    if not isinstance(value, dict):
        raise SourceError(f"{path / 'metadata'}: {key!r} should be an object and is {value!r}.", fix=_NOT_METADATA)
    return value


def _read_metadata(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        raise SourceError(f"{path} does not exist.", fix="give the folder that PipelineModel.save or MLflow wrote.")
    if not path.is_dir():
        raise SourceError(f"{path} is no folder.", fix="give the folder that PipelineModel.save or MLflow wrote.")
    try:
        parts = sorted(part for part in (path / "metadata").glob("part-*") if part.stat().st_size > 0)
        document: Mapping[str, Any] | None = read_json(parts[0]) if parts else None
    except OSError as error:
        raise SourceError(
            f"{path / 'metadata'} cannot be read ({error}).", fix="check its permissions, or copy it again."
        ) from error
    except Unreadable as error:
        raise SourceError(f"{path / 'metadata'} cannot be read: {error}.", fix="copy the saved model again.") from error
    if not parts:
        raise SourceError(
            f"{path} holds no Spark ML model: metadata/part-* is missing or empty.",
            fix="give the folder that PipelineModel.save wrote (in MLflow's model folder it is `sparkml`).",
        )
    if not isinstance(document, dict):
        raise SourceError(f"{path / 'metadata'} is not a JSON object.", fix="copy the saved model again.")
    return document


def _flatten(stage: SavedStage, depth: int = 0) -> list[SavedStage]:
    if depth > _DEPTH:
        raise SourceError(f"{stage.path} is a pipeline inside of {_DEPTH} others.", fix="save its stages side by side.")
    if stage.spark_class in SEARCHES:
        return _flatten(read_stage(stage.path / "bestModel"), depth + 1)
    if stage.spark_class == FORMULA:
        return [*_flatten(read_stage(stage.path / "pipelineModel"), depth + 1), stage]
    if stage.spark_class not in PIPELINES:
        return [stage]
    uids = stage.params.texts("stageUids")
    folders = _stage_folders(stage.path / "stages")
    wanted = dict(enumerate(uids))
    strange = sorted(folder.name for at, folder in folders.items() if folder.name.split("_", 1)[-1] != wanted.get(at))
    if len(folders) != len(uids) or strange:
        raise SourceError(
            f"{stage.uid} has {len(uids)} stages in its metadata and {len(folders)} folders in {stage.path / 'stages'}"
            + (f", among them {', '.join(strange)}" if strange else "")
            + ".",
            fix="a part is missing, or two models were saved into one folder: save it again into an empty one.",
        )
    return [inner for index in wanted for inner in _flatten(read_stage(folders[index]), depth + 1)]


def _stage_folders(path: Path) -> dict[int, Path]:
    """Ordinal → folder of `<ordinal>_<uid>`; the ordinal may be padded with zeros."""
    if not path.is_dir():
        return {}
    folders = {folder: _ORDINAL.match(folder.name) for folder in sorted(path.iterdir()) if folder.is_dir()}
    return {int(match[1]): folder for folder, match in folders.items() if match}
