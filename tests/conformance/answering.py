"""A row's saved pipeline compiled and asked, beside what Spark answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.releases import DEFAULT, Target
from builder.sparkml.reader import SavedPipeline, read_pipeline
from builder.sparkml.schema import parse_schema
from builder.stages import all_rules
from builder.tables import encode
from builder.types import INVALID, SLACK, Array, Predict, Scalar, Schema, Servable, Session, Table, TextArray
from tests.conformance.record import NUMBER, entry
from tests.conformance.row import Column, Columns, Row

_ARROW = {
    "double": pa.float64(),
    "float": pa.float32(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "smallint": pa.int16(),
    "tinyint": pa.int8(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "timestamp_ntz": pa.timestamp("us"),
    "vector": pa.list_(pa.float64()),
    "array<double>": pa.list_(pa.float64()),
    "array<float>": pa.list_(pa.float32()),
    "array<string>": pa.list_(pa.string()),
}
_STRENGTH = ("bit", "dot", "elementary", "iterative")


@dataclass(frozen=True)
class Recorded:
    """What the cache holds of a row: the model, its schema, and Spark's answers by row number."""

    pipeline: SavedPipeline
    schema: Schema
    answers: pa.Table
    types: dict[str, str]
    raised: dict[int, str]
    dropped: frozenset[int]

    @property
    def fine(self) -> Array:
        return self.answers.column(NUMBER).to_numpy()


def recorded(row: Row, spark_version: str) -> Recorded:
    return recorded_in(entry(row, spark_version), row)


def recorded_in(folder: Path, row: Row) -> Recorded:
    pipeline = read_pipeline(folder / "pipeline")
    schema = parse_schema((folder / "schema.json").read_text())
    if row.refused:
        return Recorded(pipeline, schema, pa.table({}), {}, {}, frozenset())
    status = json.loads((folder / "answers.json").read_text())
    return Recorded(
        pipeline,
        schema,
        pq.read_table(folder / "answers.parquet"),
        {field["name"]: _type_name(field["type"]) for field in status["schema"]["fields"]},
        {int(number): text for number, text in status["raised"].items()},
        frozenset(status["dropped"]),
    )


def _type_name(saved: Any) -> str:
    if isinstance(saved, dict):
        return "array<string>" if saved.get("elementType") == "string" else "vector"
    return "decimal" if saved.startswith("decimal") else saved


def compiled(row: Row, spark: Recorded, proof: bool = False, target: Target = DEFAULT, pack: str = "never") -> Servable:
    """The row's pipeline, lowered as a user's would be: outputs by default unless the row chooses them."""
    ansi = row.conf.get("spark.sql.ansi.enabled")
    session = Session(None if ansi is None else ansi == "true", row.conf.get("spark.sql.session.timeZone"))
    chosen = row.outputs if row.chosen else None
    pipeline = spark.pipeline.under(session)
    return lower(pipeline, spark.schema, all_rules(), chosen, proof=proof, target=target, pack=pack)


def arrow(columns: Columns) -> pa.Table:
    return pa.table({name: _arrow_column(column) for name, column in columns.items()})


def _arrow_column(column: Column) -> pa.Array:
    if column.type == "vector":
        return pa.array([value and list(value.dense()) for value in column.values], _ARROW["vector"])
    if column.type.startswith("decimal"):
        return pa.array([None if value is None else float(value) for value in column.values], pa.float64())
    return pa.array(list(column.values), _ARROW[column.type], from_pandas=False)


@dataclass(frozen=True)
class Verdict:
    """All that is wrong with a row's answers, and how many labels hung on a margin inside the tolerance."""

    wrong: tuple[str, ...]
    undecided: int


