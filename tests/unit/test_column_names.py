"""What a column's name means: Spark's rules of case, backquotes and fields; and columns that no tensor can hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.errors import UsageError
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.column_names import name_parts, resolve, root_of
from builder.sparkml.reader import read_pipeline
from builder.sparkml.schema import parse_schema
from builder.stages import all_rules
from builder.types import Servable, Table
from tests.saved import Stage, write_pipeline


def bucketizer(input: str, output: str, uid: str = "Bucketizer_1") -> Stage:
    params: dict[str, Any] = {"inputCol": input, "outputCol": output}
    params["splits"] = ["-Infinity", 5.0, "Infinity"]
    return Stage("org.apache.spark.ml.feature.Bucketizer", uid, params, {"handleInvalid": "error"})


def statement(text: str, uid: str = "SQL_1") -> Stage:
    return Stage("org.apache.spark.ml.feature.SQLTransformer", uid, {"statement": text})


def compiled(folder: Path, columns: dict[str, Any], *stages: Stage, outputs: list[str] | None = None) -> Servable:
    fields = [{"name": name, "type": type, "nullable": False, "metadata": {}} for name, type in columns.items()]
    schema = parse_schema(json.dumps({"type": "struct", "fields": fields}))
    return lower(read_pipeline(write_pipeline(folder / "p", stages)), schema, all_rules(), outputs)


def asked(servable: Servable, **columns: Any) -> dict[str, Any]:
    given = {spec.name: np.array(columns[spec.name], dtype=spec.dtype).reshape(-1, 1) for spec in servable.inputs}
    return {name: array[:, 0].tolist() for name, array in in_process(servable)(Table(given)).items()}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a", ("a",)), ("a.b", ("a", "b")), ("`a.b`", ("a.b",)), ("`a.b`.c", ("a.b", "c")), ("`a``b`", ("a`b",)),
        ("`a", None), ("a`b`", None), ("`a`b", None), ("``", ("",)),
    ],
)  # fmt: skip
def test_backquotes_hold_the_dots_of_a_name_together(name: str, parts: tuple[str, ...] | None) -> None:
    assert name_parts(name) == parts


def test_a_name_means_the_column_that_differs_from_it_by_case_alone() -> None:
    assert resolve("AGE", ["x", "Age"], "a stage") == "Age"
    assert resolve("`home.Type`", ["Home.type"], "a stage") == "Home.type"
    assert resolve("home.type", ["home.type"], "a stage") == "home.type"
    assert resolve("home.type", ["home"], "a stage") is None
    assert root_of("User.age", ["user"]) == "user"


def test_a_stage_and_a_statement_read_a_column_by_another_case(tmp_path: Path) -> None:
    stages = bucketizer("AGE", "Bucket"), statement("SELECT *, bucket + aGe AS o FROM __THIS__")

    servable = compiled(tmp_path, {"Age": "double"}, *stages)

    assert [spec.name for spec in servable.inputs] == ["Age"]
    assert asked(servable, Age=[1.0, 7.5])["o"] == [1.0, 8.5]


def test_two_columns_that_differ_by_case_alone_are_ambiguous_as_in_spark(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'age' \(read by Bucketizer_1\) could be 'Age' or 'AGE'"):
        compiled(tmp_path, {"Age": "double", "AGE": "double"}, bucketizer("age", "b"))


def test_a_column_written_under_another_case_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """withColumn replaces what it resolves to."""
    servable = compiled(tmp_path, {"Age": "double"}, bucketizer("Age", "age"), bucketizer("AGE", "b", "Bucketizer_2"))

    assert asked(servable, Age=[3.0, 7.5])["b"] == [0.0, 0.0]


def test_an_output_may_be_asked_for_in_another_case(tmp_path: Path) -> None:
    servable = compiled(tmp_path, {"x": "double"}, bucketizer("x", "prediction"), outputs=["Prediction"])

    assert [spec.name for spec in servable.outputs] == ["prediction", "invalid"]


STRUCT = {"type": "struct", "fields": [{"name": "age", "type": "double", "nullable": True, "metadata": {}}]}


def test_a_field_of_a_struct_is_refused_with_how_to_flatten_it(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"'user.age' \(read by Bucketizer_1\) is a field of 'user'.*struct<age>"
    ) as told:
        compiled(tmp_path, {"user": STRUCT}, bucketizer("user.age", "b"))

    assert "df['user.x']" in told.value.fix


@pytest.mark.parametrize(
    ("type", "word", "fix"),
    [
        ({"type": "map", "keyType": "string", "valueType": "double", "valueContainsNull": True}, "map<string,double>", "df['b']['x']"),
        ({"type": "array", "elementType": "long", "containsNull": True}, "array<long>", "each element"),
        ({"type": "array", "elementType": "double", "containsNull": True}, "array<double> that may hold nulls", "array_to_vector"),
        (STRUCT, "struct<age>", "each field"),
        ("binary", "binary", "cast it"), ("void", "void", "cast it"), ("variant", "variant", "cast it"),
        ("time(6)", "time", "cast it"), ("interval day to second", "interval", "cast it"),
    ],
)  # fmt: skip
def test_a_column_without_a_tensor_is_named_with_its_type_where_it_is_read(
    tmp_path: Path, type: Any, word: str, fix: str
) -> None:
    with pytest.raises(UsageError) as told:
        compiled(tmp_path, {"a": "double", "b": type}, bucketizer("b", "o"))

    assert "'b' (read by Bucketizer_1)" in str(told.value)
    assert word in str(told.value)
    assert fix in told.value.fix


def test_a_column_without_a_tensor_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    servable = compiled(tmp_path, {"a": "double", "b": "binary"}, bucketizer("a", "o"))

    assert [spec.name for spec in servable.inputs] == ["a"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.b", ("a", "b")), ("`a.b`", ("a.b",)), ("`a``b`.c", ("a`b", "c")), ("``", ("",)), ("", ("",)), (".", ("", "")),
        ("a`b", None), ("`a", None), ("`a`b", None), ("```", None), ("`a.b`.`c\n`", ("a.b", "c\n")),
    ],
)  # fmt: skip
def test_a_names_parts_are_read_as_sparks_parser_reads_them(name: str, parts: tuple[str, ...] | None) -> None:
    assert name_parts(name) == parts


def test_a_name_of_megabytes_is_read_in_linear_time_and_told_in_a_page(tmp_path: Path) -> None:
    """It took minutes, and the error was as long as the name."""
    name = "`x." * 1_000_000
    assert name_parts(name) is None
    with pytest.raises(UsageError) as told:
        compiled(tmp_path, {"a": "double"}, bucketizer("x" * 5_000_000, "o"))
    assert len(told.value.message) < 10_000
