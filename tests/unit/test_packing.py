"""Packed inputs: what travels in which tensor, and what the graph makes of a slot that its column's type does not hold."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from builder.graph.session import in_process
from builder.packing import AUTOMATIC, packing_of, packs_from_json, planned
from builder.types import Array, Pack, Scalar, ScalarName, Table, TensorSpec, TextArray, VectorType
from tests.small_models import every_scalar

EXTREMES: dict[str, list[object]] = {
    "f": [0.0, -0.0, 1 / 3, 5e-324, float("inf"), float("-inf"), float("nan"), 1e30],
    "b": [True, False] * 4,
    "O": ["", "ß", "日本", "␀", "x", "y", "z", "0"],
}


def scalars(count: int, kind: ScalarName = "double", name: str = "x") -> list[TensorSpec]:
    return [TensorSpec(f"{name}{i}", Scalar(kind), nullable=True) for i in range(count)]


def extremes(specs: tuple[TensorSpec, ...]) -> Table:
    """Eight rows: of integers the ends, the null marker among them, and what a double does not hold."""

    def column(spec: TensorSpec) -> Array:
        if spec.dtype.kind != "i":
            return np.array(EXTREMES[spec.dtype.kind], dtype=spec.dtype).reshape(-1, 1)
        low, high = np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max
        return np.array([low, low + 1, -1, 0, 1, high // 3 | 1, high - 1, high], dtype=spec.dtype).reshape(-1, 1)

    return Table({spec.name: column(spec) for spec in specs})


def test_every_value_of_every_type_arrives():
    plain, together = every_scalar("never"), every_scalar()
    rows = extremes(plain.inputs)

    expected, answers = in_process(plain)(rows), in_process(together)(rows)

    assert [spec.name for spec in together.travelling] == ["numbers", "longs", "texts"]
    for name in set(expected) - {"invalid"}:
        np.testing.assert_array_equal(answers[name], expected[name], err_msg=name)
        assert answers[name].dtype == expected[name].dtype, name


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), float("inf"), float("-inf"), 1e30, -1e30, 2.0**31, -(2.0**31) - 1]
)
@pytest.mark.parametrize("kind", ["integer", "date", "short", "byte", "boolean"])
@pytest.mark.parametrize("nullable", [True, False])
def test_a_slot_that_its_type_does_not_hold_refuses_its_row_alone(kind, nullable, value):
    model = every_scalar()
    name = f"{'null' if nullable else 'sure'}_{kind}"
    numbers, longs, texts = sent(model, rows=3)
    expected = raw(model, numbers, longs, texts)
    place = model.packs[0].columns.index(name)
    spoilt = numbers.copy()
    spoilt[1, place] = value

    answers = raw(model, spoilt, longs, texts)

    is_null = nullable and np.isnan(value)
    assert answers["invalid"][:, 0].tolist() == [0, 0 if is_null else 2, 0]
    for output, array in answers.items():
        assert array[[0, 2]].tolist() == expected[output][[0, 2]].tolist(), output
    if is_null:
        marker = next(spec.null for spec in model.inputs if spec.name == name)
        assert answers[f"{name}_out"][1, 0] == marker
    else:
        assert np.isnan(answers["sure_double_out"][1, 0])
        assert answers["sure_string_out"][1, 0] == ""


def test_a_float_takes_the_nearest_value_as_sparks_cast_does():
    model = every_scalar()
    numbers, longs, texts = sent(model, rows=2)
    numbers[:, model.packs[0].columns.index("sure_float")] = [0.1, 1e300]

    answers = raw(model, numbers, longs, texts)

    assert answers["sure_float_out"][:, 0].tolist() == [np.float32(0.1), np.inf]
    assert answers["invalid"][:, 0].tolist() == [0, 0]


def test_the_refusal_is_explained():
    (reason,) = every_scalar().invalid

    assert (reason.code, reason.stage, reason.column) == (2, "", "numbers")
    assert every_scalar("never").invalid == ()


def test_a_row_of_a_batch_has_the_bits_that_it_has_alone():
    model = every_scalar()
    rows = extremes(model.inputs)

    together = in_process(model)(rows)

    for row in range(rows.rows):
        alone = in_process(model)(rows.take(slice(row, row + 1)))
        for name, array in alone.items():
            assert array.tobytes() == together[name][row : row + 1].tobytes() or array.dtype == object, name
            assert array.dtype != object or array.tolist() == together[name][row : row + 1].tolist(), name


def test_a_model_is_packed_above_the_automatic_width_or_where_its_owner_says_so():
    few, many = scalars(AUTOMATIC), scalars(AUTOMATIC + 1)

    assert planned(few, [], "auto") == ()
    assert planned(many, [], "never") == ()
    (pack,) = planned(many, [], "auto")
    assert pack.spec == TensorSpec("numbers", Scalar("double"), True, width=AUTOMATIC + 1)
    assert pack.columns == tuple(spec.name for spec in many)
    assert planned(few, [], "always") != ()


def test_vectors_arrays_and_lone_columns_travel_as_they_did():
    vector, words = TensorSpec("v", VectorType(3), False, 3), TensorSpec("w", TextArray(), True, -1)
    inputs = [vector, *scalars(1, "string", "s"), words, *scalars(2, "long", "l"), *scalars(1)]

    assert [pack.columns for pack in planned(inputs, [], "always")] == [("l0", "l1")]
    assert planned([vector] * 100, [], "auto") == ()


def test_a_pack_takes_no_name_of_a_column():
    inputs = [*scalars(2), TensorSpec("numbers", Scalar("double"), False)]
    outputs = [TensorSpec("numbers_", Scalar("double"), False)]

    (pack,) = planned(inputs, outputs, "always")

    assert pack.spec.name == "numbers__"


def test_a_pack_is_told_and_read_back():
    model = every_scalar()

    assert packs_from_json([pack.json() for pack in model.packs], model.inputs) == model.packs


def test_null_travels_as_nan_where_a_column_has_nulls_and_as_itself_where_not():
    sure = TensorSpec("b", Scalar("integer"), nullable=False)
    inputs = [*scalars(1, "integer", "a"), sure, *scalars(1, "float", "c")]
    packs = planned(inputs, [], "always")
    least = np.iinfo(np.int32).min
    rows = Table({"a0": np.array([[least]], np.int32), "b": np.array([[least]], np.int32), "c0": np.ones((1, 1), "f4")})

    together = packing_of(inputs, packs)(rows)["numbers"]

    assert packs[0].columns == ("c0", "a0", "b")
    np.testing.assert_array_equal(together, [[1, np.nan, least]])


def sent(model: object, rows: int) -> tuple[Array, Array, Array]:
    """Numbers, longs and texts of small values that every type holds."""
    packs: tuple[Pack, ...] = model.packs  # type: ignore[attr-defined]
    wide = [len(pack.columns) for pack in packs]
    numbers = (np.arange(rows * wide[0]) % 2).astype(np.float64).reshape(rows, -1)
    longs = np.full((rows, wide[1]), 2**60 + 1)
    return numbers, longs, np.full((rows, wide[2]), "ß", dtype=object)


def raw(model: object, *tensors: Array) -> dict[str, Array]:
    """As a client would ask that knows nothing of columns."""
    session = ort.InferenceSession(model.model, providers=["CPUExecutionProvider"])  # type: ignore[attr-defined]
    names = [one.name for one in session.get_outputs()]
    feed = dict(zip(("numbers", "longs", "texts"), tensors, strict=True))
    return dict(zip(names, session.run(names, feed), strict=True))
