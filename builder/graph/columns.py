"""A column inside the graph: its tensor, and all that Spark's DataFrame knows of it.

Rules take and give `Number`, `Text` and `Vector`. What a rule does not say of its answer is unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.idioms import choose, constant, count
from builder.graph.sparse import Sparse
from builder.graph.texts import side_by_side, without_last_nulls
from builder.sparkml.attributes import UNRESOLVED, Attribute
from builder.sparkml.vectors import MOST_SLOTS
from builder.types import NULL_TEXT, Array, ColumnType, Probe, Scalar, ScalarName, TextArray, VectorType, null_of

DOUBLE = Scalar("double")


@dataclass(frozen=True)
class Origin:
    """A slot that comes from input column `input` as `value * scale + shift` (1 and 0: unchanged)."""

    input: str
    scale: float = 1.0
    shift: float = 0.0

    @property
    def unchanged(self) -> bool:
        return self.scale == 1.0 and self.shift == 0.0

    def probe(self, thresholds: Sequence[float]) -> Probe:
        """Thresholds on this slot, led back to values of the input column."""
        with np.errstate(all="ignore"):
            back = (np.asarray(thresholds, dtype=np.float64) - self.shift) / self.scale
        return Probe(self.input, thresholds=tuple(back[np.isfinite(back)].tolist()))


@dataclass(frozen=True)
class Mask:
    """Rows (`rows`: bool [N, 1]) that making a column refused, or dropped where `drops`.

    `always`: refused whether or not anybody reads the column.
    """

    rows: Var
    reason: str
    drops: bool = False
    always: bool = False


@dataclass(frozen=True)
class Column:
    """A tensor `[N, 1]` or `[N, width]` with Spark's type.

    `nullable`: whether null's marker is a null here. `origins`: per slot, where it comes from, or None.
    `masks`: rows refused while this column was made. `slack`: absolute tolerance per value (float64, the tensor's
    shape), None where the value is Spark's to the bit; only the proof graph computes it. An infinite slack says that
    the value hangs on a decision that lies inside the tolerance of what it was made from.
    """

    var: Var
    type: ColumnType
    nullable: bool = False
    origins: tuple[Origin | None, ...] = ()
    masks: tuple[Mask, ...] = ()
    probes: tuple[Probe, ...] = ()
    slack: Var | None = None
    name: str = ""

    def because(self, *masks: Mask) -> Self:
        """The same column, with rows that making it refused."""
        return replace(self, masks=self.masks + masks)

    def probing(self, *probes: Probe | None) -> Self:
        """The same column, with input values at which its maker decides."""
        return replace(self, probes=self.probes + tuple(probe for probe in probes if probe is not None))

    def within(self, slack: Var | None) -> Self:
        """The same column, with an absolute tolerance per value."""
        return replace(self, slack=slack)

    def origin(self, slot: int = 0) -> Origin | None:
        return self.origins[slot] if slot < len(self.origins) else None


@dataclass(frozen=True)
class Number(Column):
    """A numeric or boolean scalar, [N, 1]. `digits`: a decimal's digits in all and behind the point, where known.

    `below`: every row that is not refused holds a whole number of [0, below), where its maker knows that. `nulls`: bool
    [N, 1], the rows in which a rule's answer is null, where NaN or the marker may be a value too. `on_is_null`: hears that
    a rule tells null from NaN, which an input on the wire cannot: there NaN stands for both.
    """

    attribute: Attribute = UNRESOLVED
    below: int | None = None
    digits: tuple[int, int] | None = None
    nulls: Var | None = None
    on_is_null: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    def marked(self) -> Self:
        """The same numbers, nulls as their marker."""
        if self.nulls is None:
            return self
        marker = constant(np.array(null_of(self.type)).astype(self.var.unwrap_tensor().dtype))
        return replace(self, var=choose(self.nulls, marker, self.var), nullable=True)

    def double(self) -> Var:
        """float64 [N, 1], as `cast(DoubleType)`: a null of any type becomes NaN."""
        if self.type == DOUBLE:
            return self.var
        wide = op.cast(self.var, to=np.float64)
        if not self.nullable or self.type in (Scalar("float"), Scalar("decimal")):
            return wide
        return op.where(self.is_null(), constant(np.nan), wide)

    def is_null(self) -> Var:
        """bool [N, 1]: rows where this scalar is null. In a nullable floating column NaN is null, but for `nulls`."""
        if self.nulls is not None:
            return self.nulls
        if self.type in (DOUBLE, Scalar("float"), Scalar("decimal")):
            nan = op.isnan(self.var)
            if self.nullable and self.on_is_null is not None:
                self.on_is_null()
            return nan if self.nullable else op.and_(nan, constant(False))
        as_long = op.cast(self.var, to=np.int64)
        marker = constant(np.array(null_of(self.type), dtype=np.int64))
        return op.equal(as_long, marker) if self.nullable else op.less(as_long, as_long)

    def is_missing(self) -> Var:
        """bool [N, 1]: null or NaN."""
        return op.isnan(self.double())

    @property
    def kind(self) -> ScalarName:
        """The name of its Spark type."""
        assert isinstance(self.type, Scalar)
        return self.type.name

    @property
    def floating(self) -> bool:
        return self.kind in ("double", "float", "decimal")

    def numeric(self) -> Self:
        """This column, of Spark's NumericType. Raises Refused where it is a boolean, date or timestamp."""
        if self.kind in ("boolean", "date", "timestamp", "timestamp_ntz"):
            raise Refused(
                f"column {self.name!r} is {self.type}; the stage reads numbers.",
                fix="check the schema given: Spark itself refuses this column. Cast it before, in fitting too.",
            )
        return self