def judge(
    row: Row,
    spark_version: str,
    *,
    target: Target = DEFAULT,
    predict: Callable[[Servable], Predict] = in_process,
) -> Verdict:
    """The row compiled for `target`, asked through `predict`, beside what Spark said."""
    spark = recorded(row, spark_version)
    served, proof = (compiled(row, spark, proof, target) for proof in (False, True))
    inputs = encode(arrow(row.rows), served.inputs)
    answers, proven = predict(served)(inputs), predict(proof)(inputs)
    wrong = [*_promises(row, spark, served)]
    wrong += [f"{n}: served and proof graph differ" for n in answers if not _same(answers[n], proven[n]).all()]
    wrong += [*_refusals(row, spark, served, answers)]
    undecided = 0
    for name in row.outputs:
        slack = proven[name + SLACK][spark.fine] if name + SLACK in proven else None
        told, loose = _column(name, row, spark, served, inputs, answers[name], slack)
        wrong += told
        undecided += loose
    if undecided > row.undecided:
        wrong.append(f"{undecided} labels are undecided; the row allows {row.undecided}")
    return Verdict(tuple(wrong), undecided)


def compared(row: Row, folder: Path) -> list[str]:
    """What differs from Spark's answers in `folder`, laid out as the cache's are, whatever its pipeline promises."""
    spark = recorded_in(folder, row)
    served, proof = (compiled(row, spark, proof) for proof in (False, True))
    inputs = encode(arrow(row.rows), served.inputs)
    answers, proven = in_process(served)(inputs), in_process(proof)(inputs)
    wrong = _refusals(row, spark, served, answers)
    for name in row.outputs:
        if name in answers:
            slack = proven[name + SLACK][spark.fine] if name + SLACK in proven else None
            wrong += _column(name, row, spark, served, inputs, answers[name], slack)[0]
    return wrong


def _promises(row: Row, spark: Recorded, served: Servable) -> list[str]:
    """Names, types and words."""
    wrong = []
    names = [spec.name for spec in served.outputs]
    if sorted(names) != sorted([*row.outputs, INVALID.name]):
        wrong.append(f"outputs are {names}; wanted {[*row.outputs]} and invalid")
    for spec in served.outputs[:-1]:
        told = str(spec.type).split("[")[0]
        if spec.name in spark.types and told != spark.types[spec.name]:
            wrong.append(f"{spec.name} is {told}; Spark's is {spark.types[spec.name]}")
    words = [stage.word for stage in served.stages if stage.verdict == "kept" and stage.word]
    weakest = max(words, key=_STRENGTH.index, default="bit")
    if weakest != row.word:
        wrong.append(f"the weakest word of the stages is {weakest}; the row says {row.word}")
    return wrong


def _refusals(row: Row, spark: Recorded, served: Servable, answers: Table) -> list[str]:
    """`invalid` by contract, and what stands in the outputs of a refused row."""
    codes = answers[INVALID.name][:, 0]
    reasons = {reason.code for reason in served.invalid}
    wrong = []
    for number, code in enumerate(codes):
        wanted = "stop" if number in spark.raised else "drop" if number in spark.dropped else "fine"
        got = "stop" if code > 0 else "drop" if code < 0 else "fine"
        if wanted != got and not (got == "stop" and _is_null_vector(row, number)):
            wrong.append(
                f"row {number} {_shown(row, number)}: Spark says {wanted} ({spark.raised.get(number, '')[:150]!r}), invalid is {code}"
            )
        if code and abs(code) not in reasons:
            wrong.append(f"row {number}: invalid {code} is not in the table of reasons {sorted(reasons)}")
    refused = codes != 0
    for spec in served.outputs[:-1]:
        blank: Any = np.nan if spec.dtype.kind == "f" else "" if spec.type == Scalar("string") else spec.null
        left = ~_same(answers[spec.name][refused], np.full_like(answers[spec.name][refused], blank))
        if left.any():
            wrong.append(f"{spec.name}: refused rows hold {answers[spec.name][refused][left][:3]}, not {blank!r}")
    return wrong


