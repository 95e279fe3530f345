"""XGBoost's own answers, beside ours to the same booster."""

from __future__ import annotations

import ctypes
import ctypes.util
import json

import numpy as np
import pytest
import xgboost
from scipy.special import expit, softmax

from builder.errors import ConversionRefused, SourceError
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.logarithm import logf
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import Field, Scalar
from tests.boosters import answers, around, beyond, write_xgboost
from tests.saved import Stage

N = 400
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(N, 4)) * [1, 1, 1, 1e7] + 1 / 3
X[DRAW.random(X.shape) < 0.1] = np.nan
LABEL = (np.nan_to_num(X[:, 0]) > 0).astype(np.float64)
REAL = DRAW.random(N) + 0.1
LINKED = {"count:poisson", "reg:gamma", "reg:logistic", "reg:tweedie", "survival:aft", "survival:cox"}
PLAIN = {
    "binary:hinge", "binary:logitraw", "rank:map", "rank:ndcg", "rank:pairwise", "reg:absoluteerror", "reg:pseudohubererror",
    "reg:quantileerror", "reg:squarederror", "reg:squaredlogerror",
}  # fmt: skip
BOOSTERS = {
    "trees": {},
    "forest": {"num_parallel_tree": 3, "subsample": 0.7, "base_score": 0.3},
    "dart": {"booster": "dart", "rate_drop": 0.4, "one_drop": 1, "base_score": 0.3},
}


