"""Let real SynapseML fit small models and answer; keep them beside this file, for the test that needs neither.

    python tests/synapseml/record.py JAR …

Needs pyspark 3.5 and the jars of com.microsoft.azure:synapseml-lightgbm_2.12:1.0.5 with what it depends on: SynapseML's
releases for Spark 3.5 are Scala 2.12's, so these models cannot stand in the table that Spark 4 answers.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
INF, NAN = float("inf"), float("nan")
UGLY = (
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    1 / 3,
    3.1,
    16777217.0,
    1e308,
    -1e308,
    5e-324,
    1e-35,
    1.1e-35,
    -1e-35,
    INF,
    -INF,
    NAN,
    -0.5,
    4.9,
    6.0,
)
REGRESSIONS = ("regression", "regression_l1", "huber", "fair", "quantile", "mape", "poisson", "gamma", "tweedie")


def training() -> list[tuple[list[float], float, float, float, int]]:
    """Features, two classes, three classes, a positive number, a group."""
    draw = random.Random(1)
    rows = []
    for i in range(300):
        far = draw.gauss(0, 1e7) if i % 5 else NAN
        x = [float(i * 7 % 6), draw.gauss(0, 1), far, float(i % 9) if i % 4 else 0.0]
        rows.append((x, float((x[1] > 0) ^ (x[0] in (1, 4))), float(i % 3), abs(x[1]) * 3 + x[0] / 3 + 0.1, i // 10))
    return rows


def asked() -> list[list[float]]:
    own = [row[0] for row in training()[:14]]
    edges = [[x[0], math.nextafter(x[1], INF), x[2], x[3]] for x in own[:6]]
    return [*own, *edges, *([UGLY[(i + 3 * slot) % len(UGLY)] for slot in range(4)] for i in range(len(UGLY)))]


def estimators(jvm: Any, gateway: Any) -> dict[str, Any]:
    """Name → estimator, all of them small."""
    boosters = jvm.com.microsoft.azure.synapse.ml.lightgbm
    classifier, regressor, ranker = boosters.LightGBMClassifier, boosters.LightGBMRegressor, boosters.LightGBMRanker

    def array(kind: Any, values: Sequence[Any]) -> Any:
        made = gateway.new_array(kind, len(values))
        for index, value in enumerate(values):
            made[index] = value
        return made

    codes, forest = array(jvm.int, [0, 3]), {"BoostingType": "rf", "BaggingFraction": 0.6, "BaggingFreq": 1}
    leaf = {"LeafPredictionCol": "leaf"}
    made = {
        "binary": (classifier(), "label", leaf),
        "binary-categories": (classifier(), "label", {"CategoricalSlotIndexes": codes}),
        "binary-forest": (classifier(), "label", forest),
        "binary-zero-missing": (classifier(), "label", {"ZeroAsMissing": True}),
        "ternary": (classifier(), "kind", {"Objective": "multiclass", **leaf}),
        "ternary-ova": (classifier(), "kind", {"Objective": "multiclassova"}),
        "ternary-thresholds": (classifier(), "kind", {"Objective": "multiclass", "Thresholds": array(jvm.double, [0.5, 0.1, 0.4])}),
        "dart": (regressor(), "size", {"BoostingType": "dart"}),
        "forest": (regressor(), "size", {**forest, **leaf}),
        "categories": (regressor(), "size", {"CategoricalSlotIndexes": codes}),
        "ranker": (ranker(), "kind", {"GroupCol": "group", **leaf}),
        **{name: (regressor(), "size", {"Objective": name}) for name in REGRESSIONS},
    }  # fmt: skip
    for estimator, label, params in made.values():
        estimator.setLabelCol(label)
        for name, value in {"NumIterations": 5, "MinDataInLeaf": 3, "NumLeaves": 6, **params}.items():
            getattr(estimator, f"set{name}")(value)
    return {name: estimator for name, (estimator, _, _) in made.items()}


def main(jars: Sequence[str]) -> None:
    from pyspark.ml.linalg import Vectors
    from pyspark.sql import DataFrame, SparkSession

    builder = (
        SparkSession.builder.master("local[1]").config("spark.jars", ",".join(jars)).config("spark.ui.enabled", "false")
    )
    session = (
        builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate()
    )
    columns = ["features", "label", "kind", "size", "group"]
    data = session.createDataFrame([(Vectors.dense(x), *rest) for x, *rest in training()], columns).coalesce(1).cache()
    questions = session.createDataFrame([(Vectors.dense(x),) for x in asked()], ["features"]).coalesce(1)
    for name, estimator in estimators(session._jvm, session.sparkContext._gateway).items():
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        model = estimator.fit(data._jdf)
        model.write().overwrite().save(folder.as_uri())
        for noise in [*folder.rglob("*.crc"), *folder.rglob("_SUCCESS")]:
            noise.unlink()
        rows = DataFrame(model.transform(questions._jdf), session).drop("features").collect()
        plain = {column: [_plain(row[column]) for row in rows] for column in rows[0].asDict()}
        (folder / "answers.json").write_text(json.dumps(plain))


def _plain(value: Any) -> list[float]:
    return value.toArray().tolist() if hasattr(value, "toArray") else [value]


if __name__ == "__main__":
    main(sys.argv[1:])
