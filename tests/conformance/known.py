"""What Spark's own classes save: the params that each has, and the columns of its data with their types, as data.

    python -m tests.conformance.known      # adds what this interpreter's Spark and the recorded pipelines tell

Run it under the oldest and the newest Spark; params are asked of the JVM, columns are read from the conformance table's
recorded pipelines. It writes builder/sparkml/saved.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from builder.sparkml.verdicts import PIPELINES, SEARCHES
from tests.conformance.record import CACHE

FILE = Path(__file__).resolve().parents[2] / "builder" / "sparkml" / "saved.json"
_OURS = "org.apache.spark.ml."


_ENUMERATED = frozenset(
    {
        "handleInvalid", "modelType", "distanceMeasure", "strategy", "coldStartStrategy", "targetType", "featureType",
        "labelType", "selectionMode", "selectorType", "stringOrderType", "stringIndexerOrderType", "loss",
    }
)  # fmt: skip  # whose words stand in their documentation
_NUMBERS = (-1e300, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 1e9)


def _valid(param: Any, values: set[str]) -> Any:
    """What the param takes: its words, or (least, whether more than that, most); None where it takes anything."""
    kind, takes = param.getClass().getSimpleName(), param.isValid().apply
    try:
        if kind == "Param" and param.name() in _ENUMERATED and not takes("\u2603"):
            taken = sorted(value for value in values | set(re.findall(r"\w+", param.doc())) if takes(value))
            return None if any(takes(value.upper()) for value in taken) else taken or None
        if kind in ("DoubleParam", "FloatParam", "IntParam", "LongParam"):
            whole = kind in ("IntParam", "LongParam")
            asked = [
                int(one) if whole else one for one in _NUMBERS if not whole or (one == int(one) and abs(one) < 2**31)
            ]
            taken = [one for one in asked if takes(one)]
            if not taken or taken == asked:
                return None
            more = asked[asked.index(taken[0]) - 1] if taken[0] not in (0, 1, 2) and taken[0] != asked[0] else None
            least = taken[0] if more is None else more
            return [
                None if taken[0] == asked[0] else least,
                more is not None,
                1.0 if taken[-1] == 1.0 else None,
            ]
    except Exception:
        return None
    return None


def _params(stages: Iterable[tuple[str, Path]]) -> dict[str, dict[str, Any]]:
    """class → its params and what each takes, of a saved stage of it that Spark loads."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    reader = session._jvm.org.apache.spark.ml.util.DefaultParamsReader
    try:
        found: dict[str, dict[str, Any]] = {}
        for name, stage in stages:
            for context in () if name in found else (session._jsparkSession, session._jsc.sc()):
                with suppress(Exception):  # another saved stage of the class may load
                    made = reader.loadParamsInstance(str(stage), context)
                    words = {str(made.get(param).get()) for param in made.params() if made.isSet(param)}
                    found[name] = {param.name(): _valid(param, words) for param in made.params()}
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


def _wider(a: Any, b: Any) -> Any:
    """What one of two Sparks takes."""
    if a is None or b is None or isinstance(a[0], str) != isinstance(b[0], str):
        return None
    if isinstance(a[0], str):
        return sorted({*a, *b})
    return a if a == b else None


if __name__ == "__main__":
    from builder.sparkml.parquet import nulls, type_name

    document = json.loads(FILE.read_text()) if FILE.exists() else {"params": {}, "data": {}}
    recorded = list(CACHE.glob("*/*/pipeline"))
    for name, params in _params(stages(recorded)).items():
        known = document["params"].setdefault(name, {})
        for param, taken in params.items():
            known[param] = _wider(known[param], taken) if param in known else taken
    for spark_class, folders in columns(recorded).items():
        for folder, there in folders.items():
            known = document["data"].setdefault(spark_class, {}).setdefault(folder, {})
            for name, types in there.items():
                known[name] = sorted({*known.get(name, []), *types})
    FILE.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
