"""Ask Spark: what does it answer to these rows, and which does it refuse."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from builder.evidence.compare import compare_tables, tolerances
from builder.evidence.derive import LIMIT, coverage, derive, spread
from builder.evidence.frames import SparkRows, answers, snapped, to_spark
from builder.evidence.session import first_line, load_stages, spark_session, told, transform
from builder.evidence.store import UNTOLD, Evidence, Steps, stack
from builder.types import (
    INVALID,
    UNSAID,
    Array,
    Predict,
    Progress,
    Scalar,
    Schema,
    Servable,
    Session,
    Silent,
    Table,
    TensorSpec,
    TextArray,
    VectorType,
    Word,
)

_log = logging.getLogger(__name__)

USER_ROWS = 1000
CONFIRMED = 12  # rows that we say Spark refuses and that it is asked for, each alone: half a second apiece
_SURPRISES = 6  # rows that Spark refused against our word; more of them would tell no more
_STEP_ROWS = 64
_WORDS: Sequence[Word] = ("bit", "dot", "elementary", "iterative")


@dataclass(frozen=True)
class Every:
    """The pipeline's proof graph once more, with every stage's column as an output."""

    servable: Servable
    predict: Predict


@dataclass
class _Asked:
    """What Spark said: answers of `numbers`, and the rows it raised at. Rows in neither were dropped or not asked."""

    numbers: list[Array] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    raised: list[int] = field(default_factory=list)
    unasked: list[int] = field(default_factory=list)


def record(
    path: Path,
    schema: Schema,
    rows: Table | None,
    servable: Servable,
    proof: Predict,
    *,
    digest: str,
    every: Every | None = None,
    settings: Session = UNSAID,
    derived: int = LIMIT,
    user_rows: int = USER_ROWS,
    progress: Progress | None = None,
) -> Evidence:
    """Spark's answers to the user's rows (at most `user_rows`, drawn evenly) and to rows derived from the model.

    `path`: the saved PipelineModel. `rows`: tensors for `servable.inputs`. `proof`: the proof graph in process, which
    foretells `invalid` and gives each value's tolerance. Rows with an answer come first, refused ones last.
    `every` adds Spark's columns between the stages of 64 rows. `settings`: what Spark's session is told meanwhile.
    `invalid` is Spark's verdict: a row that it raised at has our k (its message tells none), or UNTOLD where we
    expected an answer; of the rows that we say it refuses, 12 are put to it, each alone, and the rest left out.
    Raises Unreachable where Spark cannot start, SourceError where it cannot load or does not accept the schema.
    """
    progress = progress or Silent()
    inputs, ours = _rows(rows, servable, proof, derived, user_rows)
    inputs = snapped(inputs, servable.inputs, schema)
    chosen = _askable(proof(inputs)[INVALID.name][:, 0])
    left_out = inputs.rows - len(chosen)
    inputs, ours = inputs.take(chosen), ours[chosen]
    proven = proof(inputs)
    dropped = {verdict.uid for verdict in servable.stages if verdict.verdict == "dropped"}
    dropped -= {verdict.uid for verdict in servable.stages if verdict.verdict == "kept"}  # a formula's stages share one
    progress.step("starting Spark")
    with spark_session() as session, told(session, settings):
        progress.step(f"asking Spark for {inputs.rows} answers")
        sent = to_spark(session, inputs, servable.inputs, schema)
        pipeline = _Pipeline(sent, load_stages(path, session), dropped, servable)
        kept, spark = _verdicts(pipeline, proven[INVALID.name][:, 0], progress)
        inputs, ours, proven = inputs.take(kept), ours[kept], proven.take(kept)
        steps = _steps(pipeline, kept, spark, proven, every) if every else None
        version = session.version
    slack = tolerances(proven, [spec.name for spec in pipeline.outputs])
    refused = spark[INVALID.name][:, 0] != 0
    for array in slack.values():
        array[refused] = 0.0
    return Evidence(
        inputs=inputs,
        answers=spark,
        tolerance=slack,
        derived=~ours,
        input_specs=servable.inputs,
        output_specs=servable.outputs,
        words=_words(servable, slack),
        coverage=coverage(servable, inputs),
        spark_version=version,
        digest=digest,
        steps=steps,
        left_out=left_out,
        session=settings,
    )


def _rows(rows: Table | None, servable: Servable, proof: Predict, derived: int, limit: int) -> tuple[Table, Array]:
    """All rows to ask for, and which of them are the user's."""
    made = derive(servable, proof, limit=derived)
    if rows is None or not rows.rows:
        return made, np.zeros(made.rows, dtype=np.bool_)
    if rows.rows > limit:
        rows = rows.take(np.unique(np.linspace(0, rows.rows - 1, limit).astype(np.int64)))
    return stack([rows, made], servable.inputs), np.arange(rows.rows + made.rows) < rows.rows


def _askable(foretold: Array) -> Array:
    """Row numbers: all that should have an answer, in their order, then the refusals to be confirmed."""
    return np.array([*np.flatnonzero(foretold <= 0), *spread(foretold, CONFIRMED)], dtype=np.int64)


