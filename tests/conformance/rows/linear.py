"""LogisticRegression, LinearRegression, LinearSVC."""

from __future__ import annotations

from tests.conformance.row import INF, MILD, NAN, Row, Stage, column, doubles, rolled, spark, sparse, texts, vectors

CLASSIFIED = ("rawPrediction", "probability", "prediction")
N = 40
X = tuple(((i * 37 % 23) / 7 - 1.3, (i * 11 % 17) / 3 - 2.7, (i * 5 % 13) / 9 + 1 / 3, 3.1) for i in range(N))
BINARY = tuple(float((i * 7 + i * i) % 5 < 2) for i in range(N))
TERNARY = tuple(float((i * 7 + i * i) % 3) for i in range(N))
FIVE = tuple(float((i * 3 + i * i * 7) % 5) for i in range(N))
REAL = tuple(3.1 * a - 2.7 * b + c / 3 + (i * 13 % 7) / 5 for i, (a, b, c, _) in enumerate(X))
FLAT = (
    (0.1, 0.2, 0.3, INF),
    (0.1, 0.2, 0.3, NAN),
)  # slot 3 is constant in fitting: its coefficient is 0, stored or not
ASKED = (*rolled(MILD, 4), *X, *FLAT, (0.0, 0.0, 0.0, 0.0), (30.0, -30.0, 0.5, 1.0), (-300.0, 300.0, 10.0, 3.1),
         sparse(4, {1: -2.7}), *((700.0 * k, -41.0 * k, 3.0, 3.1) for k in (1, -1, 10, -10)))  # fmt: skip
ENDLESS = tuple(tuple(end if slot == at else 0.1 for slot in range(4)) for at in range(4) for end in (INF, -INF, NAN))


def _logistic(
    name: str,
    labels: tuple[float, ...],
    smoke: bool = False,
    asked: tuple[object, ...] = ASKED,
    **params: object,
) -> Row:
    return Row(
        f"linear/logistic-{name}",
        (spark.LogisticRegression(maxIter=12, **params),),
        train={"features": vectors(*X), "label": doubles(*labels)},
        rows={"features": vectors(*asked)},
        outputs=CLASSIFIED,
        word="elementary",
        smoke=smoke,
    )


def _regressed(name: str, stage: Stage, smoke: bool = False) -> Row:
    return Row(
        f"linear/{name}",
        (stage,),
        train={"features": vectors(*X), "label": doubles(*REAL)},
        rows={"features": vectors(*ASKED)},
        outputs=("prediction",),
        word="dot",
        smoke=smoke,
    )


def _machine(name: str, smoke: bool = False, **params: object) -> Row:
    return Row(
        f"linear/svc-{name}",
        (spark.LinearSVC(maxIter=10, **params),),
        train={"features": vectors(*X), "label": doubles(*BINARY)},
        rows={"features": vectors(*ASKED)},
        outputs=("rawPrediction", "prediction"),
        word="dot",
        smoke=smoke,
    )


