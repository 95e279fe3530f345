"""MultilayerPerceptronClassifier."""

from __future__ import annotations

from tests.conformance.row import INF, MILD, NAN, Row, doubles, rolled, spark, sparse, vectors
from tests.conformance.rows.inferring import LABELS
from tests.conformance.rows.linear import BINARY, FIVE, X

CLASSIFIED = ("rawPrediction", "probability", "prediction")
ASKED = (*rolled(MILD, 4), *X, sparse(4, {1: -2.7}), (0.1, NAN, 0.2, 0.3), (INF, 0.1, 0.2, 0.3), (0.1, -INF, 0.2, 0.3),
         *((700.0 * k, -41.0 * k, 3.0, 3.1) for k in (1, -1, 10, -10)))  # fmt: skip


def _row(
    name: str,
    labels: tuple[float, ...],
    layers: list[int],
    outputs: tuple[str, ...] = CLASSIFIED,
    *,
    smoke: bool = False,
    **params: object,
) -> Row:
    return Row(
        f"layering/{name}",
        (spark.MultilayerPerceptronClassifier(**{"maxIter": 15, "layers": layers, "seed": 7, **params}),),
        train={"features": vectors(*X), "label": doubles(*labels)},
        rows={"features": vectors(*ASKED)},
        outputs=outputs,
        word="elementary",
        smoke=smoke,
    )


ROWS = [
    _row("one-hidden", LABELS, [4, 5, 3], smoke=True),
    _row("none-hidden", LABELS, [4, 3]),
    _row("three-hidden", FIVE, [4, 7, 6, 5, 5]),
    _row("two-classes", BINARY, [4, 3, 2]),
    _row("one-neuron", BINARY, [4, 1, 2]),
    _row("more-outputs", BINARY, [4, 3, 4]),
    _row("wide", LABELS, [4, 300, 3], maxIter=3),
    _row("thresholds", LABELS, [4, 5, 3], thresholds=[0.5, 0.0, 0.3]),
    _row("by-gradient", LABELS, [4, 5, 3], solver="gd", stepSize=0.3, blockSize=7, tol=1e-3),
    _row("no-raw", LABELS, [4, 5, 3], ("probability", "prediction"), rawPredictionCol="", thresholds=[0.1, 0.6, 0.3]),
    _row("no-probability", LABELS, [4, 5, 3], ("rawPrediction", "prediction"), probabilityCol="", thresholds=[0.1, 0.6, 0.3]),
    _row(  # from the features the label does not know of thresholds
        "only-prediction",
        LABELS,
        [4, 5, 3],
        ("prediction",),
        rawPredictionCol="",
        probabilityCol="",
        thresholds=[0.1, 0.6, 0.3],
    ),
    _row("initial-weights", BINARY, [4, 2], initialWeights=spark.Vectors.dense([0.1 * k - 0.3 for k in range(10)])),
    Row(
        "layering/after-scaling",
        (
            spark.StandardScaler(inputCol="x", outputCol="z", withMean=True),
            spark.PCA(inputCol="z", outputCol="c", k=2),
            spark.MultilayerPerceptronClassifier(featuresCol="c", labelCol="y", predictionCol="p", layers=[2, 3, 3], seed=3),
        ),
        train={"x": vectors(*X), "y": doubles(*LABELS)},
        rows={"x": vectors(*X)},
        outputs=("rawPrediction", "probability", "p"),
        word="elementary",
    ),
]  # fmt: skip
