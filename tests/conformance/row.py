"""What a row of the conformance table is: data, and nothing but data.

Imports neither builder nor pyspark: any interpreter with Spark in it can read the table (record.py), and the hash of
a row is the hash of its text.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

INF, NAN = float("inf"), float("nan")
UGLY = (0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, -2.7, 3.1, 16777217.0, 1e308, -1e308, 5e-324, INF, -INF, NAN)
"""Numbers that catch float32, epsilons, `<` for `<=` and forgotten branches."""
MILD = (0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, -2.7, 3.1, 16777217.0, 1e-30, 123456.789)
"""UGLY without what has no truth in a sum: there, the order of the terms decides."""
WORDS = ("", "ß", "日本", "a", "b", "unseen", None)


@dataclass(frozen=True)
class Stage:
    """A pyspark class (or `Class.method`) and its arguments, made when Spark runs."""

    name: str
    arguments: tuple[Any, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        given = [repr(a) for a in self.arguments] + [f"{k}={v!r}" for k, v in self.params.items()]
        return f"{self.name}({', '.join(given)})"


class _Spark:
    """`spark.StringIndexer(inputCol="s", outputCol="i")` is that stage, not yet made."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix

    def __getattr__(self, name: str) -> _Spark:
        return _Spark(f"{self._prefix}.{name}" if self._prefix else name)

    def __call__(self, *arguments: Any, **params: Any) -> Stage:
        return Stage(self._prefix, arguments, params)


spark: Any = _Spark()


@dataclass(frozen=True)
class Vector:
    """A vector param, or a sparse vector in a column. `size` is None where it is dense."""

    values: tuple[float, ...]
    indices: tuple[int, ...] = ()
    size: int | None = None

    def dense(self) -> tuple[float, ...]:
        if self.size is None:
            return self.values
        at = dict(zip(self.indices, self.values, strict=True))
        return tuple(at.get(i, 0.0) for i in range(self.size))


def dense(*values: float) -> Vector:
    return Vector(tuple(float(value) for value in values))


def sparse(size: int, at: Mapping[int, float]) -> Vector:
    return Vector(tuple(at.values()), tuple(at), size)


@dataclass(frozen=True)
class Column:
    """Values of one Spark type, given as DDL writes it (`double`, `int`, `decimal(10,2)`), or `vector`."""

    type: str
    values: tuple[Any, ...]
    nullable: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)


def column(type: str, *values: Any, nullable: bool = True, metadata: Mapping[str, Any] | None = None) -> Column:
    return Column(type, values, nullable, metadata or {})


def doubles(*values: float | None, nullable: bool = True) -> Column:
    return column("double", *values, nullable=nullable)


def texts(*values: str | None) -> Column:
    return column("string", *values)


def vectors(*values: Vector | Sequence[float] | None, metadata: Mapping[str, Any] | None = None) -> Column:
    """Dense where a plain sequence is given."""
    return column("vector", *(_vector(value) for value in values), metadata=metadata)


def _vector(value: Vector | Sequence[float] | None) -> Vector | None:
    return value if value is None or isinstance(value, Vector) else dense(*value)


def width(slots: int) -> dict[str, Any]:
    """What VectorAssembler or VectorSizeHint leaves in a schema: stages that learn no width of their own need it."""
    return {"ml_attr": {"num_attrs": slots}}


def rolled(values: Sequence[float], width: int) -> tuple[tuple[float, ...], ...]:
    """Each value once in each of `width` slots, beside others: `len(values)` rows."""
    n = len(values)
    return tuple(tuple(values[(i + 4 * j) % n] for j in range(width)) for i in range(n))


Columns = Mapping[str, Column]
Word = Literal["bit", "dot", "elementary", "iterative"]


@dataclass(frozen=True)
class Row:
    """One row of the table: a pipeline, what it is fitted on, what it is asked, and how equal the answer must be.

    `train` is None for transformers alone. `outputs` are the columns compared, and exactly what lowering chooses by
    default unless `chosen`. `undecided` is how many labels may differ, their margin lying inside the tolerance.
    `refused` is the regular expression of a refusal: such a row is saved and never answered. `smoke` rows run in
    `make test`. `notyet` is a reason: the row must fail, strictly. `conf` is what Spark's session is told before it
    answers, and no saved model tells: ANSI mode, time zone. `since`: the oldest Spark that knows its stages and params.
    """

    id: str
    stages: tuple[Stage, ...]
    rows: Columns
    outputs: tuple[str, ...] = ()
    train: Columns | None = None
    word: Word = "bit"
    chosen: bool = False
    undecided: int = 0
    refused: str = ""
    notyet: str = ""
    smoke: bool = False
    since: tuple[int, int] = (3, 5)
    conf: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(column.values) for name, column in self.rows.items()}
        assert len(set(lengths.values())) == 1, f"{self.id}: columns of one table differ in length: {lengths}"
        trained = self.train or self.rows
        strange = {name for name, column in self.rows.items() if name in trained and trained[name].type != column.type}
        assert not strange, f"{self.id}: trained and asked with other types: {strange}"

    def digest(self) -> str:
        """Of everything that Spark's answer depends on."""
        text = repr((self.stages, _plain(self.rows), _plain(self.train), sorted(self.outputs)))
        text += repr(sorted(self.conf.items())) if self.conf else ""
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(columns: Columns | None) -> Any:
    return columns and [(n, c.type, c.values, c.nullable, repr(c.metadata)) for n, c in columns.items()]


def unique(rows: Iterator[Row] | Sequence[Row]) -> dict[str, Row]:
    """By id. Raises AssertionError where two rows share one."""
    table: dict[str, Row] = {}
    for row in rows:
        assert row.id not in table, f"two conformance rows are called {row.id!r}"
        table[row.id] = row
    return table


def crossed(**values: Sequence[Any]) -> dict[str, tuple[Any, ...]]:
    """Every combination, as columns of raw values."""
    combinations = list(itertools.product(*values.values()))
    return {name: tuple(row[i] for row in combinations) for i, name in enumerate(values)}
