"""The whole program on one screen: each command is one function here, and its steps are the functions it calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.outcomes import Checked, Publication, Support
from builder.types import Progress, Silent

if TYPE_CHECKING:
    from builder.triton.config import Settings


@dataclass(frozen=True)
class Wanted:
    """Which model, and what of it. `schema`: a file with `df.schema.json()`; `outputs` None: the contract's default."""

    source: str
    schema: Path | None = None
    outputs: Sequence[str] | None = None
    tracking_uri: str | None = None
    registry_uri: str | None = None


def check(wanted: Wanted) -> Checked:
    """Judge every stage before any work. What is refused is told, not raised."""
    from builder.graph.lowering import judge
    from builder.sparkml.reader import read_pipeline
    from builder.stages import all_rules

    model = _fetch(wanted)
    verdicts, servable = judge(read_pipeline(model.path), model.schema, all_rules(), wanted.outputs)
    tensors = (servable.inputs, servable.outputs, servable.invalid) if servable else ((), (), ())
    return Checked(wanted.source, verdicts, *tensors, model.evidence is not None, model.notes)


def publish(
    wanted: Wanted,
    repository: Path,
    *,
    name: str | None = None,
    version: int | None = None,
    unproven: bool = False,
    evidence_in_repository: bool = False,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Publication:
    """Fetch, read, lower, prove, write; nothing is written unless all before it went well.

    Raises SourceError, UsageError, ConversionRefused, CheckFailed (not Spark's answers, or no evidence and not
    `unproven`) and Unreachable.
    """
    from builder.graph.lowering import lower
    from builder.proving import prove
    from builder.publishing import choose_name, write
    from builder.sparkml.reader import read_pipeline
    from builder.stages import all_rules

    progress = progress or Silent()
    progress.step(f"fetching {wanted.source}")
    model = _fetch(wanted)
    name = choose_name(name, model)
    pipeline = read_pipeline(model.path)
    progress.step(f"compiling {len(pipeline.stages)} stages")
    servable = lower(pipeline, model.schema, all_rules(), wanted.outputs)
    proof = prove(model, pipeline, servable, wanted.outputs, unproven, progress)
    progress.step(f"writing {name} to {repository}")
    return write(repository, name, version, model, pipeline, servable, proof, evidence_in_repository, settings)


def stages() -> Support:
    """Every Spark class that has a rule, by module and name."""
    from builder.stages import all_rules

    return Support(tuple(sorted(all_rules().values(), key=lambda rule: rule.spark_class)))
