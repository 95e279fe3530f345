"""Spark's StructType JSON (`df.schema.json()`) → Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from builder.errors import SourceError
from builder.sparkml.attributes import vector_width
from builder.types import ColumnType, Field, Scalar, Schema, TextArray, VectorType

DECIMAL = "decimal"  # metadata key of a decimal column: Spark's own name of its type, such as decimal(10,2)

_SCALARS = frozenset(
    {"string", "double", "float", "integer", "long", "short", "byte", "boolean", "date", "timestamp"}
)  # as Spark writes them; a decimal carries precision and scale in its name
_VECTORS = frozenset({"org.apache.spark.ml.linalg.VectorUDT", "pyspark.ml.linalg.VectorUDT"})


def decimal_digits(metadata: Mapping[str, Any]) -> tuple[int, int] | None:
    """(digits, places) of a decimal column, where its schema tells them."""
    digits, _, places = str(metadata.get(DECIMAL, "")).partition("(")[2].rstrip(")").partition(",")
    return (int(digits), int(places or 0)) if digits else None


def parse_schema(text: str) -> Schema:
    """The columns whose types can travel, in order; `left_out` tells the others.

    Vectors take their width from `ml_attr.num_attrs`. A decimal keeps its precision as `metadata["decimal"]`.
    Raises SourceError where the text is not what `df.schema.json()` prints, or names a column twice.
    """
    schema = tuple(field for field in map(_field, _fields(text)) if field is not None)
    names = [field.name for field in schema]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(
            f"the schema names {', '.join(map(repr, twice))} twice.", fix="rename one of the two columns."
        )
    return schema


def left_out(text: str) -> Mapping[str, str]:
    """Column → Spark type, for columns that `parse_schema` left out: their types have no tensor."""
    return {field["name"]: _words(field["type"]) for field in _fields(text) if _field(field) is None}


def _fields(text: str) -> list[dict[str, Any]]:
    try:
        document = json.loads(text)
        fields = document["fields"]
        if document["type"] != "struct" or not all(
            isinstance(field["name"], str) and field["type"] for field in fields
        ):
            raise KeyError("struct")
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(
            f"this is not a Spark schema ({error!r}).",
            fix="write it with: open('schema.json', 'w').write(df.schema.json())",
        ) from error
    return list(fields)


def _field(saved: Mapping[str, Any]) -> Field | None:
    metadata = dict(saved.get("metadata") or {})
    if "__COLLATIONS" in metadata:  # compares without case or accents: no string that StringIndexer reads is so
        return None
    type = _type(saved["type"], metadata)
    if type is None:
        return None
    if type == Scalar("decimal"):
        metadata[DECIMAL] = saved["type"]
    return Field(saved["name"], type, bool(saved.get("nullable", True)), metadata)


def _type(saved: Any, metadata: Mapping[str, Any]) -> ColumnType | None:
    match saved:
        case str(name) if name in _SCALARS:
            return Scalar(name)  # type: ignore[arg-type]
        case str(name) if name.startswith("decimal"):
            return Scalar("decimal")
        case {"type": "udt", "class": str(name)} if name in _VECTORS:
            return VectorType(vector_width(metadata))
        case {"type": "udt", "pyClass": str(name)} if name in _VECTORS:
            return VectorType(vector_width(metadata))
        case {"type": "array", "elementType": "string"}:
            return TextArray()
        case _:
            return None


def _words(saved: Any) -> str:
    if isinstance(saved, str):
        return saved
    if isinstance(saved, dict):
        return f"array<{_words(saved['elementType'])}>" if saved.get("type") == "array" else str(saved.get("type"))
    return str(saved)
