"""Spark's schema JSON → Schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builder.errors import SourceError
from builder.sparkml.schema import parse_schema
from builder.types import Field, NoTensor, Scalar, TextArray, VectorType

VECTOR = {"type": "udt", "class": "org.apache.spark.ml.linalg.VectorUDT", "pyClass": "pyspark.ml.linalg.VectorUDT"}


def struct(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "struct", "fields": [{"nullable": True, "metadata": {}, **field} for field in fields]})


@pytest.mark.parametrize(
    "name", ["string", "double", "float", "integer", "long", "short", "byte", "boolean", "date", "timestamp"]
)
def test_a_scalar_column_keeps_its_name_type_and_nullability(name: str) -> None:
    assert parse_schema(struct({"name": "x", "type": name, "nullable": False})) == (Field("x", Scalar(name), False),)


def test_a_decimal_remembers_its_digits_and_places() -> None:
    (field,) = parse_schema(struct({"name": "price", "type": "decimal(10,2)"}))

    assert field.type == Scalar("decimal")
    assert field.metadata["decimal"] == "decimal(10,2)"


def test_a_vector_takes_its_width_from_the_columns_own_attributes() -> None:
    known, unknown = parse_schema(
        struct(
            {"name": "v", "type": VECTOR, "metadata": {"ml_attr": {"num_attrs": 3, "attrs": {}}}},
            {"name": "w", "type": VECTOR},
        )
    )

    assert known.type == VectorType(3)
    assert unknown.type == VectorType(None)


def test_words_are_an_array_of_strings() -> None:
    (field,) = parse_schema(struct({"name": "words", "type": {"type": "array", "elementType": "string"}}))

    assert field.type == TextArray()


def test_a_type_that_cannot_travel_is_kept_by_its_name() -> None:
    text = struct(
        {"name": "x", "type": "double"},
        {"name": "m", "type": {"type": "map", "keyType": "string", "valueType": "string"}},
        {"name": "s", "type": {"type": "struct", "fields": [{"name": "a", "type": "double"}]}},
        {"name": "xs", "type": {"type": "array", "elementType": "long"}},
        {"name": "b", "type": "binary"},
        {"name": "c", "type": "string", "metadata": {"__COLLATIONS": {"c": "icu.UNICODE_CI"}}},
    )

    types = {field.name: field.type for field in parse_schema(text)}

    assert types.pop("x") == Scalar("double")
    assert {name: type.name for name, type in types.items() if isinstance(type, NoTensor)} == {
        "m": "map<string,string>",
        "s": "struct<a>",
        "xs": "array<long>",
        "b": "binary",
        "c": "string with a collation",
    }


@pytest.mark.parametrize(
    ("type", "travels"),
    [
        ("timestamp_ntz", Scalar("timestamp_ntz")),
        ("char(3)", Scalar("string")),
        ("varchar(10)", Scalar("string")),
        ({"type": "array", "elementType": "double", "containsNull": False}, VectorType(None)),
        ({"type": "array", "elementType": "float", "containsNull": False}, VectorType(None)),
    ],
)
def test_what_has_a_tensor_travels(type: Any, travels: Any) -> None:
    (field,) = parse_schema(struct({"name": "x", "type": type}))

    assert field.type == travels


@pytest.mark.parametrize(
    "field",
    [
        {"name": "v", "type": VECTOR, "metadata": {"ml_attr": 0.5}},
        {"name": "v", "type": VECTOR, "metadata": {"ml_attr": {"num_attrs": "3"}}},
        {"name": "v", "type": VECTOR, "metadata": {"ml_attr": {"num_attrs": 10**12}}},
        {"name": "v", "type": VECTOR, "metadata": {"ml_attr": {"attrs": {"nominal": [{"vals": 1}]}}}},
        {"name": "v", "type": "double", "metadata": 7},
        {"name": "v", "type": "double", "nullable": "no"},
    ],
)
def test_what_a_column_says_of_itself_is_checked(field: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="column 'v' cannot be read"):
        parse_schema(struct(field))


def test_a_column_that_stands_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="'x' twice"):
        parse_schema(struct({"name": "x", "type": "double"}, {"name": "x", "type": "string"}))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"type": "array"}', '{"type": "struct", "fields": [{"name": "x"}]}', "3"]
)
def test_text_that_is_no_schema_is_refused_with_the_line_that_writes_one(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_schema(text)

    assert "df.schema.json()" in caught.value.fix
