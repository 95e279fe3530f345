"""What people install."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.house.sources import PACKAGE, ROOT
from tests.unit.cli import save_model


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT))
    (file,) = folder.glob("*.whl")
    return file


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_brings_builder_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names} == {"builder", "tritonbuild-0.1.0.dist-info"}


def test_the_wheel_brings_every_module(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())

    assert {str(file.relative_to(ROOT)) for file in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.json")]} <= inside


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """`tritonbuild` from the wheel, in an environment with its dependencies and no extra."""
    folder = tmp_path_factory.mktemp("empty") / "env"
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), str(wheel))
    return str(folder / "bin" / "tritonbuild")


def test_the_command_runs_from_the_wheel_in_an_empty_environment(command):
    assert "publish" in run(command, "--help")
    assert "org.apache.spark.ml.feature.MinMaxScalerModel" in run(command, "stages", "--json")


def test_a_model_is_published_unproven_where_nothing_but_the_wheel_is(command, tmp_path):
    saved = save_model(tmp_path)

    run(command, "publish", str(saved.path), "--schema", str(saved.schema), "--unproven",
        "--repository", str(saved.repository))  # fmt: skip

    assert (saved.repository / "model" / "1" / "model.onnx").is_file()


def test_without_onnxruntime_a_proof_says_what_to_install(command, tmp_path):
    saved = save_model(tmp_path)
    saved.add_evidence()
    arguments = ["publish", str(saved.path), "--schema", str(saved.schema), "--repository", str(saved.repository)]

    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "onnxruntime is not installed" in done.stderr
    assert "pip install 'tritonbuild[cpu]'" in done.stderr
    assert saved.untouched
