"""The names that Spark gives selected expressions without AS.

column_titles.json holds what `SQLTransformer(statement=f"SELECT {expression} FROM __THIS__").transform(df).columns` said
under Spark 3.5.9, 4.0.0 and 4.3.0 (null: it refused), of columns a, b int, l bigint, x double, f float, y decimal(10,2),
s, t string, p, q boolean, d date, ts timestamp, n timestamp_ntz and some of stranger names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.errors import ConversionRefused, Refused
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.sql.reading import parse
from builder.stages import all_rules
from builder.types import Field, Scalar, Schema, Table
from tests.saved import Stage, write_pipeline

NAMES = json.loads((Path(__file__).parent / "column_titles.json").read_text(encoding="utf-8"))
SPARKS = ("3.5", "4.0", "4.3")
UNTOLD = 45  # expressions of the table that are refused: aggregates, structs, times, what sqlglot cannot read

SCHEMA: Schema = (
    Field("married", Scalar("integer"), nullable=False),
    Field("age", Scalar("double"), nullable=False),
)


def _name(expression: str, spark: str) -> str | None:
    try:
        (item,) = parse(f"SELECT {expression} FROM __THIS__", spark >= "4").items
    except Refused:
        return None
    return item.name


@pytest.mark.parametrize("spark", SPARKS)
def test_an_expression_without_a_name_gets_the_one_that_spark_gives_it(spark: str) -> None:
    place = 1 + SPARKS.index(spark)
    told = {row[0]: (row[place], _name(row[0], spark)) for row in NAMES if row[place] is not None}

    assert {expression: pair for expression, pair in told.items() if pair[1] not in (None, pair[0])} == {}
    assert len(told) > 380
    assert sum(ours is None for _, ours in told.values()) <= UNTOLD


def _sql(statement: str, uid: str = "SQL_1") -> Stage:
    return Stage("org.apache.spark.ml.feature.SQLTransformer", uid, {"statement": statement})


def _assembled(*inputs: str) -> Stage:
    params: dict[str, Any] = {"inputCols": list(inputs), "outputCol": "v", "handleInvalid": "error"}
    return Stage("org.apache.spark.ml.feature.VectorAssembler", "VA_1", params)


@pytest.mark.parametrize(
    "input", ["(IF((married = 1), 0, 1))", "`(IF((married = 1), 0, 1))`", "(if((MARRIED = 1), 0, 1))"]
)
def test_a_later_stage_reads_the_column_by_that_name(tmp_path: Path, input: str) -> None:
    stages = [_sql("SELECT *, IF(married == 1, 0, 1) FROM __THIS__"), _assembled("age", input)]
    servable = lower(read_pipeline(write_pipeline(tmp_path / "p", stages)), SCHEMA, all_rules())
    rows = {"married": np.array([[1], [0]], dtype=np.int32), "age": np.array([[30.5], [2.0]])}

    answers = in_process(servable)(Table(rows))

    assert answers["v"].tolist() == [[30.5, 0.0], [2.0, 1.0]]


@pytest.mark.parametrize(
    ("version", "name"), [("3.5.1", "((age >= 1) AND (age <= 2))"), ("4.0.0", "between(age, 1, 2)")]
)
def test_the_spark_that_saved_the_statement_names_its_columns(tmp_path: Path, version: str, name: str) -> None:
    stages = [_sql("SELECT *, age BETWEEN 1 AND 2 FROM __THIS__"), _assembled(name)]

    servable = lower(read_pipeline(write_pipeline(tmp_path / "p", stages, version)), SCHEMA, all_rules())

    assert [spec.name for spec in servable.outputs] == ["v", "invalid"]


def test_a_decimal_beside_a_whole_number_leaves_the_name_open(tmp_path: Path) -> None:
    """Spark rounds the literal by the column's type before it names the column: `(married > 0)`."""
    pipeline = read_pipeline(write_pipeline(tmp_path / "p", [_sql("SELECT *, married > 0.5, age > 0.5 FROM __THIS__")]))

    assert lower(pipeline, SCHEMA, all_rules(), ["(age > 0.5)"]).outputs
    with pytest.raises(ConversionRefused, match=r"another name than '\(married > 0.5\)'"):
        lower(pipeline, SCHEMA, all_rules(), ["(married > 0.5)"])


@pytest.mark.parametrize("expression", ["a = b < c", "a > b IN (TRUE)", "a = b BETWEEN c AND d"])
def test_a_comparison_that_sqlglot_reads_otherwise_than_spark_is_refused(expression: str) -> None:
    with pytest.raises(Refused, match="compares what is compared already"):
        parse(f"SELECT *, {expression} AS o FROM __THIS__")


def test_nested_names_do_not_double_without_end() -> None:
    expression = "a"
    for _ in range(60):
        expression = f"({expression} BETWEEN 1 AND 2)"

    with pytest.raises(Refused, match="gives no name"):
        parse(f"SELECT {expression} FROM __THIS__", modern=False)
