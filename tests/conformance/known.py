"""What Spark's own classes save: the params that each has, and the columns of its data with their types, as data.

    python -m tests.conformance.known      # adds what this interpreter's Spark and the recorded pipelines tell

Run it under the oldest and the newest Spark; params are asked of the JVM, columns are read from the conformance table's
recorded pipelines. It writes builder/sparkml/saved.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq

from builder.sparkml.verdicts import PIPELINES, SEARCHES
from tests.conformance.record import CACHE

FILE = Path(__file__).resolve().parents[2] / "builder" / "sparkml" / "saved.json"
_OURS = "org.apache.spark.ml."


def _params(stages: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    """class → its params, of a saved stage of it that Spark loads."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    reader = session._jvm.org.apache.spark.ml.util.DefaultParamsReader
    try:
        found: dict[str, list[str]] = {}
        for name, stage in stages:
            for context in () if name in found else (session._jsparkSession, session._jsc.sc()):
                with suppress(Exception):  # another saved stage of the class may load
                    made = reader.loadParamsInstance(str(stage), context)
                    found[name] = sorted(param.name() for param in made.params())
                    break
        return found
    finally:
        session.stop()


def stages(pipelines: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Each saved stage of Spark's own classes: its class and its folder."""
    for pipeline in pipelines:
        for metadata in pipeline.rglob("metadata"):
            spark_class = json.loads(next(metadata.glob("part-*")).read_text())["class"]
            if spark_class.startswith(_OURS) and spark_class not in PIPELINES | SEARCHES:
                yield spark_class, metadata.parent


def columns(pipelines: Iterable[Path]) -> dict[str, dict[str, dict[str, list[str]]]]:
    """class → folder of its data → column → its types; "null" among them where the column or what it holds may be null."""
    found: dict[str, dict[str, dict[str, set[str]]]] = {}
    for spark_class, stage in stages(pipelines):
        inside = {stage / name for name in ("stages", "bestModel", "pipelineModel", "model_0", "model_1", "model_2")}
        for file in stage.rglob("*.parquet"):
            if inside & set(file.parents):
                continue
            table = pq.ParquetFile(file).read()
            folder = file.parent.relative_to(stage).as_posix()
            there = found.setdefault(spark_class, {}).setdefault(folder, {})
            for name, column in zip(table.column_names, table.columns, strict=True):
                types = there.setdefault(name, set())
                types.add(type_name(column.type))
                types.update(f"null {path}".strip() for path in nulls(column))
    return {
        spark_class: {folder: {name: sorted(types) for name, types in sorted(columns.items())}
                      for folder, columns in sorted(folders.items())}
        for spark_class, folders in sorted(found.items())
    }  # fmt: skip


if __name__ == "__main__":
    from builder.sparkml.parquet import nulls, type_name

    document = json.loads(FILE.read_text()) if FILE.exists() else {"params": {}, "data": {}}
    recorded = list(CACHE.glob("*/*/pipeline"))
    for name, params in _params(stages(recorded)).items():
        document["params"][name] = sorted({*document["params"].get(name, []), *params})
    for spark_class, folders in columns(recorded).items():
        for folder, there in folders.items():
            known = document["data"].setdefault(spark_class, {}).setdefault(folder, {})
            for name, types in there.items():
                known[name] = sorted({*known.get(name, []), *types})
    FILE.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
