"""Answers rows inside MLflow's scoring server: pandas in, pandas out, onnxruntime between; no Spark, no Triton.

This file travels with the model that `publish --log-onnx` logs, and runs where tritonbuild is not installed: it imports
nothing of ours. MLflow's own wrapper of ONNX models cannot take these: it makes the text "None" of a null, and one long
column of a vector. What a null, a date or a type is on the wire stands in builder/tables.py; a test holds the two together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MODEL, TENSORS = "model.onnx", "tensors.json"
_INTEGERS: Mapping[str, Any] = {
    "integer": np.int32, "long": np.int64, "short": np.int16, "byte": np.int8, "date": np.int32, "timestamp": np.int64, "timestamp_ntz": np.int64,
}  # fmt: skip
_EXACT = 2**53  # above it a float column has lost what the integer was
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _load_pyfunc(path: str) -> Scorer:
    """What MLflow calls with the folder of the model's data."""
    return Scorer(Path(path))


class Scorer:
    """A graph and what its tensors mean. Each row is answered alone: its neighbours change no bit of it."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        document = json.loads((folder / TENSORS).read_text(encoding="utf-8"))
        self._inputs, self._outputs, self._reasons = (document[key] for key in ("inputs", "outputs", "invalid"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Every output for every row, and `invalid_reason` in words; a refused row's outputs are None.

        A column that is left out is null in every row. Raises ValueError where a value is not of its column's type.
        """
        frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
        feeds = {spec["name"]: _tensor(frame, spec) for spec in self._inputs}
        names = [spec["name"] for spec in self._outputs]
        answers = dict(zip(names, self._session.run(names, feeds), strict=True))
        invalid = answers["invalid"][:, 0]
        told = {}
        for spec in self._outputs:
            column = _column(answers[spec["name"]], spec)
            if spec["name"] != "invalid" and invalid.any():
                column = [None if code else value for code, value in zip(invalid, column, strict=True)]
            whole = spec["type"] in ("double", "decimal", "float") and None not in column
            told[spec["name"]] = pd.Series(column, frame.index, dtype=None if whole else object)
        told["invalid"] = pd.Series(invalid, index=frame.index)
        told["invalid_reason"] = pd.Series([self._reason(int(code)) for code in invalid], frame.index, dtype=object)
        return pd.DataFrame(told)

    def _reason(self, code: int) -> str | None:
        if not code:
            return None
        does = "Spark would stop" if code > 0 else "Spark would drop this row"
        for reason in self._reasons:
            if reason["code"] == abs(code):
                return f"{does}: {reason['stage']}, column {reason['column']}: {reason['reason']}"
        return f"refused for reason {code}, which the model does not explain"


def _tensor(frame: pd.DataFrame, spec: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """A column as the graph wants it, nulls as their markers."""
    name, kind = spec["name"], spec["type"]
    values: list[Any] = [None] * len(frame) if name not in frame else frame[name].tolist()
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    try:
        if kind == "vector":
            empty = [float("nan")] * spec["width"]
            rows = [empty if _null(value) else [float(slot) for slot in value] for value in values]
            if any(len(row) != spec["width"] for row in rows):
                raise ValueError(f"give {spec['width']} numbers")
            return np.array(rows, dtype=np.float64).reshape(len(rows), spec["width"])
        if kind == "array<string>":
            return _texts([[] if _null(value) else list(value) for value in values], spec["null_text"])
        read, dtype, null = _reading(kind, spec)
        if kind in ("double", "decimal", "float"):  # in a column that knows no null NaN is a value
            null = float("nan")
        elif not spec["nullable"] and any(map(_null, values)):
            raise ValueError("it knows no null")
        array = np.empty((len(values), 1), dtype=dtype)
        array[:, 0] = [null if _null(value) else read(value) for value in values]
        return array
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"input {name!r} is {kind}: {error}") from error


def _reading(kind: str, spec: Mapping[str, Any]) -> tuple[Callable[[Any], Any], Any, Any]:
    """How to read one value of the type, the tensor's dtype, and what stands for null."""
    if kind == "string":
        return _text, object, spec["null_text"]
    if kind == "boolean":
        return _truth, (np.int8 if spec["nullable"] else np.bool_), -128
    if kind == "float":
        return _number, np.float32, None
    if kind in ("double", "decimal"):
        return _number, np.float64, None
    dtype = _INTEGERS[kind]
    limits = np.iinfo(dtype)
    moment = {"date": _days, "timestamp": _microseconds, "timestamp_ntz": _microseconds}.get(kind, lambda value: value)

    def whole(value: Any) -> int:
        return _whole(moment(value), int(limits.min), int(limits.max))

    return whole, dtype, int(limits.min)


def _null(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return bool(value)


def _number(value: Any) -> float:
    if isinstance(value, bool | str | bytes):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _whole(value: Any, low: int, high: int) -> int:
    """An integer; of a float (where pandas put a null beside it) only what it surely was."""
    sure = isinstance(value, int) and not isinstance(value, bool)
    if not sure and not (isinstance(value, float) and value == int(value) and abs(value) < _EXACT):
        raise ValueError(f"{value!r} is no whole number" + (" for sure" if isinstance(value, float) else ""))
    if not low <= value <= high:
        raise ValueError(f"{value!r} is out of range")
    return int(value)


def _days(value: Any) -> Any:
    """Days since 1970-01-01: as they are, or of ISO 8601 text or a date."""
    if isinstance(value, str):
        value = date.fromisoformat(value)
    if isinstance(value, datetime):
        value = value.date()
    return (value - _EPOCH.date()).days if isinstance(value, date) else value


def _microseconds(value: Any) -> Any:
    """Microseconds since 1970-01-01 UTC: as they are, or of ISO 8601 text or a time; without a zone it is UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return value
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (value - _EPOCH) // timedelta(microseconds=1)


def _texts(rows: list[list[Any]], null: str) -> np.ndarray[Any, Any]:
    array = np.full((len(rows), max([1, *map(len, rows)])), null, dtype=object)
    for index, items in enumerate(rows):
        array[index, : len(items)] = [null if _null(item) else _text(item) for item in items]
    return array


def _column(array: np.ndarray[Any, Any], spec: Mapping[str, Any]) -> list[Any]:
    """An output as Python's values; markers are nulls again."""
    kind, null = spec["type"], spec["null_text"]
    if kind == "vector":
        return [row.tolist() for row in array]
    if kind == "array<string>":
        rows = []
        for row in array.tolist():
            while row and row[-1] == null:
                row.pop()
            rows.append([None if item == null else item for item in row])
        return rows
    values: list[Any] = array[:, 0].tolist()
    if kind in ("double", "decimal", "float") or not spec["nullable"]:
        return [bool(value) for value in values] if kind == "boolean" else values
    marker = null if kind == "string" else -128 if kind == "boolean" else int(np.iinfo(array.dtype).min)
    told = [None if value == marker else value for value in values]
    if kind == "boolean":
        return [None if value is None else bool(value) for value in told]
    if kind in ("date", "timestamp", "timestamp_ntz"):
        return [None if value is None else _moment(value, kind) for value in told]
    return told


def _moment(value: int, kind: str) -> Any:
    """The date or the time; the number itself where Python's calendar has ended."""
    try:
        return _EPOCH.date() + timedelta(days=value) if kind == "date" else _EPOCH + timedelta(microseconds=value)
    except OverflowError:
        return value
