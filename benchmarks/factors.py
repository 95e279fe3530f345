"""A saved ALS model of any size, written as Spark 4.3 writes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.saved import metadata
from builder.types import Table

PARTS = 10
UID = "ALS_1"


def write_factors(folder: Path, users: int, items: int, rank: int, seed: int = 13) -> Path:
    """A pipeline of an ALSModel whose ids lie scattered; `schema.json` beside it."""
    draw = np.random.default_rng(seed)
    model = folder / "factors"
    stage = model / "stages" / f"0_{UID}"
    metadata(model, "PipelineModel", "PipelineModel_1", {"stageUids": [UID]}, {})
    params = {"userCol": "user", "itemCol": "item", "predictionCol": "prediction", "coldStartStrategy": "nan"}
    metadata(stage, "recommendation.ALSModel", UID, {**params, "blockSize": 4096}, {"rank": rank})
    for name, count in (("userFactors", users), ("itemFactors", items)):
        ids = ids_of(count)
        (stage / name).mkdir()
        for part, own in enumerate(np.array_split(ids, PARTS)):
            values = pa.array(draw.standard_normal(len(own) * rank, dtype=np.float32))
            offsets = pa.array(np.arange(0, len(own) * rank + 1, rank, dtype=np.int32))
            table = pa.table({"id": own, "features": pa.ListArray.from_arrays(offsets, values)})
            pq.write_table(table, stage / name / f"part-{part:05}.parquet", compression="none", use_dictionary=False)
    fields = [{"name": name, "type": "integer", "nullable": False, "metadata": {}} for name in ("user", "item")]
    (folder / "schema.json").write_text(json.dumps({"type": "struct", "fields": fields}))
    return model


def ids_of(count: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """So many of all 32-bit integers, each once, in no order."""
    numbers = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)
    return numbers.astype(np.uint32).astype(np.int32)


def rows(count: int, users: int, items: int) -> Table:
    """Rows of ids that it knows."""
    draw = np.random.default_rng(count)
    return Table(
        {"user": draw.choice(ids_of(users), count)[:, None], "item": draw.choice(ids_of(items), count)[:, None]}
    )
