"""A tolerance follows its value: scaled, put beside others, and without end where a decision hangs on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.tables import from_dicts
from builder.types import SLACK, Array, Field, Scalar, VectorType
from tests.saved import Stage, min_max, write_pipeline

WIDTH = 3
ROWS = ([1.0, 2.0, 4.0], [0.0, 0.0, 0.0], [1e3, -1.0, 1 / 3])
U = 2.0**-53


def feature(name: str, uid: str, data: pa.Table | None = None, **params: object) -> Stage:
    return Stage(f"org.apache.spark.ml.feature.{name}", uid, params, data=data)


def projected() -> Stage:
    """One component: Σx, which no one promises to add in one order."""
    kind = pa.struct(
        [
            ("type", pa.int8()),
            ("numRows", pa.int32()),
            ("numCols", pa.int32()),
            ("colPtrs", pa.list_(pa.int32())),
            ("rowIndices", pa.list_(pa.int32())),
            ("values", pa.list_(pa.float64())),
            ("isTransposed", pa.bool_()),
        ]
    )
    ones = {"type": 1, "numRows": WIDTH, "numCols": 1, "values": [1.0] * WIDTH, "isTransposed": False}
    return feature("PCAModel", "PCA_1", pa.table({"pc": pa.array([ones], kind)}), k=1, inputCol="v", outputCol="p")


@pytest.fixture
def tolerance(tmp_path: Path):
    """The tolerance of column `o` after a projection and the stages given."""

    def ask(*stages: Stage) -> Array:
        pipeline = read_pipeline(write_pipeline(tmp_path / "p", [projected(), *stages]))
        servable = lower(pipeline, (Field("v", VectorType(WIDTH), False),), all_rules(), ["o"], proof=True)
        return in_process(servable)(from_dicts([{"v": row} for row in ROWS], servable.inputs))["o" + SLACK]

    return ask


def product(output: str, by: float) -> Stage:
    scale = {"type": 1, "values": [by]}
    return feature("ElementwiseProduct", f"Product_{output}", inputCol="p", outputCol=output, scalingVec=scale)


def test_a_scaled_sum_is_uncertain_by_the_scale(tolerance) -> None:
    found = tolerance(product("o", -4.0))[:, 0]

    bound = 4 * 2 * (WIDTH + 4) * U * np.abs(ROWS).sum(axis=1)
    assert (found >= bound).all()
    assert (found <= 1.5 * bound).all()


def test_what_is_multiplied_by_zero_is_certain_again(tolerance) -> None:
    assert (tolerance(product("o", 0.0)) == 0).all()


def test_a_vector_is_binarized_for_certain_unless_the_threshold_lies_inside_the_tolerance(tolerance) -> None:
    binarizer = feature("Binarizer", "Binarizer_1", inputCol="p", outputCol="o", threshold=7.0)

    found = tolerance(binarizer)[:, 0]

    assert found.tolist() == [np.inf, 0.0, 0.0]


def test_beside_columns_that_are_certain_a_tolerance_keeps_its_slot(tolerance) -> None:
    assembler = feature("VectorAssembler", "VA_1", inputCols=["v", "p"], outputCol="o", handleInvalid="keep")

    found = tolerance(assembler)

    assert (found[:, :WIDTH] == 0).all()
    assert (found[:, WIDTH] > 0).tolist() == [True, False, True]


def test_a_slice_takes_its_tolerance_along(tolerance) -> None:
    assembler = feature("VectorAssembler", "VA_1", inputCols=["v", "p"], outputCol="a", handleInvalid="keep")
    slicer = feature("VectorSlicer", "VS_1", inputCol="a", outputCol="o", indices=[3, 0], names=[])

    found = tolerance(assembler, slicer)

    assert (found > 0).tolist() == [[True, False], [False, False], [True, False]]


def test_a_flat_slot_of_min_max_forgets_the_tolerance(tolerance) -> None:
    assert (tolerance(min_max("MM_1", "p", "o", [5.0], [5.0])) == 0).all()


def test_a_category_of_an_uncertain_value_is_undecided(tolerance) -> None:
    kind = pa.map_(pa.int32(), pa.map_(pa.float64(), pa.int32()))
    data = pa.table(
        {"numFeatures": pa.array([1], pa.int32()), "categoryMaps": pa.array([[(0, [(0.0, 0), (7.0, 1)])]], kind)}
    )
    indexer = feature("VectorIndexerModel", "VI_1", data, inputCol="p", outputCol="o", handleInvalid="keep")

    assert tolerance(indexer)[:, 0].tolist() == [np.inf, 0.0, np.inf]


def test_numbers_have_no_tolerance_where_every_stage_is_exact(tmp_path: Path) -> None:
    pipeline = read_pipeline(write_pipeline(tmp_path / "p", [min_max("MM_1", "v", "o", [0.0] * 3, [1.0] * 3)]))

    servable = lower(pipeline, (Field("v", VectorType(WIDTH)), Field("x", Scalar("double"))), all_rules(), proof=True)

    assert [spec.name for spec in servable.outputs] == ["o", "invalid"]


def test_the_sum_of_the_vectors_that_a_normalizer_divides_by_moves_every_slot(tolerance) -> None:
    normalizer = feature("Normalizer", "N_1", inputCol="p", outputCol="o", p=2.0)

    found = tolerance(normalizer)[:, 0]

    assert (found[[0, 2]] > 0).all()
    assert (found < 1e-12).all()
