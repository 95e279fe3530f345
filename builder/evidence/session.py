"""A Spark session: the one that runs, or a local one of our own; and a saved pipeline in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError, Unreachable
from builder.evidence.frames import ROW
from builder.sparkml.reader import read_stage
from builder.sparkml.verdicts import PIPELINES, SEARCHES
from builder.sql.reading import carrying
from builder.types import Session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_LOCAL = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@contextmanager
def spark_session() -> Iterator[SparkSession]:
    """The session that runs, its settings untouched, or a local one that ends with the block. Quiet meanwhile: rows are meant to fail.

    Raises Unreachable where pyspark or Java is missing.
    """
    try:
        from pyspark import SparkContext
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise Unreachable(
            "reference answers come from Spark, and pyspark is not installed.",
            fix="pip install 'tritonbuild[train]', and Java 17; or record where the model is trained.",
        ) from error
    running = SparkContext._active_spark_context is not None  # whichever thread started it
    session = SparkSession.builder.getOrCreate() if running else _start(SparkSession.builder)
    before = _set_level(session, "OFF")
    try:
        yield session
    finally:
        if running:
            _set_level(session, before)
        else:
            session.stop()


@contextmanager
def told(session: SparkSession, settings: Session) -> Iterator[None]:
    """The session with these settings, and as it was before afterwards."""
    before = {key: session.conf.get(key) for key in settings.conf}
    for key, value in settings.conf.items():
        session.conf.set(key, value)
    try:
        yield
    finally:
        for key, value in before.items():
            session.conf.set(key, value)


def settings_of(session: SparkSession) -> Session:
    """What a running session is told."""
    return Session(session.conf.get("spark.sql.ansi.enabled") == "true", session.conf.get("spark.sql.session.timeZone"))


def _set_level(session: SparkSession, level: str) -> str:
    """Set the root logger's level and return the one before. `setLogLevel` would also end pyspark's own threshold for good."""
    log4j = session.sparkContext._jvm.org.apache.logging.log4j
    context = log4j.LogManager.getContext(False)
    root = context.getConfiguration().getRootLogger()
    before: str = root.getLevel().toString()
    root.setLevel(log4j.Level.valueOf(level))
    context.updateLoggers()
    return before


def load_stages(path: Path, session: SparkSession) -> list[Any]:
    """The saved pipeline's stages as pyspark's objects, nested pipelines and searches flattened.

    Raises SourceError where this Spark cannot load it.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.ml import PipelineModel
    from pyspark.ml.util import DefaultParamsReader

    where = f"file://{path.resolve()}"
    try:
        if read_stage(path).spark_class in PIPELINES:
            return _flatten(PipelineModel.load(where))
        return _flatten(DefaultParamsReader.loadParamsInstance(where, session.sparkContext))
    except (Py4JError, PySparkException, AttributeError, TypeError, ValueError) as error:
        raise SourceError(
            f"Spark {session.version} cannot load {path}: {first_line(error)}",
            fix=f"use Spark {read_stage(path).spark_version}, which saved it.",
        ) from error


def transform(stages: list[Any], frame: DataFrame, dropped: Collection[str]) -> DataFrame:
    """All stages in order. A stage that no output needs (`dropped`) is left out where its columns are not there.

    Raises SourceError where a needed stage does not accept its columns; as Spark does where it stops at a row already.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    for stage in stages:
        try:
            frame = _numbered(stage, frame)
        except (Py4JError, PySparkException) as error:
            if stage.uid in dropped:
                continue
            if _takes(stage, frame):  # a stage that runs a job at once, as OneVsRest does, stopped at a row's values
                raise
            raise SourceError(
                f"{stage.uid}: Spark does not accept these columns: {first_line(error)}",
                fix="check the schema given: it is not the one of the training data.",
            ) from error
    return frame


def _takes(stage: Any, frame: DataFrame) -> bool:
    """Whether the stage accepts the frame's columns, none of its rows looked at."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        _numbered(stage, frame.limit(0))
    except (Py4JError, PySparkException):
        return False
    return True


def _numbered(stage: Any, frame: DataFrame) -> DataFrame:
    """Transform, and keep the rows' numbers: a statement without `*` loses them, so it selects them too."""
    after: DataFrame = stage.transform(frame)
    if ROW in after.columns or ROW not in frame.columns or not stage.hasParam("statement"):
        return after
    numbered: DataFrame = stage.copy({stage.statement: carrying(stage.getStatement(), ROW)}).transform(frame)
    return numbered


def first_line(error: Exception) -> str:
    """The line of a Spark exception that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(": ")]
    return (told or lines or [type(error).__name__])[0].removeprefix(": ")


def _start(builder: Any) -> SparkSession:
    from pyspark.errors import PySparkException

    settings = builder.master("local[2]").appName("tritonbuild").config(map=_LOCAL)
    try:
        session: SparkSession = settings.getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        raise Unreachable(
            f"Spark did not start: {first_line(error)}",
            fix="install Java 17 and let JAVA_HOME or PATH find it; or record where the model is trained.",
        ) from error
    return session


def _flatten(stage: Any) -> list[Any]:
    name = f"{type(stage).__module__}.{type(stage).__name__}"
    if name in PIPELINES or hasattr(stage, "stages"):
        return [inner for child in stage.stages for inner in _flatten(child)]
    if name in SEARCHES:
        return _flatten(stage.bestModel)
    return [stage]