@dataclass(frozen=True)
class _Pipeline:
    """The loaded pipeline, and the rows to put to it."""

    sent: SparkRows
    stages: list[Any]
    dropped: Collection[str]
    servable: Servable

    @property
    def outputs(self) -> list[TensorSpec]:
        return [spec for spec in self.servable.outputs if spec.name != INVALID.name]

    def ask(self, numbers: Array, asked: _Asked, patience: int) -> None:
        """Answers for these rows; where Spark raises, the rows are halved until those that it raises at are found.

        After `patience` of them the rest goes unasked.
        """
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        if len(asked.raised) >= patience:
            asked.unasked.extend(numbers.tolist())
            return
        try:
            frame = transform(self.stages, self.sent.frame(numbers), self.dropped)
            found, table = answers(frame, self.outputs)
        except (Py4JError, PySparkException) as error:
            if len(numbers) == 1:
                _log.debug("Spark refused row %d: %s", numbers[0], first_line(error))
                asked.raised.append(int(numbers[0]))
                return
            for half in np.array_split(numbers, 2):
                self.ask(half, asked, patience)
            return
        asked.numbers.append(found)
        asked.tables.append(table)


def _verdicts(pipeline: _Pipeline, foretold: Array, progress: Progress) -> tuple[Array, Table]:
    """The rows that stay in the evidence, ascending, and Spark's answers to them, `invalid` among them."""
    expected, refused = np.flatnonzero(foretold <= 0), np.flatnonzero(foretold > 0)
    asked = _Asked()
    if expected.size:
        pipeline.ask(expected, asked, _SURPRISES)
    surprises = frozenset(asked.raised)
    for done, row in enumerate(refused.tolist(), start=1):
        pipeline.ask(np.array([row]), asked, len(foretold))
        progress.advance(done, len(refused))
    kept = np.setdiff1d(np.arange(len(foretold)), asked.unasked)
    return kept, _spread_answers(pipeline.outputs, kept, _codes(kept, foretold, asked, surprises), asked)


def _codes(kept: Array, foretold: Array, asked: _Asked, surprises: Collection[int]) -> Array:
    """Spark's verdict on each row: 0 answered, k raised as foretold, ±UNTOLD what nobody foretold."""
    answered = {int(number) for numbers in asked.numbers for number in numbers}
    raised = set(asked.raised)
    codes = np.zeros(len(kept), dtype=np.int32)
    for place, row in enumerate(kept.tolist()):
        told = int(foretold[row])
        if row in raised:
            codes[place] = UNTOLD if row in surprises else told
        elif row not in answered:
            codes[place] = -abs(told) if told else -UNTOLD
    return codes


def _spread_answers(outputs: Sequence[TensorSpec], kept: Array, codes: Array, asked: _Asked) -> Table:
    """Spark's answers in the rows' order; rows without one hold NaN, "" or the minimum."""
    columns = {}
    numbers = np.concatenate([*asked.numbers, np.zeros(0, dtype=np.int64)])
    places = np.searchsorted(kept, numbers)
    found = stack(asked.tables, outputs) if asked.tables else None
    for spec in outputs:
        width = found[spec.name].shape[1] if found else max(spec.width, 1)
        array = np.full((len(kept), width), refused_value(spec), dtype=spec.dtype)
        if found:
            array[places] = found[spec.name]
        columns[spec.name] = array
    return Table({**columns, INVALID.name: codes.reshape(-1, 1)})


def refused_value(spec: TensorSpec) -> Any:
    """What an output holds in a row that was refused."""
    match spec.type:
        case Scalar("string") | TextArray():
            return ""
        case VectorType() | Scalar("double" | "float" | "decimal"):
            return np.nan
        case _:
            return spec.null


def _steps(pipeline: _Pipeline, kept: Array, spark: Table, proven: Table, every: Every) -> Steps | None:
    """Spark's columns between the stages, for rows where we differ first, then for rows spread over the rest."""
    fine = np.flatnonzero(spark[INVALID.name][:, 0] == 0)
    if not fine.size:
        return None
    verdict = compare_tables(spark, proven, tolerances(proven, list(spark)), {})
    first = [row for row in verdict.differing_rows if row in set(fine.tolist())]
    evenly = fine[np.unique(np.linspace(0, len(fine) - 1, _STEP_ROWS).astype(np.int64))]
    rows = np.unique(np.array([*first, *evenly.tolist()][:_STEP_ROWS], dtype=np.int64))
    made_by: dict[str, str] = {}
    frame = pipeline.sent.frame(kept[rows])
    for stage in pipeline.stages:
        before = set(frame.columns)
        frame = transform([stage], frame, pipeline.dropped)
        made_by |= {name: stage.uid for name in frame.columns if name not in before}
    known: Mapping[str, TensorSpec] = {spec.name: spec for spec in every.servable.outputs}
    specs = [known[name] for name in made_by if name in known]
    numbers, columns = answers(frame, specs)
    there = np.isin(kept[rows], numbers)
    return Steps(rows[there], columns, {spec.name: made_by[spec.name] for spec in specs})


def _words(servable: Servable, slack: Mapping[str, Array]) -> dict[str, Word]:
    """Output → how equal: `bit` where the proof graph gives no tolerance, else the weakest word of the stages kept."""
    used = [verdict.word for verdict in servable.stages if verdict.verdict == "kept" and verdict.word]
    words: dict[str, Word] = dict.fromkeys((spec.name for spec in servable.outputs), "bit")
    return words | dict.fromkeys(slack, max(used, key=_WORDS.index, default="bit"))
