"""Rows in tensor form ↔ Spark's DataFrames, with the exact types, nullability and metadata of the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.errors import CheckFailed
from builder.sparkml.schema import DECIMAL, ELEMENT, decimal_digits
from builder.types import Array, Field, Scalar, Schema, Table, TensorSpec, TextArray, VectorType

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

ROW = "__tritonbuild_row"

_SPARK = {
    "string": "StringType",
    "double": "DoubleType",
    "float": "FloatType",
    "integer": "IntegerType",
    "long": "LongType",
    "short": "ShortType",
    "byte": "ByteType",
    "boolean": "BooleanType",
    "date": "IntegerType",  # as days, made a date inside Spark: Python's dates end in year 9999
    "timestamp": "LongType",  # as microseconds
    "timestamp_ntz": "LongType",
}


@dataclass(frozen=True)
class SparkRows:
    """Tensors inside Spark's JVM, from which any stretch becomes a DataFrame with no Python worker in between."""

    session: SparkSession
    fields: Mapping[str, Field]
    kinds: Any  # StructType as Python's rows were sent: dates and times as numbers
    rows: Any  # java.util.List<Row>

    def frame(self, numbers: Array) -> DataFrame:
        """Some rows; markers are nulls again; column `__tritonbuild_row` holds their numbers."""
        from pyspark.sql import DataFrame
        from pyspark.sql import functions as F

        jvm = self.session._jsparkSession
        some: Any = self._picked(numbers.tolist())
        if len(numbers) > 1:  # as data at rest, in generated code; a single row is quicker as a literal
            some = self.session.sparkContext._jsc.parallelize(some)
        frame = DataFrame(jvm.createDataFrame(some, jvm.parseDataType(self.kinds.json())), self.session)
        return frame.select(ROW, *(_finished(F.col(f"`{name}`"), field) for name, field in self.fields.items()))

    def _picked(self, numbers: list[int]) -> Any:
        if numbers == list(range(numbers[0], numbers[-1] + 1)):
            return self.rows.subList(numbers[0], numbers[-1] + 1)
        chosen = self.session.sparkContext._jvm.java.util.ArrayList()
        for number in numbers:
            chosen.add(self.rows.get(number))
        return chosen


def to_spark(session: SparkSession, rows: Table, specs: Sequence[TensorSpec], schema: Schema) -> SparkRows:
    """Send tensors to Spark, each column as the schema has it: type, nullability, metadata."""
    from pyspark.sql import types as T

    known = {field.name: field for field in schema}
    fields = {spec.name: known[spec.name] for spec in specs}
    kinds = T.StructType(
        [
            T.StructField(ROW, T.LongType(), False),
            *(T.StructField(spec.name, _spark_type(fields[spec.name]), spec.nullable) for spec in specs),
        ]
    )
    values = [_from_tensor(rows[spec.name], spec, fields[spec.name]) for spec in specs]
    data = list(zip(range(rows.rows), *values, strict=True))
    sent = session.createDataFrame(data, kinds).orderBy(ROW)
    return SparkRows(session, fields, kinds, sent._jdf.collectAsList())


def snapped(rows: Table, specs: Sequence[TensorSpec], schema: Schema) -> Table:
    """Decimals as their column can hold them (so many places, so many digits); other columns as they are."""
    fields = {field.name: field for field in schema}
    columns = dict(rows)
    for spec in specs:
        if spec.type == Scalar("decimal"):
            values = [_decimal(value, fields[spec.name]) for value in rows[spec.name][:, 0].tolist()]
            floats = [float("nan") if value is None else float(value) for value in values]
            columns[spec.name] = np.array(floats, dtype=np.float64).reshape(-1, 1)
    return Table(columns)


def answers(frame: DataFrame, specs: Sequence[TensorSpec]) -> tuple[Array, Table]:
    """Collect `select(specs)` of a numbered DataFrame: row numbers, ascending, and tensors. Raises as Spark does."""
    from pyspark.sql import functions as F

    chosen = [_plain(F.col(f"`{spec.name}`"), spec).alias(spec.name) for spec in specs]
    collected = frame.select(ROW, *chosen).collect()
    collected.sort(key=lambda row: row[0])
    numbers = np.array([row[0] for row in collected], dtype=np.int64)
    return numbers, Table(
        {spec.name: to_tensor([row[i] for row in collected], spec) for i, spec in enumerate(specs, 1)}
    )


def sampled(frame: DataFrame, specs: Sequence[TensorSpec], limit: int, seed: int = 0) -> Table:
    """At most `limit` rows of a DataFrame, drawn at random over all of it, in tensor form."""
    from pyspark.sql import functions as F

    chosen = [_plain(F.col(f"`{spec.name}`"), spec).alias(spec.name) for spec in specs]
    collected = frame.select(*chosen).orderBy(F.rand(seed)).limit(limit).collect()
    return Table({spec.name: to_tensor([row[i] for row in collected], spec) for i, spec in enumerate(specs)})


