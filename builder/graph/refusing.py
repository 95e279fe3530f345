"""Rows that Spark would not answer: at which stage, for what reason, and what stands in their outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.graph.columns import Column, Mask, Texts
from builder.graph.idioms import beside_rows, choose, constant
from builder.graph.sharing import shared
from builder.types import InvalidReason, Scalar, VectorType, dtype_of, null_of


@dataclass(frozen=True)
class Met:
    """A mask, and the stage (`ordinal` counts from 1) that put it on a column."""

    ordinal: int
    uid: str
    column: str
    mask: Mask


def code_of(masks: Sequence[Met], behind: Mapping[int, frozenset[int]], like: Var) -> Var:
    """INT32 [N, 1], N as of `like`: ±ordinal of the stage that Spark would have refused or dropped the row at, else 0.

    `behind`: stage → the stages that Spark runs before its filter: those that its columns come from, and those that no
    filter is moved in front of.
    """
    code = op.expand(constant(np.array([[0]], dtype=np.int32)), beside_rows(like, 1))
    for met in reversed(_by_precedence(masks, behind)):
        value = constant(np.array([[-met.ordinal if met.mask.drops else met.ordinal]], dtype=np.int32))
        code = op.where(met.mask.rows, value, code)
    return code


def _by_precedence(masks: Sequence[Met], behind: Mapping[int, frozenset[int]]) -> list[Met]:
    """As Spark meets them: its optimizer moves a filter in front of the stages that it does not need."""
    found: list[Met] = []
    waiting = list(masks)
    for drop in [met for met in masks if met.mask.drops]:
        needed = [met for met in waiting if met.ordinal in behind[drop.ordinal] and not met.mask.drops]
        found += [*needed, drop]
        waiting = [met for met in waiting if met is not drop and all(met is not one for one in needed)]
    return found + waiting


def blanked(column: Column, code: Var | None) -> Var:
    """The value; NaN, "" or the minimum where `code` says that the row was refused. `code` None: no row ever is."""
    if code is None:
        return op.identity(column.var)
    fine = _fine(code)
    if column.type == Scalar("string"):
        return op.where(fine, column.var, constant(np.array([[""]], dtype=np.str_)))
    if isinstance(column, Texts):  # no element at all
        return op.where(fine, column.var, constant(np.array([[column.null_text]], dtype=np.str_)))
    if isinstance(column.type, VectorType) or column.type == Scalar("double"):
        return op.where(fine, column.var, constant(np.nan))
    dtype = dtype_of(column.type, column.nullable)
    return choose(fine, column.var, constant(np.array(null_of(column.type)).astype(dtype)))


@shared
def _fine(code: Var) -> Var:
    return op.equal(code, constant(np.array([[0]], dtype=np.int32)))


def reasons_of(masks: Sequence[Met]) -> tuple[InvalidReason, ...]:
    """What each code says, a line an ordinal."""
    grouped: dict[int, list[Met]] = {}
    for met in masks:
        grouped.setdefault(met.ordinal, []).append(met)
    return tuple(
        InvalidReason(
            ordinal,
            mets[0].uid,
            ", ".join(dict.fromkeys(met.column for met in mets if met.column)),
            "; ".join(dict.fromkeys(met.mask.reason for met in mets)),
        )
        for ordinal, mets in sorted(grouped.items())
    )
