"""OneVsRest, with every classifier inside."""

from __future__ import annotations

from tests.conformance.row import INF, MILD, NAN, Row, Stage, doubles, rolled, spark, sparse, texts, vectors
from tests.conformance.rows.inferring import LABELS, SAID
from tests.conformance.rows.linear import FIVE, N, X

BOTH = ("rawPrediction", "prediction")
CALM = (*rolled(MILD, 4), *X, sparse(4, {1: -2.7}))
ASKED = (*CALM, (0.1, NAN, 0.2, 0.3), (INF, 0.1, 0.2, 0.3), (-INF, 0.1, 0.2, 0.3))
BITS = tuple(tuple(float((i * 13 + i * i * (j + 1) + j) % 5 < 2) for j in range(4)) for i in range(N))


def _row(
    name: str,
    classifier: Stage,
    word: str,
    *,
    labels: tuple[float, ...] = LABELS,
    train: tuple[tuple[float, ...], ...] = X,
    asked: tuple[object, ...] = ASKED,
    smoke: bool = False,
    undecided: int = 0,
    **params: object,
) -> Row:
    return Row(
        f"delegating/{name}",
        (spark.OneVsRest(classifier=classifier, **params),),
        train={"features": vectors(*train), "label": doubles(*labels)},
        rows={"features": vectors(*asked)},
        outputs=BOTH,
        word=word,
        undecided=undecided,
        smoke=smoke,
    )


ROWS = [
    _row("logistic", spark.LogisticRegression(maxIter=5), "elementary", smoke=True),
    _row("logistic-five", spark.LogisticRegression(maxIter=3), "elementary", labels=FIVE, parallelism=2),
    _row("logistic-multinomial", spark.LogisticRegression(maxIter=3, family="multinomial"), "elementary"),
    _row("logistic-thresholds", spark.LogisticRegression(maxIter=3, thresholds=[0.2, 0.7]), "elementary"),
    _row("logistic-no-probability", spark.LogisticRegression(maxIter=3, probabilityCol=""), "elementary"),
    _row("logistic-class-missing", spark.LogisticRegression(maxIter=3), "elementary",
         labels=tuple(2.0 * (y == 1.0) for y in LABELS)),
    _row("logistic-sparse", spark.LogisticRegression(regParam=0.06, elasticNetParam=1.0), "elementary",
         train=tuple((*x, *x[3:] * 4) for x in X),  # mostly constant: what is not stored adds nothing to a class
         asked=tuple(tuple(NAN if slot in lost else 0.1 for slot in range(8)) for lost in ((0,), (2,), (0, 2), (1,)))),
    _row("machines", spark.LinearSVC(maxIter=4), "dot", smoke=True),
    _row("tree", spark.DecisionTreeClassifier(maxDepth=3), "bit", smoke=True),
    _row("forest", spark.RandomForestClassifier(numTrees=3, maxDepth=3, seed=1), "bit"),
    _row("boosted", spark.GBTClassifier(maxIter=2, maxDepth=2), "elementary"),
    _row("bayes", spark.NaiveBayes(modelType="gaussian"), "elementary"),
    _row("bayes-bernoulli", spark.NaiveBayes(modelType="bernoulli"), "elementary", train=BITS,
         asked=(*BITS, (0.5, 0.0, 0.0, 1.0), (NAN, 0.0, 0.0, 1.0))),
    _row("perceptron", spark.MultilayerPerceptronClassifier(layers=[4, 3, 2], maxIter=4, seed=1), "elementary"),
    _row("factorized", spark.FMClassifier(maxIter=3, stepSize=0.1), "elementary"),
    Row(
        "delegating/refused-class-missing",
        (spark.OneVsRest(classifier=spark.DecisionTreeClassifier(maxDepth=2)),),
        train={"features": vectors(*X), "label": doubles(*(2.0 * (y == 1.0) for y in LABELS))},
        rows={"features": vectors(*X)},
        refused="no raw prediction of a class 1",
    ),
    Row(
        "delegating/other-columns-and-weights",
        (
            spark.OneVsRest(
                classifier=spark.LogisticRegression(maxIter=3), featuresCol="v", labelCol="y", predictionCol="p",
                weightCol="w",
            ),
        ),
        train={"v": vectors(*X), "y": doubles(*LABELS), "w": doubles(*(1.0 + i % 3 for i in range(N)))},
        rows={"v": vectors(*X)},
        outputs=("rawPrediction", "p"),
        word="elementary",
    ),
    Row(  # pyspark forgets the outer name when it saves; the JVM reads every model inside under one of its own
        "delegating/other-raw-column",
        (spark.OneVsRest(classifier=spark.LogisticRegression(maxIter=3, rawPredictionCol="r"), rawPredictionCol="r"),),
        train={"features": vectors(*X), "label": doubles(*LABELS)},
        rows={"features": vectors(*X)},
        outputs=("prediction",),
        chosen=True,
        word="elementary",
    ),
    Row(
        "delegating/of-words",
        (
            spark.Tokenizer(inputCol="t", outputCol="w"),
            spark.HashingTF(inputCol="w", outputCol="features", numFeatures=500),
            spark.OneVsRest(classifier=spark.NaiveBayes()),
        ),
        train={"t": texts(*SAID), "label": doubles(*LABELS)},
        rows={"t": texts(*SAID, "", "unseen words")},
        outputs=BOTH,
        word="elementary",
        undecided=4,  # of no word known, classes of as many rows are as likely
    ),
    Row(
        "delegating/assembled-then-labelled",
        (
            spark.VectorAssembler(inputCols=["a", "b"], outputCol="features", handleInvalid="skip"),
            spark.OneVsRest(classifier=spark.DecisionTreeClassifier(maxDepth=2)),
            spark.IndexToString(inputCol="prediction", outputCol="s", labels=["x", "y", "z"]),
        ),
        train={"a": doubles(*(x[0] for x in X)), "b": doubles(*(x[1] for x in X)), "label": doubles(*LABELS)},
        rows={"a": doubles(0.1, None, 1 / 3, 0.0), "b": doubles(-1.5, 2.0, -0.0, 0.0)},
        outputs=("rawPrediction", "prediction", "s"),
    ),
]  # fmt: skip
