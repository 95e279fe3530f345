"""Models that real SynapseML (1.0.5, on Spark 3.5.9) fitted and saved, and its answers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.boosters import answers, beyond
from tests.synapseml.record import HERE, asked

MODELS = sorted(folder.parent.name for folder in HERE.glob("*/answers.json"))


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_answers_as_synapseml_did(name):
    wanted = json.loads((HERE / name / "answers.json").read_text())

    answered = answers(HERE / name, np.array(asked()))

    assert {*wanted, "invalid"} == {column for column in answered if not column.endswith("__slack")}
    for column, values in wanted.items():
        assert beyond(answered, column, np.array(values)) == 0


def test_the_recorded_models_cover_every_class():
    classes = {json.loads(next((HERE / name / "metadata").glob("part-*")).read_text())["class"] for name in MODELS}

    assert {spark_class.rsplit(".", 1)[1] for spark_class in classes} == {
        "LightGBMClassificationModel",
        "LightGBMRegressionModel",
        "LightGBMRankerModel",
    }
