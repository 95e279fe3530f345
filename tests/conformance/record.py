"""Ask real Spark: fit each row's pipeline, save it, let it answer the row's rows, and keep all of it on disk.

    python -m tests.conformance.record [--smoke] [ID …]

Runs under any interpreter with pyspark ≥ 3.5, numpy, pandas and pyarrow in it; imports nothing of builder. What the
cache already holds under a row's digest and this Spark's version is not asked again; with nothing to ask, no JVM starts.
"""

from __future__ import annotations

import argparse
import fcntl
import glob
import importlib
import inspect
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.conformance.row import Columns, Row, Stage, Vector
from tests.conformance.table import TABLE

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "conformance"
NUMBER = "__row"  # the column that tells an answer's row
_MODULES = (
    "feature",
    "classification",
    "regression",
    "clustering",
    "recommendation",
    "fpm",
    "tuning",
    "evaluation",
    "pipeline",
    "linalg",
)


def entry(row: Row, spark_version: str) -> Path:
    """The row's folder: pipeline/, schema.json, answers.parquet, answers.json."""
    return CACHE / f"spark-{spark_version}" / f"{row.id.replace('/', '.')}-{row.digest()}"


def missing(rows: Sequence[Row], spark_version: str) -> list[Row]:
    """Those that this Spark can answer and has not yet."""
    version = tuple(int(part) for part in spark_version.split(".")[:2])
    return [row for row in rows if version >= row.since and not entry(row, spark_version).is_dir()]


def record(rows: Sequence[Row], threads: int = 3) -> dict[str, str]:
    """Row id → what went wrong, for the rows that could not be recorded. One process at a time asks."""
    spark_version = version("pyspark")
    if not missing(rows, spark_version):
        return {}
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _record_missing(rows, spark_version, threads)


def _record_missing(rows: Sequence[Row], spark_version: str, threads: int) -> dict[str, str]:
    todo = missing(rows, spark_version)
    if not todo:
        return {}
    with _session() as session, ThreadPoolExecutor(threads) as pool:
        started = time.monotonic()
        troubles = dict(
            zip([r.id for r in todo], pool.map(lambda row: _try(session, row, spark_version), todo), strict=True)
        )
        print(f"{len(todo)} rows by Spark {spark_version} in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return {id: trouble for id, trouble in troubles.items() if trouble}


def _try(session: Any, row: Row, spark_version: str) -> str:
    target = entry(row, spark_version)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".work-", dir=target.parent))
    try:
        _record(session, row, work)
        name = glob.escape(row.id.replace("/", "."))  # an id may hold a *
        for stale in target.parent.glob(f"{name}-{'?' * 16}"):
            shutil.rmtree(stale)
        work.rename(target)
    except Exception as error:  # whatever Spark says of one row must not lose the others
        shutil.rmtree(work)
        return f"{type(error).__name__}: {str(error)[:2000]}"
    return ""


def _record(session: Any, row: Row, folder: Path) -> None:
    from pyspark.ml import Pipeline

    if row.conf:
        session = session.newSession()
        for key, value in row.conf.items():
            session.conf.set(key, value)
    trained = _frame(session, row.train or row.rows)
    fitted = Pipeline(stages=[_make(stage) for stage in row.stages]).fit(trained.drop(NUMBER))
    fitted.save((folder / "pipeline").as_uri())
    (folder / "schema.json").write_text(trained.drop(NUMBER).schema.json())
    if row.refused:
        return
    count = len(next(iter(row.rows.values())).values)
    answers: dict[int, Sequence[Any]] = {}
    raised: dict[int, str] = {}
    schema = _ask(session, fitted, row, answers, raised)
    if not answers:
        raise AssertionError(f"Spark answered not one row of {row.id}: {next(iter(raised.values()), 'all dropped')}")
    status = {"raised": raised, "dropped": sorted(set(range(count)) - set(answers) - set(raised)), "schema": schema}
    (folder / "answers.json").write_text(json.dumps(status))
    _store(folder / "answers.parquet", schema["fields"], answers)


