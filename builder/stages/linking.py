"""Generalized linear models: a mean behind a link function."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Number, Vector, number
from builder.graph.idioms import constant, dot, exp, slots
from builder.graph.rules import converts
from builder.graph.tolerance import UNIT, exponential_growth, logistic_bound, stretched
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector, stored_vector
from builder.stages.linear import weighted

_SMALLEST_MEAN = 1e-16
_LARGEST = float(np.finfo(np.float64).max)
_SERIES_BELOW = 6.0  # of z²: beyond it the continued fraction needs few steps
_SERIES_TERMS = 50
_FRACTION_STEPS = 15
_ERF_IS_ONE = 40.0
_FIRST, _SECOND = np.array([0]), np.array([1])


@dataclass(frozen=True)
class _Link:
    """`mean` of the linear predictor, and its tolerance `moved(eta, mean, tolerance of eta)`."""

    mean: Callable[[Var], Var]
    moved: Callable[[Var, Var, Var], Var]


@converts(
    "org.apache.spark.ml.regression.GeneralizedLinearRegressionModel",
    word="elementary",
    reads=("featuresCol",),
    also=("offsetCol",),
    writes=("linkPredictionCol", "predictionCol"),
    ignores=(
        "aggregationDepth",
        "featuresCol",
        "fitIntercept",
        "labelCol",
        "maxIter",
        "regParam",
        "solver",
        "tol",
        "weightCol",
    ),
    note="linkPrediction is `dot`",
)
def generalized_linear_regression(stage: SavedStage, x: Vector, offset: Number | None = None) -> tuple[Number, Number]:
    """eta = coefficients · x + intercept + offset; prediction = the mean whose link is eta, kept in the family's range.

    Shapes: x [N, F], offset [N, 1] -> linkPrediction and prediction [N, 1].
    Order:  the dot product, then the intercept, then the offset.
    NaN:    stays NaN. Null: of an offset makes both null.
    Raises: Refused on a family or link that Spark does not know.
    Source: GeneralizedLinearRegressionModel.predictLink, FamilyAndLink.fitted
            (ml/regression/GeneralizedLinearRegression.scala, Spark 4.0.1)
    """
    row = stage.row()
    eta = weighted(x, dense_vector(row["coefficients"]), stored_vector(row["coefficients"]), float(row["intercept"]))
    if offset is not None:
        eta = _shifted(eta, offset.numeric())
    family, link = _family_and_link(stage)
    free = link.mean(eta.var)
    mean = _projected(family, free)
    if eta.slack is None:
        return eta, number(mean, nullable=eta.nullable)
    known = op.or_(op.isnan(free), op.isinf(free))
    slack = op.where(known, constant(0.0), link.moved(eta.var, free, eta.slack))
    return eta, number(mean, nullable=eta.nullable, slack=slack)


def _shifted(eta: Number, offset: Number) -> Number:
    total = op.add(eta.var, offset.double())
    slack = stretched(eta.slack, 1.0, op.add(op.abs(eta.var), op.abs(total)))
    if slack is not None:
        slack = slack if offset.slack is None else op.add(slack, offset.slack)
        slack = op.where(op.or_(op.isnan(total), op.isinf(total)), constant(0.0), slack)
    return number(total, nullable=offset.nullable, slack=slack)


def _family_and_link(stage: SavedStage) -> tuple[str, _Link]:
    """FamilyAndLink.apply: a Tweedie of power 0, 1 or 2 is another family; an unset link is the family's own."""
    family, power = stage.params.text("family").lower(), stage.params.number("variancePower")
    if family == "tweedie":
        if "linkPower" in stage.params:
            name, exponent = _power_link(stage.params.number("linkPower"))
        else:
            name, exponent = _power_link(1.0 - power)
        stage.params.raw("link")  # Spark: takes no effect
        return {0.0: "gaussian"}.get(power, "tweedie"), _link(name, exponent)
    stage.params.raw("linkPower")
    own = {"gaussian": "identity", "binomial": "logit", "poisson": "log", "gamma": "inverse"}
    if family not in own:
        raise Refused(f"family is {family!r}.", fix=f"Spark knows {', '.join(own)} and tweedie.")
    name = stage.params.text("link").lower() if "link" in stage.params else own[family]
    return family, _link(name, 1.0)


def _power_link(power: float) -> tuple[str, float]:
    names = {0.0: "log", 1.0: "identity", -1.0: "inverse", 0.5: "sqrt"}
    return names.get(power, "power"), 1.0 if power in names else 1.0 / power


def _link(name: str, exponent: float) -> _Link:
    links = {
        "identity": _Link(lambda eta: eta, lambda eta, mean, slack: slack),
        "log": _Link(exp, lambda eta, mean, slack: op.mul(mean, exponential_growth(slack))),
        "inverse": _Link(lambda eta: op.div(constant(1.0), eta), partial(_power_moved, exponent=-1.0)),
        "logit": _Link(
            lambda eta: op.div(constant(1.0), op.add(constant(1.0), exp(op.neg(eta)))),
            lambda eta, mean, slack: logistic_bound(mean, slack),
        ),
        "probit": _Link(normal_cdf, lambda eta, mean, slack: op.add(op.mul(slack, constant(0.4)), constant(32 * UNIT))),
        "cloglog": _Link(lambda eta: op.sub(constant(1.0), exp(op.neg(exp(eta)))), _cloglog_moved),
        "sqrt": _Link(lambda eta: op.mul(eta, eta), partial(_power_moved, exponent=2.0)),
        "power": _Link(lambda eta: op.pow(eta, constant(exponent)), partial(_power_moved, exponent=exponent)),
    }
    if name not in links:
        raise Refused(f"link is {name!r}.", fix=f"Spark knows {', '.join(links)}.")
    return links[name]


