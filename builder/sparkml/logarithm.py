"""logf as C libraries give it: XGBoost takes base_score's margin by it, when it loads a booster.

glibc up to 2.40, musl and Android's library compute it by a table of 16 and a polynomial of degree 4 in double, good to
0.818 ulp; newer glibc rounds it rightly. The two differ for one number in 200.

Source: the method and the constants of `logf` in Arm's optimized routines (MIT), as glibc 2.36 has them.
"""

from __future__ import annotations

import math

import numpy as np

_RECIPROCALS = """
    0x1.661ec79f8f3bep+0 0x1.571ed4aaf883dp+0 0x1.49539f0f010bp+0 0x1.3c995b0b80385p+0
    0x1.30d190c8864a5p+0 0x1.25e227b0b8eap+0 0x1.1bb4a4a1a343fp+0 0x1.12358f08ae5bap+0
    0x1.0953f419900a7p+0 0x1p+0 0x1.e608cfd9a47acp-1 0x1.ca4b31f026aap-1
    0x1.b2036576afce6p-1 0x1.9c2d163a1aa2dp-1 0x1.886e6037841edp-1 0x1.767dcf5534862p-1"""
_LOGARITHMS = """
    -0x1.57bf7808caadep-2 -0x1.2bef0a7c06ddbp-2 -0x1.01eae7f513a67p-2 -0x1.b31d8a68224e9p-3
    -0x1.6574f0ac07758p-3 -0x1.1aa2bc79c81p-3 -0x1.a4e76ce8c0e5ep-4 -0x1.1973c5a611cccp-4
    -0x1.252f438e10c1ep-5 0x0p+0 0x1.aa5aa5df25984p-5 0x1.c5e53aa362eb4p-4
    0x1.526e57720db08p-3 0x1.bc2860d22477p-3 0x1.1058bc8a07ee1p-2 0x1.4043057b6ee09p-2"""
_QUARTIC, _CUBIC, _SQUARE = (
    float.fromhex(text) for text in ("-0x1.00ea348b88334p-2", "0x1.5575b0be00b6ap-2", "-0x1.ffffef20a4123p-2")
)
_TABLE = [(float.fromhex(a), float.fromhex(b)) for a, b in zip(_RECIPROCALS.split(), _LOGARITHMS.split(), strict=True)]
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_START, _FRACTION_BITS = 0x3F330000, 23  # the bits of 0.7, where the table begins


def logf(x: np.float32) -> tuple[np.float32, np.float32]:
    """ln x as the table gives it, and rounded rightly; x is not negative, and finite."""
    if x == 0:
        return np.float32(-np.inf), np.float32(-np.inf)
    bits = int(x.view(np.int32)) - _START
    if x < np.finfo(np.float32).tiny:
        bits = int((x * np.float32(2.0**_FRACTION_BITS)).view(np.int32)) - (_FRACTION_BITS << _FRACTION_BITS) - _START
    reciprocal, logarithm = _TABLE[(bits >> (_FRACTION_BITS - 4)) % 16]
    exponent = bits >> _FRACTION_BITS
    rest = float(x) * 2.0**-exponent * reciprocal - 1.0
    square = rest * rest
    tail = _QUARTIC * square + (_CUBIC * rest + _SQUARE)
    by_table = tail * square + (logarithm + exponent * _LN2 + rest)
    return np.float32(by_table), np.float32(math.log(float(x)))
