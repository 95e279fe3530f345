"""Whole pipelines, nested pipelines, and what model selection saves."""

from __future__ import annotations

from tests.conformance.row import INF, NAN, Columns, Row, Stage, column, doubles, spark, texts, vectors

N = 48
CLASSIFIED = ("rawPrediction", "probability", "prediction")
AIRLINES = ("UA", "AA", "ß", " ", "日本")  # Spark refuses to encode the empty text: no attribute may be called so
TRAINED: Columns = {
    "carrier": texts(*(AIRLINES[i * 7 % 5] for i in range(N))),
    "origin": texts(*(("EWR", "JFK", "LGA")[i * 5 % 3] for i in range(N))),
    "distance": doubles(*(None if i % 9 == 4 else (i * 37 % 23) / 7 - 1.3 for i in range(N))),
    "hour": column("int", *(None if i % 11 == 5 else i * 11 % 24 for i in range(N))),
    "late": texts(*("late" if (i * 7 % 5 in (1, 3)) ^ (i * 11 % 24 > 12) else "on time" for i in range(N))),
    "delay": doubles(*((i * 7 % 5) * 3.1 - (i * 11 % 24) / 3 + 1 / 7 for i in range(N))),
}
ASKED: Columns = {
    "carrier": texts("UA", "AA", "ß", " ", "日本", "", None, "UA", "AA", "ua", "UA", "␀␀"),
    "origin": texts("EWR", "JFK", "LGA", "EWR", None, "JFK", "LGA", "XXX", "", "EWR", "JFK", "LGA"),
    "distance": doubles(0.1, 1 / 3, None, -2.7, 3.1, NAN, 16777217.0, 1.5, 0.0, -0.0, 1e-300, 2.2),
    "hour": column("int", 0, 23, 12, None, -1, 13, 5, 7, 2147483647, 1, None, 0),
}
PREPARED = (
    spark.StringIndexer(inputCols=["carrier", "origin"], outputCols=["ci", "oi"], handleInvalid="keep"),
    spark.OneHotEncoder(inputCols=["ci", "oi"], outputCols=["ch", "oh"]),
    spark.Imputer(inputCols=["distance"], outputCols=["df"], strategy="median"),
    spark.Imputer(inputCols=["hour"], outputCols=["hf"]),
    spark.VectorAssembler(inputCols=["ch", "oh", "df", "hf"], outputCol="raw"),
)
LABELLED = spark.StringIndexer(inputCol="late", outputCol="label", stringOrderType="alphabetAsc")


def _flight(name: str, *stages: Stage, outputs: tuple[str, ...], word: str = "bit", **marks: bool) -> Row:
    return Row(f"pipelines/{name}", stages, train=TRAINED, rows=ASKED, outputs=outputs, word=word, **marks)


def _standard(mean: bool = True) -> Stage:
    return spark.StandardScaler(inputCol="raw", outputCol="features", withMean=mean)


LOGISTIC = spark.LogisticRegression(maxIter=8, regParam=0.01)
FOREST = spark.RandomForestClassifier(numTrees=12, maxDepth=5, seed=5)
GBT = spark.GBTRegressor(labelCol="delay", maxIter=6, maxDepth=3, seed=5)

