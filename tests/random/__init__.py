"""Pipelines nobody thought of: random stages on random columns, fitted by Spark, compared as the conformance table is."""
