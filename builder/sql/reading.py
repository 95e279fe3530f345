"""The text of a statement → what it selects. Only sqlglot's parser is used: types are given elsewhere, as Spark gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from builder.errors import Refused
from builder.sql.column_title import column_title
from builder.sql.depth import check_depth, deep

TABLE = "__THIS__"
_COMPARISONS = frozenset({"eq", "neq", "lt", "lte", "gt", "gte", "nullsafeeq"})
_CONDITIONS = frozenset({"is", "in", "between", "like", "ilike", "escape", "rlike", "regexplike", "not"})
_INEXACT = frozenset({"exp", "ln", "log", "pow", "log1p", "expm1"})
_SLIPS = (IndexError, KeyError, AttributeError, TypeError, ValueError)  # of sqlglot's parser: map('x') is an IndexError
_UNSAID = {
    "distinct": "DISTINCT",
    "group": "GROUP BY",
    "having": "HAVING",
    "order": "ORDER BY",
    "sort": "SORT BY",
    "cluster": "CLUSTER BY",
    "distribute": "DISTRIBUTE BY",
    "limit": "LIMIT",
    "offset": "OFFSET",
    "joins": "JOIN",
    "laterals": "LATERAL VIEW",
    "qualify": "QUALIFY",
    "windows": "WINDOW",
    "with_": "WITH",
    "with": "WITH",
    "pivots": "PIVOT",
    "sample": "TABLESAMPLE",
    "hint": "a hint",
}


@dataclass(frozen=True)
class Item:
    """One selected expression and its name."""

    name: str
    expression: Any
    titled: bool = False  # it has no AS: Spark itself names it

    @property
    def text(self) -> str:
        """The expression as a message quotes it."""
        return written(self.expression)

    @property
    def source(self) -> str | None:
        """The column that it is, unchanged; None where it is computed."""
        return column_name(self.expression) if self.expression.key == "column" else None


@dataclass(frozen=True)
class Statement:
    """`SELECT items FROM __THIS__ WHERE condition`. `star`: `*` is among the items."""

    items: tuple[Item, ...]
    star: bool
    condition: Any | None

    def reads(self) -> tuple[str, ...]:
        """Columns that it names, each once, in their order; `*` names none."""
        found = [column_name(node) for expression in self._expressions() for node in _columns(expression)]
        return tuple(dict.fromkeys(found))

    def inexact(self) -> bool:
        """Whether it calls a function whose last bits hang on the library that computes it, or rounds to places."""
        return any(_inexact(node) for expression in self._expressions() for node in expression.walk())

    def _expressions(self) -> list[Any]:
        own = [item.expression for item in self.items]
        return own if self.condition is None else [*own, self.condition]

    def writes(self) -> tuple[str, ...]:
        """Columns that it makes: a column selected under its own name is none."""
        return tuple(item.name for item in self.items if item.source != item.name)


@lru_cache(maxsize=64)
@deep
def parse(text: str, modern: bool = True) -> Statement:
    """Raises Refused where it is no plain SELECT over the rows of `__THIS__`, each answered alone.

    `modern`: whether Spark 4.0 or newer reads it, which names some columns otherwise.
    """
    from sqlglot import errors, parse_one

    try:
        select = parse_one(text, read="spark")
    except (errors.SqlglotError, *_SLIPS) as error:
        told = (str(error).splitlines() or ["sqlglot cannot read it"])[0]
        raise Refused(
            f"the statement {shown(text)} is not understood: {told}", fix="write it as a plain SELECT."
        ) from error
    check_depth(select)
    if _side_by_side(text):
        raise Refused(
            f"the statement {shown(text)} has two strings side by side, which Spark 3 and 4 read differently.",
            fix="write a quote inside a string as \\'.",
        )
    fix = "make that DataFrame before the pipeline; a row is answered alone."
    if select.key != "select":
        raise Refused(f"the statement {shown(text)} is no SELECT.", fix=fix)
    said = [words for key, words in _UNSAID.items() if select.args.get(key)]
    source = select.args.get("from_") or select.args.get("from")
    table = source.this if source is not None else None
    if table is None or table.key != "table" or table.name != TABLE or len(table.parts) > 1 or table.args.get("joins"):
        said.append("another source than FROM __THIS__")
    elif _beside(table):
        said.append(_beside(table))
    if said:
        raise Refused(f"the statement {shown(text)} has {', '.join(said)}.", fix=fix)
    if (crossed := _bound_otherwise(select)) is not None:
        raise Refused(
            f"the statement {shown(text)} compares what is compared already: {written(crossed)}.",
            fix="put the inner comparison into parentheses.",
        )
    items = _items(text, select.expressions, modern)
    stars = [each for each in select.expressions if each.key == "star"]
    if any(star.args.get(what) for star in stars for what in ("except_", "except", "replace", "rename")):
        raise Refused(f"the statement {shown(text)} has * EXCEPT.", fix="name the columns.")
    where = select.args.get("where")
    nameless = [item.text for item in items if not item.name]
    if nameless:
        raise Refused(
            f"the statement {shown(text)} gives no name to {', '.join(nameless)}.", fix="give it one: … AS name."
        )
    statement = Statement(tuple(items), bool(stars), None if where is None else where.this)
    names = Counter(item.name.lower() for item in items)
    twice = sorted(name for name, times in names.items() if times > 1)
    if stars:
        twice += sorted({item.name for item in items if item.source is not None and item.source == item.name})
    if twice:
        raise Refused(
            f"the statement {shown(text)} gives two columns the name {', '.join(map(repr, twice))}.",
            fix="name each column once; no later stage could tell them apart.",
        )
    return statement


def shown(text: str, most: int = 200) -> str:
    """A statement as a message quotes it."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}… ({len(text):,} characters)"


