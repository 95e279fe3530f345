"""FMRegressor and FMClassifier."""

from __future__ import annotations

from tests.conformance.row import INF, MILD, NAN, Row, doubles, rolled, spark, sparse, texts, vectors
from tests.conformance.rows.inferring import SAID
from tests.conformance.rows.linear import BINARY, REAL, N, X

CLASSIFIED = ("rawPrediction", "probability", "prediction")
WIDE = tuple(tuple((i * (j + 3) * 7 % 101) / 7 - 5.3 for j in range(300)) for i in range(N))
ASKED = (*rolled(MILD, 4), *X, sparse(4, {1: -2.7}), sparse(4, {}), (0.1, NAN, 0.2, 0.3), (INF, 0.1, 0.2, 0.3),
         *((70.0 * k, -4.1 * k, 3.0, 3.1) for k in (1, -1, 10, -10)))  # fmt: skip


def _row(kind: str, name: str, outputs: tuple[str, ...], smoke: bool, undecided: int = 0, **params: object) -> Row:
    classifies = kind == "FMClassifier"
    return Row(
        f"factorizing/{'classifier' if classifies else 'regressor'}-{name}",
        (getattr(spark, kind)(**{"maxIter": 7, "seed": 3, "stepSize": 0.1, **params}),),
        train={"features": vectors(*X), "label": doubles(*(BINARY if classifies else REAL))},
        rows={"features": vectors(*ASKED)},
        outputs=outputs,
        word="elementary" if classifies else "dot",
        undecided=undecided,
        smoke=smoke,
    )


def _regressed(name: str, *, smoke: bool = False, **params: object) -> Row:
    return _row("FMRegressor", name, ("prediction",), smoke, **params)


def _classified(
    name: str, outputs: tuple[str, ...] = CLASSIFIED, *, smoke: bool = False, undecided: int = 0, **params: object
) -> Row:
    return _row("FMClassifier", name, outputs, smoke, undecided, **params)


ROWS = [
    _regressed("default", smoke=True),
    _regressed("no-linear", fitLinear=False),
    _regressed("no-intercept", fitIntercept=False, factorSize=1),
    _regressed("neither", fitIntercept=False, fitLinear=False, factorSize=3),
    _regressed("by-gradient", solver="gd", stepSize=0.001, regParam=0.1, miniBatchFraction=0.7, initStd=0.3, tol=1e-3),
    _regressed("many-factors", factorSize=40, initStd=1.0),
    _classified("default", smoke=True),
    _classified("no-linear", fitLinear=False, factorSize=3),
    _classified("no-intercept", fitIntercept=False, regParam=0.1),
    _classified("thresholds", thresholds=[0.7, 0.2]),
    _classified("zero-threshold", thresholds=[0.0, 0.2], undecided=3),  # 1 - p is 0, or a step of it
    _classified("no-raw", ("probability", "prediction"), rawPredictionCol=""),
    _classified("no-raw-thresholds", ("probability", "prediction"), rawPredictionCol="", thresholds=[0.2, 0.7]),
    _classified("only-prediction", ("prediction",), rawPredictionCol="", probabilityCol="", thresholds=[0.2, 0.7]),
    Row(
        "factorizing/regressor-assembled",
        (
            spark.VectorAssembler(inputCols=["a", "b", "c"], outputCol="v", handleInvalid="keep"),
            spark.FMRegressor(featuresCol="v", labelCol="y", predictionCol="p", stepSize=0.1, maxIter=5),
        ),
        train={
            "a": doubles(*(row[0] for row in X)),
            "b": doubles(*(row[1] for row in X)),
            "c": doubles(*(row[2] for row in X)),
            "y": doubles(*REAL),
        },
        rows={"a": doubles(0.1, None, 1 / 3), "b": doubles(1.0, 2.0, -0.0), "c": doubles(0.0, 1.0, 1e-30)},
        outputs=("p",),
        word="dot",
    ),
    Row(  # more terms than are kept one by one
        "factorizing/regressor-wide",
        (spark.FMRegressor(factorSize=30, stepSize=0.01, maxIter=3, seed=1),),
        train={"features": vectors(*WIDE), "label": doubles(*REAL)},
        rows={"features": vectors(*WIDE)},
        outputs=("prediction",),
        word="dot",
    ),
    Row(
        "factorizing/classifier-of-words",
        (
            spark.Tokenizer(inputCol="t", outputCol="w"),
            spark.HashingTF(inputCol="w", outputCol="features", numFeatures=2000),
            spark.FMClassifier(stepSize=0.1, maxIter=3, seed=1),
        ),
        train={"t": texts(*SAID), "label": doubles(*BINARY)},
        rows={"t": texts(*SAID, "", "unseen words")},
        outputs=CLASSIFIED,
        word="elementary",
    ),
    Row(
        "factorizing/regressor-after-components",
        (
            spark.PCA(inputCol="features", outputCol="v", k=3),
            spark.FMRegressor(featuresCol="v", stepSize=0.1, maxIter=5),
        ),
        train={"features": vectors(*X), "label": doubles(*REAL)},
        rows={"features": vectors(*X)},
        outputs=("prediction",),
        word="dot",
    ),
]
