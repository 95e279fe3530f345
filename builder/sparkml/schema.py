"""Spark's StructType JSON (`df.schema.json()`) → Schema."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from builder.documents import Unreadable, parse_json
from builder.errors import SourceError
from builder.sparkml.attributes import scalar_attribute, vector_attributes, vector_width
from builder.types import ColumnType, Field, NoTensor, Scalar, Schema, TextArray, VectorType

DECIMAL = "decimal"  # metadata key of a decimal column: Spark's own name of its type, such as decimal(10,2)

_SCALARS = frozenset(
    {
        "string", "double", "float", "integer", "long", "short", "byte", "boolean", "date", "timestamp",
        "timestamp_ntz",
    }
)  # fmt: skip  # as Spark writes them; a decimal carries precision and scale in its name
_TEXT = re.compile(r"(?:var)?char\(\d{1,9}\)")
_DECIMAL = re.compile(r"decimal(?:\(\d{1,2},\d{1,2}\))?")
_VECTORS = frozenset({"org.apache.spark.ml.linalg.VectorUDT", "pyspark.ml.linalg.VectorUDT"})
ELEMENT = "array"  # metadata key of an array of numbers: its elements' type


def decimal_digits(metadata: Mapping[str, Any]) -> tuple[int, int] | None:
    """(digits, places) of a decimal column, where its schema tells them."""
    digits, _, places = str(metadata.get(DECIMAL, "")).partition("(")[2].rstrip(")").partition(",")
    return (int(digits), int(places or 0)) if digits else None


def parse_schema(text: str) -> Schema:
    """The columns, in order; one whose type cannot travel is a NoTensor.

    Vectors take their width from `ml_attr.num_attrs`. A decimal keeps its precision as `metadata["decimal"]`.
    Raises SourceError where the text is not what `df.schema.json()` prints, or names a column twice.
    """
    try:
        document = parse_json(text)
        fields = document["fields"]
        if document["type"] != "struct" or not isinstance(fields, list):
            raise KeyError("struct")
        schema = tuple(map(_field, fields))
    except (Unreadable, KeyError, TypeError) as error:
        raise SourceError(
            f"this is not a Spark schema ({error!r}).",
            fix="write it with: open('schema.json', 'w').write(df.schema.json())",
        ) from error
    check_once([field.name for field in schema])
    return schema


def check_once(names: Sequence[str]) -> None:
    """Raises SourceError where a column is named twice."""
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise SourceError(
            f"the schema names {', '.join(map(repr, twice))} twice.", fix="rename one of the two columns."
        )


def _field(saved: Any) -> Field:
    if not isinstance(saved, dict) or not isinstance(saved.get("name"), str) or not saved.get("type"):
        raise KeyError("a field's name or type")
    name, metadata = saved["name"], saved.get("metadata") or {}
    try:
        if not isinstance(metadata, dict) or not isinstance(saved.get("nullable", True), bool):
            raise ValueError("its metadata is not an object, or nullable not true or false")
        metadata = dict(metadata)
        type = _type(saved["type"], metadata)
        scalar_attribute(metadata, name), vector_attributes(metadata)
    except (ValueError, TypeError, KeyError) as error:
        raise SourceError(
            f"the schema's column {name!r} cannot be read: {error}.",
            fix="write it with: open('schema.json', 'w').write(df.schema.json())",
        ) from error
    if type == Scalar("decimal"):
        metadata[DECIMAL] = saved["type"]
    if isinstance(saved["type"], dict) and isinstance(type, VectorType) and saved["type"].get("type") == "array":
        metadata[ELEMENT] = saved["type"]["elementType"]
    return Field(name, type, saved.get("nullable", True), metadata)


def _type(saved: Any, metadata: Mapping[str, Any]) -> ColumnType:
    if "__COLLATIONS" in metadata:  # compares without case or accents: no string that StringIndexer reads is so
        return NoTensor(f"{_words(saved)} with a collation")
    match saved:
        case str(name) if name in _SCALARS:
            return Scalar(name)  # type: ignore[arg-type]
        case str(name) if _DECIMAL.fullmatch(name):
            return Scalar("decimal")
        case str(name) if _TEXT.fullmatch(name):
            return Scalar("string")
        case {"type": "udt", "class": str(name)} | {"type": "udt", "pyClass": str(name)} if name in _VECTORS:
            return VectorType(vector_width(metadata))
        case {"type": "array", "elementType": "double" | "float"} if not saved.get("containsNull"):
            return VectorType(vector_width(metadata))  # SchemaUtils.validateVectorCompatibleColumn takes no other
        case {"type": "array", "elementType": "string"}:
            return TextArray()
    return NoTensor(_words(saved))


def _words(saved: Any) -> str:
    """A type as Spark's SQL writes it, as deep as a person reads."""
    match saved:
        case str(name):
            return name[:80]
        case {"type": "array", "elementType": "double" | "float" as inner, "containsNull": True}:
            return f"array<{inner}> that may hold nulls"
        case {"type": "array", "elementType": inner}:
            return f"array<{_words(inner)}>"
        case {"type": "map", "keyType": key, "valueType": value}:
            return f"map<{_words(key)},{_words(value)}>"
        case {"type": "struct", "fields": list(fields)}:
            return f"struct<{','.join(str(field.get('name')) for field in fields if isinstance(field, dict))}>"
        case {"type": "udt", "class": name}:
            return str(name)[:80]
    return str(saved)[:80]


def how_to_flatten(name: str, type: NoTensor) -> str:
    """What to do with a column that has no tensor."""
    before = "before the pipeline, in fitting too"
    if type.name.startswith("struct"):
        return f"make a column of each field that the pipeline reads {before}: df.withColumn('x', df['{name}.x'])."
    if type.name.startswith("map"):
        return f"make a column of each key that the pipeline reads {before}: df.withColumn('x', df['{name}']['x'])."
    if type.name.endswith("that may hold nulls"):
        return f"make it a vector {before}: array_to_vector(df['{name}']); Spark takes no such array either."
    if type.name.startswith("array"):
        return f"make a column of each element that the pipeline reads {before}, or a vector of all."
    if "collation" in type.name:
        return f"give it Spark's own order {before}: collate(column, 'UTF8_BINARY')."
    return f"cast it to a number, a string or a timestamp {before}."
