"""Folders and files that are not a saved pipeline: what they are, and what to give instead."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import SourceError
from builder.source.folder import read_folder
from tests.saved import min_max, write_pipeline


def pipeline(path: Path) -> Path:
    return write_pipeline(path, [min_max("M_1", "v", "y", [0.0], [1.0])])


def error(path: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read_folder(path, uri="model")
    return caught.value


@pytest.mark.parametrize(
    ("names", "what", "fix"),
    [
        (["part-00000-1-c000.snappy.parquet", "_SUCCESS"], "a table that a DataFrame wrote", "PipelineModel.save"),
        (["day=1/part-00000.parquet"], "a table that a DataFrame wrote", "PipelineModel.save"),
        (["_delta_log/0.json", "part-0.parquet"], "a Delta table", "PipelineModel.save"),
        (["model.pkl", "requirements.txt"], "a pickled Python object", "Spark ML"),
        (["clf.joblib"], "a pickled Python object", "Spark ML"),
        (["model.onnx"], "an ONNX model", "Triton serves an ONNX file"),
        (["config.pbtxt", "1/model.onnx"], "Triton's repository", "published already"),
        (["saved_model.pb", "variables/x"], "a TensorFlow model", "Spark ML"),
        (["metadata/_SUCCESS", "stages/0_A_1/metadata/part-00000"], "holds no Spark ML model", "missing or empty"),
        ([], "an empty folder", "PipelineModel.save"),
    ],
)
def test_a_folder_of_something_else_is_named(tmp_path: Path, names: list[str], what: str, fix: str) -> None:
    root = tmp_path / "given"
    root.mkdir()
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"content")

    told = error(root)

    assert what in told.message
    assert fix in told.fix


@pytest.mark.parametrize(
    ("name", "what"),
    [("model.onnx", "an ONNX model"), ("model.pkl", "a pickled Python object"), ("model.tar.gz", "an archive")],
)
def test_a_file_of_something_else_is_named(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / name).write_bytes(b"content")

    assert f"is a file, not a folder: {what}" in error(tmp_path / name).message


@pytest.mark.parametrize("below", ["model", "run/model"])
def test_a_folder_above_the_model_names_the_models(tmp_path: Path, below: str) -> None:
    path = pipeline(tmp_path / "given" / below)

    assert error(tmp_path / "given").fix == f"give {path}"


@pytest.mark.parametrize("part", ["metadata", "stages", "metadata/part-00000-0-c000.txt"])
def test_a_part_of_a_model_names_the_model(tmp_path: Path, part: str) -> None:
    path = pipeline(tmp_path / "model")

    assert error(path / part).fix.endswith(str(path))


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A pipeline with 1,500 folders in each other; pytest itself could not delete them."""
    path = pipeline(tmp_path / "model")
    here = os.open(path / "stages", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)


def test_a_folder_nested_beyond_pythons_recursion_is_read(deep: Path) -> None:
    assert "knows no column types" in error(deep).message
