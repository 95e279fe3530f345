"""A saved text pipeline of 262,144 slots, and what a batch of it takes.

python -m benchmarks.text MODEL    answers 1,000 rows and prints by how many MB the process grew
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Sequence
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


def write_text(folder: Path, words: Sequence[str] | None = None, seed: int = 13) -> Path:
    """Tokenizer, HashingTF, IDF, LogisticRegression, every coefficient used; with `words`, their CountVectorizer."""
    draw = np.random.default_rng(seed)
    width = WIDTH if words is None else len(words)
    counter = ("HashingTF", "feature.HashingTF", _HASHING)
    if words is not None:
        counter = ("CountVectorizer", "feature.CountVectorizerModel", _COUNTING | {"vocabSize": width})
    stages = (
        ("Tokenizer", "feature.Tokenizer", {"inputCol": "text", "outputCol": "words"}),
        counter,
        ("IDF", "feature.IDFModel", {"inputCol": "counts", "outputCol": "features", "minDocFreq": 0}),
        ("LogisticRegression", "classification.LogisticRegressionModel", _LOGISTIC),
    )
    model = folder / "text"
    metadata(model, "PipelineModel", "PipelineModel_2", {"stageUids": [uid for uid, *_ in stages]}, {})
    paths = {}
    for index, (uid, spark_class, params) in enumerate(stages):
        paths[uid] = model / "stages" / f"{index}_{uid}"
        metadata(paths[uid], spark_class, uid, params, {})
    if words is not None:
        data(paths["CountVectorizer"], pa.table({"vocabulary": [words]}))
    rarity = vector(draw.uniform(0, 9, width))
    data(paths["IDF"], pa.table({"idf": rarity, "docFreq": pa.array([[1] * width]), "numDocs": [1000]}))
    matrix = {
        "type": 1,
        "numRows": 1,
        "numCols": width,
        "values": draw.normal(size=width).tolist(),
        "isTransposed": True,
    }
    one = {
        "numClasses": [2],
        "numFeatures": [width],
        "interceptVector": vector(np.array([0.1])),
        "isMultinomial": [False],
    }
    data(paths["LogisticRegression"], pa.table(one | {"coefficientMatrix": pa.array([matrix], _MATRIX)}))
    (folder / "schema.json").write_text(json.dumps({"type": "struct", "fields": [_TEXT]}))
    return model


def vocabulary(count: int) -> list[str]:
    """So many words, each once, in no order."""
    return [f"w{number * 2654435761 % 2**32:x}" for number in range(count)]


def sentences(count: int, words: int = 20, seed: int = 14, known: Sequence[str] = ()) -> Table:
    """Rows of so many words of one to nine letters; with `known`, every other word is one of these."""
    draw = np.random.default_rng(seed)

    def word(place: int) -> str:
        if known and place % 2:
            return known[int(draw.integers(len(known)))]
        return "".join(draw.choice(_LETTERS, draw.integers(1, 10)))

    texts = [" ".join(word(place) for place in range(words)) for _ in range(count)]
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
_COUNTING = {
    "inputCol": "words",
    "outputCol": "counts",
    "binary": False,
    "minTF": 1.0,
    "minDF": 1.0,
    "maxDF": 2**63 - 1,
}
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
