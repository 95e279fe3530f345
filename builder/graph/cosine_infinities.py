"""What a fast cosine transform makes of one infinite slot: +∞, −∞ or NaN, by where its sums and differences meet.

The order of the additions in a sum is of no account here; which values meet, and with which sign, is. So each pass of
JTransforms' FFT is one function of whole arrays, for all its primes at once.
Source: DoubleDCT_1D, DoubleFFT_1D.rfftf/rfftb (JTransforms 3.1)
"""

from __future__ import annotations

import numpy as np

from builder.types import Array

WIDEST = 1024  # the passes hold [2F, F] numbers, and the graph one [F, F] matrix more
_SMALL_POWERS = (2, 4, 8)  # wider powers of two go by a split-radix transform that is not told here


def infinities(width: int, inverse: bool) -> Array | None:
    """[F, F], row j: the sign that +∞ in slot j gives each slot, 0 where it makes NaN. None: not known for this width."""
    power = width & (width - 1) == 0
    if width > WIDEST or (power and width not in _SMALL_POWERS):
        return None
    x = np.ones((width, width))
    np.fill_diagonal(x, np.inf)
    with np.errstate(all="ignore"):
        forth, back = (_short_forward, _short_inverse) if power else (_forward, _inverse)
        y = back(x) if inverse else forth(x)
    return np.where(np.isinf(y), np.sign(y), 0.0).T.copy()


def _forward(x: Array) -> Array:
    """The spectrum of the slots and their mirror image, turned by a quarter of a step each. Slots are rows here."""
    n = len(x)
    t = np.concatenate([x, x[::-1]])
    length = 2 * n
    for radix, before in reversed(_passes(length)):
        t = _analysed(t.reshape(radix, before, -1, n)).reshape(length, n)
    real, imaginary = np.concatenate([t[:1], t[1:-1:2]]), np.concatenate([t[-1:], t[2::2]])
    cosines, sines = _quarter_turns(n)
    return np.asarray(cosines * real - sines * imaginary)


def _inverse(x: Array) -> Array:
    n = len(x)
    cosines, sines = _quarter_turns(n)
    real, imaginary = cosines * x, -sines * x
    t = np.empty((2 * n, n))
    t[0], t[1:-1:2], t[2::2], t[-1] = real[0], real[1:], imaginary[1:], imaginary[0]
    for radix, before in _passes(2 * n):
        t = _composed(t.reshape(before, radix, -1, n)).reshape(2 * n, n)
    return t[:n]


def _quarter_turns(n: int) -> tuple[Array, Array]:
    angle = np.pi / (2 * n) * np.arange(n)[:, None]
    return np.cos(angle), -np.sin(angle)


def _passes(length: int) -> list[tuple[int, int]]:
    """The radixes, each with the product of those before it: fours, then a two (which moves to the front), then odd primes."""
    radixes: list[int] = []
    rest, radix = length, 4
    while rest > 1:
        while rest % radix == 0:
            rest //= radix
            radixes = [2, *radixes] if radix == 2 else [*radixes, radix]
        radix = {4: 2, 2: 3}.get(radix, radix + 2)
    return [(radix, int(np.prod(radixes[:at]))) for at, radix in enumerate(radixes)]


