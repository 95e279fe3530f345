"""Random numbers as Spark draws them from a saved seed: commons-math's Mersenne Twister, breeze's gamma distribution."""

from __future__ import annotations

import math

import numpy as np

from builder.types import Array

_BLOCK = 1024


class MersenneTwister:
    """org.apache.commons.math3.random.MersenneTwister(long): its doubles and normally distributed numbers, in turn."""

    def __init__(self, seed: int) -> None:
        words = np.array([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF], dtype=np.uint32)
        self._generator = np.random.RandomState(words)
        self._words: list[int] = []
        self._normal: float | None = None

    def double(self) -> float:
        """[0, 1), of 52 bits."""
        high, low = self._bits(26), self._bits(26)
        return (high << 26 | low) * 2.0**-52

    def normal(self) -> float:
        """Box and Muller's pairs, one after the other."""
        if self._normal is not None:
            drawn, self._normal = self._normal, None
            return drawn
        angle = 2 * math.pi * self.double()
        length = math.sqrt(-2 * math.log(self.double()))
        self._normal = length * math.sin(angle)
        return length * math.cos(angle)

    def _bits(self, count: int) -> int:
        if not self._words:
            self._words = self._generator.randint(0, 2**32, size=_BLOCK, dtype=np.uint32).tolist()[::-1]
        return self._words.pop() >> (32 - count)


def gamma_sample(shape: float, scale: float, count: int, seed: int) -> Array:
    """[count] float64: Gamma(shape, scale)(RandBasis(MersenneTwister(seed))).samplesVector, by Marsaglia and Tsang.

    Source: breeze.stats.distributions.Gamma.draw (breeze 2.1.0, which Spark 3.5 to 4.3 carry)
    """
    assert shape > 1, "of smaller shapes breeze draws in another way"
    generator = MersenneTwister(seed)
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    drawn: list[float] = []
    while len(drawn) < count:
        v = 0.0
        while v <= 0:
            x = generator.normal()
            v = 1.0 + c * x
        v = v * v * v
        squared = x * x
        u = generator.double()
        if u < 1.0 - 0.0331 * (squared * squared) or math.log(u) < 0.5 * squared + d * (1.0 - v + math.log(v)):
            drawn.append(scale * d * v)
    return np.array(drawn)
