"""Ten thousand real sentences through the usual text pipeline, as Spark answers them: in process, and served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from builder.evidence.compare import compare_tables
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.sparkml.schema import parse_schema
from builder.stages import all_rules
from builder.types import INVALID, SLACK, Servable, Table
from tests.sentences.docstrings import sentences

COUNT, CHUNK = 10_000, 500
OUTPUTS = ("rawPrediction", "probability", "prediction")


@dataclass(frozen=True)
class Answered:
    """What Spark made of the sentences, and the pipeline compiled, as served and with its tolerances."""

    rows: Table
    spark: Table
    served: Servable
    proof: Servable


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Answered:
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("sentences")
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1"}
    spark = SparkSession.builder.master("local[2]").appName("sentences").config(map=settings).getOrCreate()
    texts = sentences(COUNT)
    rows = [(number, text, float("return" in text.lower())) for number, text in enumerate(texts)]
    frame = spark.createDataFrame(rows, "number int, text string, label double")
    model = pipeline().fit(frame)
    model.write().save(str(folder / "model"))
    found = model.transform(frame).select("number", *OUTPUTS).orderBy("number").collect()
    schema = parse_schema(frame.select("text").schema.json())
    spark.stop()
    saved = read_pipeline(Path(folder / "model"))
    return Answered(
        Table({"text": np.array(texts, dtype=object).reshape(-1, 1)}),
        Table(
            {
                "rawPrediction": np.array([row.rawPrediction.toArray() for row in found]),
                "probability": np.array([row.probability.toArray() for row in found]),
                "prediction": np.array([[row.prediction] for row in found]),
            }
        ),
        lower(saved, schema, all_rules()),
        lower(saved, schema, all_rules(), proof=True),
    )


def pipeline():
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import IDF, HashingTF, StopWordsRemover, Tokenizer

    return Pipeline(
        stages=[
            Tokenizer(inputCol="text", outputCol="tokens"),
            StopWordsRemover(inputCol="tokens", outputCol="words"),
            HashingTF(inputCol="words", outputCol="counts"),  # 262,144 slots
            IDF(inputCol="counts", outputCol="features"),
            LogisticRegression(maxIter=5),
        ]
    )


def in_chunks(servable: Servable, rows: Table) -> Table:
    predict = in_process(servable)
    return Table.concat([Table(predict(rows.take(slice(at, at + CHUNK)))) for at in range(0, rows.rows, CHUNK)])


def test_every_sentence_is_answered_as_spark_answers_it(answered):
    answers = in_chunks(answered.proof, answered.rows)

    tolerance = {name: answers[name + SLACK] for name in OUTPUTS if name + SLACK in answers}
    words = dict.fromkeys(OUTPUTS, "elementary")
    report = compare_tables(answered.spark, answers.select(OUTPUTS), tolerance, words)
    assert not answers[INVALID.name].any()
    assert report.passed, report.words()
    assert np.isfinite(tolerance["rawPrediction"]).all()
    assert tolerance["rawPrediction"].max() < 1e-12 * np.abs(answered.spark["rawPrediction"]).max()


def test_the_server_answers_as_this_process_does(answered, triton):
    triton.put("sentences", answered.served)
    expected = in_chunks(answered.served, answered.rows)

    with triton.client("grpc") as client:
        answers = client.predict("sentences", answered.rows)

    for name in (*OUTPUTS, INVALID.name):
        assert answers[name].tobytes() == expected[name].tobytes(), name
