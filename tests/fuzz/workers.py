"""One mutant, one forked process: what became of it, watched from outside by the clock and by its memory."""

from __future__ import annotations

import hashlib
import os
import pickle
import select
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from builder import flow
from builder.errors import Refused, TritonbuildError
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.proving import prove, settled
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.tables import encode
from builder.types import Session, Silent
from tests.conformance.answering import arrow
from tests.fuzz.bases import Base
from tests.fuzz.mutations import apply

SECONDS, BYTES = 5.0, 1 << 30  # of the processor's time: a busy machine's clock says nothing of a model
_CLOCK_S = 90.0  # a mutant that waits for something for so long hangs
_TICKS = os.sysconf("SC_CLK_TCK")
BAD = ("traceback", "over time", "over memory", "died")


@dataclass(frozen=True)
class Outcome:
    """`kind`: same, changed, converted (no rows to ask), error, unmade (no mutant came of it), or one of BAD.

    `told`: the error, or the traceback.
    """

    base: str
    number: int
    seed: int
    kind: str
    told: str = ""
    mutation: str = ""
    file: str = ""
    digest: str = ""

    def __str__(self) -> str:
        again = f"python -m tests.fuzz --seed {self.seed} --one '{self.base}:{self.number}'"
        return f"{self.kind}: {self.mutation} of {self.file} in {self.base}; again by {again}\n{self.told}"


def ask(base: Base, folder: Path, checks: bool = True) -> tuple[str, str, str]:
    """(kind, told, digest of the answers) of a model in `folder`; in this process. `checks`: by way of `check` first."""
    try:
        return _asked(base, folder, checks)
    except (TritonbuildError, Refused) as error:
        return "error", f"{type(error).__name__}: {str(error)[:300]}", ""
    except BaseException as error:  # the very thing that is looked for
        return "traceback", f"{type(error).__name__}\n{traceback.format_exc()[-3000:]}", ""


def _asked(base: Base, folder: Path, checks: bool) -> tuple[str, str, str]:
    conf = base.row.conf if base.row else {}
    ansi = conf.get("spark.sql.ansi.enabled")
    session = Session(None if ansi is None else ansi == "true", conf.get("spark.sql.session.timeZone"))
    row = base.row
    wanted = flow.Wanted(str(folder / "model"), schema=folder / "schema.json", outputs=base.outputs, session=session)
    if checks and flow.check(wanted).refused:
        return "error", "ConversionRefused", ""
    model = wanted.fetch()
    served = lower(read_pipeline(model.path).under(session), model.schema, all_rules(), base.outputs)
    if model.evidence is not None:
        settled(model, session)
        prove(model, served, None, False, Silent())
    if row is None:
        return "converted", "", ""
    answers = in_process(served)(encode(arrow(row.rows), served.inputs))
    digest = hashlib.sha256()
    for name in sorted(answers):
        digest.update(repr((name, answers[name].shape, answers[name].tolist())).encode())
    return "same", "", digest.hexdigest()


@dataclass
class _Child:
    pid: int
    pipe: int
    begun: float
    outcome: Outcome
    scratch: tempfile.TemporaryDirectory[str]
    born: int  # pages that it was born with: those of the process that made its mutant
    told: bytes = b""


def run(
    jobs: Iterable[tuple[Base, int]], seed: int, originals: dict[str, str], processes: int = 2
) -> Iterator[Outcome]:
    """Each mutant's outcome; a number below 0 is the base itself. `originals`: base → digest of its own answers."""
    waiting, running = iter(jobs), list[_Child]()
    while True:
        while len(running) < processes and (job := next(waiting, None)) is not None:
            running.append(_started(*job, seed))
        if not running:
            return
        select.select([child.pipe for child in running], [], [], 0.05)
        for child in list(running):
            outcome = _looked_at(child)
            if outcome is not None:
                running.remove(child)
                child.scratch.cleanup()
                original = originals.get(outcome.base)
                changed = outcome.kind == "same" and original is not None and outcome.digest != original
                yield replace(outcome, kind="changed") if changed else outcome


def made(base: Base, number: int, seed: int, folder: Path) -> tuple[str, str]:
    base.copy_to(folder)
    return apply(number, seed, folder, base.spoilt) if number >= 0 else ("", "")


def _apart(make: Callable[[], tuple[str, str]]) -> tuple[str, str] | None:
    """In a process of its own: pyarrow ends it over some of what a mutation asks of it, and None comes back."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(make(), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(told) if told else None


def _started(base: Base, number: int, seed: int) -> _Child:
    scratch = tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True)
    mutation, file = _apart(lambda: made(base, number, seed, Path(scratch.name))) or ("", "")
    outcome = Outcome(base.id, number, seed, "" if file or number < 0 else "unmade", mutation=mutation, file=file)
    reading, writing = os.pipe()
    born = int(Path("/proc/self/statm").read_text().split()[1])
    pid = os.fork()
    if pid == 0:
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(ask(base, Path(scratch.name), checks=number % 8 == 0), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    os.set_blocking(reading, False)
    return _Child(pid, reading, time.monotonic(), outcome, scratch, born)


def _looked_at(child: _Child) -> Outcome | None:
    """None while it may go on."""
    ended = False
    try:
        while data := os.read(child.pipe, 1 << 16):
            child.told += data
        ended = True
    except BlockingIOError:
        pass
    kind = "" if ended else _over(child)
    if not ended and not kind:
        return None
    if kind:
        os.kill(child.pid, signal.SIGKILL)
    os.close(child.pipe)
    _, status = os.waitpid(child.pid, 0)
    if child.outcome.kind:
        return child.outcome
    if kind:
        return replace(child.outcome, kind=kind)
    if not child.told:
        return replace(child.outcome, kind="died", told=f"wait status {status}")
    kind, told, digest = pickle.loads(child.told)
    return replace(child.outcome, kind=kind, told=told, digest=digest)


def _over(child: _Child) -> str:
    if time.monotonic() - child.begun > _CLOCK_S:
        return "over time"
    try:
        used = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        if (int(used[11]) + int(used[12])) / _TICKS > SECONDS:
            return "over time"
        pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
    except (FileNotFoundError, IndexError):
        return ""
    return "over memory" if (pages - child.born) * os.sysconf("SC_PAGE_SIZE") > BYTES else ""
