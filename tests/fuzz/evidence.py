"""python -m tests.fuzz.evidence: evidence of some bases, whose answers are the graph's own. For what spoils such files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from builder import flow
from builder.evidence import Evidence, save
from builder.evidence.compare import tolerances
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.tables import encode
from builder.types import INVALID
from tests.conformance.answering import arrow
from tests.fuzz.bases import SPARK, Base, bases


def make(base: Base) -> None:
    """Writes `base.evidence`."""
    assert base.row is not None
    assert base.evidence is not None
    with tempfile.TemporaryDirectory() as scratch:
        base.copy_to(Path(scratch))
        wanted = flow.Wanted(f"{scratch}/model", schema=Path(scratch, "schema.json"), outputs=base.outputs)
        model = wanted.fetch()
        servable = lower(read_pipeline(model.path), model.schema, all_rules(), base.outputs)
    inputs = encode(arrow(base.row.rows), servable.inputs)
    answers = in_process(servable)(inputs)
    names = [spec.name for spec in servable.outputs if spec.dtype.kind == "f" and spec != INVALID]
    base.evidence.parent.mkdir(parents=True, exist_ok=True)
    save(
        Evidence(
            inputs=inputs,
            answers=answers,
            tolerance=tolerances(answers, names),
            derived=np.arange(inputs.rows) % 2 == 0,
            input_specs=servable.inputs,
            output_specs=servable.outputs,
            words={},
            coverage=0.5,
            spark_version=SPARK,
            digest=model.digest,
        ),
        base.evidence,
    )


if __name__ == "__main__":
    for each in bases().values():
        if each.evidence is not None and not each.evidence.is_file():
            make(each)
