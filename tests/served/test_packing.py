"""A packed model on the real server: asked by its columns, and by hand with slots that no column holds."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pandas as pd
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput

from benchmarks.wide import rows, write_wide
from builder.evidence import Evidence, save
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.source import read_folder
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.triton.server import start
from builder.types import Table
from tests.small_models import every_scalar
from tests.unit.cli import Saved, tritonbuild
from tests.unit.test_packing import extremes, sent


def test_a_packed_model_is_asked_by_its_columns(triton, protocol):
    plain, together = every_scalar("never"), every_scalar()
    triton.put("packed", together)
    rows = extremes(together.inputs)
    expected = in_process(plain)(rows)

    with triton.client(protocol) as client:
        served = client.specs("packed")
        answers = client.predict("packed", rows)

    assert served.inputs == plain.inputs
    assert served.packs == together.packs
    for name, array in expected.items():
        np.testing.assert_array_equal(answers[name], array, err_msg=name)


def test_a_frame_goes_into_a_packed_model_and_its_nulls_come_back(triton, protocol):
    triton.put("packed_frame", every_scalar())
    day, moment = datetime.date(2013, 7, 4), pd.Timestamp("2013-07-04T05:00:00Z")
    dates = {"null_date": [None, day], "sure_date": [day, day]}
    moments = {"null_timestamp": [None, moment], "sure_timestamp": [moment, moment]}
    frame = pd.DataFrame(
        {
            f"{kind}_{name}": values
            for name, sure in {"string": "a", "double": 0.5, "float": 0.5, "boolean": True}.items()
            for kind, values in (("null", [None, sure]), ("sure", [sure, sure]))
        }
        | {f"sure_{name}": [1, 2] for name in ("integer", "long", "short", "byte")}
        | {f"null_{name}": pd.array([None, 2], "Int64") for name in ("integer", "long", "short", "byte")}
        | dates
        | moments
    )

    with triton.client(protocol) as client:
        answers = client.predict_frame("packed_frame", frame)

    for name in ("string", "double", "float", "boolean", "integer", "long", "short", "byte", "date", "timestamp"):
        assert answers[f"null_{name}_out"].isna().tolist() == [True, False], name
        assert not answers[f"sure_{name}_out"].isna().any(), name
    assert answers["invalid_reason"].tolist() == [None, None]


def test_a_slot_that_no_column_holds_neither_stops_the_server_nor_changes_a_neighbour(triton):
    model = every_scalar()
    triton.put("packed_hostile", model)
    numbers, longs, texts = sent(model, rows=6)
    fine = sent(model, rows=6)[0]
    integers = [
        model.packs[0].columns.index(f"sure_{name}") for name in ("integer", "short", "byte", "date", "boolean")
    ]
    for row, value in enumerate([1.5, np.nan, np.inf, 1e30, -1e300], start=1):
        numbers[row, integers] = value

    with InferenceServerClient(triton.server.grpc) as client:
        info = triton.client("grpc").specs("packed_hostile")

        def ask(sent: np.ndarray) -> Table:
            asked = []
            for name, kind, array in (("numbers", "FP64", sent), ("longs", "INT64", longs), ("texts", "BYTES", texts)):
                asked.append(InferInput(name, list(array.shape), kind))
                asked[-1].set_data_from_numpy(array)
            answer = client.infer("packed_hostile", asked)
            return Table({spec.name: answer.as_numpy(spec.name) for spec in info.outputs})

        spoilt, expected = ask(numbers), ask(fine)
        again = ask(fine)

    assert spoilt["invalid"][:, 0].tolist() == [0, 2, 2, 2, 2, 2]
    assert info.reason(2).startswith("numbers: a slot holds what its column's type does not")
    for name, array in expected.items():
        np.testing.assert_array_equal(spoilt[name][:1], array[:1], err_msg=name)
        np.testing.assert_array_equal(again[name], array, err_msg=name)


@pytest.fixture
def wide(tmp_path) -> Saved:
    """A pipeline of 20 columns, with evidence in our own answers."""
    path = write_wide(tmp_path, 20)
    saved = Saved(path, tmp_path / "schema.json", tmp_path / "model_repository")
    model = read_folder(path, uri="wide", schema=saved.schema)
    servable = lower(read_pipeline(path), model.schema, all_rules())
    table = rows(20, 50)
    evidence = Evidence(
        inputs=table,
        answers=Table(dict(in_process(servable)(table))),
        tolerance={},
        derived=np.arange(50) % 2 == 0,
        input_specs=servable.inputs,
        output_specs=servable.outputs,
        words={"prediction": "bit", "invalid": "bit"},
        coverage=1.0,
        spark_version="4.3.0",
        digest=model.digest,
    )
    save(evidence, path / "tritonbuild" / "evidence.parquet")
    return saved


def test_a_wide_model_is_packed_proven_and_served_and_its_columns_stay(wide):
    published = wide.publish("--name", "wide", "--json", "--set", "warmup=3")
    manifest = json.loads(published.stdout)["manifest"]
    with start(wide.repository) as server:
        where = ("--grpc", server.grpc, "--http", server.http, "--repository", wide.repository, "--json")
        verified = tritonbuild("verify", "wide", *where)
        answered = tritonbuild("predict", "wide", '{"column_0": 1.5, "column_3": null}', "--grpc", server.grpc)
        with InferenceServerClient(server.grpc) as client:
            warmed = client.get_inference_statistics("wide").model_stats[0].inference_count
            config = client.get_model_config("wide").config

    assert published.exit_code == 0, published.stderr
    assert [spec["name"] for spec in manifest["inputs"]] == [f"column_{i}" for i in range(20)]
    assert [pack["name"] for pack in manifest["packed"]] == [spec.name for spec in config.input] == ["numbers", "texts"]
    assert sorted(config.model_warmup[0].inputs) == ["numbers", "texts"]
    assert warmed >= 3
    assert json.loads(verified.stdout)["passed"], verified.stdout
    assert answered.exit_code == 0, answered.stderr


def test_bench_measures_a_packed_model_beside_an_empty_one_with_its_tensors(wide):
    wide.publish("--name", "wide")

    told = tritonbuild(
        "bench",
        "wide",
        "--repository",
        wide.repository,
        "--json",
        "--requests",
        "200",
        "--rows",
        "1",
        "--concurrency",
        "1",
    )

    assert told.exit_code == 0, told.stderr
    targets = {one["target"] for one in json.loads(told.stdout)["latencies"]}
    assert targets == {"wide", "empty model"}


@pytest.mark.parametrize(
    ("flags", "tensors"), [(["--no-pack"], 20), (["--pack"], 2), (["--set", "pack=never"], 20), ([], 2)]
)
def test_a_flag_goes_before_the_automatic_width(wide, flags, tensors):
    wide.publish("--name", "wide", *flags)

    config = (wide.repository / "wide" / "config.pbtxt").read_text()

    assert config.count("\ninput {") == tensors


def test_what_another_converter_makes_is_not_packed(wide):
    refused = wide.publish("--converter", "onnxmltools", "--pack")

    assert refused.exit_code == 2
    assert "packing is for graphs of tritonbuild's own" in refused.stderr
    assert not wide.repository.exists()


def test_a_client_outlives_a_change_from_columns_to_packs_and_back(triton, protocol):
    plain, together = every_scalar("never"), every_scalar()
    name = f"changing_{protocol}"
    rows = extremes(plain.inputs)
    triton.put(name, plain)

    with triton.client(protocol) as client:
        answers = [client.predict(name, rows)]
        for model in (together, plain):
            triton.put(name, model)
            answers.append(client.predict(name, rows))

    for later in answers[1:]:
        for output, array in answers[0].items():
            np.testing.assert_array_equal(later[output], array, err_msg=output)
