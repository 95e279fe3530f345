"""SQL among the stages: Spark is asked in the session that the model is used in, and every answer finds its row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import builder
from builder.evidence import compare, load
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.proving import settled
from builder.source import FetchedModel, fetch
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import INVALID, UNSAID

ANSI = "spark.sql.ansi.enabled"
STATEMENT = (
    "SELECT a * 2 AS a, a / b AS c, CASE WHEN b > 1 THEN 'much' ELSE 'little' END AS d FROM __THIS__ WHERE a <> 7"
)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "ansi"])
def logged(request: Any, spark: Any, mlflow: Any) -> Iterator[tuple[FetchedModel, bool]]:
    """A statement that drops columns and rows, logged from a session with or without ANSI."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import SQLTransformer, VectorAssembler

    before = spark.conf.get(ANSI)
    spark.conf.set(ANSI, str(request.param).lower())
    training = spark.createDataFrame([(i, i % 3) for i in range(1, 30)], "a int, b int")
    stages = [
        SQLTransformer(statement=STATEMENT),
        VectorAssembler(inputCols=["a", "c"], outputCol="v", handleInvalid="keep"),
    ]
    pipeline = Pipeline(stages=stages).fit(training)
    info = builder.log_model(pipeline, training, name="m", evidence_rows=20, derived_rows=60)
    yield fetch(info.model_uri), request.param
    spark.conf.set(ANSI, before)


def test_answers_of_a_statement_without_star_are_proven(logged):
    model, ansi = logged
    session = settled(model, UNSAID)
    servable = lower(read_pipeline(model.path).under(session), model.schema, all_rules())

    evidence = load(model.evidence).of_model(servable, model.digest)
    report = compare(evidence, in_process(servable)(evidence.inputs))

    assert report.passed, report.words()
    assert session.ansi is ansi
    codes = evidence.answers[INVALID.name][:, 0]
    assert (codes < 0).any(), "WHERE dropped no row"
    assert (codes > 0).any() == ansi, "division by zero fails with ANSI alone"
    assert np.isfinite(evidence.answers["v"][codes == 0]).any()
