"""A Parquet file of a saved model → Arrow, once its own metadata says that it is no more than it looks.

Some hundred bytes can claim 2^40 rows, and a page of run lengths makes them. So rows are counted before they are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError
from builder.sparkml.parquet_footer import row_groups

if TYPE_CHECKING:
    import pyarrow as pa

_VALUE_BYTES = 8
_ALWAYS_BYTES = 1 << 27
"""What any file may grow to: 128 MB."""
_GROWTH = 300
"""Beyond that, times a file's own size. Real forests grow 3 to 30 times; a column of one value repeated may grow much more."""
_TEXT_BYTES = 1 << 30
_BATCH, _BUFFER = 1 << 14, 1 << 20  # rows, bytes


@contextmanager
def readable(file: Path, what: str) -> Iterator[None]:
    """What pyarrow raises over a file becomes a SourceError that names it. `what` stands before the file's name."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, KeyError, OSError, OverflowError, ValueError, MemoryError) as error:
        raise SourceError(
            f"{what}{file} is not a readable Parquet file ({error}).",
            fix="copy the saved model again; this file is cut short or damaged.",
        ) from error


def opened(file: Path, **options: Any) -> Any:
    """A pyarrow.parquet.ParquetFile whose values fit. Raises SourceError where they cannot, pyarrow's own errors elsewhere."""
    import pyarrow.parquet as pq

    parquet = pq.ParquetFile(file, **options)
    values = 0
    for group in row_groups(file):
        values += max(group.rows * len(group.values), sum(group.values)) + sum(group.uncompressed) // _VALUE_BYTES
    allowed = max(_ALWAYS_BYTES, _GROWTH * file.stat().st_size)
    if values * _VALUE_BYTES > allowed:
        raise SourceError(
            f"{file} has {file.stat().st_size:,} bytes and claims {parquet.metadata.num_rows:,} rows of "
            f"{parquet.metadata.num_columns} columns: about {values * _VALUE_BYTES:,} bytes in memory.",
            fix="copy the saved model again: no model of Spark's is packed like this.",
        )
    return parquet


def read_table(file: Path) -> pa.Table:
    """Every row of one file, texts no longer than 1 GB together. Raises SourceError, and pyarrow's own errors."""
    import pyarrow as pa

    parquet = opened(file)  # read_table would import pandas: half a second
    if not any(_holds_text(field.type) for field in parquet.schema_arrow):
        return parquet.read()
    batches, size = [], 0
    for batch in parquet.iter_batches(_BATCH // 16, use_threads=False):  # a dictionary of long texts repeats them
        size += batch.nbytes
        if size > max(_TEXT_BYTES, _GROWTH * file.stat().st_size):
            raise SourceError(
                f"{file} has {file.stat().st_size:,} bytes and more than {size:,} in memory.",
                fix="copy the saved model again: no model of Spark's is packed like this.",
            )
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=parquet.schema_arrow)


def read_batches(file: Path, column: str) -> Iterator[pa.Array]:
    """One column, some thousand rows at a time: it may be gigabytes."""
    parquet = opened(file, buffer_size=_BUFFER, pre_buffer=False)
    for batch in parquet.iter_batches(_BATCH, columns=[column], use_threads=False):
        yield batch.column(column)


def type_name(type: pa.DataType) -> str:
    """An Arrow type without what may be null and what a list calls its elements: `struct<type:int8,values:list<double>>`."""
    import pyarrow as pa

    if pa.types.is_struct(type):
        return f"struct<{','.join(f'{field.name}:{type_name(field.type)}' for field in type)}>"
    if pa.types.is_list(type) or pa.types.is_large_list(type):
        return f"list<{type_name(type.value_type)}>"
    return str(type)


def nulls(column: pa.ChunkedArray | pa.Array, path: str = "") -> Iterator[str]:
    """Where values are null: "" for the column itself, `values.element` for what is in it."""
    import pyarrow as pa

    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    for chunk in chunks:
        if chunk.null_count:
            yield path
        there = chunk.drop_null() if chunk.null_count else chunk
        if pa.types.is_struct(chunk.type):
            for field, inner in zip(chunk.type, there.flatten(), strict=True):
                yield from nulls(inner, f"{path}.{field.name}".strip("."))
        elif pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type):
            yield from nulls(there.flatten(), f"{path}.element".strip("."))


def _holds_text(type: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_nested(type):
        return any(_holds_text(type.field(at).type) for at in range(type.num_fields))
    return bool(pa.types.is_string(type) or pa.types.is_binary(type) or pa.types.is_large_string(type))
