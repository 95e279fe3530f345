"""Every rule's graph answers as Spark did with the onnxruntime of the oldest and of the newest Triton release.

`make releases` has an environment for each onnxruntime. In `make test` the graphs for the oldest release, which has
other operators for trees, run with the onnxruntime that is installed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from builder.graph.needs import needs_of
from builder.releases import DEFAULT, OLDEST, TARGETS, TREE_ENSEMBLE, Target, able
from builder.tables import encode
from builder.types import Predict, Servable, Table
from tests.conformance.answering import arrow, compiled, judge, recorded
from tests.conformance.conftest import ROOT, SPARK, chosen
from tests.conformance.row import Row

RELEASES = [OLDEST, DEFAULT, TARGETS[-1]] if os.environ.get("RELEASES") == "all" else []
ROWS = [row for row in chosen() if not row.refused and not row.notyet]


@pytest.fixture(scope="module", params=RELEASES, ids=lambda target: f"triton-{target.name}")
def answers(request: pytest.FixtureRequest, recorded_rows: None, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Every row's graphs for a release, answered by its onnxruntime, in one process for all of them."""
    target: Target = request.param
    python = ROOT / f".venv-ort-{target.onnxruntime}" / "bin" / "python"
    assert python.exists(), f"{python} is missing: make releases sets it up"
    folder = tmp_path_factory.mktemp(f"triton-{target.name}")
    for row in ROWS:
        spark = recorded(row, SPARK)
        for proof in (False, True):
            _put(folder, compiled(row, spark, proof, _lowered_for(target)), row)
    script = ROOT / "tests" / "conformance" / "releases.py"
    run = subprocess.run([python, script, folder], capture_output=True, text=True, timeout=1200, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.split() == [target.onnxruntime]
    return Answers(folder, target)


class Answers:
    """What a release's onnxruntime said of the models that lie in a folder."""

    def __init__(self, folder: Path, target: Target) -> None:
        self.folder, self.target = folder, target

    def of(self, row: Row, servable: Servable) -> Predict:
        folder = _own(self.folder, row, servable)
        trouble = folder / "trouble.txt"
        assert not trouble.exists(), f"{self.target}: {trouble.read_text('utf-8')}"

        def told(rows: Table) -> Table:
            with np.load(folder / "answers.npz") as stored:
                loaded = {name: stored[name] for name in stored.files}
            return Table({n: a.astype(object) if a.dtype.kind == "U" else a for n, a in loaded.items()})

        return told


def _lowered_for(target: Target) -> Target:
    """The newest release gets what is published by default; the older ones what is made for them."""
    return min(target, DEFAULT, key=TARGETS.index)


def _own(folder: Path, row: Row, servable: Servable) -> Path:
    """Of a row's graph: two rows may have one graph, and ask it other things."""
    return folder / f"{row.id.replace('/', '.')}-{hashlib.sha256(servable.model).hexdigest()[:24]}"


def _put(folder: Path, servable: Servable, row: Row) -> None:
    own = _own(folder, row, servable)
    own.mkdir(exist_ok=True)
    (own / "model.onnx").write_bytes(servable.model)
    rows = encode(arrow(row.rows), servable.inputs)
    np.savez(own / "inputs.npz", **{n: a.astype(str) if a.dtype == object else a for n, a in rows.items()})


@pytest.mark.parametrize("row", ROWS if RELEASES else [], ids=lambda row: row.id)
def test_a_releases_onnxruntime_answers_as_spark_did(row: Row, answers: Answers) -> None:
    verdict = judge(row, SPARK, target=_lowered_for(answers.target), predict=partial(answers.of, row))

    assert not verdict.wrong, "\n".join(verdict.wrong[:12])


@pytest.mark.usefixtures("recorded_rows")
@pytest.mark.parametrize("row", [row for row in ROWS if row.smoke], ids=lambda row: row.id)
def test_a_graph_for_the_oldest_release_asks_no_more_than_it_has_and_answers_as_spark_did(row: Row) -> None:
    usual, oldest = (
        needs_of(onnx.load_from_string(compiled(row, recorded(row, SPARK), target=target).model))
        for target in (DEFAULT, OLDEST)
    )

    assert able(oldest) == TARGETS
    assert DEFAULT in able(usual)
    if usual != oldest:  # else test_table asks it
        verdict = judge(row, SPARK, target=OLDEST)
        assert not verdict.wrong, "\n".join(verdict.wrong[:12])


def test_the_table_has_graphs_that_differ_by_release() -> None:
    trees = next(row for row in ROWS if row.smoke and row.id.startswith("trees/"))

    usual, oldest = (compiled(trees, recorded(trees, SPARK), target=target) for target in (DEFAULT, OLDEST))

    assert TREE_ENSEMBLE in needs_of(onnx.load_from_string(usual.model)).operators
    assert TREE_ENSEMBLE not in needs_of(onnx.load_from_string(oldest.model)).operators
