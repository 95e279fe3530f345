"""Rows as people hold them (Arrow, pandas, dicts) ↔ rows as they travel (`Table`, nulls as markers)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.errors import UsageError
from builder.types import Array, Scalar, Table, TensorSpec, TextArray, VectorType

if TYPE_CHECKING:
    import pyarrow as pa


def nan_values(rows: pa.Table, specs: Sequence[TensorSpec]) -> dict[str, int]:
    """Nullable column of doubles → how many of its values are NaN, which travels as null does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = {}
    for spec in specs:
        column = rows.column(spec.name) if rows.column_names.count(spec.name) == 1 else None
        if column is not None and spec.nullable and pa.types.is_floating(column.type):
            found[spec.name] = pc.sum(pc.is_nan(column)).as_py() or 0
    return found


def encode(rows: pa.Table, specs: Sequence[TensorSpec]) -> Table:
    """Arrow columns → tensors `[N, width]`, nulls as markers. Columns that no spec names are left out.

    Raises UsageError where a column is missing, has a null that its type cannot carry, or does not cast.
    """
    twice = [spec.name for spec in specs if rows.column_names.count(spec.name) > 1]
    if twice:
        raise UsageError(f"column {twice[0]!r} is there twice.", fix="rename one of the two.")
    missing = [spec.name for spec in specs if spec.name not in rows.column_names]
    if missing:
        raise UsageError(
            f"column{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))} missing from the rows.",
            fix=f"give all of: {', '.join(spec.name for spec in specs)}; an absent value is a null, not a missing column.",
        )
    return Table({spec.name: _encode_column(rows.column(spec.name), spec) for spec in specs})


def from_dicts(rows: Sequence[Mapping[str, Any]], specs: Sequence[TensorSpec]) -> Table:
    """JSON-like rows → tensors; a key that is absent is a null. Raises UsageError as `encode` does."""
    import pyarrow as pa

    known = {spec.name for spec in specs}
    strange = sorted({key for row in rows for key in row if key not in known})
    if strange:
        raise UsageError(
            f"the model has no input named {', '.join(map(repr, strange))}.",
            fix=f"its inputs are {', '.join(sorted(known))}.",
        )
    columns = {}
    for spec in specs:
        values = [row.get(spec.name) for row in rows]
        try:
            columns[spec.name] = pa.array(_unchanged(values, spec), type=_json_type(values, spec))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError) as error:  # ValueError: no UTF-8
            raise UsageError(
                f"input {spec.name!r} is {spec.type}: {error}", fix=f"give it a value of type {spec.type}, or null."
            ) from error
    return encode(pa.table(columns), specs)


def _unchanged(values: Sequence[Any], spec: TensorSpec) -> Sequence[Any]:
    """The values, none of which Arrow would change without a word: 1.5 to 1, true to 1.0. Raises ValueError."""
    whole = spec.dtype.kind == "i" and spec.type != Scalar("boolean")
    for value in values:
        if (whole and isinstance(value, float) and not value.is_integer()) or (
            isinstance(value, bool) and spec.type != Scalar("boolean")
        ):
            raise ValueError(f"{value!r} is none.")
    return values


def _json_type(values: Sequence[Any], spec: TensorSpec) -> Any:
    """The column's Arrow type; JSON has no dates and times, so they may come as ISO 8601 text, which `encode` casts."""
    import pyarrow as pa

    dated = spec.type in (Scalar("date"), Scalar("timestamp"), Scalar("timestamp_ntz"))
    return pa.string() if dated and any(isinstance(value, str) for value in values) else arrow_type(spec)


def decode(table: Table, specs: Sequence[TensorSpec]) -> pa.Table:
    """Tensors → Arrow columns of the specs' types; in a nullable column markers become nulls again."""
    import pyarrow as pa

    return pa.table({spec.name: _decode_column(table[spec.name], spec) for spec in specs if spec.name in table})


def arrow_type(spec: TensorSpec) -> Any:
    """What Arrow calls the spec's column."""
    import pyarrow as pa

    match spec.type:
        case VectorType():
            return pa.list_(pa.float64())
        case TextArray():
            return pa.list_(pa.string())
        case Scalar(name):
            return {
                "string": pa.string(),
                "double": pa.float64(),
                "decimal": pa.float64(),
                "float": pa.float32(),
                "integer": pa.int32(),
                "long": pa.int64(),
                "short": pa.int16(),
                "byte": pa.int8(),
                "boolean": pa.bool_(),
                "date": pa.date32(),
                "timestamp": pa.timestamp("us", tz="UTC"),
                "timestamp_ntz": pa.timestamp("us"),
            }[name]


