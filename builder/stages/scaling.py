"""Scalers: each slot by its own fitted numbers."""

from __future__ import annotations

import numpy as np
import spox.opset.ai.onnx.v21 as op

from builder.graph.columns import Vector, scaled_origins, vector
from builder.graph.idioms import constant
from builder.graph.rules import converts
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector


@converts("org.apache.spark.ml.feature.MinMaxScalerModel", word="bit")
def min_max_scaler(stage: SavedStage, x: Vector) -> Vector:
    """y = (x - low) * scale + min; where scale is 0, y = (min + max) / 2.

    Shapes: x [N, F] -> y [N, F].
    Order:  subtract, multiply, add, as Spark does: equal bit for bit.
    NaN:    stays NaN, also where scale is 0.
    Source: MinMaxScalerModel.transform (ml/feature/MinMaxScaler.scala, Spark 4.0.1)
    """
    row = stage.row()
    low, high = dense_vector(row["originalMin"]), dense_vector(row["originalMax"])
    bottom, top = stage.params.number("min"), stage.params.number("max")
    x = x.sized(len(low))
    with np.errstate(all="ignore"):
        spread = high - low
        scale = np.where(spread != 0, (top - bottom) / spread, 0.0)
    flat = scale == 0  # Spark's test: also true when the spread overflows to infinity
    y = op.add(op.mul(op.sub(x.var, constant(low)), constant(scale)), constant(bottom))
    middle = op.where(op.isnan(x.var), x.var, constant((bottom + top) / 2))
    return vector(
        op.where(constant(flat), middle, y),
        len(low),
        origins=scaled_origins(x, np.where(flat, 0.0, scale), bottom - low * scale, len(low)),
        slack=None if x.slack is None else op.mul(x.slack, constant(np.abs(scale))),
    )
