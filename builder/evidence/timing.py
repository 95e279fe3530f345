"""How long Spark takes for one row: what a service without this project would wait for."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

import numpy as np

from builder.evidence.frames import answers, to_spark
from builder.evidence.session import load_stages, spark_session, transform
from builder.types import INVALID, Array, Schema, Servable, Table

WARM_UP, RUNS = 5, 20  # a tenth of a second or more each; the JVM compiles through the first ones


def time_transform(path: Path, schema: Schema, row: Table, model: Servable, dropped: Collection[str]) -> Array:
    """[RUNS] microseconds, each from a row that is in the JVM already to its answer in Python.

    `dropped`: uids of the stages that the model does without.
    Raises Unreachable where Spark cannot start, SourceError where it cannot load the pipeline.
    """
    wanted = [spec for spec in model.outputs if spec.name != INVALID.name]
    took = np.empty(RUNS)
    with spark_session() as session:
        stages = load_stages(path, session)
        sent = to_spark(session, row, model.inputs, schema)
        for turn in range(-WARM_UP, RUNS):
            began = time.perf_counter_ns()
            answers(transform(stages, sent.frame(np.array([0])), dropped), wanted)
            if turn >= 0:
                took[turn] = (time.perf_counter_ns() - began) / 1000
    return took
