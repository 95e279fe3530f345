"""ChiSqSelector, UnivariateFeatureSelector, VarianceThresholdSelector."""

from __future__ import annotations

from typing import Any

from tests.conformance.row import (
    INF,
    NAN,
    UGLY,
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
    width,
)

IO = {"featuresCol": "v", "outputCol": "o"}
LABELS = (0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0)
COUNTED = ((0.0, 1.0, 3.0, 0.0, 1.0), (1.0, 1.0, 2.0, 0.0, 0.0), (0.0, 1.0, 3.0, 1.0, 1.0), (1.0, 1.0, 1.0, 0.0, 0.0), (1.0, 0.0, 1.0, 1.0, 1.0),
           (0.0, 1.0, 2.0, 1.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 3.0, 1.0, 0.0))  # fmt: skip
MEASURED = tuple((i / 3, 3.1, (-1.0) ** i * i, LABELS[i] * 5 + i / 7, 1e8 + i / 9) for i in range(8))
ASKED = (*rolled(UGLY, 5), (0.1, -0.0, INF, NAN, 5e-324))
NAMED = {
    "ml_attr": {
        "attrs": {
            "numeric": [{"idx": 0, "name": "p"}, {"idx": 4, "name": "t"}, {"idx": 3, "name": "s"}],
            "nominal": [{"idx": 2, "name": "r", "vals": ["x", "y", "z", "w"]}],
            "binary": [{"idx": 1, "name": "q"}],
        },
        "num_attrs": 5,
    }
}


def _selected(
    name: str, stage: Stage, trained: Any, smoke: bool = False, known: Any = None, asked: Any = ASKED, **more: Any
) -> Row:
    known = known or width(5)
    train = {"v": vectors(*trained, metadata=known), "label": doubles(*LABELS)}
    return Row(f"selecting/{name}", (stage,) if isinstance(stage, Stage) else stage, train=train,
               rows={"v": vectors(*asked, metadata=known)}, outputs=("o",), smoke=smoke, **more)  # fmt: skip


