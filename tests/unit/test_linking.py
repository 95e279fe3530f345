"""The normal distribution, which Spark asks of two libraries and onnxruntime has no double of."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime
from spox import Tensor, argument, build

from builder.stages.linking import normal_cdf


def test_the_normal_distribution_is_within_its_tolerance_everywhere() -> None:
    x = argument(Tensor(np.float64, ("N", 1)))
    session = onnxruntime.InferenceSession(build({"x": x}, {"y": normal_cdf(x)}).SerializeToString())
    seam = [math.sqrt(12.0) * (1 + k * 1e-15) for k in range(-40, 40)]
    ends = [0.0, -0.0, 5e-324, -5e-324, 1e-300, 56.5, 56.6, -56.6, 1e308, -1e308, math.inf, -math.inf]
    values = np.array([*np.linspace(-40, 40, 80_001), *seam, *(-value for value in seam), *ends])

    answers = session.run(None, {"x": values[:, None]})[0][:, 0]

    expected = np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in values])
    assert np.abs(answers - expected).max() <= 16 * 2.0**-53
    assert np.isnan(session.run(None, {"x": np.array([[math.nan]])})[0]).all()
