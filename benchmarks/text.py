"""A saved text pipeline of 262,144 slots, and what a batch of it takes.

python -m benchmarks.text MODEL    answers 1,000 rows and prints by how many MB the process grew
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.saved import data, metadata, vector
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import Field, Scalar, Servable, Table

WIDTH, BATCH = 1 << 18, 1000
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


def write_text(folder: Path, seed: int = 13) -> Path:
    """Tokenizer, HashingTF, IDF, LogisticRegression, every coefficient used."""
    draw = np.random.default_rng(seed)
    stages = (
        ("Tokenizer", "feature.Tokenizer", {"inputCol": "text", "outputCol": "words"}),
        ("HashingTF", "feature.HashingTF", _HASHING),
        ("IDF", "feature.IDFModel", {"inputCol": "counts", "outputCol": "features", "minDocFreq": 0}),
        ("LogisticRegression", "classification.LogisticRegressionModel", _LOGISTIC),
    )
    model = folder / "text"
    metadata(model, "PipelineModel", "PipelineModel_2", {"stageUids": [uid for uid, *_ in stages]}, {})
    paths = {}
    for index, (uid, spark_class, params) in enumerate(stages):
        paths[uid] = model / "stages" / f"{index}_{uid}"
        metadata(paths[uid], spark_class, uid, params, {})
    rarity = vector(draw.uniform(0, 9, WIDTH))
    data(paths["IDF"], pa.table({"idf": rarity, "docFreq": pa.array([[1] * WIDTH]), "numDocs": [1000]}))
    matrix = {
        "type": 1,
        "numRows": 1,
        "numCols": WIDTH,
        "values": draw.normal(size=WIDTH).tolist(),
        "isTransposed": True,
    }
    one = {
        "numClasses": [2],
        "numFeatures": [WIDTH],
        "interceptVector": vector(np.array([0.1])),
        "isMultinomial": [False],
    }
    data(paths["LogisticRegression"], pa.table(one | {"coefficientMatrix": pa.array([matrix], _MATRIX)}))
    (folder / "schema.json").write_text(json.dumps({"type": "struct", "fields": [_TEXT]}))
    return model


def sentences(count: int, words: int = 20, seed: int = 14) -> Table:
    """Rows of so many words of one to nine letters."""
    draw = np.random.default_rng(seed)
    texts = [" ".join("".join(draw.choice(_LETTERS, draw.integers(1, 10))) for _ in range(words)) for _ in range(count)]
    return Table({"text": np.array(texts, dtype=object).reshape(-1, 1)})


def compiled(model: Path) -> Servable:
    return lower(read_pipeline(model), (Field("text", Scalar("string")),), all_rules())


def grown_megabytes(model: Path) -> float:
    """By how much the greatest resident memory grows from one row's answer to a thousand rows'."""
    predict, rows = in_process(compiled(model)), sentences(BATCH)
    predict(rows.take(slice(1)))
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what compiling left free would be taken first
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _peak_kb()
    predict(rows)
    return (_peak_kb() - before) / 1024


def _peak_kb() -> int:
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0])


_HASHING = {"inputCol": "words", "outputCol": "counts", "numFeatures": WIDTH, "binary": False}
_LOGISTIC = {
    "featuresCol": "features",
    "labelCol": "label",
    "predictionCol": "prediction",
    "probabilityCol": "probability",
    "rawPredictionCol": "rawPrediction",
    "threshold": 0.5,
}
_TEXT = {"name": "text", "type": "string", "nullable": True, "metadata": {}}
_MATRIX = pa.struct(
    [
        ("type", pa.int8()),
        ("numRows", pa.int32()),
        ("numCols", pa.int32()),
        ("colPtrs", pa.list_(pa.int32())),
        ("rowIndices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
        ("isTransposed", pa.bool_()),
    ]
)

if __name__ == "__main__":
    sys.stdout.write(f"{grown_megabytes(Path(sys.argv[1])):.1f}\n")
