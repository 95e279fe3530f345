"""What a fast cosine transform makes of one infinite slot, beside what Spark 4.3 was seen to make of it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from builder.graph.cosine_infinities import WIDEST, infinities

# (width, inverse): one word per place of +∞, one letter per slot of Spark's answer: +∞, −∞ or NaN
SEEN = {
    (3, False): "nnn nn- nnn",
    (3, True): "nnn +n- +-n",
    (4, False): "+++n +n-- +n-+ +-+n",
    (4, True): "++++ +nn- +--+ n-+n",
    (5, False): "nnnnn nnn-n nnnnn nnnnn nnnnn",
    (5, True): "nnnnn +nnn- +n-n+ +-nnn +-+nn",
    (6, False): "nnn+nn nnn-nn nnn-nn nnn+n- nnn+nn nnn-nn",
    (6, True): "nnnnnn +nnn-n +n-nnn +--++- +-n+-n +-+-nn",
    (7, False): "nnnnnnn nnnn--n nnnnnnn nnnnnnn nnnnnnn nnnnnnn nnnnnnn",
    (7, True): "nnnnnnn +nnn-n- +n-nnn+ +n-n+n- +-nnnnn +-nn-nn +-+nnnn",
    (8, False): "+++++nnn nnnnnnnn nnnnnnnn +n-n++n- +n-n+-n+ nnnnnnnn nnnnnnnn +-+-+nnn",
    (8, True): "+nn++nn+ +nnnnnn- +nn--nn+ +nnnnnn- +nn++nn+ nnn+-nnn nnnnnnnn nnn-+nnn",
    (9, False): "nnnnnnnnn nnnnnn-nn nnnnnnnnn nnnnnnnnn nnnnnn-nn nnnnnnnnn nnnnnnnnn nnnnnn-nn nnnnnnnnn",
    (9, True): "nnnnnnnnn +nnnnn-nn +nnnnnnnn +n-nnn+n- +nnnnn-nn +-nnnnnnn +-nn-n+-n +-nnnn-nn +-+n+nnnn",
    (10, False): "nnnnn+nnnn nnnnn-nnnn nnnnn-nnnn nnn-n++nnn nnnnn+nnnn nnnnn-nnnn nnnnn-nnnn nnnnn+nnnn nnnnn+nnnn nnnnn-nnnn",
    (10, True): "nnnnnnnnnn +nnnnnnn-n +nn--nnn+n +n--nnnnnn +n-n+nnnnn +--++--++- +-n+nnnn-n +-nn-nnn+n +-+nnnnnnn +-+-+nnnnn",
    (12, False): "nnn+nn+nnnnn nnnnnn-nn-nn nnnnnn-nn+nn nnn-nn+nnnnn nnn-nn+nnnnn nnnnnn-nn+nn nnnnnn-nn-nn nnn+nn+nnnnn nnn+nn+nnnnn nnnnnn-nn-nn nnnnnn-nn+nn nnn-nn+nnnnn",
    (12, True): "nnnnnnnnnnnn +nnnnnnn-nnn +nnn-nnnnnnn +n---n+++n-- +n-nnn+n-nnn +n-n+n-nnnnn +--++--++--+ +-nnnnnn-nnn +-nn-nnnnnnn +-+n-+-n+-+n +-+nnn-n-nnn +-+n+n+nnnnn",
    (14, False): "nnnnnnn+nnnnnn nnnnnnn-nnnnnn nnnnnnn-nnnnnn nnnn-nn++nnn-n nnnnnnn+nnnnnn nnnnnnn-nnnnnn nnnnnnn-nnnnnn nnnnnnn+nnnnnn nnnnnnn+nnnnnn nnnnnnn-nnnnnn nnnnnnn-nnnnnn nnnnnnn+nnnnnn nnnnnnn+nnnnnn nnnnnnn-nnnnnn",
    (14, True): "nnnnnnnnnnnnnn +nnnnnnn-nnn-n +nnn-nnnnnnn+n +nn--nnn+nnn-n +n--nnnnnnnnnn +n-nnnnn-nnnnn +n-n+nnnnnnnnn +--++--++--++- +-n+nnnn-nnn-n +-n+-nnnnnnn+n +-nn-nnn+nnn-n +-+nnnnnnnnnnn +-+-nnnn-nnnnn +-+-+nnnnnnnnn",
    (15, False): "nnnnnnnnnnnnnnn nnnnnnnnnn-nnnn nnnnnnnnnnnnnnn nnnnnnnnnnnnnnn nnnnnnnnnn-nnnn nnnnnnnnnnnnnnn nnnnnnnnnnnnnnn nnnnnnnnnn-nnnn nnnnnnnnnnnnnnn nnnnnnnnnnnnnnn nnnnnnnnnn-nnnn nnnnnnnnnnnnnnn nnnnnnnnnnnnnnn nnnnnnnnnn-nnnn nnnnnnnnnnnnnnn",
    (15, True): "nnnnnnnnnnnnnnn +nnnnnnnnnnn-nn +nnn-n-nnnnn+nn +nnnnnnnnnnnnnn +nnnnn+nnnnnnnn +n-nnn+n-nnn+n- +nnnnnnnnnnn-nn +nnnnn-nnnnn+nn +-nnnnnnnnnnnnn +-nnnn+nnnnnnnn +-nn-n+-nn-n+-n +-nnnnnnnnnn-nn +-nnnn-nnnnn+nn +-+nnnnnnnnnnnn +-+n+n+nnnnnnnn",
}  # fmt: skip


@pytest.mark.parametrize(("width", "inverse"), SEEN)
def test_an_infinite_slot_spreads_as_spark_was_seen_to_spread_it(width: int, inverse: bool) -> None:
    signs = infinities(width, inverse)

    assert signs is not None
    told = ["".join("-n+"[int(sign) + 1] for sign in row) for row in signs]
    assert told == SEEN[width, inverse].split()


@pytest.mark.parametrize("width", [16, 64, 1024, WIDEST + 1])
def test_a_width_whose_transform_is_not_told_has_no_table(width: int) -> None:
    assert infinities(width, inverse=False) is None


def test_the_widest_table_is_derived_within_seconds() -> None:
    start = time.monotonic()

    signs = infinities(WIDEST - 4, inverse=True)

    assert signs is not None
    assert np.isin(signs, (-1.0, 0.0, 1.0)).all()
    assert time.monotonic() - start < 30
