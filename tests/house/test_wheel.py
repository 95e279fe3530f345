"""What people install."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.house.sources import PACKAGE, ROOT


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

    assert {str(file.relative_to(ROOT)) for file in PACKAGE.rglob("*.py")} <= inside


def test_the_command_runs_from_the_wheel_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), str(wheel))

    told = run(str(tmp_path / "env" / "bin" / "tritonbuild"), "--help")
    listed = run(str(tmp_path / "env" / "bin" / "tritonbuild"), "stages", "--json")

    assert "publish" in told
    assert "org.apache.spark.ml.feature.MinMaxScalerModel" in listed
