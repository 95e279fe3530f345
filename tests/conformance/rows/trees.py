"""DecisionTree, RandomForest, GBT; classification and regression."""

from __future__ import annotations

import itertools
import math

from tests.conformance.row import (
    INF,
    NAN,
    UGLY,
    Columns,
    Row,
    Stage,
    column,
    dense,
    doubles,
    rolled,
    spark,
    sparse,
    texts,
    vectors,
)

CLASSIFIED = ("rawPrediction", "probability", "prediction")
N = 60
X = tuple(
    ((i * 37 % 23) / 7 - 1.3, (i * 11 % 17) / 3 - 2.7, float(i * 5 % 6), (i * 29 % 31) * 1e7 + 1 / 3) for i in range(N)
)
BINARY = tuple(float((x[0] > 0.4) ^ (x[2] in (1.0, 4.0)) ^ (i % 11 == 0)) for i, x in enumerate(X))
TERNARY = tuple(
    float((int(x[0] > 0.4) + int(x[2] in (1.0, 4.0)) + int(x[1] > 1.1) + (i % 13 == 0)) % 3) for i, x in enumerate(X)
)
REAL = tuple(3.1 * x[0] - (2.7 if x[2] in (1.0, 4.0) else -1 / 3) + (i % 7) / 9 for i, x in enumerate(X))


def _midpoints(slot: int) -> tuple[float, ...]:
    """Every threshold that Spark can choose between two neighbouring values (it halves their sum), and its neighbours."""
    seen = sorted({x[slot] for x in X})
    halves = [(a + b) / 2 for a, b in itertools.pairwise(seen)]
    return tuple(v for h in halves for v in (math.nextafter(h, -INF), h, math.nextafter(h, INF)))


_LONGEST = max(len(_midpoints(slot)) for slot in range(4))
THRESHOLDS = tuple(tuple(_midpoints(slot)[i % len(_midpoints(slot))] for slot in range(4)) for i in range(_LONGEST))
ASKED = (*X[:12], *THRESHOLDS, *rolled(UGLY, 4), (0.5, 0.5, -1.0, 1e8), (NAN, NAN, NAN, NAN), (0.1, 0.1, 6.0, 0.1),
         (0.1, 0.1, 0.5, 2e8), (2.0, 2.0, 1e9, -1e9), sparse(4, {0: 0.7}), sparse(4, {}))  # fmt: skip


def _tree(
    name: str, stage: Stage, labels: tuple[float, ...], outputs: tuple[str, ...], word: str = "bit", **marks: bool
) -> Row:
    return Row(
        f"trees/{name}",
        (stage,),
        train={"features": vectors(*X), "label": doubles(*labels)},
        rows={"features": vectors(*ASKED)},
        outputs=outputs,
        word=word,
        **marks,
    )


def _leafy(outputs: tuple[str, ...]) -> tuple[str, ...]:
    return (*outputs, "leaf")


