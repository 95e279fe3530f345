"""Categories: schemas that are not the model's, and the values at which the stages decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from builder.errors import ConversionRefused
from builder.graph.lowering import lower
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import Field, Probe, Scalar, Servable
from tests.saved import Stage, write_pipeline

DOUBLE = Scalar("double")


def feature(name: str, data: pa.Table | None = None, **params: Any) -> Stage:
    return Stage(f"org.apache.spark.ml.feature.{name}", f"{name}_1", params, data=data)


def one_hot(categories: int) -> Stage:
    data = pa.table({"categorySizes": pa.array([[categories]], pa.list_(pa.int32()))})
    return feature("OneHotEncoderModel", data, inputCol="x", outputCol="o", dropLast=True, handleInvalid="error")


def vector_indexer(maps: Mapping[int, Mapping[float, int]], width: int) -> Stage:
    kind = pa.map_(pa.int32(), pa.map_(pa.float64(), pa.int32()))
    pairs = [(slot, [*values.items()]) for slot, values in maps.items()]
    data = pa.table({"numFeatures": pa.array([width], pa.int32()), "categoryMaps": pa.array([pairs], kind)})
    return feature("VectorIndexerModel", data, inputCol="v", outputCol="i", handleInvalid="keep")


@pytest.fixture
def lowered(tmp_path: Path):
    def ask(schema: Sequence[Field], *stages: Stage) -> Servable:
        return lower(read_pipeline(write_pipeline(tmp_path / "p", stages)), tuple(schema), all_rules())

    return ask


def string_indexer(*labels: str | None) -> Stage:
    data = pa.table({"labelsArray": pa.array([[labels]], pa.list_(pa.list_(pa.string())))})
    params = {"inputCols": ["s"], "outputCols": ["x"], "handleInvalid": "error", "stringOrderType": "frequencyDesc"}
    return feature("StringIndexerModel", data, **params)


@pytest.mark.parametrize(
    ("labels", "fits"),
    [(("a", "b", None), True), (("a", "b", ""), True), (("a", None, "b"), False), (("", "a", "b"), False)],
)
def test_an_encoder_names_its_slots_by_categories_that_are_there(lowered, labels, fits) -> None:
    """As Spark's own attributes refuse it. Where dropLast leaves the nameless one out, none is made of it."""
    stages = [string_indexer(*labels), one_hot(3)]
    if fits:
        assert lowered([Field("s", Scalar("string"))], *stages)
        return
    with pytest.raises(ConversionRefused, match="has an empty category, or one that is null"):
        lowered([Field("s", Scalar("string"))], *stages)


def test_a_null_label_is_no_text(lowered) -> None:
    back = feature("IndexToString", inputCol="x", outputCol="t")
    with pytest.raises(ConversionRefused, match="a label of column 'x' is null"):
        lowered([Field("s", Scalar("string"))], string_indexer("a", None), back)


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ({"type": "numeric"}, "is numeric by its ML attribute"),
        ({"type": "nominal", "vals": ["a", "b"]}, "another number of categories than the 3 of fitting"),
        ({"type": "nominal", "num_vals": 4}, "another number of categories than the 3 of fitting"),
        ({"type": "binary"}, "another number of categories than the 3 of fitting"),
        ({"type": "nominal", "vals": ["a"]}, "has one category and dropLast leaves none"),
        ({"type": "nominal", "vals": ["a", "", "b"]}, "has an empty category, or one that is null"),
    ],
)
def test_a_schema_of_other_categories_is_not_the_encoders(lowered, attribute, reason) -> None:
    with pytest.raises(ConversionRefused, match=reason):
        lowered([Field("x", DOUBLE, metadata={"ml_attr": attribute})], one_hot(3))


@pytest.mark.parametrize("attribute", [{"type": "nominal", "num_vals": 2}, {"type": "binary"}, None])
def test_a_schema_of_as_many_categories_is(lowered, attribute) -> None:
    servable = lowered([Field("x", DOUBLE, metadata={"ml_attr": attribute} if attribute else {})], one_hot(2))

    assert servable.outputs[0].width == 1


def test_every_label_stands_in_a_row_that_is_derived(lowered) -> None:
    data = pa.table({"labelsArray": [[["b", "a"]]]})
    indexer = feature("StringIndexerModel", data, inputCol="s", outputCol="i", handleInvalid="keep")

    assert lowered([Field("s", Scalar("string"))], indexer).probes == (Probe("s", exact=("b", "a")),)


def test_so_does_every_category_and_the_number_behind_the_last(lowered) -> None:
    assert lowered([Field("x", DOUBLE)], one_hot(2)).probes == (Probe("x", thresholds=(0.0, 1.0, 2.0)),)


def test_so_do_the_first_index_of_a_label_and_the_number_behind_the_last(lowered) -> None:
    back = feature("IndexToString", inputCol="x", outputCol="s", labels=["a", "b", "c"])

    assert lowered([Field("x", DOUBLE)], back).probes == (Probe("x", thresholds=(0.0, 3.0)),)


def test_so_do_a_categorical_slots_values_and_what_is_decided_behind_it_on_a_slot_that_stayed(lowered) -> None:
    x, y = (Field(name, DOUBLE) for name in "xy")
    assembler = feature("VectorAssembler", inputCols=["x", "y"], outputCol="v", handleInvalid="error")
    indexer = vector_indexer({0: {-1.5: 0, 7.0: 1}}, 2)
    binarizer = feature("Binarizer", inputCol="i", outputCol="o", threshold=0.5)

    found = lowered([x, y], assembler, indexer, binarizer).probes

    assert found == (Probe("x", thresholds=(-1.5, 7.0)), Probe("y", thresholds=(0.5,)))
