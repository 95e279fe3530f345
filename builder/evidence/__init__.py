"""Reference rows: make them, ask Spark, keep its answers, compare."""

from __future__ import annotations

from builder.evidence.compare import FirstDifference, ParityReport, compare, first_difference
from builder.evidence.store import Evidence, load, save, session_in

__all__ = ["Evidence", "FirstDifference", "ParityReport", "compare", "first_difference", "load", "save", "session_in"]
