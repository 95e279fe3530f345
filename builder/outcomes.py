"""What each command comes back with. `json()` is the document that `--json` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.packing import planned
from builder.releases import DEFAULT, Target, able, spans
from builder.types import InvalidReason, StageVerdict, TensorSpec

if TYPE_CHECKING:
    from builder.bench import Latency
    from builder.evidence import ParityReport
    from builder.graph.needs import Graph
    from builder.rollouts import Rollout
    from builder.stages.listing import Listed
    from builder.triton.inventory import Held, Untrue
    from builder.triton.settings import Chosen


_WIDE = 4096  # slots: 32 KB a row on the wire


@dataclass(frozen=True)
class Checked:
    """Every stage judged. Where one is refused there is no graph, no outputs, and of `inputs` a width may be -1.

    `target`: the release asked for. `older`: releases that run the model when it is published for them alone.
    """

    source: str
    verdicts: tuple[StageVerdict, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    invalid: tuple[InvalidReason, ...]
    evidence: bool
    notes: tuple[str, ...]
    target: Target = DEFAULT
    graph: Graph | None = None
    older: tuple[Target, ...] = ()

    @property
    def refused(self) -> int:
        return sum(verdict.verdict == "refused" for verdict in self.verdicts)

    @property
    def releases(self) -> tuple[Target, ...]:
        """The Triton releases that run the graph."""
        return able(self.graph.needs) if self.graph else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works and may still surprise."""
        wide = (
            f"output {spec.name!r} is {spec.width:,} wide: {8 * spec.width / 1e6:,.2f} MB a row on the wire; "
            "--outputs leaves it out."
            for spec in self.outputs
            if spec.width > _WIDE
        )
        older = (
            f"older Triton runs it when it is published with --triton {target.name}; trees are slower there."
            for target in self.older
        )
        packs = ", ".join(pack.spec.name for pack in planned(self.inputs, self.outputs, "auto"))
        told = f"its {len(self.inputs)} columns travel packed, as {packs}; --no-pack leaves each its own tensor."
        return (*wide, *((told,) if packs else ()), *older)

    def json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "convertible": not self.refused,
            "stages": [verdict.json() for verdict in self.verdicts],
            "inputs": [tensor_json(spec) for spec in self.inputs],
            "outputs": [tensor_json(spec) for spec in self.outputs],
            "invalid": [reason.json() for reason in self.invalid],
            "graph": self.graph and graph_json(self.graph),
            "triton": {"target": self.target.name, "runs": [target.name for target in self.releases]},
            "evidence": self.evidence,
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }

    def markdown(self) -> str:
        """The same for a pull request or a wiki."""
        parts = [f"## `{self.source}`", markdown_table(("stage", "class", "verdict", "equal", "note"), self._stages())]
        if self.refused:
            parts.append(f"**{self.refused} of {len(self.verdicts)} stages cannot be converted.**")
        for title, specs in (("asks for", self.inputs), ("answers", self.outputs)):
            rows = [(f"`{spec.name}`", str(spec.type), spec.triton, f"[N, {spec.width}]") for spec in specs]
            parts += [markdown_table((title, "type", "Triton", "shape"), rows)] if rows else []
        if self.graph:
            parts += [f"{self.size}; Triton {spans(self.releases)}", f"On a GPU: {self.on_gpu}"]
        parts += [f"* {text}" for text in (*self.warnings, *self.notes)]
        return "\n\n".join(parts)

    @property
    def size(self) -> str:
        """The graph's, in words."""
        assert self.graph is not None, "what is refused has no graph"
        needs = self.graph.needs
        return f"{self.graph.bytes:,} bytes, {self.graph.nodes:,} nodes, opset {needs.opset}, IR {needs.ir}"

    @property
    def on_gpu(self) -> str:
        """What --device gpu would do, in words."""
        assert self.graph is not None, "what is refused has no graph"
        placement = self.graph.placement
        return f"nothing: {placement.why_cpu}." if placement.why_cpu else str(placement)

    def _stages(self) -> list[tuple[str, ...]]:
        return [
            (
                f"`{verdict.uid}`",
                verdict.spark_class.rsplit(".", 1)[-1],
                f"**{verdict.verdict}**" if verdict.verdict == "refused" else verdict.verdict,
                f"`{verdict.word}`" if verdict.word else "",
                verdict.note + (f" Fix: {verdict.fix}" if verdict.fix else ""),
            )
            for verdict in self.verdicts
        ]


