"""Spark ML's saved vectors and matrices → numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from builder.types import Array

MOST_SLOTS = 1 << 26
"""Of a vector or matrix: 512 MB of doubles."""


def dense_vector(saved: Mapping[str, Any]) -> Array:
    """VectorUDT {type 0 sparse | 1 dense, size, indices, values} → [size] float64.

    Raises ValueError where Spark's own constructors do: indices that do not rise, or are not below the size.
    """
    values = np.asarray(saved["values"], dtype=np.float64)
    if saved["type"] == 1:
        return values
    size = _size(saved["size"])
    indices = np.asarray(saved["indices"], dtype=np.int64).reshape(-1)
    if len(indices) != len(values) or (np.diff(indices) <= 0).any() or (indices < 0).any() or (indices >= size).any():
        raise ValueError(f"a sparse vector of size {size} has indices that do not rise below it, one a value")
    dense = np.zeros(size, dtype=np.float64)
    dense[indices] = values
    return dense


def dense_matrix(saved: Mapping[str, Any]) -> Array:
    """MatrixUDT {type, numRows, numCols, colPtrs, rowIndices, values, isTransposed} → [numRows, numCols] float64.

    Column-major unless `isTransposed`; a transposed sparse matrix has row pointers in `colPtrs`.
    Raises ValueError where Spark's own constructors do: sizes that disagree, pointers and indices out of order.
    """
    rows, columns, transposed = _size(saved["numRows"]), _size(saved["numCols"]), saved["isTransposed"]
    _size(rows * columns)
    values = np.asarray(saved["values"], dtype=np.float64)
    if saved["type"] == 1:
        if len(values) != rows * columns:
            raise ValueError(f"a matrix of {rows} x {columns} has {len(values)} values")
        return values.reshape(rows, columns) if transposed else values.reshape(columns, rows).T.copy()
    major, minor = (rows, columns) if transposed else (columns, rows)
    pointers = np.asarray(saved["colPtrs"], dtype=np.int64).reshape(-1)
    indices = np.asarray(saved["rowIndices"], dtype=np.int64).reshape(-1)
    if (
        len(pointers) != major + 1
        or pointers[0] != 0
        or (np.diff(pointers) < 0).any()
        or not pointers[-1] == len(indices) == len(values)
        or (indices < 0).any()
        or (indices >= minor).any()
    ):
        raise ValueError(f"a sparse matrix of {rows} x {columns} has pointers or indices that do not fit")
    dense = np.zeros((major, minor), dtype=np.float64)
    dense[np.repeat(np.arange(major), np.diff(pointers)), indices] = values
    return dense if transposed else dense.T.copy()


def _size(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SLOTS:
        raise ValueError(f"{value!r} is not a size of 0 to {MOST_SLOTS:,}")
    return value


def stored_vector(saved: Mapping[str, Any]) -> Array:
    """Which slots a saved vector holds: bool [size]; all of a dense one."""
    if saved["type"] == 1:
        return np.ones(len(saved["values"]), dtype=bool)
    return np.asarray(dense_vector({**saved, "values": np.ones(len(saved["values"]))}) == 1)


def stored_matrix(saved: Mapping[str, Any]) -> Array:
    """Which slots a saved matrix holds: bool [numRows, numCols]; all of a dense one."""
    return np.asarray(dense_matrix({**saved, "values": np.ones(len(saved["values"]))}) == 1)
