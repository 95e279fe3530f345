"""Two sets of answers to the same rows → do they agree, and where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from builder.errors import CheckFailed
from builder.evidence.store import Evidence
from builder.types import INVALID, NULL_TEXT, SLACK, Array, Table, Word

WORST = 5  # rows told per output

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Difference:
    """One value that differs. `tolerance` is absolute; a `difference` of NaN is between things that are no numbers."""

    row: int
    slot: int
    expected: Any
    got: Any
    difference: float
    tolerance: float


@dataclass(frozen=True)
class OutputParity:
    """One output's verdict.

    `differing`: values outside their tolerance. `near`: values that differ where no tolerance decides (a label whose
    margin lies inside the stored one). `undecided`: values without a finite tolerance, equal ones too.
    `largest`: the greatest difference of a number that was accepted.
    """

    name: str
    word: Word
    values: int
    differing: int
    near: int
    undecided: int
    largest: float
    worst: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Nothing differs, and at least something could have."""
        return self.differing == 0 and (self.undecided < self.values or self.values == 0)


@dataclass(frozen=True)
class ParityReport:
    """Agreement of answers with evidence, output by output."""

    rows: int
    outputs: tuple[OutputParity, ...]

    @property
    def passed(self) -> bool:
        return all(output.passed for output in self.outputs)

    @property
    def values(self) -> int:
        return sum(output.values for output in self.outputs)

    @property
    def near(self) -> int:
        return sum(output.near for output in self.outputs)

    @property
    def differing_rows(self) -> tuple[int, ...]:
        """The worst rows of all outputs, ascending."""
        return tuple(sorted({difference.row for output in self.outputs for difference in output.worst}))

    def words(self) -> str:
        """What failed, for a person: one line an output, then its worst rows."""
        lines = []
        for output in self.outputs:
            if output.passed:
                continue
            if not output.differing:
                lines.append(
                    f"{output.name}: none of its {output.values} values has a finite tolerance, so nothing is proven."
                )
                continue
            lines.append(f"{output.name} ({output.word}): {output.differing} of {output.values} values differ.")
            lines.extend(
                f"  row {worst.row}{f' slot {worst.slot}' if worst.slot else ''}: Spark {worst.expected!r}, here "
                f"{worst.got!r}, difference {worst.difference:.3g}, tolerance {worst.tolerance:.3g}"
                for worst in output.worst
            )
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "rows": self.rows,
            "values": self.values,
            "near": self.near,
            "outputs": {
                output.name: {
                    "word": output.word,
                    "values": output.values,
                    "differing": output.differing,
                    "near": output.near,
                    "undecided": output.undecided,
                    "largest_difference": output.largest,
                }
                for output in self.outputs
            },
        }


def compare(evidence: Evidence, answers: Table) -> ParityReport:
    """Judge answers to `evidence.inputs`: to the bit (0.0 = -0.0, NaN = NaN), or within the stored tolerance per value.

    Raises CheckFailed where an output is missing or has another shape.
    """
    return compare_tables(evidence.answers, answers, evidence.tolerance, evidence.words)


def compare_tables(
    expected: Table, answers: Table, tolerance: Mapping[str, Array], words: Mapping[str, Word]
) -> ParityReport:
    """As `compare`, over any two tables with the same outputs."""
    outputs = []
    for name, wanted in expected.items():
        if name not in answers:
            raise CheckFailed(f"the answers have no output {name!r}; they have {', '.join(answers) or 'none'}.")
        got = answers[name]
        if got.shape[0] != wanted.shape[0] or (got.shape[1] != wanted.shape[1] and wanted.dtype != np.object_):
            raise CheckFailed(
                f"output {name!r} has shape {list(got.shape)}; Spark's answers have {list(wanted.shape)}."
            )
        slack = tolerance.get(name)
        outputs.append(_judge(name, words.get(name, "bit"), wanted, got, slack))
    return ParityReport(expected.rows, tuple(outputs))


def equal_values(a: Array, b: Array) -> Mask:
    """Element by element: the same, where 0.0 = -0.0 and NaN = NaN."""
    same: Mask = np.asarray(a == b, dtype=np.bool_)
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        same |= np.isnan(a) & np.isnan(b)
    return same