def trained(objective, x=X, rounds=15, **params):
    label = LABEL if objective.startswith(("binary", "rank")) else REAL
    if objective.startswith("multi"):
        label = np.arange(N) * 7 % params.setdefault("num_class", 3)
    if objective == "reg:logistic":
        label = REAL / 2
    if objective == "reg:quantileerror":
        params["quantile_alpha"] = 0.3
    data = xgboost.DMatrix(x, label, feature_types=params.pop("feature_types", None), enable_categorical=True)
    if objective.startswith("rank"):
        data.set_group([N // 4] * 4)
    if objective == "survival:aft":
        data.set_float_info("label_lower_bound", label)
        data.set_float_info("label_upper_bound", label + 1)
    return xgboost.train({"objective": objective, "max_depth": 4, "eta": 0.37, "nthread": 1, **params}, data, rounds)


def document(booster):
    return booster.save_raw("json").decode()


def questions(booster):
    model = json.loads(document(booster))["learner"]["gradient_booster"]
    trees = model.get("gbtree", model)["model"]["trees"]
    return np.concatenate([X, around(np.array([t for tree in trees for t in tree["split_conditions"]]), X.shape[1])])


@pytest.mark.parametrize("kind", BOOSTERS)
@pytest.mark.parametrize("objective", sorted(PLAIN | LINKED))
def test_a_regressor_answers_as_xgboost_does(objective, kind, tmp_path):
    booster = trained(objective, **BOOSTERS[kind])
    x = questions(booster)

    answered = answers(write_xgboost(tmp_path / "m", document(booster), "Regressor"), x)

    assert beyond(answered, "prediction", booster.inplace_predict(x.astype(np.float32))) == 0
    assert (objective in LINKED) == ("prediction__slack" in answered)


@pytest.mark.parametrize("kind", BOOSTERS)
@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob"])
def test_a_classifier_answers_as_xgboost_and_scipy_do(objective, kind, tmp_path):
    booster = trained(objective, **BOOSTERS[kind])
    x = questions(booster)
    margin = booster.inplace_predict(x.astype(np.float32), predict_type="margin")
    two = margin.ndim == 1
    raw = np.stack([-margin, margin], axis=1) if two else margin
    probability = np.stack([1 - expit(margin), expit(margin)], axis=1) if two else softmax(margin, axis=1)

    answered = answers(write_xgboost(tmp_path / "m", document(booster), "Classifier"), x)

    assert "rawPrediction__slack" not in answered
    assert beyond(answered, "rawPrediction", raw) == 0
    assert beyond(answered, "probability", probability) == 0
    assert beyond(answered, "prediction", probability.argmax(axis=1)) == 0


@pytest.mark.parametrize("missing", [0.0, -1.0, np.inf])
def test_the_missing_value_and_nan_are_both_missing(missing, tmp_path):
    booster = trained("reg:squarederror", x=np.where(DRAW.random(X.shape) < 0.2, np.nan, X))
    x = np.concatenate([questions(booster), DRAW.choice([missing, np.nan, 1.0], (200, 4))])

    answered = answers(write_xgboost(tmp_path / "m", document(booster), "Regressor", {"missing": missing}), x)

    assert beyond(answered, "prediction", booster.inplace_predict(x.astype(np.float32), missing=missing)) == 0


@pytest.mark.parametrize("most", [2, 100])
def test_a_category_is_a_number_cut_to_an_integer_and_known(most, tmp_path):
    x = np.stack([np.arange(N) * 7 % 37, X[:, 0]], axis=1).astype(np.float64)
    x[::9, 0] = np.nan
    booster = trained("reg:squarederror", x=x, feature_types=["c", "q"], max_cat_to_onehot=most)
    asked = np.concatenate([x, around(x[:, 0], 2)])

    answered = answers(write_xgboost(tmp_path / "m", document(booster), "Regressor"), asked)

    assert beyond(answered, "prediction", booster.inplace_predict(asked.astype(np.float32))) == 0


@pytest.mark.parametrize(("given", "range_"), [(None, (0, 4)), ([2, 7], (2, 7)), ([1, 0], (0, 4))])
def test_the_rounds_asked_are_those_given_else_those_up_to_the_best(given, range_, tmp_path):
    booster = trained("multi:softprob", num_parallel_tree=2)
    booster.set_attr(best_iteration="3")
    path = write_xgboost(tmp_path / "m", document(booster), "Classifier", {"iteration_range": given})

    answered = answers(path, X)

    wanted = booster.inplace_predict(X.astype(np.float32), predict_type="margin", iteration_range=range_)
    assert beyond(answered, "rawPrediction", wanted) == 0


@pytest.mark.parametrize(
    ("params", "reason"),
    [({"iteration_range": [0, 99]}, "rounds"), ({"what": 1}, "does not read: what")],
)  # fmt: skip
def test_what_is_not_computed_is_refused_by_name(params, reason, tmp_path):
    path = write_xgboost(tmp_path / "m", document(trained("reg:squarederror")), "Regressor", params)

    with pytest.raises(ConversionRefused, match=reason):
        answers(path, X)


@pytest.mark.parametrize("objective", ["binary:logistic", "count:poisson", "reg:squarederror"])
def test_a_rows_own_margin_stands_where_base_score_stood(objective, tmp_path):
    booster = trained(objective, base_score=0.3)
    margin = DRAW.choice([0.1, -1 / 3, 2.7, -85.0, -100.0, 16777217.0], N)
    path = write_xgboost(tmp_path / "m", document(booster), "Regressor", {"base_margin_col": "m"})

    answered = answers(path, X, m=margin)

    wanted = booster.inplace_predict(X.astype(np.float32), base_margin=margin)
    with np.errstate(over="ignore"):
        assert beyond(answered, "prediction", wanted) == 0


@pytest.mark.parametrize(
    ("objective", "params"), [("multi:softprob", {"num_class": 2}), ("binary:logistic", {"booster": "dart"})]
)
def test_a_rows_own_margin_is_refused_where_it_is_not_one_number_or_weighted(objective, params, tmp_path):
    saved = document(trained(objective, **params))
    path = write_xgboost(tmp_path / "m", saved, "Classifier", {"base_margin_col": "m"})

    with pytest.raises(ConversionRefused, match="base_margin_col is set"):
        answers(path, X, m=X[:, 0])


@pytest.mark.parametrize(
    ("columns", "type", "reason"),
    [
        (["a"], "double", "1 feature columns; the model was fitted on 2"),
        (["a", "b"], "boolean", "reads integers, floats"),
    ],
)
def test_columns_that_are_not_the_models_are_refused(columns, type, reason, tmp_path):
    saved = document(trained("reg:squarederror", x=X[:, :2]))
    path = write_xgboost(tmp_path / "m", saved, "Regressor", {"features_cols": columns})

    with pytest.raises(ConversionRefused, match=reason):
        lower(read_pipeline(path), tuple(Field(name, Scalar(type), False) for name in columns), all_rules())


@pytest.mark.parametrize("params", [{"features_cols": ["m"]}, {"features_cols": ["x"], "base_margin_col": "m"}])
def test_where_a_tolerance_reaches_over_a_split_or_a_margins_rounding_nothing_is_decided(params, tmp_path):
    booster = trained("reg:squarederror", x=np.exp(X[:, :1]), rounds=1, max_depth=1)
    split = np.float32(json.loads(document(booster))["learner"]["gradient_booster"]["model"]["trees"][0]["split_conditions"][0])  # fmt: skip
    tie = (float(split) + float(np.nextafter(split, np.float32(-np.inf)))) / 2
    statement = {"statement": "SELECT *, exp(x) AS m FROM __THIS__"}
    before = Stage("org.apache.spark.ml.feature.SQLTransformer", "S_1", statement)
    path = write_xgboost(tmp_path / "m", document(booster), "Regressor", params, before=[before])
    servable = lower(read_pipeline(path), (Field("x", Scalar("double"), False),), all_rules(), proof=True)

    answered = in_process(servable)({"x": np.log([[tie], [tie * 1.001], [tie / 1.001]])})

    assert answered["prediction__slack"][:, 0].tolist() == [np.inf, 0.0, 0.0]


def test_a_linear_booster_is_refused_by_name(tmp_path):
    path = write_xgboost(tmp_path / "m", document(trained("reg:squarederror", booster="gblinear")), "Regressor")

    with pytest.raises(ConversionRefused, match="its booster is gblinear"):
        answers(path, X)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-100],
        lambda text: text.replace('"left_children":[1,', '"left_children":[99999,', 1),
        lambda text: text.replace('"left_children":[1,', '"left_children":[2,', 1),
        lambda text: text.replace('"base_score":"[', '"base_score":"[1,', 1),
        lambda text: text.replace('"split_indices":[', '"split_indices":[77,', 1),
        lambda text: text.replace('"tree_info":[0,', '"tree_info":[5,', 1),
    ],
)
def test_a_damaged_booster_is_told_as_one(damage, tmp_path):
    whole = document(trained("reg:squarederror"))
    assert damage(whole) != whole

    with pytest.raises(SourceError, match="X_1"):
        answers(write_xgboost(tmp_path / "m", damage(whole), "Regressor"), X)


