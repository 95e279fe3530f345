"""300 spoilt saved models: each is converted, or refused by an error of ours, in 5 s and 1 GiB. `make fuzz` does more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fuzz.bases import bases, rows

ROOT = Path(__file__).resolve().parents[2]


def test_there_are_bases_of_all_families():
    assert len(bases()) >= 60
    assert {row.id.split("/")[0] for row in rows()} >= {"trees", "linear", "querying", "xgboost", "clustering"}


def test_spoilt_models_are_converted_or_refused_in_words():
    """In a process of its own: it forks, and no thread of the suite may be alive when it does."""
    command = [sys.executable, "-m", "tests.fuzz", "--mutants", "300", "--seed", "10", "--spark", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
