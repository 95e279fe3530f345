"""A version brought to running servers: proven on each before anybody can meet it, and on all of them or on none.

Servers take turns, and each answers by its old version until Triton has the new one ready. A server with strict readiness
says that it is unready while anything loads: so there is at most one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from builder import asking, gating
from builder.auditioning import loaded, wrong
from builder.changing import Change, content_of, older, publishing, rows_of, turn, turning
from builder.errors import CheckFailed, TritonbuildError, Unreachable, UsageError
from builder.outcomes import Publication
from builder.publishing import Prepared, place, publication
from builder.rollouts import Gated, Paired, Part, Rollout
from builder.types import Progress, Servable

if TYPE_CHECKING:
    from builder.evidence import Evidence
    from builder.triton.control import Control, State
    from builder.triton.layout import Repository
    from builder.triton.repository import Published


@contextmanager
def reached(addresses: Sequence[str], header: str, name: str, progress: Progress) -> Iterator[tuple[Control, ...]]:
    """Every server, once all of them live and let models be loaded. Raises UsageError, Unreachable."""
    from builder.triton.candidate import candidate_name
    from builder.triton.control import Control

    if not addresses:
        yield ()
        return
    candidate_name(name)
    twice = sorted({address for address in addresses if list(addresses).count(address) > 1})
    if twice:
        raise UsageError(f"{', '.join(twice)} is given twice.", fix="give each server once.")
    with ExitStack() as stack:
        fleet = tuple(stack.enter_context(Control(address, header)) for address in addresses)
        progress.step(f"reaching {', '.join(addresses)}")
        for control in fleet:
            control.check()
        yield fleet


def bring(
    repository: Repository,
    prepared: Prepared,
    every: Callable[[], Servable] | None,
    fleet: Sequence[Control],
    gate: float | None,
    progress: Progress,
    *,
    before: Callable[[], None] = lambda: None,
    after: Callable[[], None] | None = None,
    promotes: bool = False,
) -> Publication:
    """What was prepared into the repository, and to the servers where there are any; the gate first.

    `before`: called when nothing but becoming visible is left to do. `after`: called last; where it raises, all is as it was.
    `promotes`: without servers CheckFailed is raised, and `after` not called, where another version goes on answering.
    """
    if fleet:
        with alone(repository, prepared.name):
            published, rollout = roll_out(publishing(repository, prepared, every), fleet, gate, progress, before, after)
        return publication(prepared, published, rollout)
    judged = None
    change = publishing(repository, prepared, every) if gate is not None or after else None
    if change is not None and gate is not None:
        sheet = Sheet(change.name, change.before, ())
        try:
            sheet.gated = gating.judged(change, gate, ())
        except CheckFailed as error:
            raise _told(error, "nothing was written.", sheet) from error
        judged = sheet.rollout(done=False)
    before()
    progress.step(f"writing {prepared.name} to {repository}")
    placed = place(repository, prepared)
    if change is not None and after:
        try:
            if promotes and placed.serving != placed.version:
                raise _not_answering(prepared.name, placed)
            after()
        except BaseException:
            if placed.changed:
                change.undo(placed.version)
            raise
    return publication(prepared, placed, judged)


def _not_answering(name: str, placed: Published) -> CheckFailed:
    return CheckFailed(
        f"{name} version {placed.serving} goes on answering, not version {placed.version}: the alias was not moved, and "
        "what is served is as it was.",
        fix=f"publish it without --promote and with --load, or let `tritonbuild rollback {name} --to {placed.version}` serve "
        "it; then --promote.",
    )


def turn_to(
    repository: Repository,
    name: str,
    version: int | None,
    fleet: Sequence[Control],
    gate: float | None,
    progress: Progress,
) -> Rollout:
    """A version of the repository, None: the one it serves, as `roll_out` does it."""
    from builder.triton.repository import serving

    serving(repository, name)  # raises where it is not there; the lock would make a folder of it
    with alone(repository, name):
        change = turning(repository, name, version or serving(repository, name))
        return roll_out(change, fleet, gate, progress)[1]


def alone(repository: Repository, name: str) -> AbstractContextManager[None]:
    """One rollout of a model at a time; the next one waits. Raises Unreachable where it waited too long."""
    from builder.triton.stores import store_of

    return store_of(repository).alone(rollout=name)


def roll_out(
    change: Change,
    fleet: Sequence[Control],
    gate: float | None,
    progress: Progress,
    before: Callable[[], None] = lambda: None,
    after: Callable[[], None] | None = None,
) -> tuple[Published, Rollout]:
    """Prove it on every server under another name, let the gate judge, make it served, verify it: on all, or on none.

    `gate`: by which factor its median latency may be the greater one; None: no gate. Raises CheckFailed (it does not load,
    answers wrongly, or the gate says no), Unreachable (a server went), and what `change` raises; with the Rollout as its
    `report`.
    """
    sheet = Sheet(change.name, change.before, fleet)
    known = change.version
    fresh = known is None or not all(control.ready(change.name, str(known)) for control in fleet)
    try:
        if fresh:
            _audition(change, fleet, gate, sheet, progress)
        before()
    except TritonbuildError as error:
        stays = f"{change.name} version {change.before} goes on serving; " if change.before else ""
        raise _told(error, f"{stays}nothing visible was changed.", sheet) from error
    progress.step(f"letting {change.repository} serve {change.name}")
    published = change.commit()
    sheet.version, done = published.version, 0
    try:
        for done, control in enumerate(fleet, 1):  # noqa: B007
            _promote(change.name, published.version, change.evidence, control, sheet, progress)
        if after:
            after()
    except BaseException as error:
        if fresh:
            progress.step(f"going back to what was served before {change.name} version {published.version}")
            _take_back(change, published.version, fleet[:done], sheet)
        if isinstance(error, TritonbuildError):
            tail = "It was withdrawn" if sheet.withdrawn else "Nothing was withdrawn"
            raise _told(error, f"{tail}:\n{sheet.words()}", sheet) from error
        raise
    return published, sheet.rollout(done=True, fresh=fresh)


def roll_back(
    repository: Repository, name: str, to: int | None, fleet: Sequence[Control], progress: Progress
) -> Rollout:
    """Let the repository serve an older version, then every server. One that fails does not keep the others.

    `to` None: the lower version that answered before. Raises UsageError, Unreachable, and CheckFailed or Unreachable
    where a server failed, with what each answers.
    """
    from builder.triton.repository import serving

    serving(repository, name)  # raises where it is not there; the lock would make a folder of it
    with alone(repository, name):
        version = to or older(repository, name)
        evidence = rows_of(repository, name, version)
        sheet = Sheet(name, serving(repository, name), fleet)
        progress.step(f"letting {repository} serve {name} version {version}")
        turn(repository, name, version)
        sheet.version = version
        errors = []
        for control in fleet:
            try:
                _promote(name, version, evidence, control, sheet, progress)
            except TritonbuildError as error:
                errors.append(error)
                sheet.note(control, problem=error.message)
    if not errors:
        return sheet.rollout(done=True)
    kind = Unreachable if any(isinstance(error, Unreachable) for error in errors) else CheckFailed
    raise kind(
        f"{repository} serves {name} version {version}, and not every server does:\n{sheet.words()}",
        fix=f"mend that server, then `tritonbuild rollback {name} --to {version}` again.",
        report=sheet.rollout(done=False),
    )


@dataclass
class Sheet:
    """What is known of a rollout so far, server by server."""

    name: str
    before: int | None
    fleet: Sequence[Control]
    version: int | None = None
    withdrawn: bool = False
    gated: Gated | None = None

    def __post_init__(self) -> None:
        self.was: dict[str, State] = {control.address: control.state() for control in self.fleet}
        self.had = {control.address: control.ready(self.name) for control in self.fleet}
        self.parts = {control.address: Part(control.address) for control in self.fleet}
        self.pairs: list[Paired] = []
        self.refused: set[str] = set()

    def note(self, control: Control, **found: Any) -> None:
        self.parts[control.address] = replace(self.parts[control.address], **found)

    def words(self) -> str:
        """A line a server: which version answers there, and what went wrong."""
        lines = []
        for part in self.parts.values():
            answers = f"version {part.answers} answers" if part.answers else "no version answers"
            lines.append(f"  {part.server}   {answers}{'; ' if part.problem else ''}{part.problem}")
        return "\n".join(lines)

    def rollout(self, *, done: bool, fresh: bool = True) -> Rollout:
        parts = tuple(self.parts.values())
        return Rollout(self.name, self.version, self.before, done, fresh, self.withdrawn, parts, self.gated)


def _told(error: TritonbuildError, tail: str, sheet: Sheet) -> TritonbuildError:
    """The same for a person and a program: a server's refusal is a check that failed; what was done until then is told."""
    kind = Unreachable if isinstance(error, Unreachable) else CheckFailed
    if isinstance(error.report, Gated):
        sheet.gated = error.report
    return kind(f"{error.message}\n{tail}", fix=error.fix, report=sheet.rollout(done=False))


