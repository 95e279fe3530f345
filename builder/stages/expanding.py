"""Products of slots: polynomials of one vector, interactions of several columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import comb

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.columns import Column, Mask, Number, Origin, Vector, compressed, vector
from builder.graph.idioms import any_of, constant, count, slots
from builder.graph.rules import converts
from builder.graph.tolerance import product_bound
from builder.sparkml.attributes import NUMERIC, Attribute
from builder.sparkml.reader import SavedStage
from builder.types import Array

_LARGEST = 2**31 - 1  # slots of a Spark vector


@converts("org.apache.spark.ml.feature.PolynomialExpansion", word="bit")
def polynomial_expansion(stage: SavedStage, x: Vector) -> Vector:
    """Every product of at most `degree` slots, a slot perhaps more than once: (x, x·x, y, x·y, y·y).

    Shapes: x [N, F] -> [N, C(F + degree, degree) - 1].
    Order:  factors are multiplied from the last slot to the first; from the first 0 on (underflow too) the product is 0,
            so 0 times infinity is 0 where the 0 comes first.
    NaN:    spreads, but not into a product that is 0 before it. What a sparse vector does not store makes no product.
    Source: PolynomialExpansion.expandDense, expandSparse (ml/feature/PolynomialExpansion.scala, Spark 4.0.1)
    """
    degree = stage.params.integer("degree")
    if comb(x.width + degree, degree) > _LARGEST:
        raise Refused(
            f"{x.width} slots to the degree of {degree} are more than a vector can hold.",
            fix="Spark itself refuses this: lower the degree.",
        )
    factors = _monomials(x.width, degree)
    width = len(factors)
    filled = _with_one(x.var, 1.0)
    y = slots(filled, factors[:, 0])
    for step in range(1, degree):
        times = op.mul(y, slots(filled, factors[:, step]))
        y = op.where(op.equal(y, constant(0.0)), constant(0.0), times)
    stored = None
    if x.stored is not None:
        y = op.where(_all_stored(x.stored, factors), y, constant(0.0))
        sparse = op.less(count(x.stored), constant(float(x.width)))
        stored = op.or_(op.not_(sparse), op.not_(op.equal(y, constant(0.0))))
    single = (factors[:, 1:] == x.width).all(axis=1)
    origins = tuple(x.origin(slot) if alone else None for slot, alone in zip(factors[:, 0], single, strict=True))
    return vector(y, width, stored=stored, origins=origins, slack=_polynomial_slack(x, factors))


def _monomials(width: int, degree: int) -> Array:
    """[P, degree]: the slots of each product as they are multiplied, behind them `width`; in Spark's order.

    Its recursion counts up the powers of the last slot outermost: that sorts falling rows of slots, none being -1.
    """
    rows = np.arange(-1, width)[:, None]
    for _ in range(degree - 1):
        choices = rows[:, -1] + 2  # -1 to the slot before
        ends = np.cumsum(choices)
        below = np.arange(ends[-1]) - np.repeat(ends - choices, choices) - 1
        rows = np.hstack([np.repeat(rows, choices, axis=0), below[:, None]])
    rows = rows[1:]  # without the product of nothing
    return np.asarray(np.where(rows < 0, width, rows))


def _with_one(x: Var, last: float) -> Var:
    """x [N, F] -> [N, F + 1], `last` behind."""
    ones = op.expand(constant(np.array([[last]])), op.concat([op.shape(x, end=1), constant(np.array([1]))], axis=0))
    return op.concat([x, ones], axis=1)


def _all_stored(stored: Var, factors: Array) -> Var:
    """bool [N, P]: products all of whose factors are stored."""
    known = _with_one(op.cast(stored, to=np.float64), 1.0)
    every = slots(known, factors[:, 0])
    for step in range(1, factors.shape[1]):
        every = op.mul(every, slots(known, factors[:, step]))
    return op.greater(every, constant(0.0))


def _polynomial_slack(x: Vector, factors: Array) -> Var | None:
    if x.slack is None:
        return None
    low, high = (_with_one(each, 1.0) for each in (op.abs(x.var), op.add(op.abs(x.var), x.slack)))
    lows, highs = (slots(each, factors[:, 0]) for each in (low, high))
    for step in range(1, factors.shape[1]):
        lows, highs = op.mul(lows, slots(low, factors[:, step])), op.mul(highs, slots(high, factors[:, step]))
    return product_bound(lows, highs, factors.shape[1])


@dataclass(frozen=True)
class _Encoded:
    """One column of an interaction: a slot a number, a slot a category of a nominal. `high`: |var| plus its tolerance.

    `var`, `high` [N, K]; `stored` bool [N, K], None where all are.
    """

    var: Var
    stored: Var | None
    high: Var | None
    attributes: tuple[Attribute, ...] | None
    masks: tuple[Mask, ...]
    width: int
    origins: tuple[Origin | None, ...]


@converts("org.apache.spark.ml.feature.Interaction", word="bit")
def interaction(stage: SavedStage, columns: Sequence[Column]) -> Vector:
    """Every product of one slot of each column; a nominal one counts as a slot a category, 1 where it holds, else none.

    Shapes: [N, 1] and [N, width] each -> [N, product of their slots], the first column's outermost.
    Order:  multiplied from the last column to the first.
    NaN:    spreads. Null: refused. What a vector does not store makes no product, of a nominal slot's 0 neither.
    Unseen: a nominal value that is no index of a category is refused.
    Raises: Refused where a vector tells nothing of its slots, or a nominal not how many values it has.
    Source: Interaction.transform, getFeatureAttrs, FeatureEncoder (ml/feature/Interaction.scala, Spark 4.0.1)
    """
    parts = [_encoded(column) for column in columns]
    whole = parts[-1]
    for part in reversed(parts[:-1]):
        whole = _crossed(part, whole)
    y = whole.var if whole.stored is None else op.where(whole.stored, whole.var, constant(0.0))
    slack = None
    if whole.high is not None:
        slack = product_bound(op.abs(whole.var), whole.high, len(parts))
        if whole.stored is not None:
            slack = op.where(op.or_(whole.stored, op.isinf(slack)), slack, constant(0.0))
    return vector(
        y,
        whole.width,
        attributes=whole.attributes,
        stored=compressed(y, whole.width),
        slack=slack,
        origins=whole.origins,
    ).because(*(mask for part in parts for mask in part.masks))


def _crossed(head: _Encoded, tail: _Encoded) -> _Encoded:
    width = head.width * tail.width

    def pairs(operator: object, left: Var, right: Var) -> Var:
        outer = op.unsqueeze(left, constant(np.array([2])))
        inner = op.unsqueeze(right, constant(np.array([1])))
        return op.reshape(operator(inner, outer), constant(np.array([0, width])))  # type: ignore[operator]

    stored = [part.stored for part in (head, tail)]
    both = None
    if stored != [None, None]:
        known = [_known(part) for part in (head, tail)]
        both = pairs(op.and_, known[0], known[1])
    high = None
    if head.high is not None or tail.high is not None:
        sizes = [op.abs(part.var) if part.high is None else part.high for part in (head, tail)]
        high = pairs(op.mul, sizes[0], sizes[1])
    attributes = None
    if head.attributes is not None and tail.attributes is not None:
        attributes = tuple(NUMERIC.named(f"{a.name}:{b.name}") for a, b in product(head.attributes, tail.attributes))
    return _Encoded(pairs(op.mul, head.var, tail.var), both, high, attributes, (), width, ())


def _known(part: _Encoded) -> Var:
    return op.not_(op.less(part.var, part.var)) if part.stored is None else part.stored


def _encoded(column: Column) -> _Encoded:
    masks: tuple[Mask, ...] = ()
    match column:
        case Number():
            value, attributes, stored, group = column.numeric().double(), (_own(column),), None, None
            if column.nullable:
                masks = (Mask(column.is_null(), f"column {column.name!r} is null"),)
        case Vector(attributes=tuple() as attributes):
            value, stored, group = column.var, column.stored, column.name
        case Vector():
            raise Refused(
                f"vector column {column.name!r} tells nothing of its slots; Interaction reads their attributes.",
                fix="Spark itself refuses this column: assemble it with VectorAssembler.",
            )
        case _:
            raise Refused(
                f"column {column.name!r} is {column.type}; Interaction reads numbers and vectors.",
                fix="Spark itself refuses this column: index it first.",
            )
    counts = [_categories(column, attribute) for attribute in attributes]
    names = [_names(place, each, group) for place, each in enumerate(attributes)]
    fits = [len(each) for each in names] == counts
    told = tuple(attribute for each in names for attribute in each) if fits else None
    if max(counts) == 1:
        high = None if column.slack is None else op.add(op.abs(value), column.slack)
        return _Encoded(value, stored, high, told, masks, len(counts), column.origins)
    return _one_hot(column, value, stored, counts, told, masks)


def _own(column: Number) -> Attribute:
    """A scalar's attribute under the name it was given, else its column's."""
    return column.attribute if column.attribute.name is not None else column.attribute.named(column.name)


def _categories(column: Column, attribute: Attribute) -> int:
    if attribute.kind != "nominal":
        return 1
    if attribute.categories is None:
        raise Refused(
            f"column {column.name!r} is nominal and tells not how many values it has.",
            fix="Spark itself refuses this column: index it with StringIndexer or VectorIndexer.",
        )
    return attribute.categories


def _names(place: int, attribute: Attribute, group: str | None) -> list[Attribute]:
    """Interaction.encodedFeatureAttrs: column, slot and category, with `_` between them."""
    name = str(place) if attribute.name is None else attribute.name
    stem = name if group is None else f"{group}_{name}"
    if attribute.kind != "nominal":
        return [NUMERIC.named(stem)]
    values = attribute.values if attribute.values is not None else map(str, range(attribute.num_values or 0))
    return [Attribute("binary", f"{stem}_{value}") for value in values]


def _one_hot(
    column: Column,
    value: Var,
    stored: Var | None,
    counts: Sequence[int],
    attributes: tuple[Attribute, ...] | None,
    masks: tuple[Mask, ...],
) -> _Encoded:
    """Numbers as they are; of nominal slots a slot a category: 1, stored where the value is that category."""
    source = np.repeat(np.arange(len(counts)), counts)
    category = np.concatenate([np.arange(size) if size > 1 else [np.nan] for size in counts]).astype(np.float64)
    numeric = np.isnan(category)[None, :]
    spread = slots(value, source)
    held = op.or_(op.equal(spread, constant(category[None, :])), constant(numeric))
    nominal = np.flatnonzero(np.array(counts) > 1)
    given = slots(value, nominal)
    sizes = constant(np.array([[float(counts[slot]) for slot in nominal]]))
    fits = op.and_(op.greater_or_equal(given, constant(0.0)), op.less(given, sizes))
    lost = op.not_(op.and_(fits, op.equal(given, op.floor(given))))
    if stored is not None:
        held = op.and_(held, slots(stored, source))
    wrong = Mask(any_of(lost), f"column {column.name!r} holds what is no index of a category")
    high = None
    if column.slack is not None:
        slack = slots(column.slack, source)
        undecided = op.where(op.greater(slack, constant(0.0)), constant(np.inf), constant(1.0))
        high = op.where(constant(numeric), op.add(op.abs(spread), slack), undecided)
    var = op.where(constant(numeric), spread, constant(1.0))
    return _Encoded(var, held, high, attributes, (*masks, wrong), len(source), ())
