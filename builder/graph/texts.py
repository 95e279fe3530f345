"""Strings in the graph, as Java's String has them. onnxruntime knows three operators for strings and two of its own.

Two ways lead through every change of case and every split by characters. A row of plain ASCII takes a short one,
`StringNormalizer` (locale "C") and `StringSplit`. All others are taken apart into characters (`Tokenizer` with the
separator ""), each looked up in Java's own table, and joined again by pairs. Which rows are plain is asked of each; where
all are, an ONNX `If` leaves the long way out.

What was measured on onnxruntime 1.21 and 1.32:

* StringNormalizer's own lower-casing is another than Java's (41 characters, final sigma) and needs a locale that slim
  containers have not: in "C" it changes ASCII alone, and stops the batch where a string is no UTF-8.
* StringSplit gives "" no token at all, Java gives it one, the empty one.
* `com.microsoft.Tokenizer` stops the batch where a string is no UTF-8. RE2's `(?s).*` takes surrogates (ED A0 80), what is
  above U+10FFFF and overlong forms of three and four bytes for UTF-8; `READABLE` refuses them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
import spox.opset.ai.onnx.ml.v5 as ml
import spox.opset.ai.onnx.v21 as op
from spox import Var, inline

from builder.graph.casing import FINAL_SIGMA, SIGMA, lower_cases, sigma_neighbours, upper_cases
from builder.graph.idioms import constant
from builder.graph.sharing import shared
from builder.sparkml.letters import Letters

Case = Literal["LOWER", "UPPER", "NONE"]
READABLE = r"[\x{0}-\x{D7FF}\x{E000}-\x{10FFFF}]*"
"""RE2 of the strings that are UTF-8. Ask it before any operator that decodes characters."""
_CASED, _BREAK, _JOINT = 1, 2, 3


@dataclass(frozen=True)
class Changed:
    """Strings [N], and the rows (bool [N, 1]) that could not be read (no UTF-8) or decided (a capital sigma)."""

    text: Var
    refused: Var


@shared
def flat(x: Var) -> Var:
    """[N, 1] → [N]."""
    return op.squeeze(x, _ints(1))


def upright(x: Var) -> Var:
    """[N] → [N, 1]."""
    return op.unsqueeze(x, _ints(1))


@shared
def lower(text: Var) -> Changed:
    """text [N], as String.toLowerCase(Locale.ROOT)."""
    return changed(text, case="LOWER")


@shared
def upper(text: Var) -> Changed:
    """text [N], as String.toUpperCase(Locale.ROOT)."""
    return changed(text, case="UPPER")


def changed(text: Var, *, case: Case = "NONE", marks: Letters | None = None, mark: str = "") -> Changed:
    """text [N] → its case changed, then each character of `marks` (if any) replaced by `mark`, which is one of them."""
    plain = op.regex_full_match(text, pattern=_plain(case, marks, mark))
    nothing = constant(np.array([""], dtype=np.str_))

    def short() -> list[Var]:
        return [_ascii(text, case), upright(op.not_(plain))]

    def long() -> list[Var]:
        rows = op.squeeze(op.non_zero(op.not_(plain)), _ints(0))
        given = op.gather(text, rows)
        readable = op.regex_full_match(given, pattern=READABLE)
        characters, undecided = _recased(characters_of(op.where(readable, given, nothing)), case)
        if marks is not None:
            characters = _marked(characters, marks, mark)
        refused = op.or_(op.not_(readable), undecided)
        kept = _ascii(op.where(plain, text, nothing), case)
        lost = op.scatter_elements(op.not_(op.equal(text, text)), rows, refused, axis=0)
        return [op.scatter_elements(kept, rows, joined(characters), axis=0), upright(lost)]

    every = op.reduce_min(plain, keepdims=0)
    return Changed(*op.if_(every, then_branch=short, else_branch=long))


@shared
def characters_of(text: Var) -> Var:
    """text [N], UTF-8 → [N, C], C ≥ 1: one character a cell, "" behind a row's last."""
    characters = contrib("Tokenizer", text, np.str_, 1, 2, mark=0, pad_value="", mincharnum=1, separators=[""])
    return op.concat([characters, _empty_column(text)], axis=1)


def joined(characters: Var) -> Var:
    """[N, C] strings → [N], each row's put together: neighbours by pairs, log2 C times."""

    def halve(_: Var, __: Var, row: Var) -> list[Var]:
        odd = op.mod(_columns(row), _ints(2))
        blank = op.slice(
            _empty_column(op.squeeze(op.slice(row, _ints(0), _ints(1), _ints(1)), _ints(1))), _ints(0), odd, _ints(1)
        )
        even = op.concat([row, blank], axis=1)
        end = _ints(np.iinfo(np.int64).max)
        left, right = (op.slice(even, _ints(start), end, _ints(1), _ints(2)) for start in (0, 1))
        pairs = op.string_concat(left, right)
        return [_more_than_one(pairs), pairs]

    (row,) = op.loop(None, _more_than_one(characters), v_initial=[characters], body=halve)
    return op.squeeze(op.slice(row, _ints(0), _ints(1), _ints(1)), _ints(1))


