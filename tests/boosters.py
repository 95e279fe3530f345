"""Boosters that XGBoost and LightGBM trained, in the folders that xgboost.spark and SynapseML write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import SLACK, Field, Scalar, Table, VectorType
from tests.saved import Stage, write_pipeline

Array = npt.NDArray[Any]

_CLASSIFIER = ("rawPredictionCol", "probabilityCol", "predictionCol")
_SYNAPSE = {"startIteration": 0, "numIterations": -1, "featuresShapCol": "", "predictDisableShapeCheck": False}


def write_xgboost(
    path: Path, document: str, kind: str, params: Mapping[str, Any] | None = None, before: Sequence[Stage] = ()
) -> Path:
    """`kind`: Classifier, Regressor or Ranker; `document`: the booster as JSON."""
    names = _CLASSIFIER if kind == "Classifier" else ("predictionCol",)
    defaults = {"featuresCol": "features", "features_cols": [], "missing": float("nan"), "objective": None}
    defaults |= {name: name[:-3] for name in names}
    booster = Stage(f"xgboost.spark.estimator.SparkXGB{kind}Model", "X_1", params or {}, defaults)
    write_pipeline(path, [*before, booster])
    folder = path / "stages" / f"{len(before)}_X_1" / "model"
    folder.mkdir()
    pieces = [document[start : start + 4096] for start in range(0, len(document), 4096)]
    (folder / "part-00000").write_text("".join(f"{piece}\n" for piece in pieces))
    return path


def write_lightgbm(path: Path, text: str, kind: str, params: Mapping[str, Any] | None = None, classes: int = 2) -> Path:
    """`kind`: Classification, Regression or Ranker; `text`: the booster as LightGBM writes it."""
    names = _CLASSIFIER if kind == "Classification" else ("predictionCol",)
    defaults = {"featuresCol": "features", **_SYNAPSE, "leafPredictionCol": "leaf"} | {
        name: name[:-3] for name in names
    }
    if kind == "Classification":
        defaults["actualNumClasses"] = classes
    place = "complexParams/lightGBMBooster"
    extra = {"complexParamLocs": {"lightGBMBooster": place}}
    spark_class = f"com.microsoft.azure.synapse.ml.lightgbm.LightGBM{kind}Model"
    write_pipeline(path, [Stage(spark_class, "L_1", params or {}, defaults, extra=extra)])
    file = path / "stages" / "0_L_1" / place
    file.parent.mkdir()
    file.write_bytes(b"\xac\xed\x00\x05sr\x00" + _java_text(text.encode()) + b"xp")
    return path


def _java_text(text: bytes) -> bytes:
    short = len(text) < 1 << 16
    return (b"\x74" if short else b"\x7c") + len(text).to_bytes(2 if short else 8, "big") + text


def answers(path: Path, x: Array, **scalars: Array) -> Table:
    """The saved pipeline's answers to rows [N, F] of `features` and columns [N] beside, with their tolerances."""
    schema = (Field("features", VectorType(x.shape[1]), False), *(Field(n, Scalar("double"), False) for n in scalars))
    columns = {name: values[:, None] for name, values in scalars.items()}
    return in_process(lower(read_pipeline(path), schema, all_rules(), proof=True))({"features": x, **columns})


def beyond(answered: Table, name: str, wanted: Array) -> int:
    """How many values are further from the wanted ones than their tolerance; no more than float32's may be allowed."""
    got, slack = answered[name], answered.get(name + SLACK, np.zeros(1))
    wanted = wanted.reshape(got.shape).astype(np.float64)
    assert np.isfinite(slack).all()
    assert slack.max() <= 1e-5 * (1 + np.abs(wanted[np.isfinite(wanted)]).max())
    return int((~((got == wanted) | (np.abs(got - wanted) <= slack))).sum())


def around(thresholds: Array, width: int, rows: int = 2000) -> Array:
    """[rows, width]: thresholds, their float32 and float64 neighbours, and ugly numbers, each column shuffled."""
    at = np.unique(thresholds.astype(np.float64))[:300]
    with np.errstate(all="ignore"):
        single = at.astype(np.float32)
        before = np.nextafter(single, np.float32(-np.inf)).astype(np.float64)
        middle = (before + single) / 2
    ugly = [
        0.0,
        -0.0,
        1e308,
        -1e308,
        np.inf,
        -np.inf,
        np.nan,
        5e-324,
        1e-35,
        1.1e-35,
        -1e-35,
        0.5,
        -0.5,
        1e10,
        2.0**31,
        33.9,
    ]
    near = np.concatenate([at, single, before, middle])
    values = np.concatenate([near, np.nextafter(near, -np.inf), np.nextafter(near, np.inf), ugly, np.arange(-1, 66)])
    return np.random.default_rng(0).choice(values, (rows, width))
