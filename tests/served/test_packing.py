"""A packed model on the real server: asked by its columns, and by hand with slots that no column holds."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
from tritonclient.grpc import InferenceServerClient, InferInput

from builder.graph.session import in_process
from builder.types import Table
from tests.small_models import every_scalar
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
