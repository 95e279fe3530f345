"""A packed model answers what the same model answers unpacked, to the bit: every row of the table, alone and in a batch."""

from __future__ import annotations

import numpy as np
import pytest

from builder.graph.session import in_process
from builder.packing import planned
from builder.tables import encode
from builder.types import Table
from tests.conformance.answering import arrow, compiled, recorded
from tests.conformance.conftest import SPARK, chosen
from tests.conformance.row import Row


@pytest.mark.usefixtures("recorded_rows")
@pytest.mark.parametrize("row", [row for row in chosen() if not (row.refused or row.notyet)], ids=lambda row: row.id)
def test_a_packed_model_answers_the_same_bits(row: Row) -> None:
    spark = recorded(row, SPARK)
    plain, together = compiled(row, spark), compiled(row, spark, pack="always")
    rows = encode(arrow(row.rows), plain.inputs)

    assert together.inputs == plain.inputs
    assert together.packs == planned(plain.inputs, plain.outputs, "always")
    assert_same(in_process(together)(rows), in_process(plain)(rows))
    assert_same(in_process(together)(rows.take(slice(1))), in_process(plain)(rows.take(slice(1))))


def assert_same(packed: Table, plain: Table) -> None:
    assert set(packed) == set(plain)
    for name, array in plain.items():
        assert packed[name].dtype == array.dtype, name
        assert packed[name].shape == array.shape, name
        if array.dtype == object:
            assert packed[name].tolist() == array.tolist(), name
        else:
            np.testing.assert_array_equal(packed[name], array, err_msg=name)  # NaN = NaN, 0.0 = -0.0
