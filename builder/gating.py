"""The gate before a rollout: a candidate must be no worse than the version now served, in parity and in latency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.changing import Change, rows_of
from builder.errors import CheckFailed
from builder.rollouts import Gated, Paired
from builder.types import Predict, Progress, Table

if TYPE_CHECKING:
    from builder.bench import Connect
    from builder.triton.control import Control

ALLOWED = 1.25
_WORDS = ("bit", "dot", "elementary", "iterative")  # from the strictest
_REQUESTS = 300  # of each, one row and one worker: a server in use shall hardly notice
_ROUNDS = 10
_AGAIN = 2  # two equal models, on 2 busy cores, came out 1.02 and 1.22 times apart


def worse(served: Mapping[str, Any], candidate: Mapping[str, Any]) -> tuple[str, ...]:
    """In what a manifest's proof is weaker than that of the version served, in words.

    The greatest difference is told elsewhere and not judged: it lies inside of each value's own tolerance.
    """
    before, now = served.get("proof"), candidate.get("proof")
    if not isinstance(before, dict):
        return ()
    if not isinstance(now, dict):
        return (f"it is unproven; what is served was proven on {before['parity']['rows']:,} rows.",)
    found = []
    for name, old in before["parity"]["outputs"].items():
        new = now["parity"]["outputs"].get(name)
        if new is None:
            found.append(f"it has no output {name}, which is served.")
            continue
        if _WORDS.index(new["word"]) > _WORDS.index(old["word"]):
            found.append(f"{name} is equal to Spark by the word {new['word']}; what is served is by {old['word']}.")
        for what in ("near", "undecided"):
            share, was = (one[what] / max(one["values"], 1) for one in (new, old))
            if share > was:
                found.append(f"{name}: {share:.2%} of the values are {what}; of what is served {was:.2%}.")
    return tuple(found)


@dataclass(frozen=True)
class Asked:
    """Rows for the candidate, and for the version served, which may have other inputs."""

    candidate: Table
    served: Table


def rows_to_ask(change: Change) -> Asked | None:
    """Rows of both versions' evidence; None where one of them has none, or nothing is served."""
    if change.before is None or change.evidence is None:
        return None
    old = rows_of(change.repository, change.name, change.before)
    return None if old is None else Asked(change.evidence.inputs, old.inputs)


def judged(change: Change, allowed: float, pairs: Sequence[Paired]) -> Gated:
    """The gate's verdict, where it is yes. Raises CheckFailed with the figures where it is no."""
    from builder.triton.repository import read_manifest

    if change.before is None:
        return Gated(None, allowed)
    served = read_manifest(change.repository, change.name, change.before)
    gated = Gated(change.before, allowed, worse(served, change.manifest), tuple(pairs))
    if not gated.passed:
        raise CheckFailed(
            f"the gate says no.\n{gated.words()}", fix="keep what is served, or allow more.", report=gated
        )
    return gated


def pair(control: Control, name: str, candidate: str, asked: Asked, allowed: float, progress: Progress) -> Paired:
    """One row after another to the version served and to the candidate, in turns on this server. Raises as they do.

    Where the candidate is slower than `allowed`, again: what a neighbour's load did is not there each time. The best counts.
    """
    progress.step(f"measuring {name} and its candidate in turns at {control.address}")
    best = _measured(control, name, candidate, asked)
    for _ in range(_AGAIN):
        if best.ratio <= allowed:
            break
        best = min(best, _measured(control, name, candidate, asked), key=lambda pair: pair.ratio)
    return best


def _measured(control: Control, name: str, candidate: str, asked: Asked) -> Paired:
    from builder.bench import Load, measure

    each = Load(concurrency=1, rows_per_request=1, requests=_REQUESTS, rounds=_ROUNDS)
    targets: dict[tuple[str, str], Connect] = {
        ("served", control.protocol): _asking(control, name, asked.served),
        ("candidate", control.protocol): _asking(control, candidate, asked.candidate),
    }
    served, new = measure(targets, asked.candidate, each)
    return Paired(control.address, served, new)


def _asking(control: Control, model: str, rows: Table) -> Connect:
    """A connection that asks the model rows of its own, one after another, whatever it is given: inputs may differ."""
    from builder.triton.client import Client

    single = [rows.take(slice(row, row + 1)) for row in range(min(rows.rows, 64))]

    @contextmanager
    def connect() -> Iterator[Predict]:
        turn = iter(range(1 << 62))
        with Client(control.url, control.protocol) as client:
            yield lambda _: client.predict(model, single[next(turn) % len(single)])

    return connect
