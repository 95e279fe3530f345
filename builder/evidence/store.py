"""Reference rows with Spark's answers, and the one Parquet file that holds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.documents import parse_json
from builder.errors import SourceError
from builder.evidence.head import FORMAT, NewerFormat, check_shapes, exact, read_head, read_session
from builder.sparkml.parquet import read_table
from builder.types import UNSAID, Array, Servable, Session, Table, TensorSpec, Word

if TYPE_CHECKING:
    import pyarrow as pa

UNTOLD = 2**31 - 1
"""`invalid` of a row that Spark refused (or, negative, dropped) where our graph foresaw nothing: no stage has this number."""

_KEY = b"tritonbuild"
_INPUT, _ANSWER, _TOLERANCE, _STEP = "input:", "answer:", "tolerance:", "step:"


@dataclass(frozen=True)
class Steps:
    """Spark's columns between the stages, for some of the evidence's rows: they tell which stage differs first.

    `rows`: [S] row numbers. `columns`: name → [S, width], in the order of the stages. `made_by`: column → stage uid.
    """

    rows: Array
    columns: Table
    made_by: Mapping[str, str]

    def of(self, kept: Array) -> Steps:
        """The same, after the evidence was cut down to its rows `kept` (row numbers, ascending)."""
        stays = np.isin(self.rows, kept)
        return Steps(np.searchsorted(kept, self.rows[stays]), self.columns.take(stays), self.made_by)


@dataclass(frozen=True)
class Evidence:
    """Rows in tensor form and what Spark answered.

    Shapes: inputs, answers [N, width] a column; `answers` holds `invalid` too. `tolerance`: output → float64
    [N, width], absolute; 0 is to the bit, and so is an output that is not in it; not finite is undecided.
    `derived`: bool [N], False for rows that a user gave. `coverage`: share of the model's thresholds and categories
    that stand in a row. `left_out`: rows that were not recorded, because Spark could only be asked for each alone.
    `session`: what Spark was told, where a stage's answers hang on it.
    """

    inputs: Table
    answers: Table
    tolerance: Mapping[str, Array]
    derived: Array
    input_specs: tuple[TensorSpec, ...]
    output_specs: tuple[TensorSpec, ...]
    words: Mapping[str, Word]
    coverage: float
    spark_version: str
    digest: str
    steps: Steps | None = None
    left_out: int = 0
    session: Session = UNSAID

    @property
    def rows(self) -> int:
        return self.answers.rows

    def take(self, rows: Array) -> Evidence:
        """Some rows: a bool mask [N] or ascending row numbers."""
        kept = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return replace(
            self,
            inputs=self.inputs.take(kept),
            answers=self.answers.take(kept),
            tolerance={name: array[kept] for name, array in self.tolerance.items()},
            derived=self.derived[kept],
            steps=self.steps.of(kept) if self.steps else None,
        )

    def only_derived(self) -> Evidence:
        """Without a user's rows, which may be personal data: what goes into a repository."""
        return self.take(self.derived)

    def of_model(self, servable: Servable, digest: str | None = None) -> Evidence:
        """This evidence with the servable's null texts.

        Raises SourceError where it belongs to another model than `servable`, or to another saved pipeline.
        """
        fix = "record it anew: tritonbuild record SOURCE --rows FILE."
        if digest is not None and digest != self.digest:
            raise SourceError("the evidence was recorded for other files than this pipeline's.", fix=fix)
        for what, ours, theirs in (
            ("inputs", self.input_specs, servable.inputs),
            ("outputs", self.output_specs, servable.outputs),
        ):
            if sorted(map(_told, ours)) != sorted(map(_told, theirs)):
                raise SourceError(
                    f"the evidence has {what} {', '.join(map(_told, ours))}; "
                    f"the model has {', '.join(map(_told, theirs))}.",
                    fix=fix,
                )
        return replace(
            self,
            inputs=_remarked(self.inputs, self.input_specs, servable.inputs),
            answers=_remarked(self.answers, self.output_specs, servable.outputs),
            input_specs=servable.inputs,
            output_specs=servable.outputs,
        )


def save(evidence: Evidence, file: Path) -> None:
    """Write one Parquet file; whole or not at all. Markers, NaN and -0.0 survive."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, pa.Array] = {"derived": pa.array(evidence.derived)}
    for prefix, table in (
        (_INPUT, evidence.inputs),
        (_ANSWER, evidence.answers),
        (_TOLERANCE, evidence.tolerance),
    ):
        columns |= {prefix + name: _to_arrow(array) for name, array in table.items()}
    if evidence.steps:
        columns |= {
            _STEP + name: _spread(_to_arrow(array), evidence.steps.rows, evidence.rows)
            for name, array in evidence.steps.columns.items()
        }
    document = json.dumps(_head(evidence), ensure_ascii=False).encode()
    table = pa.table(columns).replace_schema_metadata({_KEY: document})
    partial = file.with_name(file.name + ".partial")
    pq.write_table(table, partial, compression="zstd", use_dictionary=False)
    partial.replace(file)


def load(file: Path) -> Evidence:
    """Read what `save` wrote. Raises SourceError where it is something else, cut short, or of a newer format."""
    import pyarrow as pa

    fix = "record it anew: tritonbuild record SOURCE --rows FILE."
    try:
        table = read_table(file)
        return _evidence(table, read_head((table.schema.metadata or {})[_KEY]))
    except NewerFormat as error:
        raise SourceError(
            f"{file} was written by a newer tritonbuild.", fix="upgrade tritonbuild, or " + fix
        ) from error
    except (pa.ArrowException, OSError, LookupError, ArithmeticError, ValueError, TypeError) as error:
        raise SourceError(f"{file} is not evidence that can be read ({error}).", fix=fix) from error


def session_in(file: Path) -> Session:
    """What Spark was told when it answered; nothing where the file does not say."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return read_session(parse_json((pq.read_schema(file).metadata or {})[_KEY]))
    except (pa.ArrowException, OSError, LookupError, AttributeError, ValueError, TypeError):
        return Session()  # whoever reads the whole file tells what is wrong with it


