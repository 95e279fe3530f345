"""Gradient-boosted trees. Spark adds them with its BLAS's ddot, whose order depends on the processor."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Number, Vector
from builder.graph.forests import summed_over_trees
from builder.graph.rules import converts
from builder.graph.tolerance import dot_bound
from builder.sparkml.reader import SavedStage
from builder.sparkml.trees import read_forest
from builder.stages.classifying import COLUMNS, classified
from builder.stages.logistic import both_sides, two_class_probability
from builder.stages.trees import FITTING, Reached, reach

_FITTING = (*FITTING, "lossType", "maxIter", "stepSize", "validationIndicatorCol", "validationTol")


def _margin(there: Reached) -> Number:
    """[N, 1]: the sum over trees of prediction times the tree's weight; within the bound of a dot product."""
    saved = there.saved
    terms = saved.prediction[saved.leaves] * saved.weights[saved.tree[saved.leaves]]
    margin = there.scalar(terms)
    sizes: Var = summed_over_trees(np.abs(terms)[:, None], there.numbers)
    slack = dot_bound(sizes, saved.trees)
    if margin.slack is not None:
        slack = op.add(slack, margin.slack)
    return margin.within(slack)


@converts(
    "org.apache.spark.ml.regression.GBTRegressionModel",
    word="dot",
    reads=("featuresCol",),
    writes=("predictionCol", "leafCol"),
    ignores=_FITTING,
)
def gbt_regressor(stage: SavedStage, x: Vector) -> tuple[Number, Number | Vector]:
    """prediction = the sum over trees of the leaf's prediction times the tree's weight.

    Shapes: x [N, F] -> prediction [N, 1], leaf [N, T].
    Order:  Spark's ddot leaves it to its BLAS: within min(2(T + 4), 32)·u·Σ|prediction·weight|. The leaves are its own.
    Source: GBTRegressionModel.predict (ml/regression/GBTRegressor.scala, Spark 4.0.1)
    """
    there = reach(stage, read_forest(stage), x)
    return _margin(there), there.leaf_column()


@converts(
    "org.apache.spark.ml.classification.GBTClassificationModel",
    word="elementary",
    reads=("featuresCol",),
    writes=(*COLUMNS, "leafCol"),
    ignores=_FITTING,
    note="rawPrediction is `dot`, leafCol `bit`",
)
def gbt_classifier(stage: SavedStage, x: Vector) -> tuple[Vector, Vector, Number, Number | Vector]:
    """raw = [-m, m]; probability = 1 / (1 + exp(-2 raw)) of the first class, and 1 less that; the label 1 where m > 0:
    where raw's second slot is the larger.

    Shapes: x [N, F] -> raw and probability [N, 2], prediction [N, 1], leaf [N, T].
    Order:  m as in `gbt_regressor`.
    Source: GBTClassificationModel.margin, predict, raw2probabilityInPlace (ml/classification/GBTClassifier.scala);
            LogLoss.computeProbability (mllib/tree/loss/LogLoss.scala, Spark 4.0.1)
    """
    there = reach(stage, read_forest(stage), x)
    raw = both_sides(_margin(there))
    probability = two_class_probability(raw, steepness=2.0)
    return (*classified(stage, raw, probability), there.leaf_column())
