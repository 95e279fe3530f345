"""Rows from files or from the folders that Spark writes (Parquet, CSV, JSON) → tensors."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from builder.errors import UsageError
from builder.tables import arrow_type, dense, encode, from_dicts, nan_values
from builder.types import Scalar, Table, TensorSpec, VectorType

if TYPE_CHECKING:
    import pyarrow as pa

_FORMS = (
    "JSON lines (.jsonl, .ndjson, .json), a JSON list (.json), CSV with a header (.csv), each also .gz, "
    "Parquet (.parquet), or a folder of them as Spark writes it"
)
Partition = dict[str, str | None]
_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_CSV_FIELD = re.compile(r'(?:"((?:[^"\\]|\\.|"")*)"|([^,\r\n]*))(,|\r\n|\n|\r|\Z)', re.DOTALL)
_CSV_ESCAPE = re.compile(r'\\(["\\])|""')


def read_rows(path: Path, specs: Sequence[TensorSpec], nans: Counter[str] | None = None) -> Table:
    """Rows by column name; columns that no input names are left out. In CSV an empty field is null where it may be.

    A folder holds part files as `df.write` leaves them; folders `column=value` inside it give that column.
    `nans` counts NaN in nullable columns of doubles: in tensors it is null.
    Raises UsageError where a file is missing, in another form, or its values are not of the inputs' types.
    """
    nans = Counter() if nans is None else nans
    if path.is_file():
        return _read(path, {}, specs, nans)
    if not path.is_dir():
        raise UsageError(f"there is no file {path}.", fix=f"give rows as {_FORMS}.")
    from builder.evidence.store import stack

    parts = list(_parts(path, {}))
    if not parts:
        raise UsageError(f"{path} holds no file of rows.", fix=f"give rows as {_FORMS}.")
    forms = {_form(file) for file, _ in parts}
    if len(forms) > 1:
        raise UsageError(f"{path} holds files of different forms: {', '.join(sorted(forms))}.", fix="keep one of them.")
    return stack([_read(file, partition, specs, nans) for file, partition in parts], specs)


def _parts(folder: Path, partition: Partition) -> Iterator[tuple[Path, Partition]]:
    """The files that Spark reads of a folder (none whose name begins with _ or .), with their partition's values."""
    for path in sorted(folder.iterdir()):
        name, equals, value = path.name.partition("=")
        if path.name.startswith(("_", ".")):
            continue
        if path.is_file():
            yield path, partition
        elif path.is_dir() and equals and not path.is_symlink():
            yield from _parts(path, partition | {unquote(name): None if value == _NO_PARTITION else unquote(value)})
        else:
            raise UsageError(f"{path} is no file of rows.", fix="give a folder as Spark's df.write leaves it.")


def _form(file: Path) -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return {".ndjson": ".jsonl"}.get(suffixes[-1], suffixes[-1]) if suffixes else ""


def _read(file: Path, partition: Partition, specs: Sequence[TensorSpec], nans: Counter[str]) -> Table:
    import pyarrow as pa

    try:
        match _form(file):
            case ".jsonl":
                return _named(_json_lines(_text(file)), partition, specs, file, nans)
            case ".json":
                text = _text(file)
                listed = text.lstrip()[:1] == "["
                return _named(json.loads(text) if listed else _json_lines(text), partition, specs, file, nans)
            case ".csv":
                table = _partitioned(_read_csv(file, specs), partition, specs)
                nans.update(nan_values(table, specs))
                return encode(table, specs)
            case ".parquet":
                import pyarrow.parquet as pq

                table = pq.ParquetFile(file).read()  # the file alone: read_table takes folders' names for columns
                table = _partitioned(table, partition, specs)
                nans.update(nan_values(table, specs))
                return encode(table, specs)
    except UsageError as error:
        if str(file) in error.message:
            raise
        raise UsageError(f"{file}: {error.message}", fix=error.fix) from error
    except (OSError, EOFError, ValueError, RecursionError, pa.ArrowException) as error:
        raise UsageError(f"{file} cannot be read ({error}).", fix=f"give rows as {_FORMS}.") from error
    raise UsageError(f"{file} has no ending that tells its form.", fix=f"give rows as {_FORMS}.")


def _text(file: Path) -> str:
    if file.suffix.lower() == ".gz":
        with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
            return opened.read()
    return file.read_bytes().decode("utf-8-sig")


