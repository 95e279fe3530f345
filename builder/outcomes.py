"""What each command comes back with. `json()` is the document that `--json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.types import InvalidReason, StageVerdict, TensorSpec

if TYPE_CHECKING:
    from builder.bench import Latency
    from builder.evidence import ParityReport
    from builder.stages.listing import Listed


@dataclass(frozen=True)
class Checked:
    """Every stage judged. `inputs` and `outputs` are empty where a stage is refused: there is no graph to have them."""

    source: str
    verdicts: tuple[StageVerdict, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    invalid: tuple[InvalidReason, ...]
    evidence: bool
    notes: tuple[str, ...]

    @property
    def refused(self) -> int:
        return sum(verdict.verdict == "refused" for verdict in self.verdicts)

    def json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "convertible": not self.refused,
            "stages": [verdict.json() for verdict in self.verdicts],
            "inputs": [tensor_json(spec) for spec in self.inputs],
            "outputs": [tensor_json(spec) for spec in self.outputs],
            "invalid": [reason.json() for reason in self.invalid],
            "evidence": self.evidence,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Publication:
    """A version in the repository. `parity` is None where it was published unproven."""

    name: str
    version: int
    path: Path
    changed: bool
    parity: ParityReport | None
    manifest: Mapping[str, Any]
    notes: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "path": str(self.path),
            "changed": self.changed,
            "notes": list(self.notes),
            "manifest": dict(self.manifest),
        }


@dataclass(frozen=True)
class Recording:
    """Evidence that was made and kept with its model."""

    source: str
    rows: int
    derived: int
    left_out: int
    coverage: float
    spark_version: str

    def json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "rows": self.rows,
            "derived": self.derived,
            "left_out": self.left_out,
            "coverage": self.coverage,
            "spark_version": self.spark_version,
        }


@dataclass(frozen=True)
class Verification:
    """Evidence rows put to a running server, protocol by protocol."""

    name: str
    version: int
    reports: Mapping[str, ParityReport]  # "gRPC", "HTTP"
    evidence: str

    @property
    def passed(self) -> bool:
        return all(report.passed for report in self.reports.values())

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "passed": self.passed,
            "evidence": self.evidence,
            "protocols": {protocol: report.json() for protocol, report in self.reports.items()},
        }


@dataclass(frozen=True)
class Answer:
    """A server's answer to one row, in values that JSON has; `refused` says in words why there is none."""

    name: str
    outputs: Mapping[str, Any]
    invalid: int
    refused: str

    def json(self) -> dict[str, Any]:
        return {"name": self.name, "outputs": dict(self.outputs), "invalid": self.invalid, "refused": self.refused}


@dataclass(frozen=True)
class Benchmark:
    """Latencies of a model, of the empty model beside it, and of Spark where it was asked."""

    name: str
    latencies: tuple[Latency, ...]
    notes: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "latencies": [latency.json() for latency in self.latencies],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Support:
    """Every Spark class that has a verdict."""

    listed: tuple[Listed, ...]

    def json(self) -> dict[str, Any]:
        return {
            "stages": [
                {
                    "class": one.spark_class,
                    "verdict": "converted" if one.word else one.verdict,
                    "word": one.word,
                    "note": one.note,
                    "fix": one.fix,
                }
                for one in self.listed
            ]
        }

    def markdown(self) -> str:
        """The README's table: a line a class, named with its package."""
        lines = ["| Spark class | equal | |", "|---|---|---|"]
        for one in self.listed:
            name = one.spark_class.removeprefix("org.apache.spark.ml.")
            verdict = f"**{one.verdict}**" if one.fix else f"`{one.verdict}`"
            note = f"{one.note} Fix: {one.fix}" if one.fix else one.note
            lines.append(f"| `{name}` | {verdict} | {note} |")
        return "\n".join(lines)


def tensor_json(spec: TensorSpec) -> dict[str, Any]:
    """A tensor for a reader: its Spark type, Triton's, its width."""
    return {
        "name": spec.name,
        "type": str(spec.type),
        "nullable": spec.nullable,
        "triton": spec.triton,
        "width": spec.width,
    }
