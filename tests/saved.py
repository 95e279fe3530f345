"""Write a pipeline's folder as Spark 4.3 does, without Spark: for tests of models that need no fitting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

VECTOR = pa.struct(
    [
        pa.field("type", pa.int8(), nullable=False),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
)


@dataclass(frozen=True)
class Stage:
    """What one stage's folder holds. `data` is its one Parquet file, or None for a plain transformer."""

    spark_class: str
    uid: str
    params: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    data: pa.Table | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def vectors(**values: Sequence[float]) -> pa.Table:
    """One row of dense vectors, by name."""
    dense = {
        name: pa.array([{"type": 1, "size": None, "indices": None, "values": list(value)}], type=VECTOR)
        for name, value in values.items()
    }
    return pa.table(dense)


def write_stage(path: Path, stage: Stage, spark_version: str = "4.3.0") -> Path:
    (path / "metadata").mkdir(parents=True)
    document = {
        "class": stage.spark_class,
        "timestamp": 1,
        "sparkVersion": spark_version,
        "uid": stage.uid,
        "paramMap": dict(stage.params),
        "defaultParamMap": dict(stage.defaults),
        **stage.extra,
    }
    (path / "metadata" / "part-00000-0-c000.txt").write_text(json.dumps(document) + "\n", encoding="utf-8")
    if stage.data is not None:
        (path / "data").mkdir()
        pq.write_table(stage.data, path / "data" / "part-00000-0-c000.snappy.parquet")
    return path


def write_pipeline(path: Path, stages: Sequence[Stage], spark_version: str = "4.3.0") -> Path:
    """`stages/<i>_<uid>/`, i padded with zeros as Spark pads it."""
    uids = [stage.uid for stage in stages]
    pipeline = Stage("org.apache.spark.ml.PipelineModel", "PipelineModel_1", {"stageUids": uids})
    write_stage(path, pipeline, spark_version)
    digits = len(str(len(stages)))
    for index, stage in enumerate(stages):
        write_stage(path / "stages" / f"{index:0{digits}d}_{stage.uid}", stage, spark_version)
    return path


def min_max(uid: str, input: str, output: str, low: Sequence[float], high: Sequence[float], **params: Any) -> Stage:
    return Stage(
        "org.apache.spark.ml.feature.MinMaxScalerModel",
        uid,
        {"inputCol": input, "outputCol": output, **params},
        {"min": 0.0, "max": 1.0, "outputCol": f"{uid}__output"},
        vectors(originalMin=low, originalMax=high),
    )
