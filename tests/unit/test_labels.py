"""Class names, from where the pipeline has them to labels.txt."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as proto

from benchmarks.forest import write_forest
from benchmarks.saved import data, metadata
from builder.sparkml.labels import class_names
from builder.sparkml.reader import read_pipeline
from tests.unit.cli import tritonbuild

INDEXER = {"inputCol": "late", "outputCol": "label", "handleInvalid": "error", "stringOrderType": "frequencyDesc"}
BACK = {"inputCol": "prediction", "outputCol": "told"}


def forest(folder: Path, indexer: dict[str, object] | None = None, names=("no", "yes"), back=None) -> Path:
    """A forest of two classes; its label's indexer, and an IndexToString of these labels, behind it."""
    model = write_forest(folder, trees=2, depth=2)
    head = next((model / "metadata").glob("part-*"))
    document = json.loads(head.read_text())
    for uid, spark_class, params in (
        ("LabelIndexer", "feature.StringIndexerModel", indexer),
        ("Back", "feature.IndexToString", back and BACK | {"labels": list(back)}),
    ):
        if params:
            stage = model / "stages" / f"{len(document['paramMap']['stageUids'])}_{uid}"
            metadata(stage, spark_class, uid, params, {})
            if indexer is params:
                data(stage, pa.table({"labelsArray": [[list(names)]]}))
            document["paramMap"]["stageUids"].append(uid)
    head.write_text(json.dumps(document) + "\n")
    return model


@pytest.mark.parametrize("column", ["probability", "rawPrediction"])
def test_the_labels_indexer_names_the_classes(tmp_path, column):
    assert class_names(read_pipeline(forest(tmp_path, INDEXER)).stages, column) == ("no", "yes")


def test_what_translates_the_prediction_back_goes_first(tmp_path):
    stages = read_pipeline(forest(tmp_path, INDEXER, back=("on time", "late"))).stages

    assert class_names(stages, "probability") == ("on time", "late")


def test_an_unseen_label_that_is_kept_is_a_class(tmp_path):
    stages = read_pipeline(forest(tmp_path, INDEXER | {"handleInvalid": "keep"}, names=("yes",))).stages

    assert class_names(stages, "probability") == ("yes", "__unknown")


@pytest.mark.parametrize(
    ("column", "names"), [("prediction", ("no", "yes")), ("probability", ("no\nno", "yes")), ("features", ("a",))]
)
def test_what_has_no_names_or_none_of_one_line_has_none(tmp_path, column, names):
    assert class_names(read_pipeline(forest(tmp_path, INDEXER, names)).stages, column) == ()


def publish(folder: Path, model: Path, version: int = 1) -> Path:
    where = ("--schema", model.parent / "schema.json", "--repository", folder / "repository", "--unproven")
    chosen = ("--outputs", "rawPrediction,probability,prediction", "--version", str(version))
    assert tritonbuild("publish", model, *where, *chosen).exit_code == 0
    return folder / "repository" / "forest"


def test_labels_lie_beside_the_config_that_names_them(tmp_path):
    found = publish(tmp_path, forest(tmp_path, INDEXER))

    assert (found / "labels.txt").read_text() == "no\nyes\n"
    config = text_format.Parse((found / "config.pbtxt").read_text("utf-8"), proto.ModelConfig())
    assert {output.name: output.label_filename for output in config.output} == {
        "rawPrediction": "labels.txt",
        "probability": "labels.txt",
        "prediction": "",
        "invalid": "",
    }


def test_a_number_of_names_that_is_not_the_classes_is_not_told(tmp_path):
    found = publish(tmp_path, forest(tmp_path, INDEXER, ("no", "yes", "perhaps")))

    assert sorted(path.name for path in found.iterdir()) == ["1", "config.pbtxt", "configs"]


def test_a_newer_version_without_names_takes_them_away(tmp_path):
    for version, indexer in ((1, INDEXER), (2, None)):
        (tmp_path / str(version)).mkdir()
        found = publish(tmp_path, forest(tmp_path / str(version), indexer), version)

    assert sorted(path.name for path in found.iterdir()) == ["1", "2", "config.pbtxt", "configs"]
