"""SQL statements: what is read of them, what a session changes, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.errors import ConversionRefused, Refused, UsageError
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.sql.reading import carrying, parse
from builder.stages import all_rules
from builder.types import INVALID, Field, Scalar, Servable, Session, Table
from tests.saved import Stage, write_pipeline
from tests.unit.cli import tritonbuild

SCHEMA = (
    Field("a", Scalar("integer"), nullable=False),
    Field("b", Scalar("integer"), nullable=True),
    Field("x", Scalar("double"), nullable=False),
)


def sql(statement: str, uid: str = "SQL_1") -> Stage:
    return Stage("org.apache.spark.ml.feature.SQLTransformer", uid, {"statement": statement})


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., Servable]:
    def compile(*statements: str, version: str = "4.0.1", session: Session | None = None) -> Servable:
        stages = [sql(text, f"SQL_{i}") for i, text in enumerate(statements, 1)]
        folder = write_pipeline(tmp_path / str(len(list(tmp_path.iterdir()))), stages, spark_version=version)
        pipeline = read_pipeline(folder)
        return lower(pipeline.under(session) if session else pipeline, SCHEMA, all_rules())

    return compile


def asked(servable: Servable, **columns: Any) -> Mapping[str, Any]:
    given = {spec.name: np.array(columns[spec.name], dtype=spec.dtype).reshape(-1, 1) for spec in servable.inputs}
    return in_process(servable)(Table(given))


@pytest.mark.parametrize(
    ("statement", "reads", "writes"),
    [
        ("SELECT *, a + b AS c FROM __THIS__ WHERE d > 1", ("a", "b", "d"), ("c",)),
        ("select a, __THIS__.b as c, d as d from __THIS__", ("a", "b", "d"), ("c",)),
        ("SELECT a + 1 AS a FROM __THIS__", ("a",), ("a",)),
        ("SELECT `a b` * 2 AS `c d` FROM __THIS__", ("a b",), ("c d",)),
    ],
)
def test_a_statement_tells_the_columns_it_reads_and_makes(statement, reads, writes):
    assert (parse(statement).reads(), parse(statement).writes()) == (reads, writes)


@pytest.mark.parametrize(
    ("statement", "carried"),
    [
        ("SELECT a FROM __THIS__", "SELECT a , `n` FROM __THIS__"),
        ("SELECT extract(year FROM d) AS y\nFROM __THIS__", "SELECT extract(year FROM d) AS y\n, `n` FROM __THIS__"),
        ("SELECT ' FROM ' AS f from __THIS__", "SELECT ' FROM ' AS f , `n` from __THIS__"),
    ],
)
def test_a_row_number_is_carried_behind_the_last_column(statement, carried):
    assert carrying(statement, "n") == carried


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT a AS c, b AS C FROM __THIS__",
        "SELECT *, a FROM __THIS__",
        "SELECT FROM WHERE",
        "DROP TABLE x",
        "SELECT *, s = 'it''s' AS t FROM __THIS__",
        "SELECT *, map('x') AS m FROM __THIS__",
    ],
)
def test_what_is_no_plain_select_is_refused(statement):
    with pytest.raises(Refused):
        parse(statement)


def test_without_a_word_ansi_is_what_the_saving_spark_had(compiled):
    statement = "SELECT *, a DIV b AS c FROM __THIS__"

    old = asked(compiled(statement, version="3.5.1"), a=[7, 7], b=[2, 0])
    new = asked(compiled(statement, version="4.0.1"), a=[7, 7], b=[2, 0])

    assert old[INVALID.name][:, 0].tolist() == [0, 0]
    assert new[INVALID.name][:, 0].tolist() == [0, 1]


def test_a_session_overrules_the_version(compiled):
    servable = compiled("SELECT *, a + 1 AS c FROM __THIS__", version="3.5.1", session=Session(ansi=True))

    answers = asked(servable, a=[1, 2**31 - 1])

    assert answers[INVALID.name][:, 0].tolist() == [0, 1]
    assert "overflows" in servable.invalid[0].reason


def test_a_row_that_where_leaves_out_is_dropped_before_it_can_fail(compiled):
    answers = asked(compiled("SELECT *, a / b AS c FROM __THIS__ WHERE b <> 0"), a=[6, 6], b=[4, 0])

    assert answers["c"][0, 0] == 1.5
    assert answers[INVALID.name][:, 0].tolist() == [0, -1]


def test_a_later_statement_reads_what_an_earlier_one_renamed(compiled):
    servable = compiled("SELECT a * 2 AS a, x FROM __THIS__", "SELECT *, a + 1 AS c FROM __THIS__")

    assert asked(servable, a=[5])["c"][0, 0] == 11


def test_every_refusal_of_a_statement_is_told_at_once(compiled):
    with pytest.raises(ConversionRefused) as refused:
        compiled("SELECT *, rand() AS r, hash(a) AS h FROM __THIS__ WHERE soundex(a) = 'x'")

    assert all(text in str(refused.value) for text in ("r = RAND()", "h = HASH(a)", "WHERE SOUNDEX(a)"))


def test_a_refused_column_that_nobody_reads_stops_nothing(compiled, tmp_path):
    stages = [
        sql("SELECT *, rand() AS r, a + 1 AS c FROM __THIS__"),
        sql("SELECT *, c * 2 AS d FROM __THIS__", "SQL_2"),
    ]

    servable = lower(read_pipeline(write_pipeline(tmp_path / "p", stages)), SCHEMA, all_rules(), ["d"])

    assert asked(servable, a=[1])["d"][0, 0] == 4


def test_nan_is_no_null_between_two_statements(compiled):
    servable = compiled(
        "SELECT *, if(x > 1, NULL, x) AS y FROM __THIS__", "SELECT *, y IS NULL AS n, isnan(y) AS m FROM __THIS__"
    )

    answers = asked(servable, x=[0.5, np.nan, 2.0])  # NaN is above 1

    assert answers["n"][:, 0].tolist() == [False, True, True]
    assert answers["m"][:, 0].tolist() == [False, False, False]


@pytest.mark.parametrize("expression", ["CAST(id AS DOUBLE)", "(CAST((id) AS STRING))", "id::int", "DOUBLE(id)"])
def test_a_cast_of_a_column_keeps_the_columns_name_as_in_spark(expression):
    assert [item.name for item in parse(f"SELECT {expression} FROM __THIS__").items] == ["id"]


@pytest.mark.parametrize("expression", ["CAST(CAST(id AS INT) AS DOUBLE)", "to_timestamp(id)", "CAST((id + 1) AS INT)"])
def test_what_only_looks_like_a_cast_of_a_column_has_a_name_of_its_own(expression):
    assert [item.name for item in parse(f"SELECT {expression} FROM __THIS__").items] == [expression]


@pytest.mark.parametrize("expression", ["sum(id)", "uuid()", "array(id)", "TIMESTAMP '2020-01-01 00:00:00'"])
def test_an_expression_whose_name_is_not_known_needs_one(expression):
    with pytest.raises(Refused, match="gives no name"):
        parse(f"SELECT {expression} FROM __THIS__")


def test_the_command_takes_ansi_and_the_manifest_keeps_it(tmp_path):
    folder = write_pipeline(tmp_path / "p", [sql("SELECT *, a + 1 AS c FROM __THIS__")])
    field = {"name": "a", "type": "integer", "nullable": False, "metadata": {}}
    (tmp_path / "schema.json").write_text(json.dumps({"type": "struct", "fields": [field]}))

    result = tritonbuild(
        "publish", folder, "--schema", tmp_path / "schema.json", "--repository", tmp_path / "r", "--name", "m",
        "--unproven", "--no-ansi", "--timezone", "Europe/Berlin",
    )  # fmt: skip

    assert result.exit_code == 0, result.stderr
    manifest = json.loads((tmp_path / "r" / "m" / "1" / "manifest.json").read_text())
    assert manifest["session"] == {"ansi": False, "timezone": "Europe/Berlin"}


def test_evidence_of_the_other_mode_is_no_proof(tmp_path):
    from builder.proving import settled
    from builder.source import read_folder

    folder = write_pipeline(tmp_path / "p", [sql("SELECT *, a + 1 AS c FROM __THIS__")])
    (tmp_path / "schema.json").write_text(
        json.dumps({"type": "struct", "fields": [{"name": "a", "type": "integer", "nullable": False, "metadata": {}}]})
    )
    model = read_folder(folder, uri="p", schema=tmp_path / "schema.json")
    evidenced = _with_evidence(model, tmp_path, Session(ansi=False))

    assert settled(evidenced, Session()).ansi is False
    with pytest.raises(UsageError, match="ANSI mode off"):
        settled(evidenced, Session(ansi=True))


def _with_evidence(model: Any, folder: Path, session: Session) -> Any:
    from dataclasses import replace

    from builder.evidence import Evidence, save

    rows = Table({"a": np.array([[1]], dtype=np.int32)})
    answers = Table({"c": np.array([[2]], dtype=np.int32), INVALID.name: np.array([[0]], dtype=np.int32)})
    servable = lower(read_pipeline(model.path), model.schema, all_rules())
    save(
        Evidence(
            rows,
            answers,
            {},
            np.array([False]),
            servable.inputs,
            servable.outputs,
            {},
            1.0,
            "4.3.0",
            "d",
            session=session,
        ),
        folder / "evidence.parquet",
    )
    return replace(model, evidence=folder / "evidence.parquet")