def split(text: Var, separator: str) -> tuple[Var, Var]:
    """text [N] → tokens [N, T], T ≥ 1, and bool [N, T] which of them are there: Java's `split` by a literal.

    Leading and inner empty strings stay, trailing ones go; "" is one empty token.
    """
    empty = constant(np.array([""], dtype=np.str_))
    if len(separator) > 1:  # a self-overlapping one behind the text could be found elsewhere in it
        parts, _ = op.string_split(text, delimiter=separator)
        parts = op.concat([parts, _empty_column(text)], axis=1)
        at = places(parts)
        least = op.sub(op.cast(op.equal(upright(text), empty), to=np.int64), constant(1))
    else:  # one separator more: T ≥ 1, and a row of one token has two parts, the last of which is never counted
        parts, number = op.string_split(
            op.string_concat(text, constant(np.array([separator], dtype=np.str_))), delimiter=separator
        )
        at = op.range(constant(0), op.reduce_max(number, _ints(0), keepdims=0), constant(1))
        least = upright(op.sub(constant(2), number))
    last = op.reduce_max(op.where(op.equal(parts, empty), constant(-1), at), _ints(1), keepdims=1)
    return parts, op.less_or_equal(at, op.max([last, least]))


def side_by_side(there: Var) -> tuple[Var, Var]:
    """bool [N, T] → the order [N, T] that puts what is there first, else as it stands; and bool [N, T] of the result."""
    at = places(there)
    key = op.where(there, at, op.add(at, _columns(there)))
    _, order = op.top_k(key, _columns(there), axis=1, largest=0, sorted=1)
    return order, op.gather_elements(there, order, axis=1)


def without_last_nulls(x: Var, null_text: str) -> tuple[Var, Var, Var]:
    """x [N, any] filled up with `null_text` → [N, T], T ≥ 1, filled up with ""; which are elements, which of those null."""
    marker = constant(np.array([[null_text]], dtype=np.str_))
    full = op.concat([x, op.expand(marker, op.concat([op.shape(x, start=0, end=1), _ints(1)], axis=0))], axis=1)
    null = op.equal(full, marker)
    ordinals = op.add(places(full), constant(1))
    last = op.reduce_max(op.where(null, constant(0), ordinals), _ints(1), keepdims=1)
    there = op.less_or_equal(ordinals, last)
    nothing = constant(np.array([[""]], dtype=np.str_))
    return op.where(null, nothing, full), there, op.and_(null, there)


def further(x: Var, step: int, filler: str | bool) -> Var:
    """x [N, T] → [N, T]: what stands `step` places further on, the filler beyond the end."""
    kind = np.str_ if isinstance(filler, str) else np.bool_
    blank = op.expand(
        constant(np.array([[filler]], dtype=kind)), op.concat([op.shape(x, start=0, end=1), _ints(step)], axis=0)
    )
    return op.slice(op.concat([x, blank], axis=1), _ints(step), _ints(np.iinfo(np.int64).max), _ints(1))


def places(x: Var) -> Var:
    """x [N, T] → int64 [T]: 0, 1, 2, …"""
    size = op.squeeze(_columns(x), _ints(0))
    return op.range(constant(0), size, constant(1))