LOGISTIC = [
    _logistic("binary", BINARY, smoke=True),
    _logistic("threshold-low", BINARY, threshold=0.2, smoke=True),
    _logistic("threshold-high", BINARY, threshold=0.7),
    _logistic("threshold-0", BINARY, threshold=0.0),
    _logistic("threshold-1", BINARY, threshold=1.0),
    _logistic("binary-thresholds", BINARY, thresholds=[0.7, 0.2]),
    _logistic("no-intercept", BINARY, fitIntercept=False),
    _logistic("unstandardized", BINARY, standardization=False, regParam=0.1),
    _logistic("sparse", BINARY, regParam=0.1, elasticNetParam=1.0, smoke=True),
    _logistic("all-zero", BINARY, regParam=10.0, elasticNetParam=1.0),
    _logistic("one-class", (1.0,) * N),
    _logistic("no-class", (0.0,) * N),
    _logistic(
        "bounded",
        BINARY,
        lowerBoundsOnCoefficients=spark.Matrices.dense(1, 4, [-0.1, 0.0, -5.0, 0.0]),
        upperBoundsOnIntercepts=spark.Vectors.dense([0.1]),
    ),
    _logistic("multinomial", TERNARY, smoke=True),
    _logistic("five", FIVE),
    _logistic("multinomial-thresholds", TERNARY, thresholds=[0.5, 0.2, 0.3], smoke=True),
    _logistic("multinomial-zero-threshold", TERNARY, thresholds=[0.5, 0.0, 0.3]),
    _logistic("multinomial-sparse", TERNARY, regParam=0.02, elasticNetParam=1.0, smoke=True),
    _logistic("multinomial-endless", TERNARY, asked=ENDLESS),
    _logistic("multinomial-sparse-endless", FIVE, regParam=0.03, elasticNetParam=1.0, asked=ENDLESS),
    _logistic("multinomial-no-intercept", TERNARY, fitIntercept=False, regParam=0.1),
    _logistic("multinomial-of-two", BINARY, family="multinomial", smoke=True),
    _logistic("multinomial-of-two-threshold", BINARY, family="multinomial", threshold=0.2),
    _logistic("multinomial-all-zero", TERNARY, regParam=10.0, elasticNetParam=1.0, fitIntercept=False),
    _logistic("weighted", BINARY, aggregationDepth=3, tol=1e-3),
    Row(
        "linear/logistic-other-columns",
        (
            spark.LogisticRegression(
                maxIter=5, featuresCol="v", labelCol="y", predictionCol="p", probabilityCol="q", rawPredictionCol="r"
            ),
        ),
        train={"v": vectors(*X), "y": doubles(*BINARY)},
        rows={"v": vectors(*ASKED)},
        outputs=("p", "q", "r"),
        word="elementary",
    ),
    Row(
        "linear/logistic-no-probability",
        (spark.LogisticRegression(maxIter=5, probabilityCol="", rawPredictionCol="", threshold=0.3),),
        train={"features": vectors(*X), "label": doubles(*BINARY)},
        rows={"features": vectors(*ASKED)},
        outputs=("prediction",),
        word="elementary",
        smoke=True,
    ),
    Row(
        "linear/logistic-no-raw",
        (spark.LogisticRegression(maxIter=5, rawPredictionCol="", threshold=0.3),),
        train={"features": vectors(*X), "label": doubles(*BINARY)},
        rows={"features": vectors(*X)},
        outputs=("probability", "prediction"),
        word="elementary",
    ),
    Row(  # no features make a margin of 0, and a score of exactly ½
        "linear/logistic-score-of-half",
        (
            spark.LogisticRegression(
                maxIter=5, probabilityCol="", rawPredictionCol="", threshold=0.4999999999999, fitIntercept=False
            ),
        ),
        train={"features": vectors(*X), "label": doubles(*BINARY)},
        rows={"features": vectors((0.0, 0.0, 0.0, 0.0), sparse(4, {}), *X[:8])},
        outputs=("prediction",),
        word="elementary",
    ),
    Row(
        "linear/logistic-no-prediction",
        (spark.LogisticRegression(maxIter=5, predictionCol=""),),
        train={"features": vectors(*X), "label": doubles(*TERNARY)},
        rows={"features": vectors(*ASKED)},
        outputs=("rawPrediction", "probability"),
        word="elementary",
    ),
    Row(
        "linear/logistic-multinomial-no-probability",
        (spark.LogisticRegression(maxIter=5, probabilityCol="", rawPredictionCol="", thresholds=[0.1, 0.6, 0.3]),),
        train={"features": vectors(*X), "label": doubles(*TERNARY)},
        rows={"features": vectors(*ASKED)},
        outputs=("prediction",),
        word="elementary",
    ),
    Row(
        "linear/logistic-chosen-prediction",
        (spark.LogisticRegression(maxIter=5),),
        train={"features": vectors(*X), "label": doubles(*BINARY)},
        rows={"features": vectors(*ASKED)},
        outputs=("prediction",),
        word="elementary",
        chosen=True,
    ),
    Row(
        "linear/logistic-wide",
        (spark.LogisticRegression(maxIter=8, regParam=0.01),),
        train={
            "features": vectors(*(tuple((i * (j + 3) * 7 % 101) / 7 - 5.3 for j in range(60)) for i in range(N))),
            "label": doubles(*TERNARY),
        },
        rows={"features": vectors(*(tuple((i * (j + 5) * 11 % 97) / 9 - 4.1 for j in range(60)) for i in range(20)))},
        outputs=CLASSIFIED,
        word="elementary",
    ),
    Row(
        "linear/logistic-label-indexed",
        (
            spark.StringIndexer(inputCol="y", outputCol="label"),
            spark.LogisticRegression(maxIter=5),
            spark.IndexToString(inputCol="prediction", outputCol="answer", labels=["no", "yes"]),
        ),
        train={"features": vectors(*X), "y": texts(*("yes" if y else "no" for y in BINARY))},
        rows={"features": vectors(*X)},
        outputs=("rawPrediction", "probability", "prediction", "answer"),
        word="elementary",
        smoke=True,
    ),
]

REGRESSION = [
    _regressed("regression", spark.LinearRegression(solver="normal"), smoke=True),
    _regressed("regression-no-intercept", spark.LinearRegression(fitIntercept=False)),
    _regressed("regression-sparse", spark.LinearRegression(regParam=0.5, elasticNetParam=1.0), smoke=True),
    _regressed("regression-ridge", spark.LinearRegression(regParam=0.3, standardization=False)),
    _regressed("regression-huber", spark.LinearRegression(loss="huber", epsilon=1.35, maxIter=10), smoke=True),
    _regressed(
        "regression-huber-no-intercept",
        spark.LinearRegression(loss="huber", epsilon=1.7, fitIntercept=False, maxIter=10),
    ),
    Row(
        "linear/regression-assembled",
        (
            spark.VectorAssembler(inputCols=["a", "n"], outputCol="v", handleInvalid="skip"),
            spark.LinearRegression(featuresCol="v", predictionCol="p", labelCol="y"),
        ),
        train={
            "a": doubles(*(row[0] for row in X)),
            "n": column("int", *(i * 7 % 13 for i in range(N))),
            "y": doubles(*REAL),
        },
        rows={"a": doubles(0.1, None, 1 / 3, 0.0), "n": column("int", 1, 2, None, 0)},
        outputs=("p",),
        word="dot",
    ),
    Row(
        "linear/regression-then-bucketed",
        (
            spark.LinearRegression(),
            spark.Bucketizer(
                inputCol="prediction", outputCol="b", splits=[float("-inf"), -2.7, 0.1, 3.1, float("inf")]
            ),
        ),
        train={"features": vectors(*X), "label": doubles(*REAL)},
        rows={"features": vectors(*X)},
        outputs=("prediction", "b"),
        word="dot",
    ),
]

MACHINES = [
    _machine("default", smoke=True),
    _machine("threshold", threshold=0.3, smoke=True),
    _machine("threshold-negative", threshold=-1.3),
    _machine("threshold-infinite", threshold=float("inf")),
    _machine("no-intercept", fitIntercept=False, regParam=0.1),
    _machine("unstandardized", standardization=False),
]

ROWS = LOGISTIC + REGRESSION + MACHINES
