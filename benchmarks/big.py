"""python -m benchmarks.big: models that are large, published, opened and served; what grows, and how.

Each is a saved pipeline as Spark 4.3 writes it, with random numbers in it. Takes five minutes and 6 GB of disk.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import ParamSpec, TypeVar

from benchmarks import factors, forest, text
from benchmarks.measuring import command
from builder import console
from builder.tables import encode
from builder.triton.client import Client
from builder.triton.server import start
from builder.types import Table

P = ParamSpec("P")
R = TypeVar("R")
ROWS, RUNS = 1000, 20
RANK, ITEMS = 128, 100_000


@dataclass(frozen=True)
class Big:
    """A model to write into a folder, and rows for it. `parts`: what its size is counted in; `part`: bytes of one."""

    what: str
    parts: int
    part: str
    write: Callable[[Path], Path]
    rows: Callable[[int], Table]


def models() -> Iterator[Big]:
    for trees in (250, 500, 1000):
        nodes = trees * (2**13 - 1)
        yield Big(
            f"{trees:,} trees of depth 12", nodes, "node", partial(forest.write_forest, trees=trees, depth=12), _forest
        )
    for words in (250_000, 1_000_000):
        vocabulary = text.vocabulary(words)
        yield Big(
            f"CountVectorizer, {words:,} words",
            words,
            "word",
            partial(text.write_text, words=vocabulary),
            partial(text.sentences, known=vocabulary),
        )
    for users in (1_000_000, 4_300_000):
        yield Big(
            f"ALS, {users + ITEMS:,} × {RANK}",
            users + ITEMS,
            "factor",
            partial(factors.write_factors, users=users, items=ITEMS, rank=RANK),
            partial(factors.rows, users=users, items=ITEMS),
        )


def main() -> int:
    lines = []
    with console.talking() as progress:
        for big in models():
            progress.step(f"{big.what}: publishing and serving it")
            with tempfile.TemporaryDirectory(prefix="tritonbuild-big-") as folder:
                lines.append(_measured(big, Path(folder)))
    console.table(
        ("model", "published in", "at most", "a part", "files", "1 row", f"{ROWS:,} rows", "Triton loads it"), lines
    )
    return 0


def _measured(big: Big, folder: Path) -> tuple[str, ...]:
    model = _apart(big.write, folder)
    repository = folder / "repository"
    schema = str(model.parent / "schema.json")
    seconds, peak = command("publish", str(model), "--schema", schema, "--unproven", "--repository", str(repository))
    version = repository / model.name / "1"
    size = sum(file.stat().st_size for file in version.rglob("*") if file.is_file()) / 2**20
    asked = big.rows(ROWS)
    one, many, expected = _apart(_opened, version / "model.onnx", asked)
    loaded = _served(repository, model.name, asked, expected)
    each = f"{peak * 2**20 / big.parts:,.0f} bytes a {big.part}"
    return (
        big.what, f"{seconds:.1f} s", f"{peak:,.0f} MiB", each, f"{size:,.0f} MiB", f"{one:,.0f} µs", f"{many:,.0f} µs",
        f"{loaded:.1f} s, the same bits",
    )  # fmt: skip


def _apart(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """In a process of its own: what this one holds would count as memory of the command that it starts."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


def _opened(model: Path, asked: Table) -> tuple[float, float, dict[str, bytes]]:
    """Opened as Triton does: one row and all of them in µs (median), and the answers to all."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names, took = [output.name for output in session.get_outputs()], []
    for given in (asked.take(slice(1)), asked):
        times = []
        for _ in range(RUNS):
            began = time.perf_counter()
            answers = session.run(names, dict(given))
            times.append(time.perf_counter() - began)
        took.append(1e6 * median(times))
    return took[0], took[1], {name: answer.tobytes() for name, answer in zip(names, answers, strict=True)}


def _served(repository: Path, name: str, asked: Table, expected: dict[str, bytes]) -> float:
    """Seconds that the embedded server takes to load it; its answers are onnxruntime's."""
    with start(repository, models=()) as server, Client(server.grpc, timeout_s=60) as client:
        began = time.monotonic()
        server.load(name)
        seconds = time.monotonic() - began
        answers = client.predict(name, asked)
    for output, held in expected.items():
        if answers[output].tobytes() != held:
            raise RuntimeError(f"the server answers {output} of {name} otherwise than onnxruntime here")
    return seconds


def _forest(count: int) -> Table:
    from builder.sparkml.schema import parse_schema
    from builder.types import TensorSpec

    specs = [TensorSpec(one.name, one.type, one.nullable, 1) for one in parse_schema(forest.SCHEMA)]
    return encode(forest.rows(count), specs)


if __name__ == "__main__":
    sys.exit(main())
