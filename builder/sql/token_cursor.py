"""A place in the tokens of an expression, and what stands there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Untold(Exception):
    """Spark's name of the expression is not known: it ends column_title, which answers None."""


class TokenCursor:
    """Reads sqlglot's tokens one by one."""

    def __init__(self, tokens: Sequence[Any]) -> None:
        self.tokens, self.at = tokens, 0

    def kind(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return str(self.tokens[at].token_type.name) if at < len(self.tokens) else ""

    def word(self, ahead: int = 0) -> str:
        """The token as a keyword would be written; "" of a quoted one."""
        at = self.at + ahead
        quoted = self.kind(ahead) in ("IDENTIFIER", "") or "STRING" in self.kind(ahead)
        return "" if quoted else str(self.tokens[at].text).upper()

    def took(self, *words: str) -> bool:
        """Whether these words come next; they are behind us then."""
        if any(self.word(i) != word for i, word in enumerate(words)):
            return False
        self.at += len(words)
        return True

    def need(self, *words: str) -> None:
        if not self.took(*words):
            raise Untold

    def text(self) -> str:
        if self.at >= len(self.tokens):
            raise Untold
        self.at += 1
        return str(self.tokens[self.at - 1].text)

    def has_from(self) -> bool:
        """Whether FROM stands between these parentheses."""
        depth = 0
        for ahead in range(len(self.tokens) - self.at):
            depth += {"L_PAREN": 1, "R_PAREN": -1}.get(self.kind(ahead), 0)
            if depth < 0:
                return False
            if depth == 0 and self.word(ahead) == "FROM" and self.word(ahead - 1) != "DISTINCT":
                return True
        return False
