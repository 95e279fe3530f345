"""XGBoost on Spark: classifier, regressor, ranker; every objective that is converted, and what is refused."""

from __future__ import annotations

import math
import struct
from typing import Any

from tests.conformance.row import (
    INF,
    NAN,
    UGLY,
    Columns,
    Row,
    column,
    doubles,
    rolled,
    spark,
    sparse,
    texts,
    vectors,
)

CLASSIFIED = ("rawPrediction", "probability", "prediction")
N = 90


def _float(x: float) -> float:
    """The float32 nearest to it."""
    return struct.unpack("f", struct.pack("f", x))[0]


def _beside(x: float) -> tuple[float, ...]:
    """The float32 nearest to it, what rounds to the one before or behind, and the doubles where that changes."""
    near = _float(x)
    step = abs(near) * 2.0**-24 or 2.0**-149
    return tuple(v for h in (near - step, near - step / 2, near, near + step / 2, near + step)
                 for v in (math.nextafter(h, -INF), h, math.nextafter(h, INF)))  # fmt: skip


def _holed(i: int, slot: int, value: float) -> float:
    return NAN if (i * 7 + slot * 5) % 13 == 0 else value


X = tuple(
    (
        _holed(i, 0, (i * 37 % 23) / 7 - 1.3),
        _holed(i, 1, (i * 11 % 17) / 3 - 2.7),
        _holed(i, 2, float(i * 5 % 6)),
        _holed(i, 3, 1.7e9 + (i * 29 % 31) * 100 + 1 / 3),
    )
    for i in range(N)
)
BINARY = tuple(float((x[0] > 0.4) ^ (x[2] in (1.0, 4.0)) ^ (i % 11 == 0)) for i, x in enumerate(X))
TERNARY = tuple(
    float((int(x[0] > 0.4) + int(x[2] in (1.0, 4.0)) + int(x[1] > 1.1) + (i % 13 == 0)) % 3) for i, x in enumerate(X)
)
REAL = tuple(0.3 + (2.7 if x[2] in (1.0, 4.0) else 1 / 3) + (i % 7) / 9 + (x[0] > 0.4) for i, x in enumerate(X))
SHARE = tuple((1 + i * 7 % 5) / 7 for i in range(N))
COUNTED = tuple(float(int(y * 2)) for y in REAL)
EDGES = tuple(tuple(_beside(X[(i * 3 + slot) % N][slot] if X[(i * 3 + slot) % N][slot] == X[(i * 3 + slot) % N][slot] else 1.0)[i % 15]
              for slot in range(4)) for i in range(90))  # fmt: skip
ASKED = (
    *X[:12],
    *EDGES,
    *rolled(UGLY, 4),
    (NAN, NAN, NAN, NAN),
    (0.0, -0.0, -1.0, 1e9),
    sparse(4, {0: 0.7}),
    sparse(4, {}),
)
PLAIN: dict[str, Any] = {"max_depth": 3, "n_estimators": 8, "learning_rate": 0.37, "random_state": 1}


def _row(
    name: str,
    stage: Any,
    labels: tuple[float, ...],
    outputs: tuple[str, ...],
    word: str = "bit",
    *,
    asked=ASKED,
    x=X,
    **marks: Any,
) -> Row:
    more = marks.pop("more", {})
    return Row(
        f"xgboost/{name}",
        (stage,),
        train={"features": vectors(*x), "label": doubles(*labels), **more},
        rows={"features": vectors(*asked)},
        outputs=outputs,
        word=word,
        **marks,
    )


def _classifier(
    name: str,
    labels: tuple[float, ...] = BINARY,
    /,
    *,
    asked=ASKED,
    x=X,
    marks: dict[str, Any] | None = None,
    **params: Any,
) -> Row:
    stage = spark.SparkXGBClassifier(**{**PLAIN, **params})
    return _row(f"classifier-{name}", stage, labels, CLASSIFIED, "elementary", asked=asked, x=x, **(marks or {}))


def _regressor(
    objective: str,
    labels: tuple[float, ...] = REAL,
    /,
    name: str = "",
    word: str = "bit",
    *,
    asked=ASKED,
    x=X,
    marks: dict[str, Any] | None = None,
    **params: Any,
) -> Row:
    stage = spark.SparkXGBRegressor(**{**PLAIN, "objective": objective, **params})
    return _row(
        f"regressor-{name or objective.replace(':', '-')}",
        stage,
        labels,
        ("prediction",),
        word,
        asked=asked,
        x=x,
        **(marks or {}),
    )


