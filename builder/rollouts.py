"""What a rollout did: on which servers, how equal the answers were that came over the wire, what the gate measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder.bench import Latency
    from builder.evidence import ParityReport


@dataclass(frozen=True)
class Paired:
    """A request of one row to the version now served and to the candidate, in turns on one server."""

    server: str
    served: Latency
    candidate: Latency

    @property
    def ratio(self) -> float:
        return self.candidate.p50_us / self.served.p50_us

    def json(self) -> dict[str, Any]:
        return {
            "server": self.server,
            "served_p50_us": self.served.p50_us,
            "candidate_p50_us": self.candidate.p50_us,
            "ratio": self.ratio,
            "requests": self.served.requests,
        }


@dataclass(frozen=True)
class Gated:
    """The candidate beside the version `against`; None where nothing is served yet. `worse`: in what its parity is.

    `allowed`: by which factor its median may be the greater one.
    """

    against: int | None
    allowed: float
    worse: tuple[str, ...] = ()
    latencies: tuple[Paired, ...] = ()

    @property
    def slower(self) -> tuple[Paired, ...]:
        return tuple(pair for pair in self.latencies if pair.ratio > self.allowed)

    @property
    def passed(self) -> bool:
        return not self.worse and not self.slower

    def json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "against": self.against,
            "worse": list(self.worse),
            "allowed_ratio": self.allowed,
            "latencies": [pair.json() for pair in self.latencies],
        }

    def words(self) -> str:
        """A line a figure."""
        if self.against is None:
            return "nothing is served yet: there is nothing to compare with."
        lines = [*self.worse]
        for pair in self.latencies:
            said = (
                f"allowed {self.allowed:g}" if pair.ratio <= self.allowed else f"more than the allowed {self.allowed:g}"
            )
            lines.append(
                f"{pair.server}: a row takes {pair.candidate.p50_us:,.0f} µs (median of {pair.candidate.requests:,}), "
                f"version {self.against} takes {pair.served.p50_us:,.0f} µs: {pair.ratio:.2f} times, {said}."
            )
        return "\n".join(lines) or f"as equal to Spark as version {self.against}."


@dataclass(frozen=True)
class Part:
    """One server's. `candidate`: parity before anybody could meet it. `parity`: under its own name and number, after.

    `answers`: the version that answered in the end, as far as it was asked. `problem`: what went wrong there.
    """

    server: str
    candidate: ParityReport | None = None
    parity: ParityReport | None = None
    answers: int | None = None
    ready: bool | None = None
    problem: str = ""

    def json(self) -> dict[str, Any]:
        return {
            "server": self.server,
            "candidate": self.candidate and self.candidate.json(),
            "parity": self.parity and self.parity.json(),
            "answers": self.answers,
            "ready": self.ready,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Rollout:
    """A version brought to servers, or not. `before`: the one that the repository served.

    `fresh`: False where repository and servers had it already, and it was only verified. `withdrawn`: it was there for a
    moment and was taken away again.
    """

    name: str
    version: int | None
    before: int | None
    done: bool
    fresh: bool = True
    withdrawn: bool = False
    servers: tuple[Part, ...] = ()
    gate: Gated | None = None
    notes: tuple[str, ...] = field(default=())

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "before": self.before,
            "done": self.done,
            "fresh": self.fresh,
            "withdrawn": self.withdrawn,
            "servers": [part.json() for part in self.servers],
            "gate": self.gate and self.gate.json(),
            "notes": list(self.notes),
        }
