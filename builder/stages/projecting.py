"""Vectors led into another space."""

from __future__ import annotations

from builder.graph.columns import Vector, vector
from builder.graph.idioms import dot
from builder.graph.rules import converts
from builder.graph.tolerance import weighed
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_matrix


@converts("org.apache.spark.ml.feature.PCAModel", word="dot", ignores=("k",))
def pca(stage: SavedStage, x: Vector) -> Vector:
    """y = pcᵀ x.

    Shapes: x [N, F] -> y [N, K].
    Order:  Spark's gemv leaves it to its BLAS: within min(2(F + 4), 32)·u·Σ|pc·x|.
    Source: PCAModel.transform (ml/feature/PCA.scala, Spark 4.0.1)
    """
    components = dense_matrix(stage.row()["pc"])
    terms, width = components.shape
    x = x.sized(terms)
    return vector(dot(x.var, components), width, slack=weighed(x.var, x.slack, components))