def _inexact(node: Any) -> bool:
    name = node.name.lower() if node.key == "anonymous" else node.key
    places = (
        node.args.get("decimals") if node.key == "round" else len(node.expressions) > 1 if name == "bround" else None
    )
    return name in _INEXACT or bool(places)


def _beside(table: Any) -> str:
    return "an alias of __THIS__" if table.alias else "TABLESAMPLE" if table.args.get("sample") else ""


def _items(text: str, nodes: Sequence[Any], modern: bool) -> list[Item]:
    parts = _selected(text)
    if len(parts) != len(nodes):
        parts = [[] for _ in nodes]
    return [_item(node, part, modern) for node, part in zip(nodes, parts, strict=True) if node.key != "star"]


def _item(node: Any, part: Sequence[Any], modern: bool) -> Item:
    """`part`: the tokens that the expression is written in. The tree forgets the sign of `+a`, which is no plain column."""
    if node.key == "alias":
        return Item(node.alias, _bare(node.this))
    node = _bare(node)
    signed = any(token.token_type.name == "PLUS" for token in part)
    own = "" if signed else _own_name(node)
    return Item(own or column_title(part, TABLE, modern) or "", node, titled=not own)


def _selected(text: str) -> list[list[Any]]:
    """The tokens of each selected expression."""
    from sqlglot.dialects import Spark

    parts: list[list[Any]] = [[]]
    depth, before = 0, ""
    for token in list(Spark().tokenize(text))[1:]:
        kind = token.token_type.name
        depth += {"L_PAREN": 1, "L_BRACKET": 1, "R_PAREN": -1, "R_BRACKET": -1}.get(kind, 0)
        if depth == 0 and kind == "FROM" and before != "DISTINCT":
            break
        if depth == 0 and kind == "COMMA":
            parts.append([])
        else:
            parts[-1].append(token)
        before = kind
    return parts


def _bound_otherwise(select: Any) -> Any | None:
    """A comparison whose right side sqlglot binds tighter than Spark does: `a = b IS NULL` is `(a = b) IS NULL` to Spark."""
    compared = (node for node in select.walk(bfs=False) if node.key in _COMPARISONS)
    return next((node for node in compared if node.expression.key in _COMPARISONS | _CONDITIONS), None)


def _own_name(node: Any) -> str:
    """The name that Spark gives without AS to a column and to a cast of one; "" for every other expression.

    The parser writes CAST as `trycast`, and as `cast` the functions DOUBLE(a), INT(a) … and TO_TIMESTAMP(a): the last
    is no cast to Spark, so a `cast` to timestamp has no name here.
    Source: ResolveAliases.assignAliases (analysis/Analyzer.scala): `Cast(ne: NamedExpression, …)` keeps `ne.name`
    """
    if node.key == "trycast" or (node.key == "cast" and not node.args["to"].is_type("timestamp", "timestamptz")):
        node = _bare(node.this)
    return column_name(node) if node.key == "column" and not _is_star(node) else ""


def written(node: Any, most: int = 200) -> str:
    """An expression as a message quotes it."""
    text = str(node.sql(dialect="spark"))
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def _bare(node: Any) -> Any:
    while node.key == "paren":
        node = node.this
    return node


def _is_star(node: Any) -> bool:
    return bool(node.this.key == "star")


def column_name(node: Any) -> str:
    """A column's name; `t.a` of another table than __THIS__ is told by both."""
    return node.name if node.table in ("", TABLE) else f"{node.table}.{node.name}"


def _columns(expression: Any) -> Iterator[Any]:
    return (node for node in expression.walk(bfs=False) if node.key == "column" and not _is_star(node))


def _side_by_side(text: str) -> bool:
    """'it''s' is `its` to Spark 3 and `it's` to Spark 4."""
    from sqlglot.dialects import Spark

    kinds = [token.token_type.name for token in Spark().tokenize(text)]
    return any(pair == ("STRING", "STRING") for pair in pairwise(kinds))


def carrying(text: str, column: str) -> str:
    """The same statement, selecting one column more: for asking Spark which row an answer belongs to."""
    from sqlglot.dialects import Spark

    depth = 0
    for token in Spark().tokenize(text):
        kind = token.token_type.name
        depth += {"L_PAREN": 1, "R_PAREN": -1}.get(kind, 0)
        if depth == 0 and kind == "FROM":
            return f"{text[: token.start]}, `{column}` {text[token.start :]}"
    return text
