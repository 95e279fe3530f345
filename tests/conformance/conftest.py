"""Which rows run, and Spark's answers to them, asked for once."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conformance.record import missing
from tests.conformance.row import Row
from tests.conformance.table import TABLE

ALL = os.environ.get("CONFORMANCE") == "all"  # `make conformance`; else one or a few rows a stage
SPARK = version("pyspark")
ROOT = Path(__file__).resolve().parents[2]


def chosen() -> list[Row]:
    return [row for row in TABLE.values() if ALL or row.smoke]


def pytest_configure(config: pytest.Config) -> None:
    config.undecided = {}  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    undecided = {row: count for row, count in getattr(terminalreporter.config, "undecided", {}).items() if count}
    if undecided:
        terminalreporter.write_line(f"labels whose margin lies inside the tolerance: {undecided}")


@pytest.fixture(scope="session")
def recorded_rows() -> None:
    """Every chosen row is in the cache. Spark starts, in a process of its own, only where one is not."""
    todo = missing(chosen(), SPARK)
    if todo:
        command = [sys.executable, "-m", "tests.conformance.record", *(row.id for row in todo)]
        subprocess.run(command, cwd=ROOT, check=False)  # a row that could not be recorded fails its own test
