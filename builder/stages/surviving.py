"""Accelerated failure time: how long until the event."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op

from builder.graph.columns import Number, Vector, number, vector
from builder.graph.idioms import constant, exp
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, exponential_growth
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector, stored_vector
from builder.stages.linear import weighted


@converts(
    "org.apache.spark.ml.regression.AFTSurvivalRegressionModel",
    word="elementary",
    reads=("featuresCol",),
    writes=("predictionCol", "quantilesCol"),
    ignores=(
        "aggregationDepth",
        "censorCol",
        "featuresCol",
        "fitIntercept",
        "labelCol",
        "maxBlockSizeInMB",
        "maxIter",
        "tol",
    ),
)
def aft_survival_regression(stage: SavedStage, x: Vector) -> tuple[Number, Vector]:
    """prediction = exp(coefficients · x + intercept); quantile of p = exp(log(-log(1 - p)) * scale) * prediction.

    Shapes: x [N, F] -> prediction [N, 1], quantiles [N, one a probability].
    Source: AFTSurvivalRegressionModel.predict, lambda2Quantiles (ml/regression/AFTSurvivalRegression.scala, Spark 4.0.1)
    """
    row = stage.row()
    eta = weighted(x, dense_vector(row["coefficients"]), stored_vector(row["coefficients"]), float(row["intercept"]))
    mean = exp(eta.var)
    steps = np.log(-np.log1p(-stage.params.numbers("quantileProbabilities"))) * float(row["scale"])
    factors = np.exp(steps)
    quantiles = op.mul(mean, constant(factors))
    if eta.slack is None:
        return number(mean), vector(quantiles, len(factors))
    growth = exponential_growth(eta.slack)
    known = op.or_(op.isnan(mean), op.isinf(mean))
    wider = op.add(growth, constant((16 + 8 * np.abs(steps)) * UNIT))
    return (
        number(mean, slack=op.where(known, constant(0.0), op.mul(mean, growth))),
        vector(quantiles, len(factors), slack=op.where(known, constant(0.0), op.mul(quantiles, wider))),
    )
