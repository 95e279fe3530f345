"""Closed-loop load: each worker asks its next question when the last is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from builder.types import Array, Predict, Progress, Silent, Table

Connect = Callable[[], AbstractContextManager[Predict]]
"""Opens one worker's own connection; clients are not shared between threads."""

WARM_UP = 20  # requests a worker sends before its clock starts: lazy allocation, HTTP/2 set-up


@dataclass(frozen=True)
class Load:
    """How a server is asked. `rounds`: targets take turns this often, so that a disturbance falls on all of them."""

    concurrency: int = 1
    rows_per_request: int = 1
    requests: int = 1000
    rounds: int = 5


@dataclass(frozen=True)
class Latency:
    """What one target took. Units: microseconds for a whole request as its caller sees it; rows a second over all workers."""

    target: str
    protocol: str
    concurrency: int
    rows_per_request: int
    requests: int
    p50_us: float
    p95_us: float
    p99_us: float
    rows_per_s: float

    def json(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    targets: Mapping[tuple[str, str], Connect], rows: Table, load: Load, progress: Progress | None = None
) -> tuple[Latency, ...]:
    """Ask each (target, protocol) in turn, `load.rounds` times, with rows of the table round robin.

    Raises whatever a connection raises: a request that fails ends the measurement.
    """
    progress = progress or Silent()
    questions = _questions(rows, load.rows_per_request)
    each = max(1, load.requests // (load.rounds * load.concurrency))
    took: dict[tuple[str, str], list[Array]] = {key: [] for key in targets}
    wall: dict[tuple[str, str], float] = dict.fromkeys(targets, 0.0)
    for turn in range(load.rounds):
        for key, connect in targets.items():
            samples, seconds = _ask_together(connect, questions, load.concurrency, each)
            took[key].append(samples)
            wall[key] += seconds
        progress.advance(turn + 1, load.rounds)
    return tuple(
        summarise(target, protocol, np.concatenate(took[target, protocol]), wall[target, protocol], load)
        for target, protocol in targets
    )


def summarise(target: str, protocol: str, took_us: Array, wall_s: float, load: Load) -> Latency:
    """Samples of whole requests → percentiles (nearest rank: a latency that did occur)."""
    p50, p95, p99 = (float(value) for value in np.percentile(took_us, [50, 95, 99], method="inverted_cdf"))
    rate = len(took_us) * load.rows_per_request / wall_s
    return Latency(target, protocol, load.concurrency, load.rows_per_request, len(took_us), p50, p95, p99, rate)


def _questions(rows: Table, size: int) -> Sequence[Table]:
    """Up to 64 tables of `size` rows, from the first row on and round again."""
    count = min(64, max(1, rows.rows // size))
    picks = np.arange(count * size).reshape(count, size) % rows.rows
    return [rows.take(pick) for pick in picks]


def _ask_together(connect: Connect, questions: Sequence[Table], workers: int, each: int) -> tuple[Array, float]:
    """All samples in µs, and the seconds from the common start to the last answer."""
    start = threading.Barrier(workers + 1)

    def work(number: int) -> Array:
        try:
            with connect() as predict:
                for turn in range(WARM_UP):
                    predict(questions[turn % len(questions)])
                start.wait()
                return _time_each(predict, questions, number, each)
        except BaseException:
            start.abort()  # or the others would wait for ever
            raise

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, number) for number in range(workers)]
        try:
            start.wait()
        except threading.BrokenBarrierError:
            errors = [future.exception() for future in futures]
            raise next(
                error for error in errors if error and not isinstance(error, threading.BrokenBarrierError)
            ) from None
        began = time.perf_counter()
        samples = [future.result() for future in futures]
        return np.concatenate(samples), time.perf_counter() - began


def _time_each(predict: Predict, questions: Sequence[Table], offset: int, each: int) -> Array:
    took = np.empty(each)
    for turn in range(each):
        question = questions[(offset + turn) % len(questions)]
        began = time.perf_counter_ns()
        predict(question)
        took[turn] = (time.perf_counter_ns() - began) / 1000
    return took