@dataclass(frozen=True)
class Text(Column):
    """A string scalar, [N, 1]; where nullable, `null_text` is null.

    `nulls`: bool [N, 1], rows where a rule's answer is null; lowering puts `null_text` there.
    """

    attribute: Attribute = UNRESOLVED
    null_text: str = NULL_TEXT
    nulls: Var | None = None

    def marked(self, null_text: str) -> Text:
        """The same strings, nulls as their marker."""
        if self.nulls is None:
            return replace(self, null_text=null_text)
        marker = constant(np.array([[null_text]], dtype=np.str_))
        return replace(self, var=op.where(self.nulls, marker, self.var), nullable=True, null_text=null_text, nulls=None)

    def is_null(self) -> Var:
        """bool [N, 1]: rows where this string is null."""
        equal = op.equal(self.var, constant(np.array([self.null_text], dtype=np.str_)))
        return equal if self.nullable else op.and_(equal, constant(False))


@dataclass(frozen=True)
class Texts(Column):
    """array<string>: tokens [N, T], T ≥ 1, and `there`, bool [N, T]: which of them a row has, in their order.

    ONNX has no ragged tensor (its sequences stop at onnxruntime's door, and no operator maps over one), so rows are as
    long as the batch's longest. A mask rather than a length: to leave a word out is one `And`, and what counts or hashes
    never asks where a token stands; `packed` moves them to the front for those that do. `nulls` bool [N, T]: the
    elements that are null. `lowered`: Java's toLowerCase would change none of them.

    On the wire a row is filled up with `null_text`, which also stands for a null element: so null elements at the end of
    an array are not told from padding, nor is a null array from an empty one.
    """

    null_text: str = NULL_TEXT
    there: Var | None = None
    nulls: Var | None = None
    lowered: bool = False
    is_packed: bool = False

    @staticmethod
    def given(var: Var, null_text: str, **known: Any) -> Texts:
        """An input [N, -1] as it travels."""
        full, there, nulls = without_last_nulls(var, null_text)
        return Texts(full, TextArray(), null_text=null_text, there=there, nulls=nulls, is_packed=True, **known)

    @property
    def tokens(self) -> Var:
        """bool [N, T]: which are there."""
        assert self.there is not None, f"{self.name!r}: tokens without a mask"
        return self.there

    def keeping(self, kept: Var) -> Texts:
        """Without the tokens [N, T] that are not kept."""
        return replace(self, there=op.and_(self.tokens, kept), is_packed=False)

    def packed(self) -> Texts:
        """The same tokens, each row's at its front."""
        if self.is_packed:
            return self
        order, there = side_by_side(self.tokens)
        nulls = None if self.nulls is None else op.gather_elements(self.nulls, order, axis=1)
        return replace(self, var=op.gather_elements(self.var, order, axis=1), there=there, nulls=nulls, is_packed=True)

    def travelling(self, null_text: str) -> Texts:
        """As an output: filled up with `null_text`, which also stands for null elements."""
        packed = self.packed()
        shown = packed.tokens if packed.nulls is None else op.and_(packed.tokens, op.not_(packed.nulls))
        marker = constant(np.array([[null_text]], dtype=np.str_))
        return replace(packed, var=op.where(shown, packed.var, marker), null_text=null_text)


