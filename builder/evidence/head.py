"""What an evidence file says of itself, checked: it comes from outside like any other file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from builder.documents import parse_json
from builder.types import Array, Session, Table, TensorSpec, Word

FORMAT = 1
_VERSION = re.compile(r"\d{1,4}(\.\d{1,6}){1,3}\S{0,40}")
_MOST_COLUMNS = 100_000


class NewerFormat(ValueError):
    """Written by a newer version."""


def read_head(document: bytes) -> dict[str, Any]:
    """The head, typed and in range. Raises ValueError (NewerFormat among them) with what is wrong."""
    head = parse_json(document)
    _check(isinstance(head, dict), "its head is not an object")
    form = head.get("format")
    _check(_is_whole(form) and form >= 1, f"format {_shown(form)} is not a number")
    if form > FORMAT:
        raise NewerFormat(f"format {form}")
    found: dict[str, Any] = {"inputs": _specs(head, "inputs"), "outputs": _specs(head, "outputs")}
    outputs = {spec.name for spec in found["outputs"]}
    words = _texts(head, "words")
    _check(set(words) <= outputs and set(words.values()) <= set(get_args(Word)), f"words are {_shown(words)}")
    coverage, left_out = head.get("coverage"), head.get("left_out")
    _check(isinstance(coverage, int | float) and 0 <= coverage <= 1, f"coverage {_shown(coverage)} is not a share")
    _check(_is_whole(left_out) and 0 <= left_out < 2**31, f"left_out {_shown(left_out)} is not a number of rows")
    _check(
        _matches(_VERSION, head.get("spark_version")), f"spark_version {_shown(head.get('spark_version'))} is not one"
    )
    _check(
        isinstance(head.get("digest"), str) and len(head["digest"]) <= 128,
        f"digest {_shown(head.get('digest'))} is not one",
    )
    found |= {"words": words, "coverage": float(coverage), "left_out": left_out}
    found |= {"spark_version": head["spark_version"], "digest": head["digest"], "session": read_session(head)}
    found["steps"] = None if head.get("steps") is None else _texts(head, "steps")
    return found


def read_session(head: Mapping[str, Any]) -> Session:
    """What Spark's session was told. Raises ValueError where that is not what a session is told."""
    said = head.get("session", {})
    _check(isinstance(said, dict) and set(said) <= {"ansi", "timezone"}, f"session {_shown(said)} is not one")
    ansi, timezone = said.get("ansi"), said.get("timezone")
    _check(isinstance(ansi, bool | None) and isinstance(timezone, str | None), f"session {_shown(said)} is not one")
    return Session(ansi, timezone)


def check_shapes(
    tables: Sequence[tuple[Table, Sequence[TensorSpec]]], tolerance: Mapping[str, Array], derived: Array
) -> None:
    """Every column [N, its width], one N everywhere. Raises ValueError with the column that is not."""
    _check(derived.dtype == np.bool_ and derived.ndim == 1, "derived is not true or false for each row")
    for table, specs in tables:
        for spec in specs:
            array = table[spec.name]
            fits = array.ndim == 2 and spec.width in (-1, array.shape[1]) and len(array) == len(derived)
            _check(
                fits or not len(derived), f"column {spec.name!r} is {array.shape}, not [{len(derived)}, {spec.width}]"
            )
    answers = tables[-1][0]
    for name, array in tolerance.items():
        fits = name in answers and array.dtype == np.float64 and array.shape == answers[name].shape
        _check(fits, f"the tolerance of {name!r} is {array.dtype}{array.shape}")


def exact(array: Array, spec: TensorSpec) -> Array:
    """The array in its tensor's dtype. Raises ValueError where a value would change by that."""
    if array.dtype == spec.dtype:
        return array
    if object in (array.dtype, spec.dtype):
        raise ValueError(f"column {spec.name!r} is {array.dtype}, not {spec.dtype}")
    with np.errstate(all="ignore"):
        cast = array.astype(spec.dtype)
        same = np.array_equal(cast.astype(array.dtype), array, equal_nan=array.dtype.kind == "f")
    _check(same, f"column {spec.name!r} holds what {spec.triton} does not")
    return cast


def _specs(head: Mapping[str, Any], key: str) -> tuple[TensorSpec, ...]:
    saved = head.get(key)
    _check(isinstance(saved, list) and len(saved) <= _MOST_COLUMNS, f"{key} are not a list of columns")
    specs = tuple(map(TensorSpec.from_json, saved or ()))
    _check(len({spec.name for spec in specs}) == len(specs), f"{key} name a column twice")
    return specs


def _texts(head: Mapping[str, Any], key: str) -> dict[str, str]:
    said = head.get(key)
    _check(isinstance(said, dict) and all(isinstance(one, str) for one in said.values()), f"{key} are {_shown(said)}")
    assert isinstance(said, dict)
    return said


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _shown(value: Any) -> str:
    return repr(value)[:80]


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
