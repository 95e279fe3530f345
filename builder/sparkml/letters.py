"""Sets of characters, and the regular expressions of Java's that are no more than such a set: what a graph can split by.

    pattern = branch ("|" branch)*
    branch  = set | set "+" | set "{" number ",}" | literal
    set     = "." | "\\s" | "\\S" | "\\w" | "\\W" | "\\d" | "\\D" | "\\p{Punct}" … | "[" "^"? … "]" | a character
    literal = two characters or more, none of them special

Everything else (groups, anchors, look-around, back references, lazy and possessive quantifiers, flags, Unicode classes) is
refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LAST = 0x10FFFF
_COUNT = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True)
class Letters:
    """A set of characters, as sorted ranges of code points that do not touch."""

    ranges: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def of(characters: str) -> Letters:
        return Letters.union(*(Letters(((ord(c), ord(c)),)) for c in characters))

    @staticmethod
    def union(*sets: Letters) -> Letters:
        merged: list[tuple[int, int]] = []
        for low, high in sorted(each for one in sets for each in one.ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return Letters(tuple(merged))

    def others(self) -> Letters:
        """All characters that are not in this set."""
        edges = [-1, *(edge for low, high in self.ranges for edge in (low, high)), _LAST + 1]
        gaps = zip(edges[::2], edges[1::2], strict=True)
        return Letters(tuple((low + 1, high - 1) for low, high in gaps if low + 1 <= high - 1))

    def __contains__(self, character: str) -> bool:
        return any(low <= ord(character) <= high for low, high in self.ranges)

    def one(self) -> str:
        """One of them: a space or another of ASCII, where there is one. Raises ValueError where the set is empty."""
        known = [" ", *(chr(c) for c in range(1, 128)), *(chr(low) for low, _ in self.ranges)]
        found = next((c for c in known if c in self), None)
        if found is None:
            raise ValueError("a set of characters that holds none")
        return found

    def pattern(self) -> str:
        """RE2's character class. An empty set matches nothing."""
        if not self.ranges:
            return r"[^\x{0}-\x{10FFFF}]"
        return "[" + "".join(rf"\x{{{low:X}}}-\x{{{high:X}}}" for low, high in self.ranges) + "]"


def _span(low: str, high: str) -> Letters:
    return Letters(((ord(low), ord(high)),))


SPACES = Letters.of("\t\n\x0b\x0c\r ")  # Java's \s; RE2's lacks \x0B
_DIGITS = _span("0", "9")
_UPPER, _LOWER = _span("A", "Z"), _span("a", "z")
_ALPHA = Letters.union(_UPPER, _LOWER)
_WORD = Letters.union(_ALPHA, _DIGITS, Letters.of("_"))
_PUNCT = Letters.union(_span("!", "/"), _span(":", "@"), _span("[", "`"), _span("{", "~"))
_DOT = Letters.of("\n\r\u0085\u2028\u2029").others()
_CLASSES = {"s": SPACES, "w": _WORD, "d": _DIGITS}
_CLASSES |= {name.upper(): letters.others() for name, letters in _CLASSES.items()}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\x07", "e": "\x1b"}
_POSIX = {
    "Lower": _LOWER, "Upper": _UPPER, "Alpha": _ALPHA, "Digit": _DIGITS, "Alnum": Letters.union(_ALPHA, _DIGITS),
    "Punct": _PUNCT, "Graph": Letters.union(_ALPHA, _DIGITS, _PUNCT), "Space": SPACES, "Blank": Letters.of(" \t"),
    "ASCII": _span("\0", "\x7f"), "Cntrl": Letters.union(_span("\0", "\x1f"), Letters.of("\x7f")),
}  # fmt: skip
_SPECIAL = set("\\^$.|?*+()[]{}")


@dataclass(frozen=True)
class Branch:
    """`least` of a set's characters or more (`repeat`), just one of them, or, where `text` is set, that text."""

    letters: Letters
    repeat: bool = False
    least: int = 1
    text: str = ""


def branches(pattern: str) -> list[Branch]:
    """The alternatives of a pattern. Raises ValueError, with what it is, where it is outside the grammar."""
    reader = _Reader(pattern)
    found = [reader.branch()]
    while reader.take("|"):
        found.append(reader.branch())
    if not reader.done():
        raise ValueError(f"{reader.rest()!r}")
    return found


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._pattern, self._at = pattern, 0

    def done(self) -> bool:
        return self._at == len(self._pattern)

    def rest(self) -> str:
        return self._pattern[self._at :]

    def take(self, text: str) -> bool:
        if not self._pattern.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def next(self) -> str:
        if self.done():
            raise ValueError("its end, where a character is wanted")
        self._at += 1
        return self._pattern[self._at - 1]

    def branch(self) -> Branch:
        sets = [self._set()]
        while not self.done() and self.rest()[0] not in "|+*?{":
            sets.append(self._set())
        if len(sets) > 1:
            single = [
                letters.ranges[0][0]
                for letters in sets
                if len(letters.ranges) == 1 and len(set(letters.ranges[0])) == 1
            ]
            if len(single) < len(sets) or not (self.done() or self.rest()[0] == "|"):
                raise ValueError("a sequence of sets")
            return Branch(Letters(), text="".join(map(chr, single)))
        least = self._repeat()
        return Branch(sets[0], repeat=least is not None, least=least or 1)

    def _repeat(self) -> int | None:
        """How many at least, of a greedy and unlimited quantifier; None where there is none."""
        least = None
        if self.take("+"):
            least = 1
        elif self.take("{"):
            number, _, rest = self.rest().partition(",}")
            if not _COUNT.fullmatch(number) or not 0 < int(number) <= 50:
                raise ValueError(f"the quantifier {'{' + self.rest()!r}")
            least, self._at = int(number), len(self._pattern) - len(rest)
        if not self.done() and self.rest()[0] in "+*?{":
            raise ValueError(f"the quantifier {self.rest()[0]!r}")
        return least

    def _set(self) -> Letters:
        character = self.next()
        if character == "\\":
            return self._escaped()
        if character == "[":
            return self._bracketed()
        if character == ".":
            return _DOT
        if character in _SPECIAL and character not in "]}":
            raise ValueError(f"{character!r}")
        return Letters.of(character)

    def _escaped(self) -> Letters:
        character = self.next()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return Letters.of(_CONTROLS[character])
        if character in "pP":
            name, brace, _ = self.rest().partition("}")
            if not brace or name[1:] not in _POSIX or name[0] != "{":
                raise ValueError(f"the class \\{character}{name}{brace}")
            self._at += len(name) + 1
            return _POSIX[name[1:]] if character == "p" else _POSIX[name[1:]].others()
        if character.isalnum():
            raise ValueError(f"\\{character}")
        return Letters.of(character)

    def _bracketed(self) -> Letters:
        negated, found, first = self.take("^"), Letters(), True
        while first or not self.take("]"):
            first = False
            if self.rest()[:1] in ("[", "^", "]") or self.rest()[:2] == "&&":
                raise ValueError(f"{self.rest()[:2]!r} inside a set")
            low = self._member()
            if self.rest()[:1] == "-" and self.rest()[1:2] not in ("]", "["):
                self.next()
                high = self._member()
                if low.ranges[0][0] > high.ranges[0][0] or any(len(set(end.ranges[0])) > 1 for end in (low, high)):
                    raise ValueError("a range of characters that is none")
                low = Letters(((low.ranges[0][0], high.ranges[0][0]),))
            found = Letters.union(found, low)
        return found.others() if negated else found

    def _member(self) -> Letters:
        character = self.next()
        return self._escaped() if character == "\\" else Letters.of(character)
