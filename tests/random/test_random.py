"""Pipelines drawn by a seed answer as Spark's do. `PIPELINES=200` (make random) draws so many; else a handful."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.answering import judge
from tests.conformance.conftest import SPARK
from tests.conformance.record import entry, missing
from tests.conformance.row import Row
from tests.random.drawing import rows

ROWS = rows(int(os.environ.get("PIPELINES", "6")))


@pytest.fixture(scope="module", autouse=True)
def _answered() -> None:
    if missing(ROWS, SPARK):
        command = [sys.executable, "-m", "tests.random", str(len(ROWS))]
        subprocess.run(command, cwd=Path(__file__).resolve().parents[2], check=False)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_random_pipeline_answers_as_spark_did(row: Row) -> None:
    if not entry(row, SPARK).is_dir():
        pytest.skip("Spark itself could not fit it")

    verdict = judge(row, SPARK)

    assert not verdict.wrong, "\n".join([*map(repr, row.stages), *verdict.wrong[:12]])


def test_spark_could_fit_nearly_all_of_them():
    assert len(missing(ROWS, SPARK)) <= len(ROWS) // 10
