"""Models that leave the work to models inside of them."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op

from builder.errors import Refused
from builder.graph.columns import Number, Vector, number, vector
from builder.graph.idioms import any_of, argmax, constant
from builder.graph.rules import Ask, converts
from builder.graph.tolerance import beside, outdone
from builder.sparkml.reader import SavedStage
from builder.stages.classifying import slot
from builder.stages.trees import told


@converts(
    "org.apache.spark.ml.classification.OneVsRestModel",
    word="bit",
    reads=("featuresCol",),
    writes=("rawPredictionCol", "predictionCol"),
    ignores=("featuresCol", "labelCol", "parallelism", "weightCol"),
    note="the word of the models inside, where that is weaker",
)
def one_vs_rest(stage: SavedStage, ask: Ask, x: Vector) -> tuple[Vector, Number]:
    """raw = of each class's own model the raw prediction of its class 1; the label is the first class with the largest.

    The models inside read this stage's features; their own column names do not matter.

    Shapes: x [N, F] -> raw [N, K], prediction [N, 1].
    NaN:    never wins; where no value is above -inf the label is -1. So pyspark answers since 4.1; before, a NaN wins in
            the first class alone, and the label is never -1. The JVM's own transform takes the first NaN.
    Raises: Refused, with the inner uid, where an inner rule refuses, or its model knows of one class alone.
    Source: OneVsRestModel._transform (pyspark/ml/classification.py), array_argmax (pyspark/sql/internal.py, Spark 4.3.0, 4.1.0 and 4.0.5);
            OneVsRestModel.transform (ml/classification/OneVsRest.scala, Spark 4.0.1)
    """
    classes = told(stage, "numClasses")
    scores = [_score(stage.nested(f"model_{index}"), ask, x) for index in range(classes)]
    raw = vector(
        op.concat([score.var for score in scores], axis=1),
        classes,
        masks=tuple(mask for score in scores for mask in score.masks),
        probes=tuple(probe for score in scores for probe in score.probes),
        slack=beside([(score, 1) for score in scores]),
    )
    lowest = constant(-np.inf)
    seen = op.where(op.isnan(raw.var), lowest, raw.var) if stage.since(4, 1) else raw.var
    index = argmax(seen)
    label = op.where(any_of(op.greater(seen, lowest)), index, constant(-1.0)) if stage.since(4, 1) else index
    slack = None if raw.slack is None else outdone(seen, raw.slack, index, classes)
    return raw, number(label, masks=raw.masks, probes=raw.probes, slack=slack)


def _score(model: SavedStage, ask: Ask, x: Vector) -> Number:
    """Of the class asked, [N, 1]."""
    raw = ask(model, x).get("rawPredictionCol")
    if not isinstance(raw, Vector) or raw.width < 2:
        raise Refused(
            f"{model.spark_class} has no raw prediction of a class 1.",
            fix="Spark itself fails on every row: fit with a classifier of two classes, on rows of every class.",
            uid=model.uid,
        )
    var, slack = slot(raw, 1)
    return number(var, masks=raw.masks, probes=raw.probes, slack=slack)
