"""python -m benchmarks.wide [COLUMNS …]: one model packed and unpacked on one server, asked in turns; 10, 100, 500 columns.

Of five columns three are doubles, one is an integer, one a string: indexed, assembled and weighed. Times are a caller's:
columns in, answers out, whatever the client does to them included.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.saved import data, metadata, vector
from builder import console, flow
from builder.bench import Load, measure
from builder.bench.load import Connect
from builder.bench.served import over
from builder.tables import encode
from builder.triton.client import Protocol
from builder.triton.settings import Wish
from builder.triton.supervisor import Supervisor
from builder.types import Array, Progress, Scalar, Table, TensorSpec

WIDTHS, ROWS = (10, 100, 500), (1, 32, 256)
REQUESTS, ROUNDS = 800, 16  # of one row; a request of more rows comes less often, never under a fifth
CARRIERS = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "WN", "VX", "ß")
_KINDS = ("double", "string", "double", "integer", "double")
_WIRES: dict[str, Protocol] = {"gRPC": "grpc", "HTTP": "http"}


def main(widths: tuple[int, ...]) -> int:
    lines = []
    with console.talking() as progress, tempfile.TemporaryDirectory(prefix="tritonbuild-wide-") as folder:
        repository = Path(folder) / "repository"
        for width in widths:
            progress.step(f"publishing {width} columns, packed and unpacked")
            publish(Path(folder), repository, width)
        with flow.serve(repository, progress=progress) as server:
            for width in widths:
                for size in ROWS:
                    lines += compared(server, width, size, progress)
    console.table(("columns", "rows", "over", "unpacked, p50", "packed, p50", "faster"), lines)
    return 0


def publish(folder: Path, repository: Path, width: int) -> None:
    model = write_wide(folder / f"wide_{width}", width)
    wanted = flow.Wanted(str(model), model.parent / "schema.json")
    for name, choice in (("plain", "never"), ("packed", "always")):
        wish = Wish({"pack": choice})
        flow.publish(wanted, repository, name=f"{name}_{width}", unproven=True, settings=wish)


def compared(server: Supervisor, width: int, size: int, progress: Progress) -> list[tuple[str, ...]]:
    """A line a protocol: medians, and how many times faster the packed one is."""
    progress.step(f"asking {width} columns, {size} rows a request")
    addresses = {"gRPC": server.grpc, "HTTP": server.http}
    targets: dict[tuple[str, str], Connect] = {
        (name, label): over(addresses[label], protocol, f"{name}_{width}")
        for label, protocol in _WIRES.items()
        for name in ("plain", "packed")
    }
    load = Load(1, size, max(REQUESTS // 5, REQUESTS // size) // ROUNDS, rounds=1)
    took: dict[tuple[str, str], list[float]] = {target: [] for target in targets}
    for turn in range(ROUNDS):
        for one in measure(targets, rows(width, 512), load):
            took[one.target, one.protocol].append(one.p50_us)
        progress.advance(turn + 1, ROUNDS)
    return [
        _line(width, size, label, np.array(took["plain", label]), np.array(took["packed", label])) for label in _WIRES
    ]


def _line(width: int, size: int, label: str, plain: Array, packed: Array) -> tuple[str, ...]:
    """The median of the rounds, and of the ratio within each."""
    ratio = f"{np.median(plain / packed):.2f} times"
    return f"{width}", f"{size}", label, _ms(plain), _ms(packed), ratio


def rows(width: int, count: int) -> Table:
    """Of each column a twentieth null."""
    draw = np.random.default_rng(width)
    columns: dict[str, pa.Array] = {}
    for name, kind in _columns(width).items():
        gone = draw.random(count) < 0.05
        values = {
            "string": draw.choice(CARRIERS, count).astype(object),
            "integer": draw.integers(-(2**31) + 1, 2**31, count).astype(np.int32),
            "double": draw.normal(size=count),
        }[kind]
        columns[name] = pa.array(values, mask=gone)
    specs = [TensorSpec(name, Scalar(kind), nullable=True) for name, kind in _columns(width).items()]  # type: ignore[arg-type]
    return encode(pa.table(columns), specs)


def write_wide(folder: Path, width: int) -> Path:
    """StringIndexer (keep), VectorAssembler (keep), LinearRegression over so many columns; `schema.json` beside it."""
    kinds = _columns(width)
    texts = [name for name, kind in kinds.items() if kind == "string"]
    numbers = [name for name, kind in kinds.items() if kind != "string"]
    indexed = [f"{name}_index" for name in texts]
    indexer = {"inputCols": texts, "outputCols": indexed, "handleInvalid": "keep", "stringOrderType": "frequencyDesc"}
    assembler = {"inputCols": [*indexed, *numbers], "outputCol": "features", "handleInvalid": "keep"}
    stages = (
        ("StringIndexer", "feature.StringIndexerModel", indexer),
        ("VectorAssembler", "feature.VectorAssembler", assembler),
        ("LinearRegression", "regression.LinearRegressionModel", _REGRESSION),
    )
    model = folder / "wide"
    metadata(model, "PipelineModel", "PipelineModel_3", {"stageUids": [uid for uid, *_ in stages]}, {})
    for index, (uid, spark_class, params) in enumerate(stages):
        metadata(model / "stages" / f"{index}_{uid}", spark_class, uid, params, {})
    weights = np.random.default_rng(width).normal(size=width)
    row = {"intercept": [0.1], "coefficients": vector(weights), "scale": [1.0]}
    data(model / "stages" / "0_StringIndexer", pa.table({"labelsArray": [[list(CARRIERS)] * len(texts)]}))
    data(model / "stages" / "2_LinearRegression", pa.table(row))
    fields = [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in kinds.items()]
    (folder / "schema.json").write_text(json.dumps({"type": "struct", "fields": fields}))
    return model


def _columns(width: int) -> dict[str, str]:
    return {f"column_{i}": _KINDS[i % len(_KINDS)] for i in range(width)}


def _ms(took_us: Array) -> str:
    return f"{np.median(took_us) / 1000:.2f} ms"


_REGRESSION = {
    "featuresCol": "features",
    "labelCol": "label",
    "predictionCol": "prediction",
    "loss": "squaredError",
    "solver": "auto",
}

if __name__ == "__main__":
    sys.exit(main(tuple(map(int, sys.argv[1:])) or WIDTHS))
