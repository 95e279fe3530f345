"""Every error that tritonbuild raises on purpose.

    TritonbuildError
    ├── CheckFailed            exit 1   parity, latency or a gate said no
    ├── UsageError             exit 2   the command, a name or a file given is wrong
    │   └── SourceError        exit 2   the model given cannot be read
    ├── ConversionRefused      exit 3   this pipeline cannot be converted; holds every Refused
    └── Unreachable            exit 4   MLflow, Spark, Triton or a store did not answer
        └── Forbidden          exit 4   it answered, and does not allow what was asked

    Refused                             one stage's reason; collected, then raised together as ConversionRefused

Each message is a small letter: what, where, and in `fix` what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_LONGEST_LINE = 2_000


def bounded(text: str) -> str:
    """What a person can be told, line by line: a hostile file may hold a name of megabytes."""
    half = _LONGEST_LINE // 2
    lines = text.split("\n") if len(text) > _LONGEST_LINE else [text]
    return "\n".join(line if len(line) <= _LONGEST_LINE else f"{line[:half]} […] {line[-half:]}" for line in lines)


class TritonbuildError(Exception):
    """Base of every error with an exit code. `fix` is advice, or empty where there is none.

    `report`: what was done until then, where there is more to tell than the message does; it has `json()`.
    """

    exit_code = 1

    def __init__(self, message: str, *, fix: str = "", report: Any = None) -> None:
        message = bounded(message)
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.report = report

    def __str__(self) -> str:
        return f"{self.message}\nfix: {self.fix}" if self.fix else self.message


class CheckFailed(TritonbuildError):
    """A check ran to its end and said no."""

    exit_code = 1


class UsageError(TritonbuildError):
    """What was asked for makes no sense: a bad name, flag or file."""

    exit_code = 2


class SourceError(UsageError):
    """The model given is not there, not whole, or not what it says."""


class Unreachable(TritonbuildError):
    """MLflow, Spark, Triton or a store did not answer, or could not be written."""

    exit_code = 4


class Forbidden(Unreachable):
    """MLflow or a store answered, and does not allow what was asked."""


@dataclass(frozen=True)
class Refusal:
    """Why one stage cannot be converted."""

    stage: str  # uid
    reason: str
    fix: str = ""


class Refused(Exception):
    """Raised by a rule: this stage, so set, cannot be converted exactly. `uid` is of a stage inside of the one asked."""

    def __init__(self, reason: str, *, fix: str = "", uid: str = "") -> None:
        reason = bounded(reason)
        super().__init__(reason)
        self.reason = reason
        self.fix = fix
        self.uid = uid


class ConversionRefused(TritonbuildError):
    """All refusals of a pipeline, together."""

    exit_code = 3

    def __init__(self, refusals: Sequence[Refusal], stages: int) -> None:
        self.refusals = tuple(refusals)
        lines = [f"{len(self.refusals)} of {stages} stages cannot be converted."]
        for refusal in self.refusals:
            lines.append(f"  {refusal.stage}   {refusal.reason}")
            if refusal.fix:
                lines.append(f"                fix    {refusal.fix}")
        super().__init__("\n".join(lines))