def _judge(name: str, word: Word, wanted: Array, got: Array, slack: Array | None) -> OutputParity:
    if wanted.dtype == np.object_:
        wanted, got = _padded(wanted, got)
    allowed = np.zeros(wanted.shape) if slack is None else slack
    same = equal_values(wanted, got)
    distance = _distance(wanted, got, same)
    undecided = ~np.isfinite(allowed)
    if name == INVALID.name:
        undecided = np.zeros_like(undecided)
    inside = same | (distance <= np.where(undecided, 0.0, allowed))
    near = ~inside & undecided
    bad = ~inside & ~undecided
    accepted = distance[inside & np.isfinite(distance)]
    return OutputParity(
        name,
        word,
        int(same.size),
        int(bad.sum()),
        int(near.sum()),
        int(undecided.sum()),
        float(accepted.max()) if accepted.size else 0.0,
        _worst(wanted, got, distance, allowed, bad),
    )


def _distance(wanted: Array, got: Array, same: Mask) -> Array:
    """|a - b| as float64; 0 where equal, NaN where there is no distance (text, or one side is not finite)."""
    if wanted.dtype == np.object_ or got.dtype == np.object_:
        return np.where(same, 0.0, np.nan)
    with np.errstate(all="ignore"):
        apart = np.abs(wanted.astype(np.float64) - got.astype(np.float64))
    return np.where(same, 0.0, np.where(np.isfinite(apart) & ~same, apart, np.nan))


def _worst(wanted: Array, got: Array, distance: Array, allowed: Array, bad: Mask) -> tuple[Difference, ...]:
    rows, slots = np.nonzero(bad)
    size = np.nan_to_num(distance[bad], nan=np.inf)
    excess = size - np.nan_to_num(allowed[bad])
    order = np.argsort(-excess, kind="stable")
    chosen: list[int] = []
    for index in order:
        if rows[index] not in {rows[i] for i in chosen}:
            chosen.append(int(index))
        if len(chosen) == WORST:
            break
    return tuple(
        Difference(
            int(rows[i]),
            int(slots[i]),
            _plain(wanted[rows[i], slots[i]]),
            _plain(got[rows[i], slots[i]]),
            float(distance[rows[i], slots[i]]),
            float(allowed[rows[i], slots[i]]),
        )
        for i in chosen
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _padded(a: Array, b: Array) -> tuple[Array, Array]:
    """Ragged text of two widths, made one: what pads is the marker of null, or "" in a refused row."""
    width = max(a.shape[1], b.shape[1])
    return tuple(  # type: ignore[return-value]
        np.concatenate([x, np.full((x.shape[0], width - x.shape[1]), NULL_TEXT, dtype=object)], axis=1) for x in (a, b)
    )


@dataclass(frozen=True)
class FirstDifference:
    """The first stage, in the pipeline's order, whose column is not Spark's."""

    stage: str  # uid
    column: str
    worst: Difference


def first_difference(evidence: Evidence, every: Table) -> FirstDifference | None:
    """The first stage whose column differs from Spark's, or None where none does in the rows whose steps were recorded.

    `every`: answers to `evidence.inputs.take(evidence.steps.rows)` by the proof graph with every stage's column as an
    output (`<column>__slack` is its tolerance, where it has one). Rows are numbered as in the evidence.
    """
    if evidence.steps is None:
        return None
    for name, wanted in evidence.steps.columns.items():
        if name not in every:
            continue
        verdict = _judge(name, "bit", wanted, every[name], every.get(name + SLACK))
        if verdict.worst:
            worst = verdict.worst[0]
            row = int(evidence.steps.rows[worst.row])
            moved = Difference(row, worst.slot, worst.expected, worst.got, worst.difference, worst.tolerance)
            return FirstDifference(evidence.steps.made_by[name], name, moved)
    return None


def tolerances(answers: Table, names: Sequence[str]) -> dict[str, Array]:
    """The proof graph's slack outputs → output → float64 [N, width]."""
    return {name: answers[name + SLACK].astype(np.float64) for name in names if name + SLACK in answers}
