"""What a command need not import, it does not: each of these costs a tenth of a second to seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.forest import write_forest
from tests.house.sources import ROOT

HEAVY = {
    "mlflow", "numpy", "onnx", "onnxruntime", "pandas", "pyarrow", "pyspark", "rich", "spox", "tritonclient",
}  # fmt: skip
PROBE = """
import json, sys
from builder.cli import app
try:
    app(sys.argv[1:], standalone_mode=False)
except SystemExit as end:
    assert not end.code, end.code
sys.stderr.write("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def modules_after(*arguments: str) -> set[str]:
    """The top-level modules that a process holds when the command is done."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [("--help",), ("publish", "--help"), ("predict", "--help")])
def test_help_imports_nothing_heavy(arguments):
    assert modules_after(*arguments) & HEAVY == set()


def test_the_list_of_stages_imports_no_rule():
    assert modules_after("stages", "--markdown") & HEAVY <= {"rich"}


def test_publishing_a_folder_unproven_imports_no_mlflow_no_spark_and_no_onnxruntime(tmp_path):
    forest = write_forest(tmp_path, trees=2, depth=3)

    held = modules_after(
        "publish", str(forest), "--schema", str(tmp_path / "schema.json"), "--unproven",
        "--repository", str(tmp_path / "repository"),
    )  # fmt: skip

    assert held & {"mlflow", "pyspark", "onnxruntime", "pandas"} == set()