def _projected(family: str, mean: Var) -> Var:
    """Family.project: the mean, within what the family allows."""
    if family == "gaussian":
        ends = op.where(op.less(mean, constant(0.0)), constant(-_LARGEST), constant(_LARGEST))
        return op.where(op.isinf(mean), ends, mean)
    low = op.less(mean, constant(_SMALLEST_MEAN))
    top = 1.0 - _SMALLEST_MEAN if family == "binomial" else _LARGEST
    high = op.where(op.greater(mean, constant(top)), constant(top), mean)
    return op.where(low, constant(_SMALLEST_MEAN), high)


def _power_moved(eta: Var, mean: Var, slack: Var, exponent: float) -> Var:
    """Of eta ** exponent: relative to itself (1 ± slack / |eta|) ** exponent; infinite where eta's sign is undecided."""
    ratio = op.div(slack, op.abs(eta))
    near = op.less(ratio, constant(0.5))
    ratio = op.where(near, ratio, constant(0.0))
    steps = op.mul(op.div(ratio, op.sub(constant(1.0), ratio)), constant(abs(exponent)))
    growth = op.where(near, exponential_growth(steps), constant(np.inf))
    return op.where(
        op.equal(slack, constant(0.0)), op.mul(op.abs(mean), constant(8 * UNIT)), op.mul(op.abs(mean), growth)
    )


def _cloglog_moved(eta: Var, mean: Var, slack: Var) -> Var:
    """Of 1 - e^-t, t = e^eta: e^-t times its growth, and the rounding of the difference."""
    t = exp(eta)
    rest = exp(op.neg(t))
    moved = op.mul(rest, exponential_growth(op.mul(t, exponential_growth(slack))))
    moved = op.where(op.equal(rest, constant(0.0)), constant(0.0), moved)
    return op.add(moved, constant(4 * UNIT))


def normal_cdf(x: Var) -> Var:
    """Φ(x) = ½ (1 + erf(x / √2)), [N, 1], within 32 u of Spark's, absolutely.

    erf is the incomplete gamma function P(½, z²): its series for small z², 1 less its continued fraction for others, as
    in commons-math, here each with as many terms as any z needs.
    Source: Gaussian.cdf (breeze 2.1.0), Erf.erf, Gamma.regularizedGammaP, regularizedGammaQ (commons-math 3.6.1)
    """
    z = op.div(x, constant(math.sqrt(2.0)))
    size = op.where(op.greater(op.abs(z), constant(_ERF_IS_ONE)), constant(_ERF_IS_ONE), op.abs(z))
    square = op.mul(size, size)
    small = op.less(square, constant(_SERIES_BELOW))
    front = op.div(op.mul(exp(op.neg(square)), size), constant(math.sqrt(math.pi)))
    series = op.mul(front, _polynomials(op.where(small, square, constant(0.0)), [_series()]))
    above, below = _fraction()
    tail = _polynomials(square, [above, below])
    beyond = op.sub(constant(1.0), op.mul(front, op.div(slots(tail, _FIRST), slots(tail, _SECOND))))
    erf = op.where(small, series, beyond)
    erf = op.where(op.less(z, constant(0.0)), op.neg(erf), erf)
    return op.mul(constant(0.5), op.add(constant(1.0), erf))


def _polynomials(x: Var, coefficients: list[list[Fraction]]) -> Var:
    """x [N, 1] → [N, P]. The coefficients are above 0, as x is: nothing cancels."""
    return dot(op.pow(x, constant(np.arange(len(coefficients[0]), dtype=np.float64))), np.array(coefficients, float).T)


def _series() -> list[Fraction]:
    """Σ xⁿ / (½ · 1½ · … · (½ + n))"""
    terms = [Fraction(2)]
    for n in range(1, _SERIES_TERMS):
        terms.append(terms[-1] / (n + Fraction(1, 2)))
    return terms


def _fraction() -> tuple[list[Fraction], list[Fraction]]:
    """1 / (x + ½ - ½·1 / (x + 2½ - 1½·2 / (x + 4½ - …))) as one polynomial over another."""
    half, zero = Fraction(1, 2), Fraction(0)
    below, above = [2 * _FRACTION_STEPS + half, Fraction(1)], [Fraction(1), zero]
    for n in range(_FRACTION_STEPS, 0, -1):
        times_x, same, less = [zero, *below], [*below, zero], [*above, zero]
        stepped = [a + (2 * n - 3 * half) * b - n * (n - half) * c for a, b, c in zip(times_x, same, less, strict=True)]
        below, above = stepped, same
    return above, below
