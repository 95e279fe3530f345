"""Spark's recorded answers against the compiled graph's, in this process, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.errors import CheckFailed, UsageError
from builder.types import INVALID, Predict, Progress, Servable, Session

if TYPE_CHECKING:
    from builder.evidence import Evidence, ParityReport
    from builder.source import FetchedModel


@dataclass(frozen=True)
class Proof:
    """Evidence, and that the graph agrees with it."""

    evidence: Evidence
    report: ParityReport


def settled(model: FetchedModel, asked: Session) -> Session:
    """The session to answer as in: as asked, else as the evidence was recorded, else as the Spark that saved the model.

    Raises UsageError where the evidence was recorded in another one than asked for.
    """
    if model.evidence is None:
        return asked
    from builder.evidence import session_in

    recorded = session_in(model.evidence)
    if None not in (asked.ansi, recorded.ansi) and asked.ansi != recorded.ansi:
        raise UsageError(
            f"the evidence of {model.uri} was recorded with ANSI mode {'on' if recorded.ansi else 'off'}.",
            fix="leave the flag out, or record it anew with the same flag.",
        )
    if None not in (asked.timezone, recorded.timezone) and asked.timezone != recorded.timezone:
        raise UsageError(
            f"the evidence of {model.uri} was recorded in time zone {recorded.timezone}.",
            fix="leave the flag out, or record it anew with the same flag.",
        )
    return Session(recorded.ansi if asked.ansi is None else asked.ansi, asked.timezone or recorded.timezone)


def prove(
    model: FetchedModel, servable: Servable, every: Callable[[], Servable] | None, unproven: bool, progress: Progress
) -> Proof | None:
    """Put every evidence row to the graph. None where there is no evidence and its owner says `unproven`.

    `every` builds the proof graph with every stage's column as an output: asked for where something differs. None: there
    is no such graph.

    Raises UsageError without evidence or word, CheckFailed with the worst rows and the first stage that differs.
    """
    if model.evidence is None:
        if unproven:
            return None
        raise UsageError(
            f"{model.uri} has no evidence: nothing says what Spark answers.",
            fix=f"tritonbuild record {model.uri} --rows FILE (needs Spark), or builder.log_model where it is trained; "
            "or publish it --unproven, which the manifest and the config will say.",
        )
    from builder.evidence import compare, load
    from builder.graph.session import in_process

    evidence = load(model.evidence)
    if not (evidence.answers[INVALID.name] == 0).any():  # all of nothing is equal
        raise UsageError(
            f"the evidence of {model.uri} holds no row that Spark answered.",
            fix="record it anew, with rows that it answers.",
        )
    evidence = evidence.of_model(servable, model.digest)
    progress.step(f"proving against {evidence.rows} answers of Spark {evidence.spark_version}")
    report = compare(evidence, in_process(servable)(evidence.inputs))
    if not report.passed:
        where = ""
        if evidence.steps is not None and every is not None:
            none = "\nNo column between the stages differs in the rows that Spark was asked about."
            where = first_stage(evidence, _in_process(every)) or none
        raise CheckFailed(
            f"{model.uri} does not answer as Spark {evidence.spark_version} did; nothing was written.\n"
            f"{report.words()}{where}",
            fix="keep serving what you serve, and report the stage with its saved folder; nothing else is known to help.",
        )
    return Proof(evidence, report)


def first_stage(evidence: Evidence, every: Predict) -> str:
    """Which stage's column is the first that is not Spark's, in words; empty where none is.

    `every` answers with every stage's column: the proof graph, in this process or on a server.
    """
    if evidence.steps is None:
        return ""
    from builder.evidence import first_difference

    found = first_difference(evidence, every(evidence.inputs.take(evidence.steps.rows)))
    if found is None:
        return ""
    worst = found.worst
    return (
        f"\nThe first stage that differs: {found.stage}, column {found.column!r}, row {worst.row}: "
        f"Spark {worst.expected!r}, here {worst.got!r}."
    )


def maker_of(evidence: Evidence, report: ParityReport) -> tuple[str, str] | None:
    """(stage uid, output) of the first output, in the order of the stages, that differs; None where nobody knows."""
    if evidence.steps is None:
        return None
    wrong = {output.name for output in report.outputs if not output.passed}
    makers = evidence.steps.made_by
    return next(((makers[name], name) for name in evidence.steps.columns if name in wrong and name in makers), None)


def _in_process(every: Callable[[], Servable]) -> Predict:
    from builder.graph.session import in_process

    return in_process(every())
