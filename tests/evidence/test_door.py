"""Another package brings a transformer and its rule: trained by real Spark, published and proven as our own are."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.errors import UsageError
from builder.stages import all_rules
from tests.house.sources import ROOT
from tests.unit.cli import tritonbuild

DOOR = ROOT / "tests" / "door"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of tests/door, as pip installs it."""
    source = shutil.copytree(DOOR, tmp_path_factory.mktemp("source") / "door")  # setuptools builds where it reads
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(source)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def acme(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(installed))
    yield installed
    for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
        del sys.modules[name]


def bring(folder: Path, package: str, module: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package with rules, installed as a wheel leaves it: a module and its dist-info."""
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    told = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    (told / "entry_points.txt").write_text(f"[tritonbuild.stages]\n{package} = {module}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module, raising=False)  # another test's


def test_a_rule_of_an_installed_package_is_among_the_rules(acme: Path) -> None:
    assert all_rules()["acme.transformers.Clip"].word == "bit"
    assert "acme.transformers.Clip" in tritonbuild("stages", "--json").stdout


def test_without_the_package_its_class_is_refused_by_name() -> None:
    assert "acme.transformers.Clip" not in all_rules()


def test_a_pipeline_with_its_transformer_is_published_and_proven(acme: Path, spark: Any, tmp_path: Path) -> None:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.regression import DecisionTreeRegressor

    clip = importlib.import_module("acme.transformers").Clip
    frame = spark.createDataFrame([(i / 3, float(i % 7)) for i in range(60)], "x double, label double")
    stages = [
        clip(inputCol="x", outputCol="kept", low=1 / 3, high=15.1),
        VectorAssembler(inputCols=["kept"], outputCol="features", handleInvalid="keep"),
        DecisionTreeRegressor(maxDepth=3),
    ]
    Pipeline(stages=stages).fit(frame).save((tmp_path / "model").as_uri())
    (tmp_path / "schema.json").write_text(frame.drop("label").schema.json())
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"x": x}) for x in (-5.0, 1 / 3, 0.1, 16.0, None)))
    given = (tmp_path / "model", "--schema", tmp_path / "schema.json")

    recorded = tritonbuild("record", *given, "--rows", tmp_path / "rows.jsonl", "--json")
    proven = tritonbuild("publish", *given, "--repository", tmp_path / "proven", "--json")

    assert (recorded.exit_code, proven.exit_code) == (0, 0), recorded.stderr + proven.stderr
    manifest = json.loads(proven.stdout)["manifest"]
    assert manifest["stages"][0]["class"] == "acme.transformers.Clip"
    assert manifest["proof"]["parity"]["passed"] is True
    assert manifest["proof"]["coverage"] == 1.0


def test_a_rule_that_is_wrong_is_not_published(acme: Path, spark: Any, tmp_path: Path, monkeypatch: Any) -> None:
    clip = importlib.import_module("acme.transformers").Clip
    frame = spark.createDataFrame([(0.5,), (3.0,)], "x double")
    from pyspark.ml import PipelineModel

    PipelineModel([clip(inputCol="x", outputCol="kept")]).save((tmp_path / "model").as_uri())
    (tmp_path / "schema.json").write_text(frame.schema.json())
    given = (tmp_path / "model", "--schema", tmp_path / "schema.json")
    assert tritonbuild("record", *given).exit_code == 0
    rules = importlib.import_module("acme.rules")
    monkeypatch.setattr(
        rules, "constant", lambda value: importlib.import_module("builder.rules").constant(value + 1e-9)
    )

    result = tritonbuild("publish", *given, "--repository", tmp_path / "repository")

    assert result.exit_code == 1
    assert "does not answer as Spark" in result.stderr
    assert not (tmp_path / "repository").exists()


def test_two_packages_that_convert_one_class_are_named(
    acme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(tmp_path, "zeta-rules", "zeta_rules", (DOOR / "acme" / "rules.py").read_text("utf-8"), monkeypatch)

    with pytest.raises(UsageError, match=r"acme-transformers and zeta-rules both convert acme\.transformers\.Clip"):
        all_rules()


def test_a_package_cannot_take_a_class_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (DOOR / "acme" / "rules.py").read_text("utf-8")
    taken = source.replace("acme.transformers.Clip", "org.apache.spark.ml.feature.Binarizer")
    bring(tmp_path, "zeta-rules", "zeta_rules", taken, monkeypatch)

    with pytest.raises(UsageError, match=r"tritonbuild and zeta-rules both convert org\.apache"):
        all_rules()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import no_such_module_anywhere", "do not load: ModuleNotFoundError"),
        ("x = 1", "brings no rules in zeta_rules"),
    ],
)
def test_rules_that_cannot_be_used_are_told_with_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, told: str
) -> None:
    bring(tmp_path, "zeta-rules", "zeta_rules", source, monkeypatch)

    result = tritonbuild("stages")

    assert result.exit_code == 2
    assert "zeta-rules" in result.stderr
    assert told in " ".join(result.stderr.split())
