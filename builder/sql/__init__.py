"""Spark SQL's scalar expressions over a row: read with sqlglot, typed and computed as Spark does."""
