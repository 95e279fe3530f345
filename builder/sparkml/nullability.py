"""A schema whose columns may be null where the training data's rows happened to hold a value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from builder.errors import UsageError
from builder.sparkml.schema import DECIMAL
from builder.types import Field, Scalar, Schema, TextArray, VectorType

_VECTOR = {"type": "udt", "class": "org.apache.spark.ml.linalg.VectorUDT", "sqlType": {}}


def widened(schema: Schema, names: Sequence[str]) -> Schema:
    """The schema, these columns nullable. Raises UsageError where it has no such column."""
    known = [field.name for field in schema]
    strange = [name for name in names if name not in known]
    if strange:
        raise UsageError(
            f"the schema has no column {', '.join(map(repr, strange))}.", fix=f"choose of: {', '.join(known)}."
        )
    return tuple(replace(field, nullable=field.nullable or field.name in names) for field in schema)


def schema_text(schema: Schema, written: Path | None) -> str:
    """The schema as `df.schema.json()` has it: what is `written` with the nullability of `schema`, or made from it."""
    if written is None:
        return json.dumps({"type": "struct", "fields": [_field(field) for field in schema]}, indent=2) + "\n"
    document = json.loads(written.read_text(encoding="utf-8"))
    nullable = {field.name: field.nullable for field in schema}
    for field in document["fields"]:
        field["nullable"] = nullable.get(field["name"], field.get("nullable", True))
    return json.dumps(document, indent=2) + "\n"


def _field(field: Field) -> dict[str, Any]:
    metadata = {key: value for key, value in field.metadata.items() if key != DECIMAL}
    return {"name": field.name, "type": _type(field), "nullable": field.nullable, "metadata": metadata}


def _type(field: Field) -> Any:
    match field.type:
        case VectorType():
            return _VECTOR
        case TextArray():
            return {"type": "array", "elementType": "string", "containsNull": True}
        case Scalar("decimal"):
            return field.metadata.get(DECIMAL, "decimal(10,0)")
        case other:
            return str(other)