ROWS = [
    _flight("logistic", LABELLED, *PREPARED, _standard(), LOGISTIC, outputs=CLASSIFIED, word="elementary", smoke=True),
    _flight("forest", LABELLED, *PREPARED, _standard(False), FOREST, outputs=CLASSIFIED, smoke=True),
    _flight("boosted", *PREPARED, _standard(), GBT, outputs=("prediction",), word="dot", smoke=True),
    _flight("minmax-machine", LABELLED, *PREPARED, spark.MinMaxScaler(inputCol="raw", outputCol="features"),
            spark.LinearSVC(maxIter=5), outputs=("rawPrediction", "prediction"), word="dot"),
    _flight("robust-linear", *PREPARED, spark.RobustScaler(inputCol="raw", outputCol="features", withCentering=True),
            spark.LinearRegression(labelCol="delay", regParam=0.1), outputs=("prediction",), word="dot"),
    _flight("maxabs-normalized-kmeans", *PREPARED, spark.MaxAbsScaler(inputCol="raw", outputCol="m"),
            spark.Normalizer(inputCol="m", outputCol="features"), spark.KMeans(k=3, seed=5), outputs=("prediction",), word="dot"),
    _flight("pca-tree", LABELLED, *PREPARED, spark.PCA(inputCol="raw", outputCol="features", k=3),
            spark.DecisionTreeClassifier(maxDepth=3), outputs=CLASSIFIED, word="dot"),
    _flight("sliced-bucketed", *PREPARED[:1],
            spark.Imputer(inputCols=["distance", "hour"], outputCols=["df", "hf"]),
            spark.Bucketizer(inputCol="hf", outputCol="hb", splits=[-INF, 6.0, 12.0, 18.0, INF], handleInvalid="keep"),
            spark.VectorAssembler(inputCols=["ci", "oi", "hb", "df"], outputCol="all"),
            spark.VectorSlicer(inputCol="all", outputCol="features", names=["df", "ci", "hb"]),
            spark.DecisionTreeRegressor(labelCol="delay", maxDepth=4), outputs=("prediction",)),
    _flight("answer-in-words", LABELLED, *PREPARED, _standard(False), FOREST,
            spark.IndexToString(inputCol="prediction", outputCol="answer", labels=["late", "on time"]),
            outputs=(*CLASSIFIED, "answer"), smoke=True),
    _flight("nested", spark.Pipeline(stages=[LABELLED, spark.Pipeline(stages=list(PREPARED))]),
            spark.Pipeline(stages=[_standard(), LOGISTIC]), outputs=CLASSIFIED, word="elementary", smoke=True),
    _flight("cross-validated", LABELLED, *PREPARED, _standard(False),
            spark.CrossValidator(estimator=FOREST, evaluator=spark.MulticlassClassificationEvaluator(), numFolds=2, seed=1,
                                 estimatorParamMaps=[{"maxDepth": 2}, {"maxDepth": 4}]),
            outputs=CLASSIFIED, smoke=True),
    _flight("cross-validated-pipeline",
            spark.CrossValidator(estimator=spark.Pipeline(stages=[LABELLED, *PREPARED, _standard(), LOGISTIC]),
                                 evaluator=spark.MulticlassClassificationEvaluator(), numFolds=2, seed=1, estimatorParamMaps=[{}]),
            outputs=CLASSIFIED, word="elementary"),
    _flight("train-validated", *PREPARED, _standard(),
            spark.TrainValidationSplit(estimator=GBT, evaluator=spark.RegressionEvaluator(labelCol="delay"), seed=1,
                                       estimatorParamMaps=[{"maxDepth": 2}, {"maxDepth": 3}]),
            outputs=("prediction",), word="dot", smoke=True),
    _flight("two-models", LABELLED, *PREPARED, _standard(),
            spark.LogisticRegression(maxIter=4, predictionCol="first", probabilityCol="firstp", rawPredictionCol="firstr"),
            spark.LinearRegression(labelCol="delay", regParam=0.1), outputs=("prediction",), word="dot"),
    _flight("two-models-chosen", LABELLED, *PREPARED, _standard(),
            spark.LogisticRegression(maxIter=4, predictionCol="first", probabilityCol="firstp", rawPredictionCol="firstr"),
            spark.LinearRegression(labelCol="delay", regParam=0.1), outputs=("prediction", "first", "firstp", "ci"), word="elementary",
            chosen=True),
    _flight("fourteen-stages", LABELLED, *PREPARED, _standard(False),
            *(spark.ElementwiseProduct(inputCol=a, outputCol=b, scalingVec=spark.Vectors.dense([1 / 3 + k] * 10))
              for k, (a, b) in enumerate((("features", "f1"), ("f1", "f2"), ("f2", "f3"), ("f3", "f4"), ("f4", "f5")))),
            spark.MinMaxScaler(inputCol="f5", outputCol="f6"), spark.DecisionTreeClassifier(featuresCol="f6"), outputs=CLASSIFIED),
    Row(
        "pipelines/names-with-spaces",
        (
            spark.StringIndexer(inputCol="my carrier", outputCol="c 1", handleInvalid="keep"),
            spark.VectorAssembler(inputCols=["c 1", "straße"], outputCol="feat ures"),
            spark.DecisionTreeRegressor(featuresCol="feat ures", labelCol="delay", predictionCol="my answer", maxDepth=3),
        ),
        train={"my carrier": TRAINED["carrier"], "straße": doubles(*(float(i * 5 % 7) for i in range(N))), "delay": TRAINED["delay"]},
        rows={"my carrier": texts("UA", None, "ß"), "straße": doubles(0.1, 3.5, 6.0)},
        outputs=("my answer",),
    ),
    Row(  # a skipping stage drops rows also where nobody asks for its column
        "pipelines/drops-unasked",
        (
            spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid="skip"),
            spark.VectorAssembler(inputCols=["x"], outputCol="o", handleInvalid="keep"),
        ),
        train={"s": texts("a", "b"), "x": doubles(0.5, 1.5)},
        rows={"s": texts("a", "z", None, "b"), "x": doubles(0.1, 0.2, 0.3, None)},
        outputs=("o",),
        chosen=True,
        notyet="a skipping stage that no output needs is dropped with its inputs, as a label's indexer must be",
    ),
    Row(  # the first stage that stops a row is the one that says so
        "pipelines/two-that-stop",
        (
            spark.StringIndexer(inputCol="s", outputCol="i"),
            spark.Bucketizer(inputCol="x", outputCol="b", splits=[0.0, 1.0, 2.0]),
            spark.VectorAssembler(inputCols=["i", "b"], outputCol="o"),
        ),
        train={"s": texts("a", "b"), "x": doubles(0.5, 1.5, nullable=False)},
        rows={"s": texts("a", "z", "b", "z", None), "x": doubles(0.5, 0.5, 3.0, 3.0, NAN, nullable=False)},
        outputs=("o",),
    ),
    Row(  # stops and drops in one pipeline
        "pipelines/stops-and-drops",
        (
            spark.StringIndexer(inputCol="s", outputCol="i", handleInvalid="skip"),
            spark.Bucketizer(inputCol="x", outputCol="b", splits=[0.0, 1.0, 2.0], handleInvalid="skip"),
            spark.VectorAssembler(inputCols=["i", "b", "y"], outputCol="o", handleInvalid="error"),
        ),
        train={"s": texts("a", "b"), "x": doubles(0.5, 1.5, nullable=False), "y": doubles(1.0, 2.0)},
        rows={
            "s": texts("a", "z", "b", "z", None, "a", "a", "z"),
            "x": doubles(0.5, 0.5, 3.0, 3.0, NAN, NAN, 1.0, 1.0, nullable=False),
            "y": doubles(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, None, None),
        },
        outputs=("o",),
    ),
    Row(
        "pipelines/only-vectors",
        (
            spark.MinMaxScaler(inputCol="v", outputCol="w", min=-1.0),
            spark.Normalizer(inputCol="w", outputCol="u", p=1.0),
            spark.Binarizer(inputCol="u", outputCol="o", threshold=-1 / 3),
        ),
        train={"v": vectors((1 / 3, -2.7, 5.5), (3.1, 0.1, 5.5))},
        rows={"v": vectors((0.1, 0.2, 0.3), (NAN, 1.0, 1.0), (INF, 0.0, 0.0), (0.0, 0.0, 0.0))},
        outputs=("o",),
    ),
]  # fmt: skip