def test_logf_is_the_c_librarys_or_the_nearest():
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    library.logf.restype, library.logf.argtypes = ctypes.c_float, [ctypes.c_float]
    numbers = np.exp(np.random.default_rng(0).uniform(-80, 80, 20_000)).astype(np.float32)
    numbers = np.concatenate([numbers, np.random.default_rng(1).uniform(0.5, 2, 20_000).astype(np.float32)])

    numbers = np.concatenate([numbers, np.float32(2.0**-149) * np.arange(2000, dtype=np.float32) ** 2, [np.float32(0)]])

    found = [logf(x) for x in numbers]

    assert all(library.logf(float(x)) in pair for x, pair in zip(numbers, found, strict=True))
    assert any(table != nearest for table, nearest in found)


@pytest.mark.parametrize("objective", ["binary:logistic", "count:poisson"])
def test_where_c_libraries_differ_the_tolerance_says_so(objective, tmp_path):
    scores = np.linspace(0.3, 0.7, 3001, dtype=np.float32)
    one = np.float32(1)
    inside = one / scores - one if objective == "binary:logistic" else scores
    score = next(s for s, x in zip(scores, inside, strict=True) if logf(x)[0] != logf(x)[1])
    booster = trained(objective, base_score=float(score))

    answered = answers(write_xgboost(tmp_path / "m", document(booster), "Regressor"), X)

    assert answered["prediction__slack"].max() > 0
    assert beyond(answered, "prediction", booster.inplace_predict(X.astype(np.float32))) == 0


@pytest.mark.parametrize(
    ("version", "score", "margin"),
    [
        ([3, 1, 1], 1e-7, -16.118095), ([3, 1, 1], 0.99999994, 15.942385),
        ([3, 2, 0], 1e-7, -13.81551), ([3, 2, 0], 0.99999994, 13.74516), ([3, 2, 0], 0.0, -13.81551), ([3, 2, 0], 1.0, 13.74516),
    ],
)  # fmt: skip
def test_a_base_score_nearly_0_or_1_is_what_the_xgboost_that_saved_it_makes_of_it(version, score, margin, tmp_path):
    """The margins are what xgboost 3.1.1 (and 2.1.4, and 3.0.5) and 3.2.0 answer."""
    saved = json.loads(document(trained("binary:logistic", rounds=1, max_depth=1, reg_alpha=1e9)))
    saved["version"], saved["learner"]["learner_model_param"]["base_score"] = version, f"[{score!r}]"

    answered = answers(write_xgboost(tmp_path / "m", json.dumps(saved), "Classifier"), X[:2])

    assert answered["rawPrediction"][:, 1].astype(np.float32).tolist() == [np.float32(margin)] * 2


def test_a_classifier_of_another_objective_is_refused(tmp_path):
    path = write_xgboost(tmp_path / "m", document(trained("binary:hinge")), "Classifier")

    with pytest.raises(ConversionRefused, match="objective is binary:hinge with 1 answers"):
        answers(path, X)


@pytest.mark.parametrize("assembled", [True, False])
def test_evidence_asks_at_each_features_cuts(assembled, tmp_path):
    booster = trained("reg:squarederror", x=X[:, :2], rounds=3)
    names, columns = ("a", "b"), {"inputCols": ["a", "b"], "outputCol": "features", "handleInvalid": "keep"}
    before = [Stage("org.apache.spark.ml.feature.VectorAssembler", "V_1", columns)] if assembled else []
    params = {} if assembled else {"features_cols": ["a", "b"]}
    path = write_xgboost(tmp_path / "m", document(booster), "Regressor", params, before=before)

    servable = lower(read_pipeline(path), tuple(Field(name, Scalar("double"), False) for name in names), all_rules())

    asked = {probe.input: probe.thresholds for probe in servable.probes}
    splits = booster.trees_to_dataframe()
    for feature, name in enumerate(names):
        splitting = np.unique(splits.Split[splits.Feature == f"f{feature}"].to_numpy().astype(np.float32))
        cuts = (splitting.astype(np.float64) + np.nextafter(splitting, np.float32(-np.inf))) / 2
        assert len(cuts) > 2
        assert sorted(asked[name]) == cuts.tolist()