def _column(
    name: str, row: Row, spark: Recorded, served: Servable, inputs: Table, got: Array, slack: Array | None
) -> tuple[list[str], int]:
    """What differs in one output, over the rows that Spark answered; and how many values no tolerance decides."""
    spec = next((spec for spec in served.outputs if spec.name == name), None)
    if spec is None:
        return [f"{name}: not among the outputs"], 0
    numbers = spark.fine
    expected = encode(spark.answers.select([name]), [spec])[name]
    answered = got[numbers]
    if spec.type == TextArray():  # as long as the longest of its own batch
        longest = max(expected.shape[1], answered.shape[1])
        expected, answered = (_filled(array, longest, spec.null) for array in (expected, answered))
    if answered.shape != expected.shape:
        return [f"{name} is of shape {answered.shape}; wanted {expected.shape}"], 0
    allowed = np.zeros(expected.shape) if slack is None else slack
    loose = np.isinf(allowed)
    wrong = []
    if expected.dtype.kind == "f" and (unbounded := np.isnan(allowed) & np.isfinite(expected)).any():
        wrong.append(f"{name}: a tolerance is NaN in rows {numbers[unbounded.any(axis=1)][:5]}")
    with np.errstate(all="ignore"):
        inside = _same(answered, expected)
        if expected.dtype.kind == "f":
            inside |= np.abs(answered - expected) <= allowed
            wrong += _loose_bounds(name, inputs, expected, allowed)
    inside |= loose
    for place, slot in zip(*np.nonzero(~inside), strict=True):
        number = int(numbers[place])
        if _shadowed(row, number, spark):
            continue
        wrong.append(
            f"{name}[{slot}] of row {number} {_shown(row, number)}: Spark {expected[place, slot]!r}, "
            f"here {answered[place, slot]!r}, tolerance {allowed[place, slot]:.3g}"
        )
    return wrong, int(loose.sum())


def _filled(array: Array, width: int, null: str) -> Array:
    return np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=null)


def _loose_bounds(name: str, inputs: Table, expected: Array, allowed: Array) -> list[str]:
    """A tolerance that would hide float32 proves nothing."""
    finite = [np.abs(a[np.isfinite(a)]).max(initial=0) for a in (expected, *_numbers(inputs))]
    ceiling = 1e-10 * (1 + max(finite))
    worst = np.where(np.isfinite(allowed), allowed, 0.0).max(initial=0)
    return [f"{name}: a tolerance of {worst:.3g} is too generous"] if worst > ceiling else []


def _numbers(inputs: Table) -> list[Array]:
    return [array.astype(np.float64) for array in inputs.values() if array.dtype.kind in "fiu"]


def _shadowed(row: Row, number: int, spark: Recorded) -> bool:
    """In a nullable column NaN travels as null does: where the same row with null was asked too, that answer counts.

    A vector of nothing but NaN is null as well: Spark fails on every null vector, as the evidence's tests have it.
    """
    if _is_null_vector(row, number):
        return True
    nan = [
        name
        for name, column in row.rows.items()
        if column.nullable
        and isinstance(column.values[number], float)
        and column.values[number] != column.values[number]
    ]
    return bool(nan) and any(
        all(
            column.values[other] is None if name in nan else column.values[other] == column.values[number]
            for name, column in row.rows.items()
        )
        for other in range(len(next(iter(row.rows.values())).values))
    )


def _is_null_vector(row: Row, number: int) -> bool:
    return any(
        column.type == "vector" and column.nullable and _all_nan(column.values[number]) for column in row.rows.values()
    )


def _all_nan(value: Any) -> bool:
    slots = getattr(value, "values", value)
    return isinstance(slots, tuple | list) and len(slots) > 0 and all(slot != slot for slot in slots)


def _same(a: Array, b: Array) -> Array:
    """Element by element: the same bits, where 0.0 = -0.0 and NaN = NaN."""
    same = np.asarray(a == b, dtype=bool)
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        same |= np.isnan(a) & np.isnan(b)
    return same


def _shown(row: Row, number: int) -> str:
    return str(
        {name: getattr(column.values[number], "values", column.values[number]) for name, column in row.rows.items()}
    )


def versions(row: Row, cache: Path) -> list[str]:
    """Spark versions that have answered this row, as it stands."""
    found = [folder.name.removeprefix("spark-") for folder in cache.glob("spark-*")]
    return [version for version in sorted(found) if entry(row, version).is_dir()]