DART = {"booster": "dart", "arbitrary_params_dict": {"rate_drop": 0.4, "one_drop": 1}, "n_estimators": 12}
FOREST = {"num_parallel_tree": 3, "subsample": 0.6, "n_estimators": 4}
STOPPED = {"early_stopping_rounds": 1, "validation_indicator_col": "held", "n_estimators": 40, "eval_metric": "logloss"}
HELD = {"more": {"held": column("boolean", *(i % 3 == 0 for i in range(N)))}}

CLASSIFIERS = [
    _classifier("binary", marks={"smoke": True}),
    _classifier("ternary", TERNARY, marks={"smoke": True}),
    _classifier("deep", max_depth=7, n_estimators=40, min_child_weight=0.01),
    _classifier("ternary-deep", TERNARY, max_depth=6, n_estimators=30, min_child_weight=0.01),
    _classifier("sure", n_estimators=200, learning_rate=1.0, reg_lambda=0.0, min_child_weight=0.0),
    _classifier("base-score", base_score=0.3),
    _classifier("base-score-of-two-logarithms", base_score=0.2797499895095825),  # C libraries' logf differ of 1 / it - 1
    _classifier("base-score-nearly-1", base_score=0.99999994),
    _classifier("one-label", tuple(0.0 for _ in BINARY)),
    _classifier("one-round", n_estimators=1, max_depth=1),
    _classifier("dart", **DART),
    _classifier("dart-ternary", TERNARY, **DART),
    _classifier("forest", **FOREST),
    _classifier("forest-ternary", TERNARY, **FOREST),
    _classifier("stopped-early", **STOPPED, marks=HELD),
    _classifier("stopped-early-ternary", TERNARY, **{**STOPPED, "eval_metric": "mlogloss"}, marks=HELD),
    _classifier("rounds", iteration_range=[2, 5]),
    _classifier("first-round", iteration_range=[0, 1]),
    _classifier("rounds-ternary-forest", TERNARY, **FOREST, iteration_range=[1, 3]),
    _classifier("missing-zero", missing=0.0),
    _classifier("missing-number", missing=-2.7),
    _classifier("lossguide", grow_policy="lossguide", max_leaves=6, max_depth=0, tree_method="hist"),
    _row("classifier-no-probability", spark.SparkXGBClassifier(**PLAIN, probability_col="", raw_prediction_col=""), BINARY, ("prediction",), "elementary"),
]  # fmt: skip
REGRESSORS = [
    _regressor("reg:squarederror", marks={"smoke": True}),
    _regressor("reg:squarederror", name="long", n_estimators=150, max_depth=6),
    _regressor("reg:squarederror", name="forest", **FOREST),
    _regressor("reg:squarederror", name="dart", **DART),
    _regressor("reg:squarederror", name="base-score", base_score=-1 / 3),
    _regressor("reg:squarederror", name="stopped-early", **{**STOPPED, "eval_metric": "rmse"}, marks=HELD),
    _regressor("reg:squaredlogerror"),
    _regressor("reg:pseudohubererror"),
    _regressor("reg:absoluteerror"),
    _regressor("reg:quantileerror", arbitrary_params_dict={"quantile_alpha": 0.3}),
    _regressor("reg:logistic", SHARE, word="elementary"),
    _regressor("reg:gamma", word="elementary"),
    _regressor("reg:tweedie", word="elementary"),
    _regressor("count:poisson", COUNTED, word="elementary", marks={"smoke": True}),
    _regressor("count:poisson", tuple(0.0 for _ in COUNTED), name="counts-of-nothing", word="elementary"),
    _regressor("count:poisson", COUNTED, name="base-score-subnormal", word="elementary", base_score=1e-40),
    _regressor("reg:logistic", SHARE, name="base-score-nearly-0", word="elementary", base_score=2e-7),
    _regressor("survival:cox", word="elementary", eval_metric="rmse"),
    _regressor("binary:hinge", BINARY),
    _regressor("binary:logistic", BINARY, word="elementary"),
    _regressor("binary:logitraw", BINARY, base_score=0.3),
]  # fmt: skip
GROUPS = {"more": {"qid": column("int", *(i // 9 for i in range(N)))}}
RANKED = tuple(float(i * 7 % 4) for i in range(N))
RANKERS = [
    _row(f"ranker-{objective}", spark.SparkXGBRanker(**PLAIN, objective=f"rank:{objective}", qid_col="qid"), labels, ("prediction",), smoke=objective == "ndcg", **GROUPS)
    for objective, labels in (("ndcg", RANKED), ("pairwise", RANKED), ("map", tuple(float(y > 1) for y in RANKED)))
]  # fmt: skip

# -- categories, sparse vectors, columns ---------------------------------------------------------------------------
CODED = tuple((float(i * 7 % 6), x[1]) for i, x in enumerate(X))
CODES = tuple(
    (v, 0.1)
    for v in (
        0.0,
        1.0,
        2.0,
        3.0,
        4.0,
        5.0,
        6.0,
        -0.0,
        -1.0,
        -0.5,
        0.5,
        3.9999999999,
        31.0,
        32.0,
        1e6,
        16777216.0,
        1e300,
        INF,
        -INF,
        NAN,
    )
)
BY_CODE = tuple(float(int(c[0]) in (1, 4, 5)) + (c[1] > 0.5) / 3 for c in CODED)
COLOURS = ("red", "green", "blue", "ß", "日本")
TABLE: Columns = {
    "colour": texts(*(COLOURS[i * 7 % 5] for i in range(N))),
    "x": doubles(*(None if x[0] != x[0] else x[0] for x in X)),
    "f": column("float", *(x[1] for x in X)),
    "n": column("int", *(i * 5 % 7 for i in range(N))),
    "l": column("bigint", *(1_700_000_000 + i * 31 for i in range(N))),
}
QUESTIONS: Columns = {
    "colour": texts("red", "green", "blue", "ß", "", "unseen", "red", "red", "ß"),
    "x": doubles(0.1, 0.4, 1 / 3, None, NAN, 1e308, -1e308, INF, -INF),
    "f": column("float", 0.5, -0.5, 1e10, None, NAN, 3.0, INF, -INF, 0.0),
    "n": column("int", 0, 3, 4, 6, 1, -5, 2147483647, -2147483647, 2),
    "l": column(
        "bigint", 0, 1_700_000_000, 1_700_000_031, 1_700_001_271, 1_700_001_272, 1_700_002_000, 2**53 + 1, -(2**60), 5
    ),
}
LABELLED = {**TABLE, "label": doubles(*BINARY), "target": doubles(*REAL)}
SHAPES = [
    _regressor("reg:squarederror", BY_CODE, name="categories", feature_types=["c", "q"], arbitrary_params_dict={"max_cat_to_onehot": 2}, x=CODED, asked=CODES, marks={"smoke": True}),
    _regressor("reg:squarederror", BY_CODE, name="categories-one-hot", feature_types=["c", "q"], arbitrary_params_dict={"max_cat_to_onehot": 50}, x=CODED, asked=CODES),
    _classifier("categories", tuple(float(y > 0.5) for y in BY_CODE), feature_types=["c", "q"], x=tuple((c if i % 9 else NAN, d) for i, (c, d) in enumerate(CODED)), asked=CODES),
    _classifier("sparse", missing=0.0, enable_sparse_data_optim=True,
                x=tuple(sparse(4, {j: v for j, v in enumerate(x) if v == v and v != 0.0}) for x in X)),
    Row("xgboost/columns", (spark.SparkXGBRegressor(**PLAIN, features_col=["x", "f", "n", "l"], label_col="target"),), train=LABELLED, rows=QUESTIONS, outputs=("prediction",), smoke=True),
    Row("xgboost/columns-missing", (spark.SparkXGBClassifier(**PLAIN, features_col=["n", "x"], missing=3.0),), train=LABELLED, rows=QUESTIONS, outputs=CLASSIFIED, word="elementary"),
    Row("xgboost/pipeline", (
        spark.StringIndexer(inputCol="colour", outputCol="c", handleInvalid="keep"),
        spark.OneHotEncoder(inputCols=["c"], outputCols=["o"]),
        spark.VectorAssembler(inputCols=["o", "x", "f", "n"], outputCol="features", handleInvalid="keep"),
        spark.SparkXGBClassifier(**PLAIN)), train=LABELLED, rows=QUESTIONS, outputs=CLASSIFIED, word="elementary"),
    Row("xgboost/after-scaling", (
        spark.StandardScaler(inputCol="v", outputCol="s", withMean=True),
        spark.PCA(inputCol="s", outputCol="features", k=2),
        spark.SparkXGBClassifier(**PLAIN)),
        train={"v": vectors(*((x[1], float(i * 3 % 8), float(i % 5)) if x[1] == x[1] else (0.1, 0.2, 0.3) for i, x in enumerate(X))), "label": doubles(*BINARY)},
        rows={"v": vectors((0.1, 0.2, 0.3), (-1.0, 3.0, 2.0), (1 / 3, 5.0, 4.0))}, outputs=CLASSIFIED, word="elementary"),
]  # fmt: skip
MARGINS = doubles(*(0.5 if i % 3 else -1 / 3 for i in range(N)))
OWN_MARGIN = [
    Row(
        f"xgboost/{name}",
        (stage,),
        train={"features": vectors(*X), "label": doubles(*labels), "m": MARGINS},
        rows={"features": vectors(*ASKED[:40]), "m": doubles(*(UGLY[i % len(UGLY)] for i in range(40)))},
        outputs=outputs,
        word=word,
    )
    for name, stage, labels, outputs, word in (
        ("regressor-own-margin", spark.SparkXGBRegressor(**PLAIN, base_margin_col="m"), REAL, ("prediction",), "bit"),
        ("regressor-own-margin-logistic", spark.SparkXGBRegressor(**PLAIN, objective="reg:logistic", base_margin_col="m"), SHARE, ("prediction",), "elementary"),
        ("regressor-own-margin-poisson", spark.SparkXGBRegressor(**PLAIN, objective="count:poisson", base_margin_col="m"), COUNTED, ("prediction",), "elementary"),
        ("classifier-own-margin", spark.SparkXGBClassifier(**PLAIN, base_margin_col="m"), BINARY, CLASSIFIED, "elementary"),
    )
]  # fmt: skip
OWN_MARGIN += [
    Row(  # leaves of -1 and 1, and so margins of 0
        "xgboost/regressor-own-margin-hinge",
        (spark.SparkXGBRegressor(objective="binary:hinge", n_estimators=1, max_depth=1, learning_rate=1.0, reg_lambda=0.0, base_margin_col="m"),),
        train={"features": vectors(*((float(i % 6),) for i in range(60))), "label": doubles(*(float(i % 6 > 2) for i in range(60))), "m": doubles(*[0.0] * 60)},
        rows={"features": vectors(*((float(i % 6),) for i in range(24))), "m": doubles(*((1.0, -1.0, 0.5, -1.0000001)[i // 6] for i in range(24)))},
        outputs=("prediction",),
    ),
]  # fmt: skip
SUMMED = [
    Row(  # a margin and a feature that are sums
        "xgboost/regressor-own-margin-and-columns-summed",
        (
            spark.LinearRegression(featuresCol="v", labelCol="target", predictionCol="m"),
            spark.SparkXGBRegressor(**PLAIN, features_col=["m", "n", "f"], label_col="target", base_margin_col="m"),
        ),
        train={"v": vectors(*((i * 5 % 7 / 3, i * 3 % 11 / 7, i % 4 / 9) for i in range(N))), "n": TABLE["n"], "f": TABLE["f"], "target": doubles(*REAL)},
        rows={"v": vectors(*((i % 7 / 3, i * 5 % 11 / 7, i % 4 / 9) for i in range(40))), "n": column("int", *(i % 9 - 1 for i in range(40))), "f": column("float", *(i % 13 / 3 - 2 for i in range(40)))},
        outputs=("prediction",),
        word="dot",
    ),
]  # fmt: skip
REFUSED = [
    _regressor("count:poisson", COUNTED, name="base-score-below-0", base_score=-1.0, marks={"refused": r"base_score \[-1.0\] has no log"}),
    _regressor("reg:squarederror", name="rounds-beyond", iteration_range=[3, 9], marks={"refused": r"iteration_range \[3, 9\] is not within the model's 8 rounds"}),
    _regressor("multi:softmax", TERNARY, name="classes", arbitrary_params_dict={"num_class": 3}, marks={"refused": "objective is multi:softmax with 3 answers a row"}),
    _regressor("reg:squarederror", name="own-margin-dart", **DART, base_margin_col="m", marks={"more": {"m": doubles(*(0.5 for _ in range(N)))}, "refused": "base_margin_col is set for a booster of several classes or of weighted trees"}),
    _row(
        "regressor-contributions",
        spark.SparkXGBRegressor(**PLAIN, pred_contrib_col="shap"),
        REAL,
        ("shap",),
        refused="pred_contrib_col is set",
        chosen=True,
    ),
]  # fmt: skip

ROWS = CLASSIFIERS + REGRESSORS + RANKERS + SHAPES + OWN_MARGIN + SUMMED + REFUSED
