"""The main job through the real command, with real Spark, MLflow and Triton: published, served, verified, asked."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

import numpy as np

from builder.evidence import load, save
from builder.types import Table
from tests.straight.conftest import Registered, Serving
from tests.unit.cli import tritonbuild

ROW = '{"carrier": "日本", "seats": null, "delay": 0.1}'


def verify(registered: Registered, serving: Serving, *more: str | Path):
    return tritonbuild("verify", registered.name, "--grpc", serving.grpc, "--http", serving.http, *more)


def test_what_was_published_is_sparks_to_the_bit(registered):
    manifest = json.loads((registered.repository / "carriers" / "1" / "manifest.json").read_text("utf-8"))

    parity = manifest["proof"]["parity"]
    assert parity["passed"]
    assert {output["word"] for output in parity["outputs"].values()} == {"bit"}
    assert manifest["proof"]["rows"] > manifest["proof"]["derived_rows"] > 0
    assert manifest["source"]["uri"] == "models:/carriers/1"


def test_the_server_answers_as_spark_did_over_both_protocols(registered, serving):
    result = verify(registered, serving, "--repository", registered.repository, "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["passed"]
    assert set(document["protocols"]) == {"gRPC", "HTTP"}


def test_users_rows_are_verified_too_where_the_evidence_is_the_sources(registered, serving):
    ours = json.loads(verify(registered, serving, "--repository", registered.repository, "--json").stdout)
    where = ("--source", "models:/carriers@champion", "--tracking-uri", registered.uri)

    theirs = json.loads(verify(registered, serving, "--repository", registered.repository, *where, "--json").stdout)

    assert theirs["passed"]
    assert theirs["protocols"]["gRPC"]["rows"] == ours["protocols"]["gRPC"]["rows"] + 60


def test_a_server_that_answers_otherwise_fails_the_check(registered, serving, tmp_path):
    shutil.copytree(registered.repository, tmp_path / "repository")
    file = tmp_path / "repository" / "carriers" / "1" / "evidence.parquet"
    evidence = load(file)
    answers = {name: array.copy() for name, array in evidence.answers.items()}
    fine = int(np.flatnonzero(answers["invalid"][:, 0] == 0)[0])
    answers["probability"][fine, 0] = np.nextafter(answers["probability"][fine, 0], 2)
    save(load_with(evidence, answers), file)

    result = verify(registered, serving, "--repository", tmp_path / "repository")

    assert result.exit_code == 1
    assert "does not answer as Spark did" in result.stdout
    assert f"row {fine}" in result.stdout


def load_with(evidence, answers):
    from dataclasses import replace

    return replace(evidence, answers=Table(answers))


def test_one_row_of_json_is_answered(registered, serving):
    answer = json.loads(tritonbuild("predict", "carriers", ROW, "--grpc", serving.grpc, "--json").stdout)

    assert answer["invalid"] == 0
    assert answer["outputs"]["prediction"] in (0.0, 1.0, 2.0)
    assert np.isclose(sum(answer["outputs"]["probability"]), 1)


def test_a_refused_row_is_told_in_words(registered, serving):
    row = '{"carrier": "unseen", "seats": 1, "delay": 0.1}'

    result = tritonbuild("predict", "carriers", row, "--grpc", serving.grpc)

    assert result.exit_code == 0
    assert "prediction = None" in result.stdout
    assert "invalid = 1: Spark would stop" in result.stdout
    assert "StringIndexer" in result.stdout


def test_an_input_that_is_not_there_is_told_by_name(registered, serving):
    result = tritonbuild("predict", "carriers", '{"carier": "UA"}', "--grpc", serving.grpc)

    assert result.exit_code == 2
    assert "no input named 'carier'" in result.stderr


def test_a_value_of_another_type_is_told_by_name(registered, serving):
    result = tritonbuild("predict", "carriers", '{"seats": "many"}', "--grpc", serving.grpc)

    assert result.exit_code == 2
    assert "'seats' is integer" in result.stderr


def test_bench_measures_the_model_and_an_empty_one_in_turns(registered):
    result = tritonbuild("bench", "carriers", "--repository", registered.repository, "--requests", "50", "--rows", "1",
                         "--concurrency", "1", "--spark", registered.trained, "--schema", registered.schema,
                         "--json")  # fmt: skip

    assert result.exit_code == 0, result.stderr
    latencies = json.loads(result.stdout)["latencies"]
    assert [(one["target"], one["protocol"]) for one in latencies] == [
        ("carriers", "gRPC"),
        ("empty model", "gRPC"),
        ("carriers", "HTTP"),
        ("empty model", "HTTP"),
        ("carriers", "onnxruntime, in process"),
        ("carriers", "Spark's transform"),
    ]
    assert all(0 < one["p50_us"] <= one["p95_us"] <= one["p99_us"] for one in latencies)


def test_record_makes_evidence_for_a_folder_and_publish_wants_no_more(registered, tmp_path):
    model = shutil.copytree(registered.trained, tmp_path / "model")
    rows = tmp_path / "rows.jsonl"
    rows.write_text(f'{ROW}\n{{"carrier": "", "seats": 3, "delay": null}}\n', "utf-8")

    recorded = tritonbuild("record", model, "--rows", rows, "--schema", registered.schema, "--json")
    published = tritonbuild("publish", model, "--repository", tmp_path / "repository", "--json")

    assert recorded.exit_code == 0, recorded.stderr
    told = json.loads(recorded.stdout)
    assert told["rows"] - told["derived"] == 2
    assert json.loads(published.stdout)["manifest"]["proof"]["parity"]["passed"]


def test_the_metrics_endpoint_counts(registered, serving):
    tritonbuild("predict", "carriers", ROW, "--grpc", serving.grpc)

    with urllib.request.urlopen(f"http://{serving.metrics}") as answer:
        told = answer.read().decode()

    assert 'nv_inference_request_success{model="carriers",version="1"}' in told


def test_ctrl_c_stops_the_server_and_leaves_nothing_running(registered):
    running = Serving(registered.repository)
    servers = running.servers
    assert servers, "a tritonserver runs while it serves"

    code = running.interrupt()

    assert code == 0
    assert not [pid for pid in servers if Path(f"/proc/{pid}").exists()]
