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
    "name",
    ["string", "double", "float", "integer", "long", "short", "byte", "boolean", "date", "timestamp", "timestamp_ntz"],
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


@pytest.mark.parametrize("type", ["double", "float"])
def test_an_array_of_numbers_is_a_vector_that_remembers_its_elements(type: str) -> None:
    (field,) = parse_schema(struct({"name": "xs", "type": {"type": "array", "elementType": type}}))

    assert field.type == VectorType(None)
    assert field.metadata["array"] == type


@pytest.mark.parametrize("type", ["char(3)", "varchar(10)"])
def test_a_text_of_limited_length_is_a_string(type: str) -> None:
    assert parse_schema(struct({"name": "s", "type": type})) == (Field("s", Scalar("string")),)


def test_a_type_that_cannot_travel_is_kept_by_its_words() -> None:
    text = struct(
        {"name": "x", "type": "double"},
        {"name": "m", "type": {"type": "map", "keyType": "string", "valueType": "string"}},
        {"name": "u", "type": {"type": "struct", "fields": [{"name": "a"}, {"name": "b"}]}},
        {"name": "ns", "type": {"type": "array", "elementType": "long"}},
        {"name": "c", "type": "string", "metadata": {"__COLLATIONS": {"c": "icu.UNICODE_CI"}}},
        {"name": "b", "type": "binary"},
    )

    kept = {field.name: field.type.name for field in parse_schema(text) if isinstance(field.type, NoTensor)}

    assert kept == {
        "m": "map<string,string>",
        "u": "struct<a,b>",
        "ns": "array<long>",
        "c": "string with a collation",
        "b": "binary",
    }


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
