"""A saved ALS model of any size, written as Spark 4.3 writes it; published, and what that takes.

python -m benchmarks.factors [--users N] [--items N] [--rank N]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PARTS = 10
UID = "ALS_1"
MEBIBYTE = 1 << 20


def write_factors(folder: Path, users: int, items: int, rank: int, seed: int = 13) -> Path:
    """A pipeline of an ALSModel whose ids lie scattered; `schema.json` beside it."""
    draw = np.random.default_rng(seed)
    model = folder / "factors"
    stage = model / "stages" / f"0_{UID}"
    _metadata(model, "PipelineModel", "PipelineModel_1", {"stageUids": [UID]}, {})
    params = {"userCol": "user", "itemCol": "item", "predictionCol": "prediction", "coldStartStrategy": "nan"}
    _metadata(stage, "recommendation.ALSModel", UID, {**params, "blockSize": 4096}, {"rank": rank})
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


def _metadata(folder: Path, spark_class: str, uid: str, params: dict[str, object], extra: dict[str, object]) -> None:
    document = {
        "class": f"org.apache.spark.ml.{spark_class}",
        "timestamp": 0,
        "sparkVersion": "4.3.0",
        "uid": uid,
        "paramMap": params,
        "defaultParamMap": {},
    }
    (folder / "metadata").mkdir(parents=True)
    (folder / "metadata" / "part-00000-0-c000.txt").write_text(json.dumps(document | extra))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=4_300_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rank", type=int, default=128)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="factors-") as name:
        folder = Path(name)
        model = write_factors(folder, given.users, given.items, given.rank)
        size = (given.users + given.items) * given.rank * 4
        command = ["publish", str(model), "--schema", str(folder / "schema.json"), "--unproven"]
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "builder.cli", *command, "--repository", str(folder / "repository")], check=True
        )
        seconds = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        print(
            f"{size / MEBIBYTE:,.0f} MiB of factors: published in {seconds:.1f} s, at most {peak / MEBIBYTE:,.0f} MiB"
        )
        repository = folder / "repository"
        expected = _open(repository / "factors" / "1" / "model.onnx", given.users, given.items)
        _serve(repository, expected, given.users, given.items)


def _open(model: Path, users: int, items: int) -> bytes:
    """Open it as Triton does, and time one row and a thousand; the thousand's answers."""
    import onnxruntime

    began = time.monotonic()
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    print(f"opened in {time.monotonic() - began:.1f} s")
    for count in (1, 1000):
        rows, times = _rows(count, users, items), []
        for _ in range(50):
            began = time.perf_counter()
            (answers,) = session.run(["prediction"], rows)
            times.append(time.perf_counter() - began)
        print(f"{count} rows: {1e6 * sorted(times)[len(times) // 2]:,.0f} µs")
    return bytes(answers.tobytes())


def _serve(repository: Path, expected: bytes, users: int, items: int) -> None:
    """Load it in the embedded server, which reads the factors from beside model.onnx; its answers are onnxruntime's."""
    from builder.triton.client import Client
    from builder.triton.server import start
    from builder.types import Table

    with start(repository, models=()) as server, Client(server.grpc) as client:
        began = time.monotonic()
        server.load("factors")
        seconds = time.monotonic() - began
        answers = client.predict("factors", Table(_rows(1000, users, items)))
    assert answers["prediction"].tobytes() == expected, "the server answers otherwise than onnxruntime here"
    print(f"Triton loaded it in {seconds:.1f} s; 1000 rows by gRPC: the same bits")


def _rows(count: int, users: int, items: int) -> dict[str, np.ndarray[tuple[int, int], np.dtype[np.int32]]]:
    draw = np.random.default_rng(count)
    return {"user": draw.choice(ids_of(users), count)[:, None], "item": draw.choice(ids_of(items), count)[:, None]}


if __name__ == "__main__":
    main()
