"""An expression of a statement → its value, by the rules given. What has no rule is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from builder.errors import Refused
from builder.graph.columns import Column
from builder.sql.reading import written
from builder.sql.values import Value
from builder.types import Probe

_MOST = 8_000  # parts of one statement: 1,000 comparisons are 4,000 of them, and each takes about half a millisecond
_NEUTRAL = frozenset({"typed", "safe", "_type", "is_nvl", "ignore_nulls", "big_int", "kind", "coalesce", "flatten"})


@dataclass(frozen=True)
class Scope:
    """What an expression may name, and how the session computes. `probes` gathers the values at which it decides.

    `rules`: sqlglot's name of an expression, or a function's own and (), → how it is computed.
    `since(major, minor)`: whether that Spark or a newer one saved the statement.
    """

    rules: Mapping[str, Rule]
    columns: Mapping[str, Column]
    ansi: bool
    since: Callable[[int, int], bool]
    timezone: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)  # columns that are spelt otherwise where they were made
    probes: list[Probe] = field(default_factory=list)
    read: dict[str, Value] = field(default_factory=dict)  # columns that were met
    met: list[int] = field(default_factory=lambda: [0])  # parts that were computed so far

    def value(self, node: Any) -> Value:
        """Raises Refused where Spark's answer cannot be said exactly."""
        name = f"{node.name.lower()}()" if node.key == "anonymous" else node.key
        rule = self.rules.get(name)
        self.met[0] += 1
        if self.met[0] > _MOST:
            raise Refused(
                f"the statement computes more than {_MOST:,} parts (columns, literals, operators).",
                fix="compute some of it before the pipeline, or give long lists as one IN.",
            )
        if rule is None:
            raise Refused(
                f"{written(node)} is not among the expressions that are converted.",
                fix="compute it before the pipeline, in fitting too.",
            )
        return rule(self, node)

    def all(self, node: Any, *names: str, optional: int = 0) -> list[Value]:
        """The values of a node's arguments, by sqlglot's names of them; Refused where it has others."""
        return [self.value(each) for each in arguments(node, *names, optional=optional)]

    def decides(self, a: Value, b: Value) -> None:
        """Two values are compared: where one stands in the statement, the other's column is probed there."""
        for value, other in ((a, b), (b, a)):
            if other.literal is not None:
                self.decides_at(value, [other.literal])

    def decides_at(self, value: Value, literals: Sequence[Any]) -> None:
        """A value is compared with literals: its column is probed there."""
        if value.origin is None:
            return
        texts = tuple(literal for literal in literals if isinstance(literal, str))
        numbers = [float(literal) for literal in literals if not isinstance(literal, str | bool)]
        if texts:
            self.probes.append(Probe(value.origin.input, exact=texts))
        if numbers and value.kind.numeric:
            self.probes.append(value.origin.probe(numbers))


Rule = Callable[[Scope, Any], Value]


def arguments(node: Any, *names: str, optional: int = 0) -> list[Any]:
    """A node's children by name, lists spread; the last `optional` may be missing. Nothing that it has goes unread."""
    if node.key == "anonymous":
        if not len(names) - optional <= len(node.expressions) <= len(names):
            raise Refused(f"{written(node)} has {len(node.expressions)} arguments.")
        return list(node.expressions)
    strange = [key for key, value in node.args.items() if value and key not in names and key not in _NEUTRAL]
    if strange:
        raise Refused(f"{written(node)} is said in a way that is not converted ({', '.join(strange)}).")
    found: list[Any] = []
    for index, name in enumerate(names):
        given = node.args.get(name)
        if given is None and index < len(names) - optional:
            raise Refused(f"{written(node)} lacks an argument.")
        found += given if isinstance(given, list) else [] if given is None else [given]
    return found
