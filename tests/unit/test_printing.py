"""How Java writes numbers: what Spark's cast to string made of them, and the way back."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.sparkml.printing import java_double, java_float, number_printed_as

# Printed by Spark 4.3 on Java 17: the last group is longer there than the shortest text that reads back.
DOUBLES = {
    "0.0": 0.0,
    "-0.0": -0.0,
    "0.001": 0.001,
    "9.999999E-4": 9.999999e-4,
    "1234567.0": 1234567.0,
    "9999999.0": 9999999.0,
    "1.0E7": 1e7,
    "0.3333333333333333": 1 / 3,
    "9.007199254740992E15": 2.0**53,
    "1.7976931348623157E308": 1.7976931348623157e308,
    "4.9E-324": 5e-324,
    "9.999999999999999E22": 1e23,
    "8.409999999999999E21": 8.41e21,
    "4.6116860184273879E18": 2.0**62,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
    "NaN": math.nan,
}


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@pytest.mark.parametrize(("text", "value"), DOUBLES.items())
def test_a_double_is_written_as_java_writes_it(text: str, value: float) -> None:
    assert java_double(value) == text
    found = number_printed_as(text)
    assert found is not None
    assert bits(found) == bits(value)


@pytest.mark.parametrize(
    ("text", "value"), {"1.0E23": 1e23, "4.611686018427388E18": 2.0**62, "4.9E-324": 5e-324}.items()
)
def test_the_shorter_text_of_a_newer_java_is_read_as_well(text: str, value: float) -> None:
    assert number_printed_as(text) == value


@given(st.floats(allow_nan=False))
def test_what_is_written_is_read_back_to_the_same_bits(value: float) -> None:
    found = number_printed_as(java_double(value))

    assert found is not None
    assert bits(found) == bits(value)


@given(st.floats(width=32, allow_nan=False))
def test_a_float_is_read_back_too(value: float) -> None:
    found = number_printed_as(java_float(value), 24)

    assert found is not None
    assert bits(found) == bits(value)


@pytest.mark.parametrize(
    "label",
    ["", "1", "01.0", "1.00", "+1.0", "1e7", "10000000.0", "5.0E-324", "0.10000000000000001", "٣.0", "1_0.0", " 1.0"],
)
def test_a_label_that_java_never_writes_is_no_number(label: str) -> None:
    assert number_printed_as(label) is None
