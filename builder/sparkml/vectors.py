"""Spark ML's saved vectors and matrices → numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from builder.types import Array


def dense_vector(saved: Mapping[str, Any]) -> Array:
    """VectorUDT {type 0 sparse | 1 dense, size, indices, values} → [size] float64."""
    values = np.asarray(saved["values"], dtype=np.float64)
    if saved["type"] == 1:
        return values
    dense = np.zeros(saved["size"], dtype=np.float64)
    dense[np.asarray(saved["indices"], dtype=np.int64)] = values
    return dense


def dense_matrix(saved: Mapping[str, Any]) -> Array:
    """MatrixUDT {type, numRows, numCols, colPtrs, rowIndices, values, isTransposed} → [numRows, numCols] float64.

    Column-major unless `isTransposed`; a transposed sparse matrix has row pointers in `colPtrs`.
    """
    rows, columns, transposed = saved["numRows"], saved["numCols"], saved["isTransposed"]
    values = np.asarray(saved["values"], dtype=np.float64)
    if saved["type"] == 1:
        return values.reshape(rows, columns) if transposed else values.reshape(columns, rows).T.copy()
    major, minor = (rows, columns) if transposed else (columns, rows)
    dense = np.zeros((major, minor), dtype=np.float64)
    pointers = np.asarray(saved["colPtrs"], dtype=np.int64)
    dense[np.repeat(np.arange(major), np.diff(pointers)), np.asarray(saved["rowIndices"], dtype=np.int64)] = values
    return dense if transposed else dense.T.copy()


def stored_vector(saved: Mapping[str, Any]) -> Array:
    """Which slots a saved vector holds: bool [size]; all of a dense one."""
    if saved["type"] == 1:
        return np.ones(len(saved["values"]), dtype=bool)
    return np.asarray(dense_vector({**saved, "values": np.ones(len(saved["values"]))}) == 1)


def stored_matrix(saved: Mapping[str, Any]) -> Array:
    """Which slots a saved matrix holds: bool [numRows, numCols]; all of a dense one."""
    return np.asarray(dense_matrix({**saved, "values": np.ones(len(saved["values"]))}) == 1)
