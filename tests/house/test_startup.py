"""What a command need not import, it does not: each of these costs a tenth of a second to seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.house.sources import ROOT
from tests.saved import min_max, write_pipeline

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


def test_publishing_a_folder_unproven_imports_no_mlflow_no_spark_and_no_onnxruntime(tmp_path):
    write_pipeline(tmp_path / "model", [min_max("scaler", "v", "o", [0.0, 1 / 3], [1.0, 2 / 3])])
    schema = {"type": "struct", "fields": [{"name": "v", "type": _VECTOR, "nullable": True, "metadata": {}}]}
    (tmp_path / "schema.json").write_text(json.dumps(schema))

    held = modules_after(
        "publish", str(tmp_path / "model"), "--schema", str(tmp_path / "schema.json"), "--unproven",
        "--repository", str(tmp_path / "repository"),
    )  # fmt: skip

    assert held & {"mlflow", "pyspark", "onnxruntime", "pandas"} == set()


_VECTOR = {"type": "udt", "class": "org.apache.spark.ml.linalg.VectorUDT", "pyClass": None, "sqlType": {}}