def _json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _named(rows: Any, partition: Partition, specs: Sequence[TensorSpec], file: Path, nans: Counter[str]) -> Table:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{file} holds something else than JSON objects.", fix='write one {"column": value, …} a row.')
    types = {spec.name: spec for spec in specs}
    placed = {name: _from_text(value, types[name]) for name, value in partition.items() if name in types}
    named = [{key: _plain(value, types[key]) for key, value in row.items() if key in types} | placed for row in rows]
    nans.update(key for row in named for key, value in row.items() if types[key].nullable and value != value)
    return from_dicts(named, specs)


def _plain(value: Any, spec: TensorSpec) -> Any:
    """A value as Spark's JSON has it: numbers that are none as text, vectors as their four fields."""
    if isinstance(spec.type, VectorType):
        if isinstance(value, dict):  # Spark writes NaN and the infinities as text
            worded = [_WORDS.get(item, item) if isinstance(item, str) else item for item in value.get("values") or ()]
            return _slots(value | {"values": worded}, spec)
        slots = value if isinstance(value, list) else []
        return [_WORDS.get(item, item) if isinstance(item, str) else item for item in slots] if slots else value
    return _WORDS.get(value, value) if isinstance(value, str) and spec.dtype.kind == "f" else value


def _slots(value: dict[str, Any], spec: TensorSpec) -> list[Any]:
    try:
        return dense(value, spec)
    except (TypeError, ValueError) as error:
        raise UsageError(f"vector {spec.name!r}: {error}", fix="write it as Spark does, or as a list.") from error


def _from_text(value: str | None, spec: TensorSpec) -> Any:
    """A partition's value, which stands in a folder's name, as the column has it."""
    import pyarrow as pa

    try:
        return pa.scalar(value, pa.string()).cast(arrow_type(spec)).as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(
            f"input {spec.name!r}, in a folder's name, is {spec.type}: {error}", fix="correct the folder's name."
        ) from error


def _partitioned(table: pa.Table, partition: Partition, specs: Sequence[TensorSpec]) -> pa.Table:
    import pyarrow as pa

    for spec in specs:
        if spec.name in partition and spec.name not in table.column_names:
            values = [_from_text(partition[spec.name], spec)] * table.num_rows
            table = table.append_column(spec.name, pa.array(values, arrow_type(spec)))
    return table


def _read_csv(file: Path, specs: Sequence[TensorSpec]) -> Any:
    """Columns read as the inputs' types, so that 007 stays text where the model wants text."""
    from pyarrow import csv

    types = {}
    for spec in specs:
        if not isinstance(spec.type, Scalar):
            raise UsageError(
                f"input {spec.name!r} is {spec.type}, which CSV cannot hold.", fix="give JSON lines or Parquet."
            )
        types[spec.name] = arrow_type(spec)
    if file.name.startswith("part-"):
        return _spark_csv(_text(file), types)
    options = csv.ConvertOptions(
        column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    return csv.read_csv(file, convert_options=options)


def _spark_csv(text: str, types: dict[str, Any]) -> pa.Table:
    """CSV as Spark writes it: inside quotes a backslash escapes a quote; outside it is a backslash. Raises ValueError."""
    import pyarrow as pa

    lines = _spark_fields(text)
    header = next(lines, None)
    if header is None:
        return pa.table({name: pa.array([], type) for name, type in types.items()})  # Spark's part without rows
    columns: list[list[str | None]] = [[] for _ in header]
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise ValueError(f"row {number} has {len(line)} fields; the header has {len(header)}")
        for column, value in zip(columns, line, strict=True):
            column.append(value)
    arrays = []
    for name, column in zip(header, columns, strict=True):
        try:
            arrays.append(pa.array(column, pa.string()).cast(types.get(name or "", pa.string())))
        except pa.ArrowInvalid as error:
            raise ValueError(f"column {name!r}: {error}") from error
    return pa.Table.from_arrays(arrays, [name or "" for name in header])


def _spark_fields(text: str) -> Iterator[list[str | None]]:
    """The rows' fields; an empty field without quotes is null. Lines without a field are left out, as Spark does."""
    line: list[str | None] = []
    at = 0
    while at < len(text):
        found = _CSV_FIELD.match(text, at)
        if found is None:
            raise ValueError(f"a quote is not closed, in line {text.count(chr(10), 0, at) + 1}")
        quoted, bare, end = found.groups()
        line.append(bare or None if quoted is None else _CSV_ESCAPE.sub(lambda m: m.group(1) or '"', quoted))
        at = found.end()
        if end != ",":
            if line != [None]:
                yield line
            line = []
        elif at == len(text):
            line.append(None)
    if line:
        yield line