def _twiddles(radix: int, before: int, size: int) -> tuple[Array, Array]:
    """cos and sin [radix, 1, pairs, 1] of each block's angles; block 0 isn't turned."""
    step = 2 * np.pi / (radix * before * size)
    angle = np.arange(1, (size + 1) // 2) * (np.arange(radix)[:, None] * before * step)
    return np.cos(angle)[:, None, :, None], np.sin(angle)[:, None, :, None]


def _pairs_of(block: int, size: int) -> tuple[slice, slice]:
    """Where a block of a half-complex row has the real and the imaginary parts of its pairs: odd blocks run backwards."""
    count = (size - 1) // 2
    if block % 2 == 0 or not count:
        return slice(1, 2 * count, 2), slice(2, 2 * count + 1, 2)
    return slice(size - 3, None, -2), slice(size - 2, 0, -2)


def _analysed(x: Array) -> Array:
    """One pass forward. [radix, before, size, columns] -> [before, radix, size, columns], half-complex rows."""
    radix, before, size, columns = x.shape
    out = np.empty((before, radix, size, columns))
    blocks = out.swapaxes(0, 1)
    cosines, sines = _twiddles(radix, before, size)
    real, imaginary = x[:, :, 1 : size - 1 : 2], x[:, :, 2::2]
    turned = np.stack([cosines * real + sines * imaginary, cosines * imaginary - sines * real])
    turned[:, 0] = real[0], imaginary[0]
    whole, rotated = (_even if radix in (2, 4) else _odd)(x[:, :, 0], turned)
    blocks[0, :, 0] = whole[0]
    for at in range(1, radix):
        blocks[at, :, (size - 1) if at % 2 else 0] = whole[at]
    for at in range(radix):
        real_at, imaginary_at = _pairs_of(at, size)
        blocks[at, :, real_at], blocks[at, :, imaginary_at] = rotated[at]
    if size % 2 == 0:
        _analyse_middle(x[:, :, -1], blocks)
    return out


def _even(x: Array, t: Array) -> tuple[list[Array], list[Array]]:
    """Radix 2 and 4: the real first column of each block, and its turned pairs."""
    if len(x) == 2:
        mirrored = np.stack([t[0, 0] - t[0, 1], t[1, 1] - t[1, 0]])
        return [x[0] + x[1], x[0] - x[1]], [t[:, 0] + t[:, 1], mirrored]
    odd, even = x[1] + x[3], x[0] + x[2]
    first = [odd + even, x[0] - x[2], x[3] - x[1], even - odd]
    ends, cross = t[:, 1] + t[:, 3], np.stack([t[1, 1] - t[1, 3], t[0, 3] - t[0, 1]])
    sums, takes = t[:, 0] + t[:, 2], t[:, 0] - t[:, 2]
    return first, [
        ends + sums,
        np.stack([takes[0] - cross[0], cross[1] - takes[1]]),
        cross + takes,
        np.stack([sums[0] - ends[0], ends[1] - sums[1]]),
    ]


def _analyse_middle(x: Array, blocks: Array) -> None:
    """The last column of an even size: an eighth of a turn for radix 4."""
    if len(x) == 2:
        blocks[0, :, -1], blocks[1, :, 0] = x[0], -x[1]
        return
    total, difference = -(x[1] + x[3]), x[1] - x[3]
    blocks[0, :, -1], blocks[2, :, -1] = difference + x[0], x[0] - difference
    blocks[1, :, 0], blocks[3, :, 0] = total - x[2], total + x[2]


def _odd(x: Array, t: Array) -> tuple[list[Array], list[Array]]:
    cosines, sines = _roots(len(x))
    half = len(x) // 2
    sums, takes = x[1 : half + 1] + x[:half:-1], x[:half:-1] - x[1 : half + 1]
    near, far = t[:, 1 : half + 1], t[:, :half:-1]
    both, cross = near + far, np.stack([near[1] - far[1], far[0] - near[0]])
    first, pairs = [x[0] + sums.sum(0)], [t[:, 0] + both.sum(1)]
    for c, s in zip(cosines, sines, strict=True):
        first += [x[0] + _weighed(c, sums), _weighed(s, takes)]
        a = t[:, 0] + np.stack([_weighed(c, part) for part in both])
        b = np.stack([_weighed(s, part) for part in cross])
        pairs += [np.stack([a[0] - b[0], b[1] - a[1]]), a + b]
    return first, pairs


def _roots(radix: int) -> tuple[Array, Array]:
    """[half, half] cosines and sines of the radix's roots of one: none of them is 0."""
    turn = np.outer(range(1, radix // 2 + 1), range(1, radix // 2 + 1)) % radix * (2 * np.pi / radix)
    return np.cos(turn), np.sin(turn)


def _weighed(weights: Array, parts: Array) -> Array:
    return np.asarray((weights.reshape(-1, *[1] * (parts.ndim - 1)) * parts).sum(0))


def _composed(x: Array) -> Array:
    """One pass back. [before, radix, size, columns] half-complex rows -> [radix, before, size, columns]."""
    before, radix, size, columns = x.shape
    out = np.empty((radix, before, size, columns))
    blocks = x.swapaxes(0, 1)
    first = np.stack([blocks[at, :, (size - 1) if at % 2 else 0] for at in range(radix)])
    pairs = np.stack([np.stack([blocks[at, :, where] for where in _pairs_of(at, size)]) for at in range(radix)], axis=1)
    whole, rotated = (_even_back if radix in (2, 4) else _odd_back)(first, pairs)
    out[:, :, 0] = whole
    cosines, sines = _twiddles(radix, before, size)
    real, imaginary = np.stack([pair[0] for pair in rotated]), np.stack([pair[1] for pair in rotated])
    out[:, :, 1 : size - 1 : 2] = cosines * real - sines * imaginary
    out[:, :, 2::2] = cosines * imaginary + sines * real
    out[0, :, 1 : size - 1 : 2], out[0, :, 2::2] = real[0], imaginary[0]
    if size % 2 == 0:
        _compose_middle(blocks, out)
    return out


def _even_back(x: Array, t: Array) -> tuple[list[Array], list[Array]]:
    if len(x) == 2:
        sums, takes = t[:, 0] + t[:, 1], t[:, 0] - t[:, 1]
        return [x[0] + x[1], x[0] - x[1]], [np.stack([sums[0], takes[1]]), np.stack([takes[0], sums[1]])]
    low, high, twice, cross = x[0] - x[3], x[0] + x[3], x[1] + x[1], x[2] + x[2]
    first = [high + twice, low - cross, high - twice, low + cross]
    a, b = np.stack([t[0, 0] + t[0, 3], t[1, 0] - t[1, 3]]), np.stack([t[0, 2] + t[0, 1], t[1, 2] - t[1, 1]])
    c, d = np.stack([t[0, 0] - t[0, 3], t[1, 0] + t[1, 3]]), np.stack([-(t[1, 2] + t[1, 1]), t[0, 2] - t[0, 1]])
    return first, [a + b, c + d, a - b, c - d]


def _compose_middle(x: Array, out: Array) -> None:
    if len(x) == 2:
        out[0, :, -1], out[1, :, -1] = 2 * x[0, :, -1], -2 * x[1, :, 0]
        return
    total, cross = x[1, :, 0] + x[3, :, 0], x[3, :, 0] - x[1, :, 0]
    low, high = x[0, :, -1] - x[2, :, -1], x[0, :, -1] + x[2, :, -1]
    out[0, :, -1], out[1, :, -1], out[2, :, -1], out[3, :, -1] = high, low - total, cross, -(low + total)


def _odd_back(x: Array, t: Array) -> tuple[list[Array], list[Array]]:
    cosines, sines = _roots(len(x))
    twice, cross = x[1::2] + x[1::2], x[2::2] + x[2::2]
    near, far = t[:, 2::2], t[:, 1::2]
    both = np.stack([near[0] + far[0], near[1] - far[1]])
    apart = np.stack([near[1] + far[1], -(near[0] - far[0])])
    first, pairs = [x[0] + twice.sum(0)], [t[:, 0] + both.sum(1)]
    rear: tuple[list[Array], list[Array]] = [], []
    for c, s in zip(cosines, sines, strict=True):
        level, tilt = x[0] + _weighed(c, twice), _weighed(s, cross)
        first, rear[0][:0] = [*first, level - tilt], [level + tilt]
        a, b = t[:, 0] + np.stack([_weighed(c, part) for part in both]), np.stack([_weighed(s, part) for part in apart])
        pairs, rear[1][:0] = [*pairs, a - b], [a + b]
    return first + rear[0], pairs + rear[1]


def _short_forward(x: Array) -> Array:
    n, a = len(x), x.copy()
    a[2::2], a[3::2] = x[2::2] + x[1:-1:2], x[2::2] - x[1:-1:2]
    a[0], a[1] = x[0] + x[-1], x[0] - x[-1]
    if n == 8:
        a = _pass_of_eight(_paired(a, 1.0), -1.0)
    elif n == 4:
        a = np.concatenate([a[:2] + a[2:], a[:2] - a[2:]])
    return _rotated(a)


def _short_inverse(x: Array) -> Array:
    n, a = len(x), _rotated(x.copy())
    if n == 8:
        a = _paired(_pass_of_eight(a, 1.0), -1.0)
    elif n == 4:
        a = np.concatenate([a[:2] + a[2:], a[:2] - a[2:]])
    y = a.copy()
    y[-1], y[0] = a[0] - a[1], a[0] + a[1]
    y[1:-1:2], y[2::2] = a[2::2] - a[3::2], a[2::2] + a[3::2]
    return y


def _paired(a: Array, sign: float) -> Array:
    """The one pair (2, 6) that a real transform of eight mends."""
    kept, turned = 0.5 - 0.5 * np.sin(np.pi / 4), 0.5 * np.cos(np.pi / 4)
    xr, xi = a[2] - a[6], a[3] + a[7]
    yr, yi = kept * xr + sign * turned * xi, kept * xi - sign * turned * xr
    a[2], a[3], a[6], a[7] = a[2] - yr, a[3] - yi, a[6] + yr, a[7] - yi
    return a


def _pass_of_eight(a: Array, sign: float) -> Array:
    sums, takes = a[:4] + a[4:], a[:4] - a[4:]
    turned = np.stack([-sign * takes[3], sign * takes[2]])
    return np.concatenate([sums[:2] + sums[2:], takes[:2] + turned, sums[:2] - sums[2:], takes[:2] - turned])


def _rotated(a: Array) -> Array:
    """Each slot with its counterpart, turned; the middle one is scaled only."""
    n, y = len(a), a.copy()
    angle = np.pi / (2 * n) * np.arange(1, n // 2)[:, None]
    near, far = a[1 : n // 2], a[: n // 2 : -1]
    down, up = np.cos(angle) - np.sin(angle), np.cos(angle) + np.sin(angle)
    y[1 : n // 2], y[: n // 2 : -1] = down * near + up * far, up * near - down * far
    return y
