"""`publish --log-onnx`, then MLflow's own scoring server, without Spark: the same answers, bit for bit, through JSON."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder import tables
from builder.evidence import load
from builder.types import INVALID
from tests.straight.conftest import Registered
from tests.unit.cli import tritonbuild


@pytest.fixture(scope="module")
def logged(registered: Registered) -> str:
    """URI of the ONNX that publishing logged."""
    where = ("--repository", registered.repository, "--tracking-uri", registered.uri)
    told = json.loads(tritonbuild("publish", "models:/carriers@champion", *where, "--log-onnx", "--json").stdout)
    return str(told["mlflow"]["onnx"])


@pytest.fixture(scope="module")
def scoring(registered: Registered, logged: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real `mlflow models serve` of it, in a folder and an environment without this checkout."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("scoring")
    command = ["models", "serve", "-m", logged, "--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command],
            env=os.environ | {"MLFLOW_TRACKING_URI": registered.uri, "PATH": _path()},
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        for _ in range(600):
            assert process.poll() is None, (folder / "log").read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                    break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _path() -> str:
    """MLflow starts `uvicorn` by its name."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def ask(address: str, document: object) -> list[dict[str, object]]:
    body = json.dumps(document).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["predictions"]


@pytest.mark.parametrize("form", ["dataframe_records", "dataframe_split"])
def test_every_row_of_the_evidence_is_answered_as_spark_did_to_the_bit(registered, scoring, form):
    from builder.source import fetch

    file = fetch("models:/carriers@champion", tracking_uri=registered.uri).evidence
    assert file is not None
    evidence = load(file)
    rows = tables.decode(evidence.inputs, evidence.input_specs).to_pylist()
    names = [spec.name for spec in evidence.input_specs]
    split = {"columns": names, "data": [[row[name] for name in names] for row in rows]}

    told = ask(scoring, {form: split if form == "dataframe_split" else rows})

    spark = tables.decode(evidence.answers, evidence.output_specs).to_pylist()
    fine = evidence.answers[INVALID.name][:, 0] == 0
    assert fine.sum() > 50
    assert (~fine).sum() > 0
    assert any(row["carrier"] is None for row in rows)
    for index, (ours, theirs) in enumerate(zip(told, spark, strict=True)):
        assert ours["invalid"] == theirs["invalid"], rows[index]
        for name in ("prediction", "probability", "rawPrediction"):
            assert ours[name] == (theirs[name] if fine[index] else None), rows[index]
        assert (ours["invalid_reason"] is None) == fine[index]


def test_it_says_what_a_column_cannot_hold(scoring):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(scoring, {"dataframe_records": [{"carrier": "UA", "seats": 3_000_000_000, "delay": 0.5}]})

    assert "input 'seats' is integer: 3000000000 is out of range" in caught.value.read().decode()


def test_what_was_logged_names_no_path_and_no_store(registered, logged, tmp_path):
    import mlflow

    mlflow.set_tracking_uri(registered.uri)
    folder = Path(mlflow.artifacts.download_artifacts(logged, dst_path=str(tmp_path)))

    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"MLmodel", "data/graph/model.onnx", "data/graph/tensors.json", "code/tritonbuild_onnx.py"} <= files.keys()
    assert not [name for name in files if name.endswith((".pkl", ".pyc", ".parquet"))]
    for name, content in files.items():
        assert str(registered.repository.parent).encode() not in content, name
        assert b"sqlite:" not in content, name
    served = registered.repository / "carriers" / "1" / "model.onnx"
    assert files["data/graph/model.onnx"] == served.read_bytes()


def test_a_packed_model_is_logged_with_each_column_by_itself(registered, tmp_path):
    import mlflow

    where = ("--repository", tmp_path / "models", "--tracking-uri", registered.uri, "--name", "packed", "--pack")
    told = json.loads(tritonbuild("publish", "models:/carriers/1", *where, "--log-onnx", "--json").stdout)

    mlflow.set_tracking_uri(registered.uri)
    model = mlflow.pyfunc.load_model(told["mlflow"]["onnx"])
    graph = mlflow.onnx.load_model(told["mlflow"]["onnx"]).graph
    answer = model.predict([{"carrier": "UA", "seats": None, "delay": 0.1}])
    assert told["manifest"]["packed"]
    assert {value.name for value in graph.input} == {"carrier", "seats", "delay"}
    assert answer["invalid"].tolist() == [0]
    assert abs(sum(answer["probability"][0]) - 1) < 1e-9