def _head(evidence: Evidence) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "inputs": [spec.json() for spec in evidence.input_specs],
        "outputs": [spec.json() for spec in evidence.output_specs],
        "words": dict(evidence.words),
        "coverage": evidence.coverage,
        "spark_version": evidence.spark_version,
        "digest": evidence.digest,
        "left_out": evidence.left_out,
        "session": evidence.session.json(),
        "steps": dict(evidence.steps.made_by) if evidence.steps else None,
    }


def _evidence(table: pa.Table, head: Mapping[str, Any]) -> Evidence:
    inputs, outputs, made_by = head["inputs"], head["outputs"], head["steps"]
    steps = None
    if made_by is not None:
        names = [name.removeprefix(_STEP) for name in table.column_names if name.startswith(_STEP)]
        there = np.asarray(table.column(_STEP + names[0]).is_valid()) if names else np.zeros(0, dtype=np.bool_)
        columns = {name: _to_numpy(table.column(_STEP + name)) for name in names}
        steps = Steps(np.flatnonzero(there), Table(columns), made_by)
    asked = Table({spec.name: exact(_to_numpy(table.column(_INPUT + spec.name)), spec) for spec in inputs})
    answers = Table({spec.name: exact(_to_numpy(table.column(_ANSWER + spec.name)), spec) for spec in outputs})
    tolerance = {
        name.removeprefix(_TOLERANCE): _to_numpy(table.column(name))
        for name in table.column_names
        if name.startswith(_TOLERANCE)
    }
    derived = np.asarray(table.column("derived"))
    check_shapes(((asked, inputs), (answers, outputs)), tolerance, derived)
    return Evidence(
        inputs=asked,
        answers=answers,
        tolerance=tolerance,
        derived=derived,
        input_specs=inputs,
        output_specs=outputs,
        words=head["words"],
        coverage=head["coverage"],
        spark_version=head["spark_version"],
        digest=head["digest"],
        steps=steps,
        left_out=head["left_out"],
        session=head["session"],
    )


def _to_arrow(array: Array) -> pa.Array:
    """[N, 1] as a plain column, [N, width] as lists."""
    import pyarrow as pa

    kind = pa.string() if array.dtype == np.object_ else pa.from_numpy_dtype(array.dtype)
    flat = pa.array(np.ascontiguousarray(array).reshape(-1), type=kind, from_pandas=False)
    if array.shape[1] == 1:
        return flat
    ends = np.arange(array.shape[0] + 1, dtype=np.int32) * array.shape[1]
    return pa.ListArray.from_arrays(pa.array(ends), flat)


def _to_numpy(column: pa.ChunkedArray) -> Array:
    """Back to [N, width]. Nulls are no rows."""
    import pyarrow as pa

    there = column.drop_null()
    if not pa.types.is_list(there.type):
        return np.ascontiguousarray(there.to_numpy()).reshape(-1, 1)
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in there.chunks]
    whole = np.concatenate(flat) if flat else np.zeros(0)
    return whole.reshape(len(there), len(whole) // max(len(there), 1))


def _spread(values: pa.Array, rows: Array, total: int) -> pa.Array:
    """Values of some rows as a column of all rows, null elsewhere."""
    import pyarrow as pa

    places = np.full(total, -1, dtype=np.int64)
    places[rows] = np.arange(len(rows))
    return values.take(pa.array(places, mask=places < 0))


def _remarked(table: Table, old: Sequence[TensorSpec], new: Sequence[TensorSpec]) -> Table:
    """The columns in the new order; in text that may be null, the old null text gives way to the new."""
    before = {spec.name: spec.null_text for spec in old}
    columns = {}
    for spec in new:
        array, marker = table[spec.name], before[spec.name]
        textual = array.dtype == np.object_ and marker != spec.null_text and (spec.nullable or spec.width < 0)
        columns[spec.name] = np.where(array == marker, spec.null_text, array).astype(object) if textual else array
    return Table(columns)


def _told(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.triton}[{spec.width}]"


def stack(tables: Sequence[Table], specs: Sequence[TensorSpec]) -> Table:
    """Rows under rows; ragged text is padded with null's marker to the longest."""
    columns = {}
    for spec in specs:
        arrays = [table[spec.name] for table in tables]
        width = max(array.shape[1] for array in arrays)
        columns[spec.name] = np.concatenate(
            [
                np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=spec.null)
                if array.shape[1] < width
                else array
                for array in arrays
            ]
        )
    return Table(columns)
