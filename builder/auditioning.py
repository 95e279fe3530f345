"""A candidate on one server: loaded under another name, asked every row of the evidence, and gone again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from builder import asking
from builder.changing import Change
from builder.errors import CheckFailed, TritonbuildError, Unreachable, UsageError
from builder.proving import first_stage, maker_of
from builder.types import Progress, Servable, Table

if TYPE_CHECKING:
    from builder.evidence import ParityReport
    from builder.triton.candidate import Candidate
    from builder.triton.control import Control, State
    from builder.triton.layout import Repository


@contextmanager
def loaded(control: Control, candidate: Candidate, repository: Repository, progress: Progress) -> Iterator[None]:
    """The candidate on the server for as long as the block lasts; before and after, the server is as ready as it was.

    One that is too large for a request lies as a model of its own in the repository meanwhile.
    Raises CheckFailed with the server's reason where it does not load, Unreachable.
    """
    from builder.triton import candidate as candidates

    was, sent = control.state(), control.takes(candidate.files)
    progress.step(f"loading {candidate.name} at {control.address}")
    try:
        try:
            if sent:
                candidates.send(control, candidate)
            else:
                candidates.stage(repository, candidate)
                control.load(candidate.name)
        except UsageError as error:
            raise CheckFailed(
                f"{control.address} does not load it: {error.message}{_healed(control, candidate, was)}"
            ) from error
        yield
    finally:
        with suppress(Unreachable):  # a server that went is told by whoever asks it next
            control.unload(candidate.name)
            control.settle(was)
        if not sent:
            candidates.unstage(repository, candidate)


def wrong(control: Control, change: Change, report: ParityReport, progress: Progress) -> CheckFailed:
    """That the candidate answered wrongly there: which rows, and the first stage that differs as that server computes it."""
    return CheckFailed(
        f"{change.name} does not answer at {control.address} as Spark did.\n{report.words()}{_where(control, change, report, progress)}",
        fix="verify what is served with `tritonbuild verify`; if that fails too, the server computes otherwise than here.",
    )


def _where(control: Control, change: Change, report: ParityReport, progress: Progress) -> str:
    """The stage, in words. The graph with every stage's column is put to the same server."""
    evidence, every = change.evidence, change.every
    assert evidence is not None, "what differs was compared with something"
    maker = maker_of(evidence, report)
    made = f"\nThe first output that differs: {maker[1]!r}, of stage {maker[0]}." if maker else ""
    if every is None or evidence.steps is None or not evidence.steps.rows.size:
        return made
    try:
        found = first_stage(evidence, lambda rows: _answers_of_all(control, change, every(), rows, progress))
    except TritonbuildError as error:
        return f"{made}\nThe columns between the stages could not be asked for: {error.message}"
    none = "\nCompiled anew with every column, it answers there as Spark did: these bytes are not what was compiled."
    return found or made + none


def _answers_of_all(control: Control, change: Change, servable: Servable, rows: Table, progress: Progress) -> Table:
    from builder.graph.weights import files_of
    from builder.triton.candidate import MODEL, VERSION, candidate_of
    from builder.triton.config import write_config
    from builder.triton.layout import CONFIG
    from builder.triton.settings import Settings

    config = write_config(servable, change.name, Settings(), {})
    candidate = candidate_of(
        change.name, {MODEL: servable.model, **files_of(servable.weights)}, {CONFIG: config.encode()}
    )
    with loaded(control, candidate, change.repository, progress):
        return asking.answers_to(control, candidate.name, VERSION, rows, progress)


def _healed(control: Control, candidate: Candidate, was: State) -> str:
    """Mend the server's readiness; in words where that does not help."""
    from builder.triton.candidate import heal

    try:
        heal(control, candidate.name)
    except TritonbuildError as error:
        return f"\n{control.address} may stay unready until it is restarted: {error.message}"
    return "" if control.settle(was) == was else f"\n{control.address} is unready since; restart it."