def _audition(change: Change, fleet: Sequence[Control], gate: float | None, sheet: Sheet, progress: Progress) -> None:
    """The candidate on one server after the other. Raises CheckFailed, Unreachable."""
    from builder.triton.candidate import VERSION, candidate_of, unstage

    candidate = candidate_of(change.name, change.files, change.beside)
    unstage(change.repository, candidate)  # what a rollout that was killed left there
    asked = gating.rows_to_ask(change) if gate is not None else None
    for control in fleet:
        with loaded(control, candidate, change.repository, progress):
            report = None
            if change.evidence is not None:
                progress.step(f"proving {candidate.name} at {control.address} on {change.evidence.rows} rows")
                report = asking.ask_rows(control, candidate.name, VERSION, change.evidence, progress)
                sheet.note(control, candidate=report)
            if (
                gate is not None
                and asked is not None
                and sheet.had[control.address]
                and (report is None or report.passed)
            ):
                sheet.pairs.append(gating.pair(control, change.name, candidate.name, asked, gate, progress))
        if report is not None and not report.passed:
            raise wrong(control, change, report, progress)
    if gate is not None:
        sheet.gated = gating.judged(change, gate, sheet.pairs)


def _promote(
    name: str, version: int, evidence: Evidence | None, control: Control, sheet: Sheet, progress: Progress
) -> None:
    """Load what the repository serves, and put every row to it under its number. Raises CheckFailed, Unreachable."""
    progress.step(f"loading {name} version {version} at {control.address}")
    try:
        control.load(name)
    except UsageError as error:
        sheet.refused.add(control.address)
        raise CheckFailed(f"{control.address} does not load {name} version {version}: {error.message}") from error
    if not control.ready(name, str(version)):
        raise CheckFailed(
            f"{control.address} has loaded {name}, and no version {version} of it.",
            fix="have that server read this repository, or leave it out.",
        )
    sheet.note(control, answers=version)
    if evidence is not None:
        progress.step(f"verifying {name} version {version} at {control.address} on {evidence.rows} rows")
        report = asking.ask_rows(control, name, version, evidence, progress)
        sheet.note(control, parity=report)
        if not report.passed:
            raise CheckFailed(
                f"{name} version {version} does not answer at {control.address} as Spark did.\n{report.words()}"
            )
    state, found = control.settle(sheet.was[control.address]), control.answering(name, version)
    sheet.note(control, answers=found, ready=state == "ready")
    if found != version:
        raise CheckFailed(f"{control.address} answers by version {found} of {name}, not by {version}.")