PLAIN = [
    _tree("classifier", spark.DecisionTreeClassifier(maxDepth=4), BINARY, CLASSIFIED, smoke=True),
    _tree("classifier-ternary", spark.DecisionTreeClassifier(maxDepth=5, impurity="entropy"), TERNARY, CLASSIFIED, smoke=True),
    _tree("classifier-leaf", spark.DecisionTreeClassifier(maxDepth=4, leafCol="leaf"), TERNARY, _leafy(CLASSIFIED), smoke=True),
    _tree("classifier-thresholds", spark.DecisionTreeClassifier(maxDepth=4, thresholds=[0.8, 0.2]), BINARY, CLASSIFIED, smoke=True),
    _tree("classifier-ternary-thresholds", spark.DecisionTreeClassifier(maxDepth=3, thresholds=[0.5, 0.0, 0.3]), TERNARY, CLASSIFIED),
    _tree("classifier-first-threshold-zero", spark.DecisionTreeClassifier(maxDepth=4, thresholds=[0.0, 0.4, 0.6]), TERNARY, CLASSIFIED),
    Row(  # both quotients are 1, so the first class wins: not by a reciprocal, nor in float32
        "trees/classifier-thresholds-that-tie",
        (spark.DecisionTreeClassifier(maxDepth=0, thresholds=[7 / 9, 2 / 9]),),
        train={"features": vectors(*X[:9]), "label": doubles(*(7 * (0.0,)), 1.0, 1.0)},
        rows={"features": vectors(*X[:9])},
        outputs=CLASSIFIED,
    ),
    _tree("classifier-stump", spark.DecisionTreeClassifier(maxDepth=1), BINARY, CLASSIFIED),
    _tree("classifier-root", spark.DecisionTreeClassifier(maxDepth=0, leafCol="leaf"), BINARY, _leafy(CLASSIFIED)),
    _tree("classifier-deep", spark.DecisionTreeClassifier(maxDepth=12, minInstancesPerNode=1, maxBins=64), TERNARY, CLASSIFIED),
    _tree("classifier-no-probability", spark.DecisionTreeClassifier(maxDepth=3, probabilityCol="", rawPredictionCol=""), BINARY, ("prediction",)),
    _tree("regressor", spark.DecisionTreeRegressor(maxDepth=5), REAL, ("prediction",), smoke=True),
    _tree("regressor-leaf", spark.DecisionTreeRegressor(maxDepth=4, leafCol="leaf"), REAL, _leafy(("prediction",)), smoke=True),
    _tree("regressor-variance", spark.DecisionTreeRegressor(maxDepth=3, varianceCol="variance"), REAL, ("prediction", "variance"), smoke=True),
    _tree("regressor-root", spark.DecisionTreeRegressor(maxDepth=0), REAL, ("prediction",)),
    _tree("forest", spark.RandomForestClassifier(numTrees=7, maxDepth=4, seed=1), BINARY, CLASSIFIED, smoke=True),
    _tree("forest-ternary", spark.RandomForestClassifier(numTrees=9, maxDepth=5, seed=2), TERNARY, CLASSIFIED, smoke=True),
    _tree("forest-leaf", spark.RandomForestClassifier(numTrees=4, maxDepth=3, seed=3, leafCol="leaf"), TERNARY, _leafy(CLASSIFIED), smoke=True),
    _tree("forest-thresholds", spark.RandomForestClassifier(numTrees=5, seed=4, thresholds=[0.1, 0.5, 0.4]), TERNARY, CLASSIFIED, smoke=True),
    _tree("forest-even", spark.RandomForestClassifier(numTrees=2, maxDepth=2, seed=5), BINARY, CLASSIFIED),
    _tree("forest-one", spark.RandomForestClassifier(numTrees=1, maxDepth=3, seed=6), BINARY, CLASSIFIED),
    _tree("forest-hundred", spark.RandomForestClassifier(numTrees=100, maxDepth=6, seed=7), TERNARY, CLASSIFIED),
    _tree("forest-regressor", spark.RandomForestRegressor(numTrees=7, maxDepth=4, seed=1), REAL, ("prediction",), smoke=True),
    _tree("forest-regressor-leaf", spark.RandomForestRegressor(numTrees=3, maxDepth=3, seed=2, leafCol="leaf"), REAL, _leafy(("prediction",))),
    _tree("forest-regressor-hundred", spark.RandomForestRegressor(numTrees=100, maxDepth=6, seed=3), REAL, ("prediction",)),
    _tree("boosted", spark.GBTClassifier(maxIter=6, maxDepth=3, seed=1), BINARY, CLASSIFIED, "elementary", smoke=True),
    _tree("boosted-leaf", spark.GBTClassifier(maxIter=4, maxDepth=2, seed=2, leafCol="leaf"), BINARY, _leafy(CLASSIFIED), "elementary", smoke=True),
    _tree("boosted-thresholds", spark.GBTClassifier(maxIter=4, maxDepth=2, seed=3, thresholds=[0.8, 0.2]), BINARY, CLASSIFIED, "elementary", smoke=True),
    _tree("boosted-one", spark.GBTClassifier(maxIter=1, maxDepth=2, seed=4, stepSize=0.3), BINARY, CLASSIFIED, "elementary"),
    _tree("boosted-prediction-only", spark.GBTClassifier(maxIter=3, maxDepth=2, seed=5, probabilityCol="", rawPredictionCol=""), BINARY, ("prediction",), "elementary"),
    _tree("boosted-prediction-only-thresholds", spark.GBTClassifier(maxIter=3, maxDepth=2, seed=5, probabilityCol="", rawPredictionCol="", thresholds=[0.8, 0.2]), BINARY, ("prediction",), "elementary"),
    _tree("boosted-subsampled", spark.GBTClassifier(maxIter=12, maxDepth=4, seed=6, subsamplingRate=0.7), BINARY, CLASSIFIED, "elementary"),
    _tree("boosted-regressor", spark.GBTRegressor(maxIter=6, maxDepth=3, seed=1), REAL, ("prediction",), "dot", smoke=True),
    _tree("boosted-regressor-leaf", spark.GBTRegressor(maxIter=3, maxDepth=2, seed=2, leafCol="leaf"), REAL, _leafy(("prediction",)), "dot"),
    _tree("boosted-regressor-absolute", spark.GBTRegressor(maxIter=25, maxDepth=4, seed=3, lossType="absolute", stepSize=1 / 3), REAL, ("prediction",), "dot"),
]  # fmt: skip