@dataclass(frozen=True)
class Told:
    """What MLflow was told. `subject`: the version or the run; `refused`: why it took nothing, where it only lets read."""

    subject: str
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    onnx: str = ""
    alias: str = ""
    refused: str = ""

    def json(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "tags": dict(self.tags),
            "metrics": dict(self.metrics),
            "onnx": self.onnx or None,
            "alias": self.alias or None,
            "refused": self.refused or None,
        }


@dataclass(frozen=True)
class Publication:
    """A version in the repository. `parity` is None where it was published unproven, `mlflow` where nobody was told."""

    name: str
    version: int
    path: Path | str
    changed: bool
    parity: ParityReport | None
    manifest: Mapping[str, Any]
    notes: tuple[str, ...]
    settings: Chosen
    rollout: Rollout | None = None
    mlflow: Told | None = None

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "path": str(self.path),
            "changed": self.changed,
            "mlflow": self.mlflow and self.mlflow.json(),
            "settings": self.settings.json(),
            "notes": list(self.notes),
            "manifest": dict(self.manifest),
            "rollout": self.rollout and self.rollout.json(),
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
    notes: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "rows": self.rows,
            "derived": self.derived,
            "left_out": self.left_out,
            "coverage": self.coverage,
            "spark_version": self.spark_version,
            "notes": list(self.notes),
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
class Inventory:
    """Versions in a repository: all of them, those that were audited, or those that were pruned (`removed`).

    `untrue`: what no longer is as it was published; None where nobody looked.
    """

    versions: tuple[Held, ...]
    untrue: tuple[Untrue, ...] | None = None
    removed: bool | None = None

    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"versions": [held_json(one) for one in self.versions]}
        if self.untrue is not None:
            told["true"] = not self.untrue
            told["untrue"] = [{"path": str(one.path), "why": one.why} for one in self.untrue]
        return told if self.removed is None else told | {"removed": self.removed}


@dataclass(frozen=True)
class Support:
    """Every Spark class that has a verdict."""

    listed: tuple[Listed, ...]

    def json(self) -> dict[str, Any]:
        return {"stages": [one.json() for one in self.listed]}

    def markdown(self) -> str:
        """The README's table: a line a class, named with its package."""
        rows = []
        for one in self.listed:
            verdict = f"**{one.verdict}**" if one.fix else f"`{one.verdict}`"
            read = ", ".join(f"`{name}`" for name in one.params)
            since = f"{one.since} and newer" if one.since else ""
            note = f"{one.note} Fix: {one.fix}" if one.fix else one.note
            rows.append((f"`{one.spark_class.removeprefix('org.apache.spark.ml.')}`", verdict, read, since, note))
        return markdown_table(("Spark class", "equal", "params read", "Triton", ""), rows)


def held_json(one: Held) -> dict[str, Any]:
    """A version for a reader: where it comes from and how it was proven."""
    source = one.manifest.get("source", {})
    return {
        "name": one.name,
        "version": one.version,
        "path": str(one.path),
        "bytes": one.bytes,
        "highest": one.highest,
        "serving": one.serving,
        "source": source.get("uri"),
        "run_id": source.get("run_id"),
        "proven_rows": proven_rows(one),
    }


def proven_rows(one: Held) -> int | None:
    """Rows that were compared with Spark's answers; None where it was published unproven, or by somebody else."""
    proof = one.manifest.get("proof")
    return proof["parity"]["rows"] if isinstance(proof, dict) else None


def tensor_json(spec: TensorSpec) -> dict[str, Any]:
    """A tensor for a reader: its Spark type, Triton's, its width."""
    return {
        "name": spec.name,
        "type": str(spec.type),
        "nullable": spec.nullable,
        "triton": spec.triton,
        "width": spec.width,
    }


def graph_json(graph: Graph) -> dict[str, Any]:
    """A graph for a reader: its size, and what onnxruntime must know."""
    needs = graph.needs
    return {
        "bytes": graph.bytes,
        "nodes": graph.nodes,
        "ir": needs.ir,
        "opset": needs.opset,
        "ai.onnx.ml": needs.ml,
        "operators": sorted(needs.operators),
        "cuda": graph.placement.json(),
    }


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells as they are, but for what would end one."""
    lines = [headers, ["---"] * len(headers), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