def _encode_column(column: pa.ChunkedArray, spec: TensorSpec) -> Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if isinstance(spec.type, VectorType) and pa.types.is_struct(column.type):
            return _encode_lists(_dense_rows(column, spec), spec)
        if isinstance(spec.type, VectorType | TextArray):
            return _encode_lists(column.cast(arrow_type(spec)).to_pylist(), spec)
        if column.null_count and not spec.nullable:
            raise UsageError(
                f"input {spec.name!r} is not nullable in the model's schema, yet the rows hold a null.",
                fix=f"give a value, or let it be nullable: tritonbuild record SOURCE --rows FILE --nullable {spec.name}, "
                "then publish; or give --schema FILE with the training DataFrame's df.schema.json().",
            )
        if spec.type == Scalar("decimal") and pa.types.is_decimal(column.type):
            column = pa.chunked_array([_nearest(column)])
        cast = column.cast(arrow_type(spec))
        if spec.dtype == np.object_:
            values = cast.fill_null(spec.null).to_pylist()
            array = np.empty(len(values), dtype=object)
            array[:] = values
            return array.reshape(-1, 1)
        if spec.type == Scalar("date"):
            cast = cast.cast(pa.int32())
        elif spec.type in (Scalar("timestamp"), Scalar("timestamp_ntz")):
            cast = cast.cast(pa.int64())
        elif spec.type == Scalar("boolean") and spec.nullable:
            cast = cast.cast(pa.int8())
        filled = pc.fill_null(cast, pa.scalar(spec.null, cast.type)) if spec.nullable else cast
        return np.ascontiguousarray(filled.to_numpy()).astype(spec.dtype, copy=False).reshape(-1, 1)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(
            f"input {spec.name!r} is {spec.type}: {error}", fix=f"give it a value of type {spec.type}, or null."
        ) from error


def _nearest(column: pa.ChunkedArray) -> pa.Array:
    """Decimals as the nearest doubles, as Spark casts them: Arrow's own cast is off by one bit in many."""
    import pyarrow as pa

    return pa.array([None if value is None else float(value) for value in column.to_pylist()], type=pa.float64())


def _dense_rows(column: pa.ChunkedArray, spec: TensorSpec) -> list[list[float] | None]:
    """The vectors of a column that Spark wrote (VectorUDT). Raises UsageError where a row is none."""
    rows: list[list[float] | None] = []
    for number, value in enumerate(column.to_pylist()):
        try:
            rows.append(None if value is None else dense(value, spec))
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"vector {spec.name!r}, row {number}: {error}", fix="write the column as Spark does, or as lists."
            ) from error
    return rows


def dense(value: Mapping[str, Any], spec: TensorSpec) -> list[float]:
    """The slots of Spark's VectorUDT: type 0 is sparse (size, indices, values), type 1 dense (values). Raises ValueError."""
    kind, values = value.get("type"), value.get("values")
    if kind not in (0, 1) or not isinstance(values, list) or any(type(item) not in (int, float) for item in values):
        raise ValueError(f"{_shortened(value)} is no vector of Spark's.")
    if kind == 1:
        return values
    size, indices = value.get("size"), value.get("indices")
    if size != spec.width:
        raise ValueError(f"its size is {size}; the model's is {spec.width}.")
    if not isinstance(indices, list) or len(indices) != len(values):
        raise ValueError("a sparse vector has as many indices as values.")
    slots = [0.0] * spec.width
    before = -1
    for index, item in zip(indices, values, strict=True):
        if not isinstance(index, int) or not before < index < spec.width:
            raise ValueError(f"its indices are not ascending below {spec.width}.")
        slots[index], before = item, index
    return slots


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _encode_lists(rows: Sequence[Any], spec: TensorSpec) -> Array:
    if isinstance(spec.type, VectorType):
        width = spec.width
        for row in rows:
            if row is not None and len(row) != width:
                raise UsageError(f"vector {spec.name!r} has width {width}; a row holds {len(row)} values.")
        filled = [[spec.null] * width if row is None else row for row in rows]
        return np.array(filled, dtype=np.float64).reshape(len(rows), width)
    longest = max((len(row) for row in rows if row is not None), default=0)
    array = np.full((len(rows), max(longest, 1)), spec.null, dtype=object)
    for i, row in enumerate(rows):
        array[i, : len(row or ())] = [spec.null if item is None else item for item in row or ()]
    return array


def _unfilled(row: Array, null: str) -> list[str | None]:
    """Without the markers at its end; another marker is a null element."""
    there = np.flatnonzero(row != null)
    return [None if item == null else item for item in row[: there[-1] + 1 if len(there) else 0]]


def _decode_column(array: Array, spec: TensorSpec) -> pa.Array:
    import pyarrow as pa

    if isinstance(spec.type, VectorType):
        return pa.array(list(array), type=arrow_type(spec))
    if isinstance(spec.type, TextArray):
        return pa.array([_unfilled(row, spec.null) for row in array], type=arrow_type(spec))
    flat = array[:, 0]
    null = None
    if spec.nullable:
        null = np.isnan(flat) if flat.dtype.kind == "f" else flat == spec.null
    if spec.type == Scalar("boolean"):
        flat = flat.astype(bool)
    return pa.array(flat, type=arrow_type(spec), mask=null, from_pandas=False)