def to_tensor(values: Sequence[Any], spec: TensorSpec) -> Array:
    """What Spark's Python hands out (None, numbers, vectors, lists) → [N, width], null as its marker."""
    match spec.type:
        case VectorType():
            empty = np.full(spec.width, np.nan)
            rows = [empty if value is None else _slots(value) for value in values]
            if any(len(row) != spec.width for row in rows):
                raise CheckFailed(
                    f"Spark's vector {spec.name!r} has {len(rows[0])} slots; ours has {spec.width}.",
                    fix="check the schema given: vector widths come from its ml_attr.num_attrs.",
                )
            return np.array(rows, dtype=np.float64).reshape(len(values), spec.width)
        case TextArray():
            lists = [[spec.null if item is None else item for item in value or ()] for value in values]
            array = np.full((len(values), max([1, *map(len, lists)])), spec.null, dtype=object)
            for index, items in enumerate(lists):
                array[index, : len(items)] = items
            return array
    filled = [spec.null if value is None else value for value in values]
    if spec.dtype == np.object_:
        array = np.empty((len(filled), 1), dtype=object)
        array[:, 0] = filled
        return array
    return np.array([float(v) if isinstance(v, Decimal) else v for v in filled], dtype=spec.dtype).reshape(-1, 1)


def _slots(value: Any) -> Array:
    """A vector's slots, or an array's numbers; of an array of vectors (what LSH models answer) those of all."""
    if isinstance(value, list) and all(isinstance(item, float | None) for item in value):
        return np.array(value, dtype=np.float64)
    vectors = value if isinstance(value, list) else [value]
    return np.concatenate([vector.toArray() for vector in vectors])


def _plain(column: Column, spec: TensorSpec) -> Column:
    """Dates and times as numbers: Python's datetimes would go through this machine's time zone."""
    from pyspark.sql import functions as F

    if spec.type == Scalar("timestamp"):
        return F.unix_micros(column)
    if spec.type == Scalar("timestamp_ntz"):
        return F.unix_micros(F.to_utc_timestamp(column.cast("timestamp"), F.current_timezone()))
    return F.unix_date(column) if spec.type == Scalar("date") else column


def _finished(column: Column, field: Field) -> Column:
    """The column's last touch inside Spark: dates and times from numbers, and its metadata."""
    from pyspark.sql import functions as F

    if field.type == Scalar("timestamp"):
        column = F.timestamp_micros(column)
    elif field.type == Scalar("timestamp_ntz"):
        seconds = (column.cast("decimal(20,0)") / 1_000_000).cast("decimal(20,6)")
        column = F.expr("TIMESTAMP_NTZ'1970-01-01 00:00:00'") + F.make_dt_interval(secs=seconds)
    elif field.type == Scalar("date"):
        column = F.date_from_unix_date(column)
    metadata = {key: value for key, value in field.metadata.items() if key not in (DECIMAL, ELEMENT)}
    return column.alias(field.name, metadata=metadata)


def _spark_type(field: Field) -> Any:
    from pyspark.ml.linalg import VectorUDT
    from pyspark.sql import types as T

    match field.type:
        case VectorType() if ELEMENT in field.metadata:
            return T.ArrayType(getattr(T, _SPARK[field.metadata[ELEMENT]])(), False)
        case VectorType():
            return VectorUDT()
        case TextArray():
            return T.ArrayType(T.StringType())
        case Scalar("decimal"):
            return T.DecimalType(*_precision(field))
        case Scalar(name):
            return getattr(T, _SPARK[name])()


def _from_tensor(array: Array, spec: TensorSpec, field: Field) -> list[Any]:
    from pyspark.ml.linalg import DenseVector

    match spec.type:
        case VectorType() if ELEMENT in field.metadata:
            return list(array.tolist())
        case VectorType():
            return [None if spec.nullable and np.isnan(row).all() else DenseVector(row) for row in array]
        case TextArray():
            return [[item for item in row if item != spec.null] for row in array]
        case Scalar("decimal"):
            return [_decimal(value, field) for value in array[:, 0].tolist()]
    values: list[Any] = array[:, 0].tolist()
    if spec.type == Scalar("boolean"):
        return [None if spec.nullable and value == spec.null else bool(value) for value in values]
    if not spec.nullable:
        return values
    if array.dtype.kind == "f":
        return [None if value != value else value for value in values]
    return [None if value == spec.null else value for value in values]


def _precision(field: Field) -> tuple[int, int]:
    """(digits, places) of `decimal(digits,places)`; Spark's default where only `decimal` is known."""
    return decimal_digits(field.metadata) or (10, 0)


def _decimal(value: float, field: Field) -> Decimal | None:
    """The nearest value that the column can hold; None for NaN."""
    if value != value:
        return None
    digits, places = _precision(field)
    with localcontext(prec=400):  # the default 28 digits would round decimal(38,…)'s largest value up and out of range
        step = Decimal(1).scaleb(-places)
        largest = Decimal(10) ** (digits - places) - step
        if abs(value) >= largest:
            return largest if value > 0 else -largest
        return Decimal(repr(value)).quantize(step, rounding=ROUND_HALF_EVEN)