def _take_back(change: Change, version: int, taken: Sequence[Control], sheet: Sheet) -> None:
    """The repository as it was, and the servers that had begun. What fails meanwhile is noted beside its server."""
    try:
        change.undo(version)
        sheet.withdrawn = change.version is None  # else the repository served it before, and still does
    except TritonbuildError as error:
        for control in taken:
            sheet.note(control, problem=f"nothing was loaded again, for the repository refused: {error.message}")
        return
    for control in taken:
        try:
            sheet.note(control, answers=None, ready=None)
            _restore(change, version, control, sheet)
        except TritonbuildError as error:
            sheet.note(control, problem=error.message)


def _restore(change: Change, version: int, control: Control, sheet: Sheet) -> None:
    from builder.triton.candidate import heal, heal_beside

    was, before = sheet.was[control.address], change.before
    stuck = control.address in sheet.refused and was == "ready" and control.state() != "ready"
    if before is None or not sheet.had[control.address]:
        control.unload(change.name)
        if stuck:
            heal(control, change.name, version)
    else:
        control.load(change.name)
        if stuck and before != version:
            heal_beside(control, change.name, version, before, *content_of(change.repository, change.name, before))
    state = control.settle(was)
    if sheet.had[control.address]:
        sheet.note(control, answers=control.answering(change.name, before))
    sheet.note(control, ready=state == "ready")