def _ask(session: Any, model: Any, row: Row, answers: dict[int, Any], raised: dict[int, str]) -> Any:
    """One job for all rows; where it raises, one for each row. Returns the outputs' schema."""
    frame, model = _frame(session, row.rows), _carrying(model)
    answered = model.transform(frame).select(NUMBER, *row.outputs)
    try:
        found = answered.collect()
    except _spark_errors():
        # round robin, one row a partition; the checkpoint keeps a stage's filter from moving in front of it
        frame = frame.repartition(frame.count()).localCheckpoint()
        split = model.transform(frame).select(NUMBER, *row.outputs)
        if split.rdd.getNumPartitions() == frame.rdd.getNumPartitions():
            found = _each(session, frame, split, raised)
        else:
            found = _one_by_one(frame, model, row, raised)
    answers.update({each[0]: each[1:] for each in found})
    return json.loads(answered.drop(NUMBER).schema.json())


def _carrying(model: Any) -> Any:
    """A statement without `*` loses the rows' numbers: there it selects them too."""
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import SQLTransformer

    stages = [
        SQLTransformer(statement=stage.getStatement().replace(" FROM __THIS__", f", {NUMBER} FROM __THIS__"))
        if isinstance(stage, SQLTransformer) and not stage.getStatement().startswith("SELECT *")
        else stage
        for stage in model.stages
    ]
    return PipelineModel(stages)


def _each(session: Any, frame: Any, answered: Any, raised: dict[int, str]) -> list[Any]:
    """The rows of each partition that does not raise. Planned once, and no Python worker takes part."""
    from pyspark.sql.functions import spark_partition_id

    context, rows, found = session.sparkContext, answered.rdd, []
    for number, partition in frame.select(NUMBER, spark_partition_id()).collect():
        try:
            socket = context._jvm.PythonRDD.runJob(context._jsc.sc(), rows._jrdd, [partition])
            found += _from_socket(socket, rows._jrdd_deserializer)
        except _spark_errors() as error:
            raised[number] = str(error)[:500]
    return found


def _one_by_one(frame: Any, model: Any, row: Row, raised: dict[int, str]) -> list[Any]:
    """A plan for each row: where the model joins (ALS), rows do not stay in their partitions."""
    found = []
    for (number,) in frame.select(NUMBER).collect():
        alone = frame.where(frame[NUMBER] == number).localCheckpoint()
        try:
            found += model.transform(alone).select(NUMBER, *row.outputs).collect()
        except _spark_errors() as error:
            raised[number] = str(error)[:500]
    return found


def _from_socket(socket: Any, deserializer: Any) -> list[Any]:
    try:
        from pyspark.util import _load_from_socket  # 4.x
    except ImportError:
        from pyspark.rdd import _load_from_socket
    stream = _load_from_socket(socket, deserializer)
    if not hasattr(stream, "__enter__"):
        return list(stream)
    with stream as rows:  # 4.3
        return list(rows)


