"""The conformance table: every row of every family, by id."""

from __future__ import annotations

import importlib
import pkgutil

from tests.conformance import rows
from tests.conformance.row import Row, unique

TABLE: dict[str, Row] = unique(
    [
        row
        for module in pkgutil.iter_modules(rows.__path__)
        for row in importlib.import_module(f"{rows.__name__}.{module.name}").ROWS
    ]
)
