"""The command, as far as it goes without Spark and without a server."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as proto

from benchmarks.forest import write_forest
from tests.saved import Stage, min_max, write_pipeline
from tests.unit.cli import ROWS, VECTOR, Saved, save_model, tritonbuild, write_schema


@pytest.fixture
def saved(tmp_path) -> Saved:
    return save_model(tmp_path)


def test_publish_proves_and_writes_model_config_manifest_and_evidence(saved):
    saved.add_evidence()

    result = saved.publish("--name", "scaler")

    assert result.exit_code == 0, result.stderr
    version = saved.repository / "scaler" / "1"
    content, settings = {"model.onnx", "manifest.json", "evidence.parquet"}, {"config.pbtxt", "configs", "warmup"}
    assert {path.name for path in version.iterdir()} == content | settings
    onnx.checker.check_model(onnx.load(version / "model.onnx"))
    proof = json.loads((version / "manifest.json").read_text("utf-8"))["proof"]
    assert (proof["rows"], proof["derived_rows"], proof["parity"]["passed"]) == (4, 3, True)


def test_users_rows_stay_out_of_the_repository_unless_asked_for(saved):
    from builder.evidence import load

    saved.add_evidence()
    saved.publish("--name", "without")
    saved.publish("--name", "with", "--evidence-in-repository")

    assert load(saved.repository / "without" / "1" / "evidence.parquet").rows == 3
    assert load(saved.repository / "with" / "1" / "evidence.parquet").rows == 4


def test_an_unproven_model_says_so_in_manifest_and_config(saved):
    result = saved.publish("--unproven", "--json")

    document = json.loads(result.stdout)
    config = (saved.repository / "model" / "config.pbtxt").read_text("utf-8")
    assert document["manifest"]["proof"] == "unproven"
    assert 'key: "tritonbuild.unproven"\n  value {\n    string_value: "true"' in config


def test_publishing_the_same_model_again_changes_nothing(saved):
    saved.add_evidence()
    saved.publish()
    before = {path: path.stat().st_mtime_ns for path in saved.repository.rglob("*")}

    again = json.loads(saved.publish("--json").stdout)

    assert again["changed"] is False
    assert {path: path.stat().st_mtime_ns for path in saved.repository.rglob("*")} == before


def test_the_version_given_is_the_version_written(saved):
    saved.publish("--unproven", "--version", "7")

    assert (saved.repository / "model" / "7" / "model.onnx").is_file()


def test_the_settings_given_stand_in_the_config(saved):
    saved.publish("--unproven", "--max-batch-size", "77", "--instances", "3", "--threads", "2")

    config = (saved.repository / "model" / "config.pbtxt").read_text("utf-8")
    assert "max_batch_size: 77" in config
    assert "count: 3" in config
    assert 'key: "intra_op_thread_count"\n  value {\n    string_value: "2"' in config


def test_rows_of_the_evidence_that_are_no_users_warm_a_fresh_instance_up(saved):
    saved.add_evidence()
    saved.publish("--set", "warmup=2")

    config = text_format.Parse((saved.repository / "model" / "config.pbtxt").read_text("utf-8"), proto.ModelConfig())
    files = [sample.inputs["v"].input_data_file for sample in config.model_warmup]
    held = [np.frombuffer((saved.repository / "model" / "warmup" / file).read_bytes()) for file in files]
    np.testing.assert_array_equal(held, ROWS["v"][1:3])  # the first row is a user's


def test_without_evidence_zeros_do_and_without_warm_up_nothing(saved):
    saved.publish("--unproven")
    file = saved.repository / "model" / "config.pbtxt"
    (sample,) = text_format.Parse(file.read_text("utf-8"), proto.ModelConfig()).model_warmup
    assert sample.inputs["v"].zero_data
    assert list(sample.inputs["v"].dims) == [3]

    saved.publish("--unproven", "--set", "warmup=0")
    assert "model_warmup" not in file.read_text("utf-8")


def test_the_null_marker_given_is_in_manifest_and_config(tmp_path):
    forest = write_forest(tmp_path, trees=1, depth=1)
    where = ("--schema", tmp_path / "schema.json", "--repository", tmp_path / "repository", "--unproven")

    document = json.loads(tritonbuild("publish", forest, *where, "--null-marker", "(none)", "--json").stdout)

    assert {spec["null_text"] for spec in document["manifest"]["inputs"] if spec["triton"] == "BYTES"} == {"(none)"}
    assert "# string, null is (none)" in (tmp_path / "repository" / "forest" / "config.pbtxt").read_text("utf-8")


def test_check_judges_every_stage_and_lists_the_tensors(saved):
    document = json.loads(tritonbuild("check", saved.path, "--schema", saved.schema, "--json").stdout)

    assert [(stage["uid"], stage["verdict"], stage["word"]) for stage in document["stages"]] == [
        ("scaler", "kept", "bit")
    ]
    assert [(tensor["name"], tensor["triton"], tensor["width"]) for tensor in document["inputs"]] == [("v", "FP64", 3)]
    assert [tensor["name"] for tensor in document["outputs"]] == ["scaled", "invalid"]
    assert document["evidence"] is False
    assert saved.untouched


def test_check_tells_the_graphs_size_and_the_releases_that_run_it(saved):
    document = json.loads(tritonbuild("check", saved.path, "--schema", saved.schema, "--json").stdout)
    saved.publish("--unproven")

    file = saved.repository / "model" / "1" / "model.onnx"
    assert document["graph"]["bytes"] == file.stat().st_size
    assert document["graph"]["nodes"] == len(onnx.load(file).graph.node)
    assert (document["graph"]["opset"], document["graph"]["ir"]) == (21, 10)
    assert (document["triton"]["runs"][0], document["triton"]["runs"][-1]) == ("24.10", "26.08")


def test_check_tells_that_trees_run_on_older_releases_when_they_are_made_for_them(tmp_path):
    forest = write_forest(tmp_path, trees=2, depth=3)
    check = ("check", forest, "--schema", tmp_path / "schema.json", "--json")

    usual, oldest = (json.loads(tritonbuild(*check, *more).stdout) for more in ((), ("--triton", "24.10")))

    assert (usual["triton"]["target"], usual["triton"]["runs"][0]) == ("25.03", "25.03")
    assert "--triton 24.10" in usual["warnings"][0]
    assert (oldest["triton"]["target"], oldest["triton"]["runs"][0]) == ("24.10", "24.10")
    assert oldest["warnings"] == []


def test_check_warns_of_a_wide_output(tmp_path):
    width = 5000
    write_pipeline(tmp_path / "model", [min_max("scaler", "v", "scaled", [0.0] * width, [1.0] * width)])
    write_schema(tmp_path / "schema.json", v=VECTOR)

    result = tritonbuild("check", tmp_path / "model", "--schema", tmp_path / "schema.json")

    assert "output 'scaled' is 5,000 wide: 0.04 MB a row" in result.stdout


def test_check_shows_every_stage_and_the_columns_asked_for_where_one_is_refused(tmp_path):
    scaler = min_max("scaler", "v", "scaled", [0.0], [1.0])
    statement = Stage("com.example.Statement", "statement", {"statement": "SELECT *, 1 AS one FROM __THIS__"})
    glue = Stage("org.apache.spark.ml.feature.VectorAssembler", "glue",
                 {"inputCols": ["scaled", "one"], "outputCol": "all", "handleInvalid": "error"})  # fmt: skip
    write_pipeline(tmp_path / "model", [scaler, statement, glue])
    write_schema(tmp_path / "schema.json", v=VECTOR)

    result = tritonbuild("check", tmp_path / "model", "--schema", tmp_path / "schema.json", "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 3
    assert [stage["verdict"] for stage in document["stages"]] == ["kept", "refused", "kept"]
    assert [(tensor["name"], tensor["triton"]) for tensor in document["inputs"]] == [("v", "FP64")]
    assert (document["convertible"], document["graph"], document["triton"]["runs"]) == (False, None, [])


def test_check_as_markdown_has_a_line_a_stage_and_a_line_a_tensor(saved):
    lines = tritonbuild("check", saved.path, "--schema", saved.schema, "--markdown").stdout.splitlines()

    assert "| `scaler` | MinMaxScalerModel | kept | `bit` |  |" in lines
    assert "| `v` | vector[3] | FP64 | [N, 3] |" in lines
    assert any(line.endswith("Triton 24.10 and newer") for line in lines)


@pytest.mark.parametrize("release", ["24.10", "25.03", "26.08"])
def test_the_release_given_stands_in_manifest_and_config(saved, release):
    document = json.loads(saved.publish("--unproven", "--json", "--triton", release).stdout)

    assert document["manifest"]["target"]["triton"] == release
    assert f'string_value: "Triton {release} and newer"' in (saved.repository / "model" / "config.pbtxt").read_text(
        "utf-8"
    )


def test_a_forest_for_an_old_release_has_no_tree_operator(tmp_path):
    forest = write_forest(tmp_path, trees=2, depth=3)
    where = ("--schema", tmp_path / "schema.json", "--repository", tmp_path / "repository", "--unproven")

    tritonbuild("publish", forest, *where, "--triton", "25.02", "--name", "old")
    tritonbuild("publish", forest, *where, "--name", "usual")

    old, usual = (onnx.load(tmp_path / "repository" / name / "1" / "model.onnx") for name in ("old", "usual"))
    assert "TreeEnsemble" in {node.op_type for node in usual.graph.node}
    assert "TreeEnsemble" not in {node.op_type for node in old.graph.node}


def test_json_is_the_only_thing_on_stdout_and_talk_goes_to_stderr(saved):
    result = saved.publish("--unproven", "--json")

    assert json.loads(result.stdout)["name"] == "model"
    assert "compiling 1 stages" in result.stderr


def test_an_error_with_json_is_one_document_too(saved):
    result = saved.publish("--json")

    error = json.loads(result.stdout)["error"]
    assert error["exit_code"] == result.exit_code == 2
    assert "record" in error["fix"]


def test_stages_lists_a_rule_with_its_word():
    document = json.loads(tritonbuild("stages", "--json").stdout)

    words = {stage["class"]: stage["word"] for stage in document["stages"]}
    assert words["org.apache.spark.ml.feature.MinMaxScalerModel"] == "bit"


def test_the_rows_of_the_fixture_hold_what_is_hard():
    values = ROWS["v"]

    assert np.isnan(values).any()
    assert np.signbit(values[values == 0]).any()
