"""The name that Spark gives a selected expression that has no AS: its pretty SQL.

`IF(married == 1, 0, 1)` → `(IF((married = 1), 0, 1))`. It is read off the tokens by Spark's own grammar: sqlglot's tree
keeps neither which of two names a function was called by nor `!=` from `NOT … =`, and binds IS and IN tighter than Spark.

Source: ResolveAliases (analysis/Analyzer.scala), toPrettySQL (catalyst/util/package.scala), each expression's `sql`
(catalyst/expressions/*.scala), valueExpression and predicate (SqlBaseParser.g4), AstBuilder.visitLogicalBinary
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from builder.sql.function_titles import function_title
from builder.sql.literal_titles import date_title, number_title
from builder.sql.token_cursor import TokenCursor, Untold

_COMPARISONS = {
    "EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "NULLSAFE_EQ": "<=>",
}  # fmt: skip
_LEVELS: tuple[dict[str, str], ...] = (  # from the loosest to the tightest
    _COMPARISONS,
    {"PIPE": "|"},
    {"CARET": "^"},
    {"AMP": "&"},
    {"PLUS": "+", "DASH": "-", "DPIPE": "||"},
    {"STAR": "*", "SLASH": "/", "MOD": "%", "DIV": "div"},
)
_TYPES = {
    "TINYINT": "TINYINT", "SMALLINT": "SMALLINT", "INT": "INT", "BIGINT": "BIGINT", "FLOAT": "FLOAT", "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOLEAN", "TEXT": "STRING", "VARCHAR": "STRING", "CHAR": "STRING", "DATE": "DATE", "BINARY": "BINARY",
    "TIMESTAMP": "TIMESTAMP", "TIMESTAMPTZ": "TIMESTAMP", "TIMESTAMPLTZ": "TIMESTAMP", "TIMESTAMPNTZ": "TIMESTAMP_NTZ",
}  # fmt: skip
_WORD = re.compile(r"[A-Z_][A-Z_0-9]*")
_ENDS = frozenset({"AND", "OR", "NOT", "THEN", "WHEN", "ELSE", "END", "FROM", "AS", "IS", "IN", "BETWEEN", "CASE"})
_LONGEST = 10_000
_SIDES = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}


def column_title(tokens: Sequence[Any], table: str, modern: bool) -> str | None:
    """The name of one selected expression by its tokens; None where it is not known.

    `table`: the name by which columns may be qualified. `modern`: whether Spark 4.0 or newer names it.
    """
    reader = _Reader(tokens, table, modern)
    try:
        title = reader.expression()
    except Untold:
        return None
    return title if reader.at == len(tokens) else None


class _Reader(TokenCursor):
    """Recursive descent over the tokens of one expression."""

    def __init__(self, tokens: Sequence[Any], table: str, modern: bool) -> None:
        super().__init__(tokens)
        self.table, self.modern = table, modern

    # booleanExpression

    def expression(self) -> str:
        return self._logical("OR", lambda: self._logical("AND", self._negation))

    def _logical(self, word: str, operand: Callable[[], str]) -> str:
        operands = [operand()]
        while self.took(word):
            operands.append(operand())
        return _balanced(operands, word)

    def _negation(self) -> str:
        if self.took("NOT") or self.took("!"):
            return f"(NOT {self._negation()})"
        return self._predicate()

    def _predicate(self) -> str:
        this = self._binary(0)
        if self.took("IS"):
            return self._is(this)
        negated = self.took("NOT")
        told = self._condition(this)
        if told is None:
            if negated:
                raise Untold
            return this
        return f"(NOT {told})" if negated else told

    def _is(self, this: str) -> str:
        negated = self.took("NOT")
        if self.took("NULL") or self.took("UNKNOWN"):
            return f"({this} IS {'NOT ' if negated else ''}NULL)"
        if self.took("DISTINCT", "FROM"):
            told, negated = f"({this} <=> {self._binary(0)})", not negated
        elif self.word() in ("TRUE", "FALSE"):
            told = f"({this} <=> {self.text().lower()})"
        else:
            raise Untold
        return f"(NOT {told})" if negated else told

    def _condition(self, this: str) -> str | None:
        """What BETWEEN, IN, LIKE make of a value; None where none of them follows."""
        if self.took("BETWEEN"):
            low = self._binary(0)
            self.need("AND")
            return self._between(this, low, self._binary(0))
        if self.took("IN"):
            self.need("(")
            return f"({this} IN ({', '.join(self._listed())}))"
        if self.took("LIKE"):
            if self.word() in ("ANY", "ALL", "SOME"):
                raise Untold
            return f"{this} LIKE {self._binary(0)}{self._escape()}"
        if self.took("RLIKE") or self.took("REGEXP"):
            return f"RLIKE({this}, {self._binary(0)})"
        if self.took("ILIKE"):
            return f"ilike({this}, {self._binary(0)})"
        return None

    def _between(self, this: str, low: str, high: str) -> str:
        if self.modern:
            return f"between({this}, {low}, {high})"
        return f"(({_short(this)} >= {low}) AND ({this} <= {high}))"

    def _escape(self) -> str:
        if not self.took("ESCAPE"):
            return ""
        if self.kind() != "STRING":
            raise Untold
        mark = self.text()
        if mark in ("\\", "'"):
            raise Untold
        return f" ESCAPE '{mark}'" if self.modern else ""

    # valueExpression

    def _binary(self, level: int) -> str:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (sign := self._sign(level)) is not None:
            right = self._binary(level + 1)
            left = _joined(left, sign, right)
        return left

    def _sign(self, level: int) -> str | None:
        if level == 0 and self.word() == "!" and self.kind(1) in ("LT", "GT"):
            self.at += 2
            return ">=" if self.kind(-1) == "LT" else "<="
        sign = _LEVELS[level].get(self.kind())
        self.at += sign is not None
        return sign

    def _unary(self) -> str:
        match self.kind():
            case "DASH" if self.kind(1) == "NUMBER" or (self.kind(1) == "DOT" and self.kind(2) == "NUMBER"):
                self.at += 1
                return self._casts("-" + self._number())
            case "DASH" | "PLUS" as kind:
                self.at += 1
                return f"({'-' if kind == 'DASH' else '+'} {self._unary()})"
            case "TILDE":
                self.at += 1
                return f"~{self._unary()}"
        return self._casts(self._primary())

    def _casts(self, this: str) -> str:
        while self.kind() == "DCOLON":
            self.at += 1
            this = f"CAST({this} AS {self._type()})"
        return this

    def _primary(self) -> str:
        match self.kind():
            case "L_PAREN":
                self.at += 1
                inner = self.expression()
                self.need(")")
                return inner
            case "STRING" | "RAW_STRING":
                return self.text()
            case "NUMBER" | "DOT":
                return self._number()
            case "CASE":
                return self._case()
            case "IDENTIFIER":
                return self._column()
        if self.kind(1) == "L_PAREN" and _WORD.fullmatch(self.word()):
            return self._call()
        word = self.word()
        if word in ("TRUE", "FALSE", "NULL"):
            self.at += 1
            return "NULL" if word == "NULL" else word.lower()
        if self.kind(1) in ("STRING", "RAW_STRING"):
            return self._typed(word)
        return self._column()

    def _typed(self, word: str) -> str:
        """DATE '2020-01-01'; a time's name hangs on the session's zone."""
        if word != "DATE":
            raise Untold
        self.at += 1
        title = date_title(self.text())
        if title is None:
            raise Untold
        return title

    def _number(self) -> str:
        text = "" if self.kind() == "NUMBER" else self.text()
        at = self.at
        text += self.text()
        suffix = ""
        if self.kind() == "DCOLON" and self.tokens[self.at].start == self.tokens[at].start:  # 1.5D
            self.at += 1
            suffix = self.text().upper()
        title = number_title(text, suffix)
        if title is None:
            raise Untold
        return title

    def _column(self) -> str:
        parts = []
        while True:
            word = self.word()
            if self.kind() != "IDENTIFIER" and (not _WORD.fullmatch(word) or word in _ENDS):
                raise Untold
            parts.append(self.text())
            if self.kind() != "DOT":
                break
            self.at += 1
        if len(parts) > 1 and parts[0].upper() == self.table.upper():
            parts = parts[1:]
        if len(parts) > 1 or parts[0].upper().startswith("CURRENT_"):  # a field, or a function without parentheses
            raise Untold
        return parts[0]

    def _case(self) -> str:
        self.need("CASE")
        subject = None if self.word() == "WHEN" else _short(self.expression())
        told = ["CASE"]
        while self.took("WHEN"):
            condition = self.expression()
            self.need("THEN")
            told.append(f"WHEN {condition if subject is None else f'({subject} = {condition})'}")
            told.append(f"THEN {self.expression()}")
        if self.took("ELSE"):
            told.append(f"ELSE {self.expression()}")
        self.need("END")
        return " ".join([*told, "END"])

    # primaryExpression: calls

    def _call(self) -> str:
        name = self.text().lower()
        self.need("(")
        if name in ("cast", "try_cast"):
            this = self.expression()
            self.need("AS")
            type = self._type()
            self.need(")")
            return f"{name.upper()}({this} AS {type})"
        if name == "extract":
            field = self.text()
            self.need("FROM")
            return f"extract({field} FROM {self._last()})"
        if name == "trim" and (self.word() in _SIDES or self.has_from()):
            return self._trim()
        if name in ("substr", "substring") and self.has_from():
            return self._substring()
        title = function_title(name, self._listed(), self.modern)
        if title is None:
            raise Untold
        return title

    def _listed(self) -> list[str]:
        """Expressions up to the closing parenthesis."""
        found: list[str] = []
        if self.took(")"):
            return found
        found.append(self.expression())
        while self.took(","):
            found.append(self.expression())
        self.need(")")
        return found

    def _last(self) -> str:
        told = self._listed()
        if len(told) != 1:
            raise Untold
        return told[0]

    def _trim(self) -> str:
        side = self.text().upper() if self.word() in _SIDES else "BOTH"
        if self.took("FROM"):
            return f"{_SIDES[side]}({self._last()})"
        what = self.expression()
        self.need("FROM")
        return f"TRIM({side} {what} FROM {self._last()})"

    def _substring(self) -> str:
        this = self._binary(0)
        self.need("FROM")
        start, size = self._binary(0), "2147483647"
        if self.took("FOR"):
            size = self._binary(0)
        self.need(")")
        return f"substring({this}, {start}, {size})"

    def _type(self) -> str:
        kind = self.kind()
        if kind == "DECIMAL" or self.word() in ("DEC", "NUMERIC"):
            self.at += 1
            digits = [text.strip() for text in self._digits()] or ["10"]
            return f"DECIMAL({digits[0]},{digits[1] if len(digits) > 1 else '0'})"
        if kind not in _TYPES:
            raise Untold
        self.at += 1
        if kind in ("VARCHAR", "CHAR"):
            self._digits()
        return _TYPES[kind]

    def _digits(self) -> list[str]:
        return self._listed() if self.took("(") else []


def _short(text: str) -> str:
    """What stands in the name more than once: nested, it would double the name again and again."""
    if len(text) > _LONGEST:
        raise Untold
    return text


def _joined(left: str, sign: str, right: str) -> str:
    match sign:
        case "||":
            return f"concat({left}, {right})"
        case "<>":
            return f"(NOT ({left} = {right}))"
    return f"({left} {sign} {right})"


def _balanced(operands: Sequence[str], word: str) -> str:
    """Spark's tree of a chain of AND or OR: halved, the first half the longer one."""
    if len(operands) == 1:
        return operands[0]
    middle = (len(operands) - 1) // 2 + 1
    left, right = _balanced(operands[:middle], word), _balanced(operands[middle:], word)
    return f"({left} {word} {right})"