def _spark_errors() -> tuple[type[Exception], ...]:
    """What Spark raises of a row, and nothing that only we could have done wrong."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    return (Py4JJavaError, PySparkException)


def _frame(session: Any, columns: Columns) -> Any:
    """A DataFrame of one partition, its rows numbered."""
    from pyspark.ml.linalg import VectorUDT
    from pyspark.sql.types import ArrayType, IntegerType, StructField, StructType, _parse_datatype_string

    fields = [StructField(NUMBER, IntegerType(), False)]
    for name, column in columns.items():
        kind = VectorUDT() if column.type == "vector" else _parse_datatype_string(column.type)
        if isinstance(kind, ArrayType) and kind.elementType.typeName() in ("double", "float"):
            kind.containsNull = False  # as clusterers want it
        fields.append(StructField(name, kind, column.nullable, dict(column.metadata)))
    values = [map(_value, column.values) for column in columns.values()]
    return session.createDataFrame(list(zip(itertools.count(), *values, strict=False)), StructType(fields))


def _value(value: Any) -> Any:
    from pyspark.ml.linalg import Vectors

    if not isinstance(value, Vector):
        return value
    if value.size is None:
        return Vectors.dense(*value.values)
    return Vectors.sparse(value.size, list(value.indices), list(value.values))


def _make(what: Any) -> Any:
    if isinstance(what, Stage):
        target = _find(what.name)
        params = dict(what.params)
        grid = params.pop("estimatorParamMaps", None)
        params = {name: _make(value) for name, value in params.items()}
        taken = inspect.signature(target).parameters  # some params (a tree's `thresholds`) have a setter alone
        made = target(*map(_make, what.arguments), **{n: v for n, v in params.items() if n in taken})
        for name in params.keys() - taken.keys():
            made.set(made.getParam(name), params[name])
        if grid is not None:
            estimator = made.getEstimator()
            made.setEstimatorParamMaps([{estimator.getParam(n): v for n, v in each.items()} for each in grid])
        return made
    if isinstance(what, list | tuple):
        return [_make(each) for each in what]
    return _value(what)


def _find(dotted: str) -> Any:
    name, *rest = dotted.split(".")
    package = "xgboost.spark" if name.startswith("SparkXGB") else None
    for module in [package] if package else [f"pyspark.ml.{module}" for module in _MODULES]:
        found = getattr(importlib.import_module(module), name, None)
        if found is not None:
            for attribute in rest:
                found = getattr(found, attribute)
            return found
    raise AssertionError(f"{package or 'pyspark.ml'} has no {dotted}")


def _store(path: Path, fields: Sequence[Any], answers: dict[int, Sequence[Any]]) -> None:
    """Columns as Spark typed them, in the order of the rows; vectors as dense lists."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "double": pa.float64(), "float": pa.float32(), "integer": pa.int32(), "long": pa.int64(), "short": pa.int16(),
        "byte": pa.int8(), "boolean": pa.bool_(), "string": pa.string(), "date": pa.date32(),
    }  # fmt: skip
    numbers = sorted(answers)
    table = {NUMBER: pa.array(numbers, pa.int32())}
    for i, field in enumerate(fields):
        values = [answers[number][i] for number in numbers]
        if isinstance(field["type"], dict) and field["type"].get("elementType") == "string":
            table[field["name"]] = pa.array(values, pa.list_(pa.string()))
        elif isinstance(field["type"], dict):
            values = [None if value is None else _slots(value) for value in values]
            table[field["name"]] = pa.array(values, pa.list_(pa.float64()))
        elif field["type"].startswith("decimal"):
            table[field["name"]] = pa.array([None if v is None else float(v) for v in values], pa.float64())
        else:
            table[field["name"]] = pa.array(values, kinds[field["type"]], from_pandas=False)
    pq.write_table(pa.table(table), path)


def _slots(value: Any) -> list[float]:
    """A vector's slots; of an array of vectors those of all, one behind the other."""
    return [slot for each in value for slot in _slots(each)] if isinstance(value, list) else value.toArray().tolist()


@contextmanager
def _session() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory(prefix="conformance-spark-") as scratch:
        os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
        session = (
            SparkSession.builder.master("local[2]")
            .appName("conformance")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.memory", "2g")
            .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")  # half the time
            .config("spark.default.parallelism", "1")
            .config("spark.sql.shuffle.partitions", "1")
            .config("spark.sql.adaptive.enabled", "false")
            .config("spark.sql.execution.sortBeforeRepartition", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.warehouse.dir", f"{scratch}/warehouse")
            .config("spark.local.dir", scratch)
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("OFF")
        try:
            yield session
        finally:
            session.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*", help="rows, or families (`trees`); all of them where none is given")
    parser.add_argument("--smoke", action="store_true", help="only the rows marked `smoke`")
    given = parser.parse_args()
    rows = [
        row
        for row in TABLE.values()
        if (not given.ids or row.id in given.ids or row.id.split("/")[0] in given.ids)
        and (row.smoke or not given.smoke)
    ]
    troubles = record(rows)
    for id, trouble in troubles.items():
        print(f"{id}: {trouble}\n", file=sys.stderr)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