@dataclass(frozen=True)
class Vector(Column):
    """A vector, [N, width] float64. `attributes`: one a slot, or None where the column tells none.

    `element`: "double" or "float" where it is an array of such to Spark, which few stages take for a vector.

    `stored`: bool [N, width], the slots that Spark's vector holds: of a sparse vector those with an index (all others
    are 0). None: all of them, a dense vector, as a client's always is. What Spark does to stored values alone differs
    where 0 would not stay 0: times infinity, divided by NaN, as a category. `nulls`: bool [N, 1], rows in which the
    vector is null (its slots are NaN then), where a stage can make such. `sparse`: the same vector as its few entries,
    where its maker knows them; `var` is then made of them, and left out of the graph where nobody reads it.
    """

    attributes: tuple[Attribute, ...] | None = None
    element: str = ""
    resize: Callable[[int], Vector] | None = None
    stored: Var | None = None
    nulls: Var | None = None
    sparse: Sparse | None = None

    def refused_nulls(self) -> tuple[Mask, ...]:
        """Rows that a stage which cannot read a null vector fails on."""
        return () if self.nulls is None else (Mask(self.nulls, f"vector column {self.name!r} is null"),)

    def only_stored(self, var: Var) -> Var:
        """`var`, made from this vector slot by slot, with the slots that are not stored left at 0."""
        return var if self.stored is None else op.where(self.stored, var, constant(0.0))

    @property
    def width(self) -> int:
        """Slots. Raises Refused where neither schema nor a consumer has told it."""
        assert isinstance(self.type, VectorType)
        if self.type.width is None:
            raise Refused(
                f"the width of vector column {self.name!r} is not known.",
                fix="record the schema with df.schema.json() after a VectorAssembler or VectorSizeHint (ml_attr.num_attrs).",
            )
        return self.type.width

    def sized(self, width: int) -> Vector:
        """This vector, known to be `width` wide: an input takes its first consumer's width. Raises Refused on another."""
        assert isinstance(self.type, VectorType)
        if self.type.width is None and self.resize is not None:
            return self.resize(width)
        if self.width != width:
            raise Refused(
                f"vector column {self.name!r} has width {self.width}; the model was fitted on width {width}.",
                fix="the schema does not belong to this model: give the one of its training data.",
            )
        return self


def number(var: Var, *, type: Scalar = DOUBLE, attribute: Attribute = UNRESOLVED, **known: Any) -> Number:
    """A scalar answer [N, 1]."""
    return Number(var, type, attribute=attribute, **known)


def text(var: Var, **known: Any) -> Text:
    """A string answer [N, 1]."""
    return Text(var, Scalar("string"), **known)


def vector(var: Var, width: int, *, attributes: tuple[Attribute, ...] | None = None, **known: Any) -> Vector:
    """A vector answer [N, width]."""
    if width > MOST_SLOTS:
        raise Refused(
            f"a vector of {width:,} slots takes {width * 8 / 1e9:.1f} GB a row.", fix="fit it with fewer slots."
        )
    assert attributes is None or len(attributes) == width, "one attribute a slot"
    return Vector(var, VectorType(width), attributes=attributes, **known)


def sparse_vector(entries: Sparse, **known: Any) -> Vector:
    """A vector answer of few entries; whoever reads all of its slots gets them, however many."""
    return vector(entries.dense(), entries.width, stored=entries.stored(), sparse=entries, **known)


def of_type(var: Var, type: ColumnType, **known: Any) -> Column:
    """The column class of a type."""
    match type:
        case VectorType():
            return Vector(var, type, **known)
        case TextArray():
            return Texts(var, type, **known)
        case Scalar("string"):
            return Text(var, type, **known)
        case _:
            return Number(var, type, **known)


def compressed(var: Var, width: int) -> Var:
    """Vector.compressed: which slots are stored; sparse where 1.5 * (values that are not 0, plus 1), rounded up, < width."""
    used = op.not_(op.equal(var, constant(0.0)))
    sparse = op.less(op.ceil(op.mul(op.add(count(used), constant(1.0)), constant(1.5))), constant(float(width)))
    return op.or_(used, op.not_(sparse))


def scaled_origins(column: Column, scale: Array | float, shift: Array | float, width: int) -> tuple[Origin | None, ...]:
    """Origins after slot-wise `x * scale + shift`; a slot that forgets its value (scale 0 or not finite) loses its origin."""
    scales, shifts = np.broadcast_to(scale, width), np.broadcast_to(shift, width)
    return tuple(
        Origin(origin.input, origin.scale * float(a), origin.shift * float(a) + float(b))
        if origin is not None and np.isfinite(a) and np.isfinite(b) and a != 0
        else None
        for origin, a, b in zip((column.origin(i) for i in range(width)), scales, shifts, strict=True)
    )
