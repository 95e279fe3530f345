"""The whole pipeline through onnxmltools: its graphs are proven as ours are, and refused as ours are.

pip install 'tritonbuild[direct]' brings onnxmltools.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.house.sources import ROOT
from tests.unit.cli import tritonbuild

pytest.importorskip("onnxmltools", reason="pip install 'tritonbuild[direct]'")

DOOR = ROOT / "tests" / "door"


@pytest.fixture(scope="module")
def saved(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of whole numbers, which float32 holds, and a linear model, whose sums it does not."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.regression import DecisionTreeRegressor, LinearRegression

    folder = tmp_path_factory.mktemp("direct")
    frame = spark.createDataFrame(
        [(float(i), float(i * i % 7), float(i // 15)) for i in range(60)], "x double, y double, label double"
    )
    features = VectorAssembler(inputCols=["x", "y"], outputCol="features")
    for name, model in (("tree", DecisionTreeRegressor(maxDepth=3)), ("linear", LinearRegression())):
        Pipeline(stages=[features, model]).fit(frame).save((folder / name).as_uri())
    (folder / "schema.json").write_text(frame.drop("label").schema.json())
    rows = [{"x": float(x), "y": float(y)} for x in (0, 1, 7, 31, 59) for y in (0, 3, 6)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def given(saved: Path, name: str) -> list[str | Path]:
    return [saved / name, "--schema", saved / "schema.json", "--converter", "onnxmltools"]


def record(saved: Path, name: str) -> Any:
    return tritonbuild("record", *given(saved, name), "--rows", saved / "rows.jsonl", "--derived-rows", "0")


def test_a_tree_of_whole_numbers_is_converted_and_proven(saved: Path, tmp_path: Path) -> None:
    recorded = record(saved, "tree")

    published = tritonbuild("publish", *given(saved, "tree"), "--repository", tmp_path, "--json")

    assert (recorded.exit_code, published.exit_code) == (0, 0), recorded.stderr + published.stderr
    manifest = json.loads(published.stdout)["manifest"]
    assert manifest["converter"].startswith("onnxmltools 1.")
    assert manifest["proof"]["parity"]["passed"] is True
    assert {output["name"] for output in manifest["outputs"]} == {"prediction", "invalid"}
    operators = {node.op_type for node in onnx.load(tmp_path / "tree" / "1" / "model.onnx").graph.node}
    assert "TreeEnsembleRegressor" in operators


def test_float32_is_not_forgiven(saved: Path, tmp_path: Path) -> None:
    assert record(saved, "linear").exit_code == 0

    published = tritonbuild("publish", *given(saved, "linear"), "--repository", tmp_path / "repository")

    assert published.exit_code == 1
    assert "does not answer as Spark" in published.stderr
    assert not (tmp_path / "repository").exists()


@pytest.fixture
def clipped(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A pipeline of a transformer that onnxmltools does not know, and for which no package brings a rule."""
    from pyspark.ml import PipelineModel

    monkeypatch.syspath_prepend(str(DOOR))
    clip = importlib.import_module("acme.transformers").Clip
    frame = spark.createDataFrame([(1.0,)], "x double")
    PipelineModel([clip(inputCol="x", outputCol="kept", low=1 / 3, high=15.1)]).save((tmp_path / "clip").as_uri())
    (tmp_path / "schema.json").write_text(frame.schema.json())
    rows = [{"x": x} for x in (-5.0, 0.1, 1 / 3, 7.7, 15.1, 1e300)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
        del sys.modules[name]


def test_what_onnxmltools_cannot_convert_is_refused(clipped: Path) -> None:
    result = tritonbuild("publish", *given(clipped, "clip"), "--unproven", "--repository", clipped / "repository")

    assert result.exit_code == 3
    assert "Clip" in result.stderr
    assert not (clipped / "repository").exists()


def test_a_converter_that_was_registered_there_is_used_and_proven(clipped: Path) -> None:
    of = [*given(clipped, "clip")[:-1], "onnxmltools:acme.converters"]

    recorded = tritonbuild("record", *of, "--rows", clipped / "rows.jsonl", "--derived-rows", "0")
    published = tritonbuild("publish", *of, "--repository", clipped / "repository", "--json")

    assert (recorded.exit_code, published.exit_code) == (0, 0), recorded.stderr + published.stderr
    assert json.loads(published.stdout)["manifest"]["proof"]["parity"]["passed"] is True


@pytest.mark.parametrize("name", ["jpmml", "onnxmltools:no_such_module_anywhere"])
def test_a_converter_that_is_none_is_a_usage_error(saved: Path, tmp_path: Path, name: str) -> None:
    result = tritonbuild("publish", saved / "tree", "--schema", saved / "schema.json", "--converter", name,
                         "--repository", tmp_path / "repository")  # fmt: skip

    assert result.exit_code == 2
    assert name.rpartition(":")[2] in result.stderr


def test_a_null_marker_that_no_other_converter_knows_is_a_usage_error(saved: Path, tmp_path: Path) -> None:
    result = tritonbuild(
        "publish", *given(saved, "tree"), "--null-marker", "NULL", "--repository", tmp_path / "repository"
    )

    assert result.exit_code == 2
    assert "--null-marker" in result.stderr
    assert not (tmp_path / "repository").exists()
