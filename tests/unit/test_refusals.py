"""Params set on a fitted model that Spark itself refuses when it answers: refused here by name, not computed with."""

from __future__ import annotations

import pytest

from builder.errors import ConversionRefused
from builder.graph.lowering import lower
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import Field, VectorType
from tests.saved import Stage, vectors, write_pipeline

COLUMNS = {
    "featuresCol": "features",
    "rawPredictionCol": "raw",
    "probabilityCol": "probability",
    "predictionCol": "label",
}


@pytest.mark.parametrize("thresholds", [[0.5], [0.5, 0.3], [0.5, 0.3, 0.1, 0.1]])
def test_a_classifier_of_three_classes_needs_three_thresholds(tmp_path, thresholds):
    perceptron = Stage(
        "org.apache.spark.ml.classification.MultilayerPerceptronClassificationModel",
        "perceptron",
        {**COLUMNS, "layers": [2, 3], "thresholds": thresholds},
        data=vectors(weights=[0.1 * i for i in range(9)]),
    )
    saved = read_pipeline(write_pipeline(tmp_path / "model", [perceptron]))

    with pytest.raises(ConversionRefused, match=f"{len(thresholds)} thresholds for 3 classes"):
        lower(saved, (Field("features", VectorType(2)),), all_rules())
