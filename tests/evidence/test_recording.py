"""Spark's answers and refusals, as they really are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.errors import CheckFailed, SourceError
from builder.evidence import compare
from builder.evidence.frames import snapped, to_spark
from builder.evidence.recording import record
from builder.evidence.store import UNTOLD, Evidence
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.sparkml.schema import parse_schema
from builder.stages import all_rules
from builder.types import (
    INVALID,
    Field,
    Probe,
    Scalar,
    Schema,
    Servable,
    StageVerdict,
    Table,
    TensorSpec,
    TextArray,
    VectorType,
)

C, X = TensorSpec("c", Scalar("string"), True), TensorSpec("x", Scalar("double"), True)
SCHEMA: Schema = (Field("c", Scalar("string")), Field("x", Scalar("double")))
LABELS = ("a", "b", "c")


@dataclass(frozen=True)
class Indexed:
    """StringIndexer(c) and Bucketizer(x): both may refuse, both are easily foretold."""

    path: Path
    servable: Servable

    def foretell(self, rows: Table) -> Table:
        """What our graph would say: StringIndexer stops (1) or drops (-1) at null and unseen, Bucketizer (2) outside."""
        code = -1 if self.servable.stages[0].note == "skip" else 1
        known = np.isin(rows["c"], LABELS)
        # A null passes through; -0.0 is outside: Java's binary search puts it before 0.0.
        inside = (rows["x"] >= 0) & (rows["x"] <= 10) & ~((rows["x"] == 0) & np.signbit(rows["x"]))
        outside = ~(inside | np.isnan(rows["x"]))
        invalid = np.where(~known, code, np.where(outside, 2, 0)).astype(np.int32)
        index = np.array([[LABELS.index(c) if c in LABELS else np.nan] for c in rows["c"][:, 0]])
        bucket = np.where(np.isnan(rows["x"]), np.nan, np.where(rows["x"] < 5, 0.0, 1.0))
        return Table(
            {
                "ci": np.where(invalid == 0, index, np.nan),
                "xb": np.where(invalid == 0, bucket, np.nan),
                "invalid": invalid,
            }
        )


@pytest.fixture(scope="module")
def indexed(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Indexed]:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Bucketizer, StringIndexer

    @cache
    def fit(handle: str) -> Indexed:
        path = tmp_path_factory.mktemp("saved") / "p"
        train = spark.createDataFrame(
            [("a", 1.0), ("a", 2.0), ("a", 3.0), ("b", 1.0), ("b", 2.0), ("c", 9.0)], "c string, x double"
        )
        stages = [
            StringIndexer(inputCol="c", outputCol="ci", handleInvalid=handle),
            Bucketizer(inputCol="x", outputCol="xb", splits=[0.0, 5.0, 10.0]),
        ]
        model = Pipeline(stages=stages).fit(train)
        model.save(str(path))
        uids = [stage.uid for stage in model.stages]
        outputs = (TensorSpec("ci", Scalar("double"), False), TensorSpec("xb", Scalar("double"), True), INVALID)
        probes = (Probe("c", exact=LABELS), Probe("x", thresholds=(0.0, 5.0, 10.0)))
        verdicts = (StageVerdict(uids[0], "…", "kept", "bit", note=handle), StageVerdict(uids[1], "…", "kept", "bit"))
        return Indexed(path, Servable(b"", (C, X), outputs, probes=probes, stages=verdicts))

    return fit


def row_of(evidence: Evidence, c: str) -> int:
    return int(np.flatnonzero(evidence.inputs["c"][:, 0] == c)[0])


def test_spark_agrees_with_a_true_forecast_row_by_row(indexed: Callable[[str], Indexed]) -> None:
    model = indexed("error")

    evidence = record(model.path, SCHEMA, None, model.servable, model.foretell, digest="d")

    assert compare(evidence, model.foretell(evidence.inputs)).passed
    codes = set(evidence.answers["invalid"][:, 0].tolist())
    assert codes == {0, 1, 2}
    assert evidence.coverage == 1.0
    assert evidence.derived.all()
    assert evidence.spark_version


def test_rows_that_spark_drops_are_negative(indexed: Callable[[str], Indexed]) -> None:
    model = indexed("skip")

    evidence = record(model.path, SCHEMA, None, model.servable, model.foretell, digest="d")

    assert compare(evidence, model.foretell(evidence.inputs)).passed
    assert evidence.answers["invalid"][row_of(evidence, "␀"), 0] == -1
    assert np.isnan(evidence.answers["ci"][row_of(evidence, "⟨unseen⟩"), 0])


def test_a_refusal_that_we_did_not_foretell_stands_against_us(indexed: Callable[[str], Indexed]) -> None:
    model = indexed("error")
    user = Table({"c": np.array([["a"], ["zz"], ["b"]], dtype=object), "x": np.array([[1.0], [1.0], [2.0]])})

    def blind(rows: Table) -> Table:
        told = dict(model.foretell(rows))
        told["invalid"] = np.where(rows["c"] == "zz", 0, told["invalid"]).astype(np.int32)
        return Table(told)

    evidence = record(model.path, SCHEMA, user, model.servable, blind, digest="d")

    assert evidence.answers["invalid"][:3, 0].tolist() == [0, UNTOLD, 0]
    assert evidence.answers["ci"][[0, 2], 0].tolist() == [0.0, 1.0]
    assert not compare(evidence, blind(evidence.inputs)).passed


def test_a_refusal_that_spark_does_not_share_stands_against_us(indexed: Callable[[str], Indexed]) -> None:
    model = indexed("keep")

    evidence = record(model.path, SCHEMA, None, model.servable, model.foretell, digest="d")

    assert evidence.answers["invalid"][row_of(evidence, "⟨unseen⟩"), 0] == 0
    assert evidence.answers["ci"][row_of(evidence, "⟨unseen⟩"), 0] == 3.0
    assert not compare(evidence, model.foretell(evidence.inputs)).passed


def test_a_users_rows_come_first_are_marked_and_cut_to_the_limit(indexed: Callable[[str], Indexed]) -> None:
    model = indexed("error")
    user = Table({"c": np.full((50, 1), "a", dtype=object), "x": np.linspace(0, 10, 50).reshape(-1, 1)})

    evidence = record(model.path, SCHEMA, user, model.servable, model.foretell, digest="d", user_rows=10)

    assert (~evidence.derived).sum() == 10
    assert evidence.inputs["x"][[0, 9], 0].tolist() == [0.0, 10.0]
    assert evidence.only_derived().rows == evidence.rows - 10


def test_a_dropped_stage_may_miss_its_columns_and_a_needed_one_may_not(indexed: Callable[[str], Indexed]) -> None:
    model = indexed("error")
    label, kept = model.servable.stages
    alone = replace(
        model.servable,
        inputs=(X,),
        outputs=model.servable.outputs[1:],
        probes=model.servable.probes[1:],
        stages=(replace(label, verdict="dropped"), kept),
    )

    def foretell(rows: Table) -> Table:
        told = model.foretell(Table({**rows, "c": np.full((rows.rows, 1), "a", dtype=object)}))
        return told.select(["xb", "invalid"])

    # StringIndexer by itself skips a column that is absent; a Bucketizer does not.
    evidence = record(model.path, SCHEMA, None, alone, foretell, digest="d")
    assert compare(evidence, foretell(evidence.inputs)).passed

    with pytest.raises(SourceError, match="does not accept these columns"):
        record(
            model.path,
            SCHEMA,
            None,
            replace(alone, inputs=(C,), probes=model.servable.probes[:1]),
            lambda rows: Table({"xb": np.zeros((rows.rows, 1)), "invalid": np.zeros((rows.rows, 1), dtype=np.int32)}),
            digest="d",
        )


def test_a_vector_of_another_width_than_ours_fails(spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import VectorAssembler

    PipelineModel([VectorAssembler(inputCols=["x"], outputCol="v")]).save(str(tmp_path / "p"))
    wide = Servable(b"", (X,), (TensorSpec("v", VectorType(2), True, 2), INVALID))

    def foretell(rows: Table) -> Table:
        invalid = ~np.isfinite(rows["x"]) & np.isnan(rows["x"])
        return Table({"v": np.zeros((rows.rows, 2)), "invalid": invalid.astype(np.int32)})

    with pytest.raises(CheckFailed, match="1 slots; ours has 2"):
        record(tmp_path / "p", SCHEMA, None, wide, foretell, digest="d")


def test_every_type_reaches_spark_as_itself_and_null_as_null(spark: Any) -> None:
    low32, low64 = np.iinfo(np.int32).min, np.iinfo(np.int64).min
    columns: dict[str, tuple[Any, Any, list[list[Any]], str]] = {
        "s": (Scalar("string"), object, [["␀"], [""]], "string"),
        "d": (Scalar("double"), np.float64, [[np.nan], [-0.0]], "double"),
        "f": (Scalar("float"), np.float32, [[np.nan], [0.1]], "float"),
        "m": (Scalar("decimal"), np.float64, [[np.nan], [1.25]], "decimal(5,2)"),
        "i": (Scalar("integer"), np.int32, [[low32], [7]], "integer"),
        "l": (Scalar("long"), np.int64, [[low64], [2**60]], "long"),
        "h": (Scalar("short"), np.int16, [[-(2**15)], [7]], "short"),
        "y": (Scalar("byte"), np.int8, [[-128], [7]], "byte"),
        "b": (Scalar("boolean"), np.int8, [[-128], [1]], "boolean"),
        "t": (Scalar("timestamp"), np.int64, [[low64], [1_000_001]], "timestamp"),
        "a": (Scalar("date"), np.int32, [[low32], [4_000_000]], "date"),
    }
    specs = [TensorSpec(name, type, True) for name, (type, *_) in columns.items()]
    schema = tuple(
        Field(name, type, True, {"decimal": told, "mark": 1} if name == "m" else {"mark": 1})
        for name, (type, _, _, told) in columns.items()
    )
    rows = Table({name: np.array(values, dtype=dtype) for name, (_, dtype, values, _) in columns.items()})

    frame = to_spark(spark, rows, specs, schema).frame(np.arange(rows.rows))

    names = [name for name in frame.columns if name != "__tritonbuild_row"]
    assert names == list(columns)
    back = {field.name: field for field in parse_schema(frame.schema.json())}
    assert [str(back[name].type) for name in names] == [str(columns[name][0]) for name in names]
    assert all(back[name].metadata["mark"] == 1 for name in names)
    assert back["m"].metadata["decimal"] == "decimal(5,2)"
    null, given = frame.selectExpr(
        "s", "d", "f", "m", "i", "l", "h", "y", "b", "unix_micros(t)", "unix_date(a)"
    ).collect()
    assert all(value is None for value in null)
    assert given[0] == ""
    assert np.signbit(given[1])
    assert np.float32(given[2]) == np.float32(0.1)
    assert str(given[3]) == "1.25"
    assert list(given)[4:] == [7, 2**60, 7, 7, True, 1_000_001, 4_000_000]


def test_a_column_that_may_not_be_null_is_so_in_spark_and_keeps_its_nan(spark: Any) -> None:
    schema = (Field("d", Scalar("double"), False), Field("v", VectorType(2), False), Field("w", TextArray()))
    specs = [
        TensorSpec("d", Scalar("double"), False),
        TensorSpec("v", VectorType(2), False, 2),
        TensorSpec("w", TextArray(), True, -1),
    ]
    rows = Table({"d": np.array([[np.nan]]), "v": np.array([[1.0, np.nan]]), "w": np.array([["a", "␀"]], dtype=object)})

    frame = to_spark(spark, rows, specs, schema).frame(np.arange(rows.rows))

    assert [field.nullable for field in frame.schema.fields][1:3] == [False, False]
    (row,) = frame.collect()
    assert np.isnan(row["d"])
    assert np.isnan(row["v"].toArray()[1])
    assert row["w"] == ["a"]


def test_a_decimal_snaps_to_what_its_column_can_hold() -> None:
    schema = (Field("m", Scalar("decimal"), True, {"decimal": "decimal(4,1)"}),)
    rows = Table({"m": np.array([[0.25], [1e9], [-np.inf], [np.nan]])})

    snaps = snapped(rows, [TensorSpec("m", Scalar("decimal"), True)], schema)

    assert snaps["m"][:3, 0].tolist() == [0.2, 999.9, -999.9]
    assert np.isnan(snaps["m"][3, 0])


def test_the_largest_decimal38_stays_in_its_type(spark: Any) -> None:
    schema = (Field("m", Scalar("decimal"), True, {"decimal": "decimal(38,18)"}),)
    spec = TensorSpec("m", Scalar("decimal"), True)
    rows = snapped(Table({"m": np.array([[np.inf], [-1e300], [1 / 3], [2.0**66], [np.nan]])}), [spec], schema)

    frame = to_spark(spark, rows, [spec], schema).frame(np.arange(rows.rows))
    cast = [row[0] for row in frame.selectExpr("cast(m as double)").collect()]

    assert cast[:4] == rows["m"][:4, 0].tolist() == [1e20, -1e20, float("0.333333333333333315"), 2.0**66]
    assert cast[4] is None


def test_a_stage_that_runs_a_job_at_once_is_asked_row_by_row(spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.classification import LogisticRegression, OneVsRest
    from pyspark.ml.linalg import Vectors

    train = spark.createDataFrame(
        [(float(i % 3), Vectors.dense([i * 0.7 % 5, i * 0.3 % 2])) for i in range(30)], ["label", "x"]
    )
    model = OneVsRest(featuresCol="x", classifier=LogisticRegression(maxIter=3)).fit(train)
    PipelineModel([model]).save(str(tmp_path / "p"))
    schema = (Field("x", VectorType(2)),)
    pipeline = read_pipeline(tmp_path / "p")
    servable = lower(pipeline, schema, all_rules(), ["prediction"], proof=True)

    evidence = record(tmp_path / "p", schema, None, servable, in_process(servable), digest="d", derived=60)

    null = np.isnan(evidence.inputs["x"]).all(axis=1)
    assert null.any()
    assert (evidence.answers["invalid"][null, 0] > 0).all()
    assert (evidence.answers["invalid"][~null, 0] == 0).all()
    assert compare(evidence, in_process(servable)(evidence.inputs)).passed


def test_a_null_vector_that_nobody_foretold_stands_against_us(spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.classification import DecisionTreeClassifier
    from pyspark.ml.linalg import Vectors

    train = spark.createDataFrame([(float(i % 2), Vectors.dense([float(i), 1.0])) for i in range(9)], ["label", "x"])
    PipelineModel([DecisionTreeClassifier(featuresCol="x").fit(train)]).save(str(tmp_path / "p"))
    schema = (Field("x", VectorType(2)),)
    servable = lower(read_pipeline(tmp_path / "p"), schema, all_rules(), ["prediction"], proof=True)
    predict = in_process(servable)
    rows = Table({"x": np.array([[1.0, 1.0], [np.nan, np.nan], [np.nan, 1.0]])})

    def blind(rows: Table) -> Table:
        return Table({**predict(rows), "invalid": np.zeros((rows.rows, 1), dtype=np.int32)})

    told = record(tmp_path / "p", schema, rows, servable, predict, digest="d", derived=0)
    untold = record(tmp_path / "p", schema, rows, servable, blind, digest="d", derived=0)

    assert compare(told, predict(told.inputs)).passed
    assert sorted(told.answers["invalid"][:, 0].tolist()) == [0, 0, 1]
    assert sorted(untold.answers["invalid"][:, 0].tolist()) == [0, 0, UNTOLD]
    assert not compare(untold, blind(untold.inputs)).passed


def test_without_java_the_error_says_what_to_install(tmp_path: Path) -> None:
    code = """
import sys
from builder.errors import Unreachable
from builder.evidence.session import spark_session
try:
    with spark_session():
        pass
except Unreachable as error:
    print(error.exit_code, error.fix)
"""
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "dirname", "uname", "ps"):
        found = next(
            (f"{folder}/{tool}" for folder in ("/bin", "/usr/bin") if os.path.exists(f"{folder}/{tool}")), None
        )
        if found:
            (tmp_path / "bin" / tool).symlink_to(found)
    environment = {"PATH": str(tmp_path / "bin"), "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path)}

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)

    assert result.stdout.startswith("4 "), result.stderr
    assert "Java 17" in result.stdout


def test_without_pyspark_the_error_says_what_to_install() -> None:
    code = """
import sys
sys.modules["pyspark"] = None
from builder.errors import Unreachable
from builder.evidence.session import spark_session
try:
    with spark_session():
        pass
except Unreachable as error:
    print(error.exit_code, error.fix)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)

    assert result.stdout.startswith("4 "), result.stderr
    assert "tritonbuild[train]" in result.stdout