# -- categorical splits -------------------------------------------------------------------------------------------
FIVE = tuple(float(i % 5) for i in range(N))


def _categories(*ones: int) -> tuple[float, ...]:
    """A label that is one for these categories of five: Spark puts the others on the left."""
    return tuple(float(int(x) in ones) if i % 17 else 0.5 * (int(x) in ones) for i, x in enumerate(FIVE))


CODED = (
    0.0,
    1.0,
    2.0,
    3.0,
    4.0,
    5.0,
    -0.0,
    NAN,
    -1.0,
    0.5,
    1.5,
    3.9999999999999996,
    4.000000000000001,
    6.0,
    1e9,
    INF,
    -INF,
    5e-324,
)
MAJORITY = {"left-majority": (3,), "right-majority": (0, 2, 3, 4), "left-2-of-5": (0, 1, 4), "left-3-of-5": (1, 4)}
CATEGORICAL = {"ml_attr": {"attrs": {"nominal": [{"idx": 0, "num_vals": 5}], "numeric": [{"idx": 1}]}, "num_attrs": 2}}
NOMINAL = {"ml_attr": {"type": "nominal", "num_vals": 5}}
FOUR = {"ml_attr": {"attrs": {"nominal": [{"idx": 0, "num_vals": 4}], "numeric": [{"idx": 1}]}, "num_attrs": 2}}


def _coded(
    name: str,
    stage: Stage,
    labels: tuple[float, ...],
    outputs: tuple[str, ...],
    meta=CATEGORICAL,
    word: str = "bit",
    values=FIVE,
    **marks: bool,
) -> Row:
    return Row(
        f"trees/{name}",
        (stage,),
        train={
            "features": vectors(*((v, (i * 7 % 11) / 3) for i, v in enumerate(values)), metadata=meta),
            "label": doubles(*labels),
        },
        rows={"features": vectors(*((v, 0.1) for v in CODED), *((v, 3.1) for v in CODED), metadata=meta)},
        outputs=outputs,
        word=word,
        **marks,
    )


