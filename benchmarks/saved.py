"""The folders that Spark 4.3 writes, without Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq


def vector(values: npt.NDArray[np.float64]) -> pa.Array:
    """One dense vector, as a column of one row."""
    kind = pa.struct(
        [
            ("type", pa.int8()),
            ("size", pa.int32()),
            ("indices", pa.list_(pa.int32())),
            ("values", pa.list_(pa.float64())),
        ]
    )
    return pa.array([{"type": 1, "size": None, "indices": None, "values": values.tolist()}], kind)


def metadata(folder: Path, spark_class: str, uid: str, params: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """What Spark 4.3 writes of a class of org.apache.spark.ml."""
    document = {
        "class": f"org.apache.spark.ml.{spark_class}",
        "timestamp": 1,
        "sparkVersion": "4.3.0",
        "uid": uid,
        "paramMap": dict(params),
        "defaultParamMap": {},
        **extra,
    }
    (folder / "metadata").mkdir(parents=True)
    (folder / "metadata" / "part-00000-0-c000.txt").write_text(json.dumps(document) + "\n")


def data(folder: Path, table: pa.Table, name: str = "data") -> None:
    """A Parquet folder of the stage's."""
    (folder / name).mkdir()
    pq.write_table(table, folder / name / "part-00000-0-c000.snappy.parquet")
