"""NVIDIA's perf_analyzer reads the file that `publish --perf-data` leaves, and every value arrives as it was meant.

`make test` brings the binary; its shared libraries are a PyPI package's and Debian's libb64-0d.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient

from builder.graph.session import in_process
from builder.packing import packing_of
from builder.releases import PINNED
from builder.triton.perf_data import perf_data
from builder.triton.repository import versions
from builder.types import Servable, Table
from tests.house.sources import ROOT
from tests.small_models import every_scalar, every_type, words
from tests.unit.cli import save_model

HOME = ROOT / ".venv-perf"
BINARY = HOME / "bin" / "perf_analyzer"
BRIEFLY = (
    "--measurement-mode",
    "count_windows",
    "--measurement-request-count",
    "20",
    "-s",
    "999999",
    "--max-trials",
    "3",
)


def perf_analyzer(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert BINARY.exists(), f"{BINARY} is missing: make test brings it"
    (cuda,) = HOME.glob("lib/python*/site-packages/nvidia/cuda_runtime/lib")
    environment = os.environ | {"LD_LIBRARY_PATH": str(cuda)}
    return subprocess.run(
        [BINARY, *arguments], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def validated(servable: Servable, rows: Table) -> str:
    """The file with what onnxruntime answers here beside it: perf_analyzer then fails where a byte differs."""
    packed = Table(packing_of(servable.inputs, servable.packs)(rows))
    document = json.loads(perf_data(servable.travelling, packed))
    answers = in_process(servable)(rows)
    document["validation_data"] = [
        {spec.name: expected(answers[spec.name][row]) for spec in servable.outputs if spec.width > 0}
        for row in range(rows.rows)
    ]
    return json.dumps(document, ensure_ascii=False)


def expected(values: np.ndarray) -> object:
    return values.tolist() if values.dtype == object else {"b64": base64.b64encode(values.tobytes()).decode()}


def corners(servable: Servable) -> Table:
    """Rows of what is hard to write down."""
    texts = ["␀", "", 'ß"日本\\', " \n\t/", "\U0001f600", "1e400"]
    doubles = [np.nan, np.inf, -np.inf, -0.0, 5e-324, 0.1 + 0.2]
    columns = {}
    for spec in servable.inputs:
        if spec.dtype == object:
            column = np.array(texts, dtype=object)
        elif spec.dtype.kind == "f":
            column = np.array(doubles)
        elif spec.dtype == bool:
            column = np.arange(6) % 2 == 0
        else:
            info = np.iinfo(spec.dtype)
            column = np.array([info.min, info.max, -1, 0, 1, 7])
        columns[spec.name] = np.tile(column.astype(spec.dtype)[:, None], (1, max(spec.width, 1)))
    return Table(columns)


@pytest.mark.parametrize("model", [every_type, every_scalar], ids=["columns", "packed"])
def test_every_type_arrives_to_the_bit(triton, protocol, tmp_path, model):
    servable = model()
    name = triton.put(f"perf_{len(servable.packs)}_{protocol}", servable)
    rows = corners(servable)
    file = tmp_path / "rows.json"
    file.write_text(validated(servable, rows), encoding="utf-8")

    done = perf_analyzer(
        "-m", name, "-u", triton.url(protocol), "-i", protocol, "--input-data", str(file), *BRIEFLY
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_of_that_would_see_another_bit(triton, tmp_path):
    servable = every_type()
    name = triton.put("perf_bit", servable)
    rows = corners(servable)
    document = json.loads(validated(servable, rows))
    document["data"][5]["a_double"] = [0.3]
    (tmp_path / "rows.json").write_text(json.dumps(document), encoding="utf-8")

    done = perf_analyzer("-m", name, "-u", triton.server.grpc, "-i", "grpc", "--input-data", str(tmp_path / "rows.json"), *BRIEFLY)  # fmt: skip

    assert done.returncode != 0
    assert "doesn't match expected output" in done.stdout + done.stderr


def test_rows_of_different_lengths_are_read(triton, tmp_path):
    servable = words()
    name = triton.put("perf_words", servable)
    rows = Table({"words": np.array([["a", "ß", "␀"], ["b", "␀", "␀"]], dtype=object)})
    (tmp_path / "rows.json").write_bytes(perf_data(servable.inputs, rows))

    done = perf_analyzer("-m", name, "-u", triton.server.grpc, "-i", "grpc", "--input-data", str(tmp_path / "rows.json"), *BRIEFLY)  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_readmes_line_measures_what_was_published(triton, tmp_path):
    saved = save_model(tmp_path)
    saved.add_evidence()
    saved.repository.symlink_to(triton.repository)
    rows, report = tmp_path / "rows.json", tmp_path / "report.csv"
    published = saved.publish("--name", "flights", "--perf-data", rows, "--json")
    assert published.exit_code == 0, published.stderr
    triton.server.load("flights")
    line = readmes_line().replace("localhost:8001", triton.server.grpc).replace("/rows.json", str(rows))

    done = perf_analyzer(*shlex.split(line)[1:], *BRIEFLY, "--concurrency-range", "1:2", "-f", str(report))

    assert done.returncode == 0, done.stdout + done.stderr
    measured = list(csv.DictReader(report.open()))
    assert [row["Concurrency"] for row in sorted(measured, key=lambda row: row["Concurrency"])] == ["1", "2"]
    assert all(float(row["Inferences/Second"]) > 0 for row in measured)
    assert f"3 rows for perf_analyzer are in {rows}" in json.loads(published.stdout)["notes"]
    assert versions(triton.repository, "flights") == (1,)
    with InferenceServerClient(triton.server.grpc) as client:
        told = client.get_inference_statistics("flights").model_stats[0].inference_stats
    assert told.success.count > 0
    assert told.fail.count == 0


def readmes_line() -> str:
    """What README runs in NVIDIA's SDK container, from `perf_analyzer` on."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    line = re.search(r"^\$ (docker run .*tritonserver:(\S+)-py3-sdk\s+(perf_analyzer .*))$", text, re.MULTILINE)
    assert line is not None
    assert line[2] == PINNED.name
    assert "rows.json:/rows.json:ro" in line[1]
    return line[3]


@pytest.mark.parametrize("more", [("--unproven",), ()], ids=["no evidence", "users' rows alone"])
def test_without_rows_for_it_nothing_is_published(tmp_path, more):
    saved = save_model(tmp_path)
    if not more:
        saved.add_evidence(Table({"v": np.array([[0.1, 0.2, 0.3]])}))  # its one row is a user's

    result = saved.publish("--perf-data", tmp_path / "rows.json", *more)

    assert result.exit_code == 2
    assert "has no rows for --perf-data" in result.stderr
    assert not saved.repository.exists()
    assert not Path(tmp_path / "rows.json").exists()
