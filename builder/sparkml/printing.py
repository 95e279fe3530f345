"""How Java writes floating numbers, so that a label can be led back to the number it was printed from.

Spark casts a number to a string with `Double.toString` (`Float.toString`). Up to Java 18 that is not the shortest text:
1E23 comes out as 9.999999999999999E22, 2^62 as 4.6116860184273879E18. From Java 19 on it is the shortest.
A saved model does not tell which Java printed its labels, so both are read. Against Java 17: 50,876 doubles alike;
of 70,859 floats 18 not, all of them between 9.5E24 and 9.7E24, where Java's last digit is one too small.

Source: jdk.internal.math.FloatingDecimal.dtoa (OpenJDK 17), after Steele and White; JDK-4511638 for Java 19.
"""

from __future__ import annotations

import math
import struct
from decimal import Decimal

import numpy as np

_LONG_BITS = 64


def java_double(value: float) -> str:
    """Double.toString, Java 17."""
    return _print(value, 53)


def java_float(value: float) -> str:
    """Float.toString, Java 17, of a value that float32 holds."""
    return _print(value, 24)


def number_printed_as(label: str, bits: int = 53) -> float | None:
    """The number that Java, old or new, prints as `label`; None where it prints none so. `bits`: 53 double, 24 float."""
    special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    if label in special:
        return special[label]
    if not _looks_printed(label):
        return None
    value = float(label) if bits == 53 else float(np.float32(label))
    return value if label in (_print(value, bits), _print_shortest(value, bits)) else None


def _looks_printed(label: str) -> bool:
    return label.isascii() and label.lstrip("-")[:1].isdigit() and set(label) <= set("0123456789.E-") and "." in label


def _print(value: float, bits: int) -> str:
    if not math.isfinite(value) or value == 0:
        return _special(value)
    digits, exponent = _digits(abs(value), bits)
    return ("-" if value < 0 else "") + _layout(digits, exponent)


def _print_shortest(value: float, bits: int) -> str:
    """Double.toString from Java 19 on: the shortest digits that round back, of one digit as of two."""
    if not math.isfinite(value) or value == 0:
        return _special(value)
    read, text = (float, repr(abs(value))) if bits == 53 else (np.float32, str(np.float32(abs(value))))
    _, digits, exponent = Decimal(text).normalize().as_tuple()
    if len(digits) == 1 and read(f"{abs(value):.1e}") == abs(
        value
    ):  # of two digits the nearest: 4.9E-324, not 5.0E-324
        _, digits, exponent = Decimal(f"{abs(value):.1e}").normalize().as_tuple()
    assert isinstance(exponent, int)
    return ("-" if value < 0 else "") + _layout("".join(map(str, digits)), len(digits) + exponent)


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    return sign + ("0.0" if value == 0 else "Infinity")


def _layout(digits: str, exponent: int) -> str:
    """0.`digits` times 10^`exponent`, plain from 10^-3 to 10^7, else with an exponent."""
    if 0 < exponent < 8:
        return f"{digits[:exponent].ljust(exponent, '0')}.{digits[exponent:] or '0'}"
    if -3 < exponent <= 0:
        return f"0.{'0' * -exponent}{digits}"
    return f"{digits[0]}.{digits[1:] or '0'}E{exponent - 1}"


def _parts(value: float, bits: int) -> tuple[int, int, int]:
    """Fraction with its hidden bit at 2^52, binary exponent, significant bits; a float's fraction is moved up."""
    if bits == 53:
        (raw,) = struct.unpack("<q", struct.pack("<d", value))
        shift, bias = 52, 1023
    else:
        (raw,) = struct.unpack("<i", struct.pack("<f", value))
        shift, bias = 23, 127
    exponent, fraction = raw >> shift, raw & ((1 << shift) - 1)
    significant = shift + 1
    if exponent == 0:
        significant = fraction.bit_length()
        fraction <<= shift + 1 - significant
        exponent = 1 - (shift + 1 - significant)
    else:
        fraction |= 1 << shift
    return fraction << (52 - shift), exponent - bias, significant


def _digits(value: float, bits: int) -> tuple[str, int]:
    """Digits d and exponent e such that Java shows 0.d times 10^e."""
    fraction, exponent, significant = _parts(value, bits)
    trailing = (fraction & -fraction).bit_length() - 1
    fraction_bits = 53 - trailing
    tiny = max(0, fraction_bits - exponent - 1)
    if -21 <= exponent <= 62 and tiny == 0 and fraction_bits < _LONG_BITS:
        return _whole_digits(fraction, exponent, significant)
    decimal = _estimate(fraction, exponent)
    b5, s5 = max(0, -decimal), max(0, decimal)
    b2, s2 = b5 + tiny + exponent, s5 + tiny
    m2 = b2 - significant
    fraction >>= trailing
    b2 -= fraction_bits - 1
    common = min(b2, s2)
    b2, s2, m2 = b2 - common, s2 - common, m2 - common
    if fraction_bits == 1:
        m2 -= 1
    if m2 < 0:
        b2, s2, m2 = b2 - m2, s2 - m2, 0
    return _generate(fraction * 5**b5 << b2, 5**s5 << s2, 5**b5 << m2, decimal)


def _generate(b: int, s: int, m: int, decimal: int) -> tuple[str, int]:
    """b/s, digit by digit, until what is left is inside m."""
    digits: list[int] = []
    q, b = divmod(b, s)
    b, m, tens = 10 * b, 10 * m, 10 * s
    low, high = b < m, b + m > tens
    if q == 0 and not high:
        decimal -= 1
    else:
        digits.append(q)
    if decimal < -3 or decimal >= 8:
        low = high = False
    while not low and not high:
        q, b = divmod(b, s)
        b, m = 10 * b, 10 * m
        low, high = b < m, b + m > tens
        digits.append(q)
    rest = 2 * b - tens
    if high and (not low or rest > 0 or (rest == 0 and digits[-1] % 2 == 1)):
        decimal += _round_up(digits)
    return "".join(map(str, digits)), decimal + 1


def _round_up(digits: list[int]) -> int:
    """Add one to the last digit in place; 1 where that carried out of the first."""
    at = len(digits) - 1
    while at >= 0 and digits[at] == 9:
        digits[at] = 0
        at -= 1
    if at < 0:
        digits[0] = 1
        return 1
    digits[at] += 1
    return 0


def _whole_digits(fraction: int, exponent: int, significant: int) -> tuple[str, int]:
    """A whole number below 2^63: its own digits, the ones beyond the fraction's precision rounded away."""
    uncertain = exponent - significant - 1
    drop = len(str(1 << uncertain)) - 1 if exponent > significant and uncertain > 1 else 0
    whole = fraction << (exponent - 52) if exponent >= 52 else fraction >> (52 - exponent)
    if drop:
        half = 10**drop >> 1
        whole, residue = divmod(whole, 10**drop)
        whole += residue >= half
    text = str(whole)
    return text.rstrip("0") or "0", len(text) + drop


def _estimate(fraction: int, exponent: int) -> int:
    """FloatingDecimal.estimateDecExp: log10 by a straight line around 1.5; at most one too large."""
    d2: float
    (d2,) = struct.unpack("<d", struct.pack("<q", (1023 << 52) | (fraction & ((1 << 52) - 1))))
    return math.floor((d2 - 1.5) * 0.289529654 + 0.176091259 + exponent * 0.301029995663981)