CODES = [
    *(
        _coded(f"category-{name}", spark.DecisionTreeRegressor(maxDepth=1, leafCol="leaf"), _categories(*ones), ("prediction", "leaf"), smoke=True)
        for name, ones in MAJORITY.items()
    ),
    *(
        _coded(f"category-classifier-{name}", spark.DecisionTreeClassifier(maxDepth=1), tuple(float(y > 0) for y in _categories(*ones)), CLASSIFIED)
        for name, ones in MAJORITY.items()
    ),
    *(  # an even number: two on each side is not a majority
        _coded(f"category-{name}", spark.DecisionTreeRegressor(maxDepth=1), tuple(float(int(v) in ones) for v in (float(i % 4) for i in range(N))),
               ("prediction",), meta=FOUR, values=tuple(float(i % 4) for i in range(N)), smoke=name == "left-2-of-4")
        for name, ones in {"left-2-of-4": (0, 3), "left-1-of-4": (0, 1, 3), "left-3-of-4": (2,)}.items()
    ),
    _coded("category-deep", spark.DecisionTreeClassifier(maxDepth=5), tuple(float((int(v) * 2 + i) % 3) for i, v in enumerate(FIVE)), CLASSIFIED),
    _coded("category-forest", spark.RandomForestClassifier(numTrees=8, maxDepth=4, seed=1),
           tuple(float((int(v) * 2 + i // 3) % 3) for i, v in enumerate(FIVE)), CLASSIFIED, smoke=True),
    _coded("category-forest-regressor", spark.RandomForestRegressor(numTrees=8, maxDepth=4, seed=2), _categories(1, 4), ("prediction",)),
    _coded("category-boosted", spark.GBTClassifier(maxIter=5, maxDepth=3, seed=1), tuple(float(y > 0) for y in _categories(1, 4)), CLASSIFIED, word="elementary"),
    _coded("category-boosted-regressor", spark.GBTRegressor(maxIter=5, maxDepth=3, seed=2), _categories(0, 1, 4), ("prediction",), word="dot", smoke=True),
]  # fmt: skip

# -- categories as people have them: StringIndexer + VectorAssembler, VectorIndexer --------------------------------
COLOURS = ("red", "green", "blue", "ß", "")
TRAINED: Columns = {
    "colour": texts(*(COLOURS[i * 7 % 5] for i in range(N))),
    "x": doubles(*(x[0] for x in X)),
    "n": column("int", *(i * 5 % 7 for i in range(N))),
    "label": doubles(*((float(COLOURS[i * 7 % 5] in ("green", "ß")) + float(i * 5 % 7 > 3)) % 2 for i in range(N))),
}
QUESTIONS: Columns = {
    "colour": texts("red", "green", "blue", "ß", "", "unseen", None, "red", "red", "ß", "Green", "blue"),
    "x": doubles(0.1, 0.4, 1 / 3, -2.7, NAN, 0.5, 0.1, None, INF, -INF, 0.4142857142857143, 5e-324),
    "n": column("int", 0, 3, 4, 3, 4, 5, 6, 1, -5, 2147483647, None, 0),
}
MODELS = {
    "tree": (spark.DecisionTreeClassifier(maxDepth=4, maxBins=16), CLASSIFIED, "bit"),
    "forest": (spark.RandomForestClassifier(numTrees=6, maxDepth=4, seed=3, maxBins=16), CLASSIFIED, "bit"),
    "boosted": (spark.GBTClassifier(maxIter=5, maxDepth=3, seed=3, maxBins=16), CLASSIFIED, "elementary"),
    "tree-regressor": (spark.DecisionTreeRegressor(maxDepth=4, maxBins=16), ("prediction",), "bit"),
    "forest-regressor": (spark.RandomForestRegressor(numTrees=6, maxDepth=4, seed=3), ("prediction",), "bit"),
    "boosted-regressor": (spark.GBTRegressor(maxIter=5, maxDepth=3, seed=3), ("prediction",), "dot"),
}
PEOPLE = [
    *(  # a leaf in which no row weighs anything: it counts nothing
        Row(
            f"trees/{name}",
            (stage,),
            train={"features": vectors(*X), "label": doubles(*labels), "w": doubles(*(0.0 for _ in X))},
            rows={"features": vectors(*X[:5])},
            outputs=outputs,
        )
        for name, stage, labels, outputs in (
            ("classifier-weightless", spark.DecisionTreeClassifier(maxDepth=2, weightCol="w", probabilityCol=""), BINARY, ("rawPrediction", "prediction")),
            ("regressor-weightless", spark.DecisionTreeRegressor(maxDepth=2, varianceCol="variance", weightCol="w"), REAL, ("prediction", "variance")),
        )
    ),
    _tree("forest-drawn", spark.RandomForestClassifier(numTrees=2, maxDepth=2, seed=3, subsamplingRate=0.015), TERNARY, CLASSIFIED),
    _tree(  # no tree drew a row: Spark cannot make a probability of it, of any row
        "forest-undrawn",
        spark.RandomForestClassifier(numTrees=2, maxDepth=2, seed=8, subsamplingRate=1e-6, probabilityCol=""),
        TERNARY,
        ("rawPrediction", "prediction"),
    ),
    Row(  # a category that is a number of its own column
        "trees/coded-column",
        (
            spark.VectorAssembler(inputCols=["c", "x"], outputCol="features", handleInvalid="keep"),
            spark.DecisionTreeRegressor(maxDepth=3),
        ),
        train={"c": column("double", *FIVE, metadata=NOMINAL), "x": doubles(*((i * 7 % 11) / 3 for i in range(N))), "label": doubles(*_categories(1, 4))},
        rows={"c": column("double", *CODED, metadata=NOMINAL), "x": doubles(*(0.1 + i % 4 for i in range(len(CODED))))},
        outputs=("prediction",),
    ),
    Row(  # leaves of weight 1 vary too
        "trees/regressor-variance-weighted",
        (spark.DecisionTreeRegressor(maxDepth=3, varianceCol="variance", weightCol="w"),),
        train={"features": vectors(*X), "label": doubles(*REAL), "w": doubles(*(0.125 for _ in X))},
        rows={"features": vectors(*X, *THRESHOLDS[:9])},
        outputs=("prediction", "variance"),
    ),
    *(
        Row(
            f"trees/indexed-{name}-{handle}",
            (
                spark.StringIndexer(inputCol="colour", outputCol="c", handleInvalid=handle),
                spark.VectorAssembler(inputCols=["c", "x", "n"], outputCol="features", handleInvalid=handle),
                model,
            ),
            train=TRAINED,
            rows=QUESTIONS,
            outputs=outputs,
            word=word,
            smoke=name == "forest" and handle == "keep",
        )
        for name, (model, outputs, word) in MODELS.items()
        for handle in (("keep", "skip", "error") if name == "tree" else ("keep",))
    ),
    *(
        Row(
            f"trees/vector-indexed-{name}",
            (
                spark.VectorIndexer(inputCol="v", outputCol="features", maxCategories=6, handleInvalid=handle),
                model,
            ),
            train={"v": vectors(*X), "label": doubles(*BINARY)},
            rows={"v": vectors(*X[:10], *THRESHOLDS[:20], (0.1, 0.1, 6.0, 1.0), (NAN, 1.0, NAN, 1.0), (0.4, INF, 0.5, 1e9), (0.0, 0.0, -1.0, 0.0), dense(-0.0, 0.0, -0.0, 0.0))},
            outputs=outputs,
            word=word,
            smoke=name in ("tree", "forest-skip"),
        )
        for name, (model, outputs, word), handle in (
            ("tree", MODELS["tree"], "keep"), ("tree-error", MODELS["tree"], "error"), ("forest-skip", MODELS["forest"], "skip"),
            ("forest-regressor", MODELS["forest-regressor"], "keep"), ("boosted", MODELS["boosted"], "keep"),
        )
    ),
]  # fmt: skip

ROWS = PLAIN + CODES + PEOPLE