def long_enough(x: Var, least: int) -> Var:
    """x strings → bool: whether each has `least` characters or more, as Java counts: those above U+FFFF twice."""
    enough = op.regex_full_match(x, pattern=f"(?s).{{{least},}}")
    for twice in range(1, least // 2 + 1):
        several = op.regex_full_match(x, pattern=rf"(?s)(?:.*[\x{{10000}}-\x{{10FFFF}}]){{{twice}}}.*")
        enough = op.or_(enough, op.and_(several, op.regex_full_match(x, pattern=f"(?s).{{{least - twice},}}")))
    return enough


def in_set(x: Var, words: Mapping[str, Any] | frozenset[str]) -> Var:
    """x strings → bool, the same shape: whether each is one of the words."""
    keys = np.array(sorted(words) or [""], dtype=np.str_)
    values = np.full(len(keys), 1 if words else 0, dtype=np.int64)
    found = ml.label_encoder(x, keys_tensor=keys, values_tensor=values, default_tensor=np.array([0]))
    return op.cast(found, to=np.bool_)


def long_of(x: Var, words: Mapping[str, int], default: int) -> Var:
    """x strings → int64, the same shape: the number that stands beside each, or the default."""
    keys = np.array([*words] or [""], dtype=np.str_)
    values = np.array([*words.values()] or [default], dtype=np.int64)
    return ml.label_encoder(x, keys_tensor=keys, values_tensor=values, default_tensor=np.array([default]))


def murmur3(x: Var, rank: int) -> Var:
    """x strings → int32, the same shape: MurmurHash3_x86_32 of the UTF-8 bytes with Spark's seed."""
    return contrib("MurmurHash3", x, np.int32, rank, rank, seed=42, positive=0)


def contrib(operator: str, x: Var, dtype: type[np.generic], rank: int, ranked: int, **attributes: Any) -> Var:
    """An operator of onnxruntime's own, of one string tensor of `rank` dimensions; `ranked` are its answer's."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)) if dtype is not np.str_ else onnx.TensorProto.STRING
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(operator, ["x"], ["y"], domain="com.microsoft", **attributes)],
        operator,
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.STRING, [f"x{i}" for i in range(rank)])],
        [
            onnx.helper.make_tensor_value_info(
                "y", kind, [f"{'x' if rank == ranked else 'y'}{i}" for i in range(ranked)]
            )
        ],
    )
    opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid("com.microsoft", 1)]
    return inline(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10))(x)["y"]


def _plain(case: Case, marks: Letters | None, mark: str) -> str:
    """RE2 of the strings that the short way answers: ASCII, of whose characters no other than `mark` itself is marked."""
    cases = {"LOWER": lower_cases(), "UPPER": upper_cases(), "NONE": {}}[case]
    kept = [
        chr(c)
        for c in range(128)
        if marks is None or (after := cases.get(chr(c), chr(c))) == mark or after not in marks
    ]
    return Letters.of("".join(kept)).pattern() + "*"


def _ascii(text: Var, case: Case) -> Var:
    if case == "NONE":
        return op.identity(text)
    return op.string_normalizer(text, case_change_action=case, is_case_sensitive=1, locale="C")


def _recased(characters: Var, case: Case) -> tuple[Var, Var]:
    """characters [M, C], and the rows [M] with a sigma that is not decided."""
    never = op.cast(op.reduce_min(constant(np.zeros((1, 1), np.int32)), _ints(1), keepdims=0), to=np.bool_)
    if case == "NONE":
        return characters, never
    cases = lower_cases() if case == "LOWER" else upper_cases()
    changed = _looked_up(characters, cases)
    if case == "UPPER":
        return changed, never
    sigma = op.equal(characters, constant(np.array([SIGMA], dtype=np.str_)))
    kinds = long_of(characters, {**sigma_neighbours(), "": _BREAK}, 0)
    before, after, beyond = (_shifted(kinds, by) for by in (-1, 1, 2))
    joint = _is(after, _JOINT)
    medial = op.or_(op.or_(_is(after, _CASED), _is(before, _BREAK)), op.and_(joint, _is(beyond, _CASED)))
    ends = op.or_(_is(after, _BREAK), op.and_(joint, _is(beyond, _BREAK)))
    final = op.and_(op.and_(sigma, _is(before, _CASED)), op.and_(ends, op.not_(medial)))
    lost = op.and_(sigma, op.not_(op.or_(medial, final)))
    undecided = op.cast(op.reduce_max(op.cast(lost, to=np.int32), _ints(1), keepdims=0), to=np.bool_)
    return op.where(final, constant(np.array([FINAL_SIGMA], dtype=np.str_)), changed), undecided


def _looked_up(characters: Var, table: Mapping[str, str]) -> Var:
    keys, values = np.array([*table], dtype=np.str_), np.array([*table.values()], dtype=np.str_)
    nothing = np.array([""], dtype=np.str_)
    found = ml.label_encoder(characters, keys_tensor=keys, values_tensor=values, default_tensor=nothing)
    return op.where(op.equal(found, constant(nothing)), characters, found)


def _marked(characters: Var, marks: Letters, mark: str) -> Var:
    """Cells that are in the set replaced. A cell of several characters (a changed case) is looked at character by character."""
    inside = op.regex_full_match(characters, pattern=marks.pattern())
    replaced = op.where(inside, constant(np.array([mark], dtype=np.str_)), characters)
    several = [
        text for text in {**lower_cases(), **upper_cases()}.values() if len(text) > 1 and any(c in marks for c in text)
    ]
    if not several:
        return replaced
    return _looked_up(replaced, {text: "".join(mark if c in marks else c for c in text) for text in several})


def _shifted(kinds: Var, by: int) -> Var:
    """Per cell the kind of the cell `by` further on; beyond the row's ends that is the end of a word."""
    rows = op.shape(kinds, start=0, end=1)
    edge = op.expand(constant(np.array([[_BREAK]])), op.concat([rows, _ints(abs(by))], axis=0))
    if by < 0:
        return op.concat([edge, op.slice(kinds, _ints(0), _ints(by), _ints(1))], axis=1)
    return op.slice(op.concat([kinds, edge], axis=1), _ints(by), _ints(np.iinfo(np.int64).max), _ints(1))


def _is(kinds: Var, kind: int) -> Var:
    return op.equal(kinds, constant(kind))


def _empty_column(text: Var) -> Var:
    """text [N] → "" [N, 1]."""
    return op.expand(constant(np.array([[""]], dtype=np.str_)), op.concat([op.shape(text), _ints(1)], axis=0))


def _columns(x: Var) -> Var:
    """x [N, T] → int64 [1]: T."""
    return op.shape(x, start=1, end=2)


def _more_than_one(x: Var) -> Var:
    return op.greater(_columns(x), _ints(1))


def _ints(*values: int) -> Var:
    return constant(np.array(values, dtype=np.int64))
