"""Layers of neurons: the multilayer perceptron."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import spox.opset.ai.onnx.v21 as op

from builder.errors import SourceError
from builder.graph.columns import Number, Vector, vector
from builder.graph.idioms import constant, exp, largest, ordered_sum
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, exponential_growth, logistic_bound, shared_bound
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector
from builder.stages import classifying
from builder.stages.classifying import COLUMNS, classified
from builder.stages.linear import margins
from builder.types import Array


@converts(
    "org.apache.spark.ml.classification.MultilayerPerceptronClassificationModel",
    word="elementary",
    reads=("featuresCol",),
    writes=COLUMNS,
    ignores=("blockSize", "featuresCol", "initialWeights", "labelCol", "maxIter", "seed", "solver", "stepSize", "tol"),
)
def multilayer_perceptron(stage: SavedStage, x: Vector) -> tuple[Vector, Vector, Number]:
    """Each layer W · x + b; between two 1 / (1 + exp(-z)); raw = the last one's, probability its softmax.

    Shapes: x [N, F] -> raw and probability [N, K], prediction [N, 1].
    Order:  each sum as Spark's BLAS likes: within the bound of a dot product.
    Source: FeedForwardModel (ml/ann/Layer.scala), MultilayerPerceptronClassificationModel.predict
            (ml/classification/MultilayerPerceptronClassifier.scala, Spark 4.0.1)
    """
    raw = x
    for depth, (weights, bias) in enumerate(_layers(stage)):
        given = raw if depth == 0 else _sigmoid(raw)
        raw = margins(given, weights, np.ones(weights.shape, dtype=bool), bias)
    probability = _softmax(raw)
    return classified(stage, raw, probability, by_features=lambda: classifying.largest(probability))


def _layers(stage: SavedStage) -> Iterator[tuple[Array, Array]]:
    """Weights [out, in] and biases [out] of each layer. Raises SourceError where there are more or fewer of them."""
    saved, at = dense_vector(stage.row()["weights"]), 0
    sizes = stage.params.numbers("layers").astype(int).tolist()
    if len(saved) != sum((into + 1) * out for into, out in pairwise(sizes)) or len(sizes) < 2:
        raise SourceError(
            f"{stage.uid}: {len(saved)} weights do not fill layers of {sizes}.", fix="copy the saved model again."
        )
    for into, out in pairwise(sizes):
        yield saved[at : at + into * out].reshape(into, out).T, saved[at + into * out : at + (into + 1) * out]
        at += (into + 1) * out


def _sigmoid(z: Vector) -> Vector:
    p = op.div(constant(1.0), op.add(constant(1.0), exp(op.neg(z.var))))
    return vector(p, z.width, slack=None if z.slack is None else logistic_bound(p, z.slack))


def _softmax(raw: Vector) -> Vector:
    """exp(raw - its maximum) / their sum, added from the first class on. NaN does not count for the maximum.

    Source: SoftmaxLayerModelWithCrossEntropyLoss.eval (ml/ann/LossFunction.scala, Spark 4.0.1)
    """
    powers = exp(op.sub(raw.var, largest(raw.var, float(np.finfo(np.float64).min))))
    probability = op.div(powers, ordered_sum(powers))
    slack = None
    if raw.slack is not None:
        growth = op.add(
            exponential_growth(op.mul(largest(raw.slack), constant(2.0))), constant(2 * (raw.width + 4) * UNIT)
        )
        slack = shared_bound(probability, op.where(op.isinf(growth), growth, op.mul(probability, growth)))
    return vector(probability, raw.width, masks=raw.masks, slack=slack)
