"""A file of rows (JSON lines, CSV, Parquet) → tensors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from builder.errors import UsageError
from builder.tables import arrow_type, encode, from_dicts
from builder.types import Scalar, Table, TensorSpec

_FORMS = "JSON lines (.jsonl, .ndjson), a JSON list (.json), CSV with a header (.csv) or Parquet (.parquet)"


def read_rows(file: Path, specs: Sequence[TensorSpec]) -> Table:
    """Rows by column name; columns that no input names are left out. In CSV an empty field is null where it may be.

    Raises UsageError where the file is missing, in another form, or its values are not of the inputs' types.
    """
    import pyarrow as pa

    if not file.is_file():
        raise UsageError(f"there is no file {file}.", fix=f"give rows as {_FORMS}.")
    try:
        match file.suffix.lower():
            case ".jsonl" | ".ndjson":
                lines = file.read_text(encoding="utf-8").splitlines()
                return _named([json.loads(line) for line in lines if line.strip()], specs, file)
            case ".json":
                return _named(json.loads(file.read_text(encoding="utf-8")), specs, file)
            case ".csv":
                return encode(_read_csv(file, specs), specs)
            case ".parquet":
                import pyarrow.parquet as pq

                return encode(pq.read_table(file), specs)
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        raise UsageError(f"{file} cannot be read ({error}).", fix=f"give rows as {_FORMS}.") from error
    raise UsageError(f"{file} has no ending that tells its form.", fix=f"give rows as {_FORMS}.")


def _named(rows: Any, specs: Sequence[TensorSpec], file: Path) -> Table:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{file} holds something else than JSON objects.", fix='write one {"column": value, …} a row.')
    names = {spec.name for spec in specs}
    return from_dicts([{key: value for key, value in row.items() if key in names} for row in rows], specs)


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
    options = csv.ConvertOptions(
        column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    return csv.read_csv(file, convert_options=options)
