"""LightGBM's own answers, beside ours to the same booster in a folder as SynapseML writes it."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from builder.errors import ConversionRefused, SourceError
from builder.graph.lowering import lower
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import Field, VectorType
from tests.boosters import answers, around, beyond, write_lightgbm

N = 450
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(N, 4)) * [1, 1, 1, 1e7] + 1 / 3
X[:, 1] *= DRAW.random(N) > 0.3
X[:, 2] = DRAW.integers(0, 40, N)
HOLED = np.where(DRAW.random(X.shape) < 0.1, np.nan, X)
REAL = DRAW.random(N) + 0.1
PLAIN = {"fair", "huber", "lambdarank", "mape", "quantile", "rank_xendcg", "regression", "regression_l1", "sqrt"}
LINKED = {"cross_entropy", "gamma", "poisson", "tweedie"}
CLASSES = ("binary", "multiclass", "multiclassova")
VARIANTS = {
    "plain": {},
    "nothing missing": {"use_missing": False},
    "zero missing": {"zero_as_missing": True},
    "categories": {"categorical_feature": [2]},
    "forest": {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
    "dart": {"boosting": "dart"},
    "bare leaves": {"min_data_in_leaf": 5000},
}


def trained(objective, x=HOLED, **params):
    label, group = REAL, None
    match objective:
        case "binary":
            label = (np.nan_to_num(x[:, 0]) > 0).astype(float)
            params["sigmoid"] = 1.7
        case "multiclass" | "multiclassova":
            params["num_class"] = params.pop("classes", 3)
            label = np.arange(N) * 7 % params["num_class"]
        case "cross_entropy":
            label = REAL / 2
        case "lambdarank" | "rank_xendcg":
            label, group = np.arange(N) * 7 % 4, [N // 9] * 9
        case "sqrt":
            objective, label, params["reg_sqrt"] = "regression", REAL - 0.5, True
    params = {
        "num_leaves": 15,
        "min_data_in_leaf": 3,
        "learning_rate": 0.2,
        "min_data_per_group": 5,
        "cat_smooth": 1,
        **params,
    }
    quiet = {"verbosity": -1, "num_threads": 1, "deterministic": True}
    data = lightgbm.Dataset(x, label, group=group, categorical_feature=params.pop("categorical_feature", []))
    return lightgbm.train({"objective": objective, "max_cat_to_onehot": 2, **params, **quiet}, data, 10)


def converted(path):
    return lower(read_pipeline(path), (Field("features", VectorType(4), False),), all_rules())


def questions(booster):
    lines = [line for line in booster.model_to_string().split("\n") if line.startswith("threshold=")]
    thresholds = np.array([float(value) for line in lines for value in line[10:].split()] or [0.0])
    return np.concatenate([X, HOLED, around(thresholds, X.shape[1])])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("objective", sorted(PLAIN | LINKED))
def test_a_regressor_answers_as_lightgbm_does(objective, variant, tmp_path):
    booster = trained(objective, **VARIANTS[variant])
    x = questions(booster)
    kind = "Ranker" if "rank" in objective else "Regression"

    answered = answers(write_lightgbm(tmp_path / "m", booster.model_to_string(), kind), x)

    assert beyond(answered, "prediction", booster.predict(x)) == 0
    assert beyond(answered, "leaf", booster.predict(x, pred_leaf=True)) == 0
    assert (objective in LINKED) == ("prediction__slack" in answered)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("objective", CLASSES)
def test_a_classifier_answers_as_lightgbm_does(objective, variant, tmp_path):
    booster = trained(objective, **VARIANTS[variant])
    x = questions(booster)
    raw, probability = booster.predict(x, raw_score=True), booster.predict(x)
    if objective == "binary":
        raw, probability = np.stack([-raw, raw], axis=1), np.stack([1 - probability, probability], axis=1)

    path = write_lightgbm(tmp_path / "m", booster.model_to_string(), "Classification", classes=raw.shape[1])
    answered = answers(path, x)

    assert "rawPrediction__slack" not in answered
    assert beyond(answered, "rawPrediction", raw) == 0
    assert beyond(answered, "probability", probability) == 0
    assert beyond(answered, "prediction", raw.argmax(axis=1)) == 0
    assert beyond(answered, "leaf", booster.predict(x, pred_leaf=True)) == 0


@pytest.mark.parametrize(("start", "count"), [(2, 3), (-1, 4), (7, 99), (0, 0), (4, 1)])
def test_the_rounds_asked_are_those_of_the_params(start, count, tmp_path):
    booster = trained("gamma", boosting="rf", bagging_fraction=0.5, bagging_freq=1)
    params = {"startIteration": start, "numIterations": count, "leafPredictionCol": ""}

    answered = answers(write_lightgbm(tmp_path / "m", booster.model_to_string(), "Regression", params), HOLED)

    wanted = booster.predict(HOLED, start_iteration=max(start, 0), num_iteration=count if count > 0 else None)
    assert beyond(answered, "prediction", wanted) == 0


def test_thresholds_divide_the_probabilities(tmp_path):
    booster = trained("multiclass")
    thresholds = np.array([0.5, 0.05, 0.45])
    params = {"thresholds": thresholds.tolist()}

    answered = answers(write_lightgbm(tmp_path / "m", booster.model_to_string(), "Classification", params, 3), HOLED)

    assert beyond(answered, "prediction", (booster.predict(HOLED) / thresholds).argmax(axis=1)) == 0


def test_contributions_are_left_out_unasked_and_refused_by_name(tmp_path):
    path = write_lightgbm(
        tmp_path / "m", trained("regression").model_to_string(), "Regression", {"featuresShapCol": "shap"}
    )
    pipeline, schema = read_pipeline(path), (Field("features", VectorType(X.shape[1])),)

    served = lower(pipeline, schema, all_rules())

    assert "shap" not in {spec.name for spec in served.outputs}
    assert "left out: shap" in served.stages[0].note
    with pytest.raises(ConversionRefused, match="column 'shap': featuresShapCol"):
        lower(read_pipeline(path), schema, all_rules(), ["prediction", "shap"])


def test_some_rounds_leaves_do_not_stop_who_asks_for_the_prediction(tmp_path):
    path = write_lightgbm(tmp_path / "m", trained("regression").model_to_string(), "Regression", {"numIterations": 3})

    served = lower(read_pipeline(path), (Field("features", VectorType(X.shape[1])),), all_rules(), ["prediction"])

    assert [spec.name for spec in served.outputs] == ["prediction", "invalid"]


@pytest.mark.parametrize(
    ("objective", "params", "reason"),
    [
        ("regression", {"numIterations": 3}, "leafPredictionCol"),
        ("regression", {"startIteration": 10}, "leaves none"),
        ("binary", {}, "objective is binary"),
    ],
)
def test_what_is_not_computed_is_refused_by_name(objective, params, reason, tmp_path):
    path = write_lightgbm(tmp_path / "m", trained(objective).model_to_string(), "Regression", params)

    with pytest.raises(ConversionRefused, match=reason):
        answers(path, X)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("\nTree=1\n", "\nTwig=1\n"),
        lambda text: text.replace("left_child=1 ", "left_child=9999 ", 1),
        lambda text: text.replace("left_child=1 ", "left_child=2 ", 1),
        lambda text: text.replace("max_feature_idx=3", "max_feature_idx=0"),
        lambda text: text.replace("num_leaves=15", "num_leaves=14", 1),
        lambda text: text.replace("tree\nversion", "tre\nversion"),
    ],
)
def test_a_damaged_booster_is_told_as_one(damage, tmp_path):
    whole = trained("regression").model_to_string()
    assert damage(whole) != whole

    with pytest.raises(SourceError, match="L_1"):
        answers(write_lightgbm(tmp_path / "m", damage(whole), "Regression"), X)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"thresholds": [0.5, 0.4, 0.1]}, "not 2, as many as actualNumClasses"),
        ({"thresholds": [0.5, 0.5], "probabilityCol": ""}, "probabilityCol is not"),
    ],
)
def test_thresholds_that_synapseml_raises_on_are_refused(params, reason, tmp_path):
    path = write_lightgbm(tmp_path / "m", trained("binary").model_to_string(), "Classification", params)

    with pytest.raises(ConversionRefused, match=reason):
        answers(path, X)


def test_an_objective_of_numbers_is_no_classifier(tmp_path):
    path = write_lightgbm(tmp_path / "m", trained("regression").model_to_string(), "Classification")

    with pytest.raises(ConversionRefused, match="objective is regression"):
        answers(path, X)


def test_an_own_objective_of_two_answers_a_row_is_no_regressor(tmp_path):
    text = trained("multiclass", classes=2).model_to_string()
    custom = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("objective="))

    with pytest.raises(ConversionRefused, match="objective is custom with 2 answers"):
        answers(write_lightgbm(tmp_path / "m", custom, "Regression"), X)


@pytest.mark.parametrize(("objective", "word"), [("regression", "bit"), ("poisson", "elementary")])
def test_only_a_link_with_an_exponential_weakens_the_word(objective, word, tmp_path):
    path = write_lightgbm(tmp_path / "m", trained(objective).model_to_string(), "Regression")

    assert [stage.word for stage in converted(path).stages] == [word]


@pytest.mark.parametrize(("objective", "width"), [("binary", 2), ("multiclass", 3)])
def test_a_classifier_tells_as_many_slots_as_it_answers(objective, width, tmp_path):
    path = write_lightgbm(tmp_path / "m", trained(objective).model_to_string(), "Classification", classes=width)

    told = {tensor.name: tensor.type for tensor in converted(path).outputs}

    assert told["rawPrediction"] == told["probability"] == VectorType(width)
