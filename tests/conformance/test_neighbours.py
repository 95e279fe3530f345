"""No row can stop the process or change its neighbour's answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from builder.releases import DEFAULT, OLDEST, Target
from builder.tables import encode
from tests.conformance.answering import arrow, compiled, recorded
from tests.conformance.conftest import ALL, ROOT, SPARK, chosen

HERE = Path(sys.executable)
OLD = {ROOT / f".venv-ort-{target.onnxruntime}" / "bin" / "python": target for target in (OLDEST, DEFAULT)}
OWN_ROWS = 24


@pytest.fixture(scope="module")
def models(recorded_rows: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Target], Path]:
    """For a release: a folder a model of the table, with its own rows."""
    return cache(lambda target: _models(tmp_path_factory.mktemp("models"), target))


def _models(folder: Path, target: Target) -> Path:
    for row in chosen():
        if row.refused or row.notyet:
            continue
        servable = compiled(row, recorded(row, SPARK), target=target)
        table = encode(arrow(row.rows), servable.inputs).take(slice(OWN_ROWS))
        own = folder / row.id.replace("/", ".")
        own.mkdir()
        (own / "model.onnx").write_bytes(servable.model)
        np.savez(own / "inputs.npz", *(a.astype(str) if a.dtype == object else a for a in table.values()))
    return folder


@pytest.mark.parametrize(
    ("python", "target"),
    [(HERE, DEFAULT), *(OLD.items() if ALL else [])],
    ids=lambda value: value.parts[-3] if isinstance(value, Path) else value.name,
)
def test_a_row_keeps_its_bits_among_hostile_neighbours(
    models: Callable[[Target], Path], python: Path, target: Target
) -> None:
    assert python.exists(), f"{python} is missing; make conformance sets it up"

    folder = models(target)
    asked = subprocess.run(
        [python, ROOT / "tests" / "conformance" / "neighbours.py", folder], capture_output=True, text=True, timeout=1200
    )

    lines = [json.loads(line) for line in asked.stdout.splitlines()]
    wrong = {line["asked"]: line["wrong"] for line in lines if line.get("wrong")}
    assert not wrong, wrong
    assert asked.returncode == 0, f"stopped at {lines[-1:]} with {asked.returncode}: {asked.stderr[-2000:]}"
    assert sum("asked" in line for line in lines) == len(list(folder.iterdir()))