ROWS = [
    _selected("chi-sq", spark.ChiSqSelector(numTopFeatures=3, **IO), COUNTED, smoke=True),
    *(
        _selected(f"chi-sq-{kind}", spark.ChiSqSelector(selectorType=kind, **{param: value}, **IO), COUNTED)
        for kind, param, value in (("percentile", "percentile", 0.5), ("fpr", "fpr", 0.3), ("fdr", "fdr", 0.9), ("fwe", "fwe", 0.9))
    ),
    _selected("chi-sq-one", spark.ChiSqSelector(numTopFeatures=1, **IO), COUNTED),
    _selected("univariate", spark.UnivariateFeatureSelector(selectionMode="numTopFeatures", featureType="continuous", labelType="categorical", selectionThreshold=2, **IO), MEASURED, smoke=True),
    _selected("univariate-categorical", spark.UnivariateFeatureSelector(featureType="categorical", labelType="categorical", selectionMode="percentile", selectionThreshold=0.6, **IO), COUNTED),
    _selected("univariate-continuous", spark.UnivariateFeatureSelector(featureType="continuous", labelType="continuous", selectionMode="fpr", selectionThreshold=0.5, **IO), MEASURED),
    _selected("variance", spark.VarianceThresholdSelector(varianceThreshold=0.7, **IO), MEASURED, smoke=True),
    _selected("variance-default", spark.VarianceThresholdSelector(**IO), MEASURED),
    _selected("variance-sparse", spark.VarianceThresholdSelector(**IO), MEASURED,
              asked=(sparse(5, {0: 1 / 3, 1: 2.0}), sparse(5, {}), sparse(5, {4: NAN}), sparse(5, {2: 0.0, 3: INF}))),
    _selected("variance-none", spark.VarianceThresholdSelector(varianceThreshold=1e300, **IO), MEASURED, refused="no feature was selected"),
    _selected(
        "names",
        (
            spark.ChiSqSelector(numTopFeatures=3, featuresCol="v", outputCol="c"),
            spark.VectorSlicer(inputCol="c", outputCol="o", names=["r", "p"]),
        ),
        COUNTED,
        known=NAMED,
    ),
    Row(  # a selected nominal slot is still one, and counts as a slot a category in an interaction
        "selecting/attributes",
        (
            spark.VarianceThresholdSelector(featuresCol="v", outputCol="c"),
            spark.Interaction(inputCols=["c", "x"], outputCol="o"),
        ),
        train={"v": vectors(*COUNTED, metadata=NAMED), "x": doubles(*LABELS)},
        rows={"v": vectors(*COUNTED, (0.0, 0.0, 4.0, 1.0, 1.0), metadata=NAMED), "x": doubles(*UGLY[2:11])},
        outputs=("o",),
    ),
    Row(  # a slot that tells nothing is numeric to VarianceThresholdSelector
        "selecting/attributes-unknown",
        (
            spark.VarianceThresholdSelector(featuresCol="v", outputCol="c"),
            spark.Interaction(inputCols=["c", "x"], outputCol="o"),
        ),
        train={"v": vectors(*COUNTED, metadata=width(5)), "x": doubles(*LABELS)},
        rows={"v": vectors(*COUNTED, (0.0, 0.0, 4.0, 1.0, 1.0), metadata=width(5)), "x": doubles(*UGLY[2:11])},
        outputs=("o",),
    ),
    Row(  # a slot that tells nothing is nominal to ChiSqSelector: of how many values, nobody knows
        "selecting/chi-sq-nominal",
        (
            spark.ChiSqSelector(numTopFeatures=2, featuresCol="v", outputCol="c"),
            spark.VectorAssembler(inputCols=["c", "i"], outputCol="o"),
        ),
        train={"v": vectors(*COUNTED), "label": doubles(*LABELS), "i": column("int", *range(8))},
        rows={"v": vectors(*COUNTED), "i": column("int", *range(8))},
        outputs=("o",),
        refused="width of vector column 'v' is not known",
    ),
    Row(  # of hashed words: those that are not there stay unstored
        "selecting/words",
        (
            spark.Tokenizer(inputCol="s", outputCol="w"),
            spark.HashingTF(inputCol="w", outputCol="v", numFeatures=97),
            spark.ChiSqSelector(numTopFeatures=3, featuresCol="v", outputCol="c"),
            spark.ElementwiseProduct(inputCol="c", outputCol="o", scalingVec=dense(INF, 1 / 3, INF)),
        ),
        train={"s": texts("a b a", "b c", "a", "c c c", "b b", "a a c", "d b", "d"), "label": doubles(*LABELS)},
        rows={"s": texts("a b a", "b", "c d", "a", "", "ß 日本 a b c d e", "d d d d", "unseen")},
        outputs=("o",),
    ),
    Row(  # what the assembler stores not stays unstored: 0 · infinity behind it
        "selecting/stored",
        (
            spark.VectorAssembler(inputCols=[*"abcd"], outputCol="v"),
            spark.VarianceThresholdSelector(featuresCol="v", outputCol="w"),
            spark.ElementwiseProduct(inputCol="w", outputCol="o", scalingVec=dense(INF, INF, 1 / 3)),
        ),
        train={name: doubles(*values) for name, values in zip("abcd", zip(*rolled((1.0, 0.0, 0.1, 3.1, -2.7), 4), strict=True), strict=True)}
        | {"b": doubles(1.0, 1.0, 1.0, 1.0, 1.0)},
        rows={name: doubles(*values) for name, values in zip("abcd", zip(*rolled((0.0, 0.0, 1 / 3, 0.0, -2.7, 3.1), 4), strict=True), strict=True)},
        outputs=("o",),
    ),
]  # fmt: skip
