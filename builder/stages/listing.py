"""What every class is worth, told without importing a rule: spox alone takes half a second.

The decorators are read from the modules' own text, so that the list cannot differ from the rules; a test compares both.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from builder.releases import OLDEST
from builder.sparkml.verdicts import READ_THROUGH, REFUSED, WITHOUT_MODEL
from builder.types import Word

_DECORATORS = re.compile(r"^(@converts\(.*?)^def ", re.MULTILINE | re.DOTALL)
_CONSTANT = re.compile(r'^(\w+) = ("[^"\n]*")$', re.MULTILINE)


@dataclass(frozen=True)
class Listed:
    """A class and its verdict: how equal it is (`bit`, `dot`, `elementary`, `iterative`), `through`, `refused` or `none`."""

    spark_class: str
    verdict: str
    note: str = ""
    fix: str = ""
    since: str = ""  # the oldest Triton release that runs it, where it is converted

    @property
    def word(self) -> str:
        """How equal a converted class is, "" of one that is not."""
        return self.verdict if self.verdict in get_args(Word) else ""


def listed() -> tuple[Listed, ...]:
    """Every class of pyspark.ml, and every other that a rule converts; by name.

    Raises UsageError where what another package brings cannot be used.
    """
    found = [one for file in sorted(Path(__file__).parent.glob("*.py")) for one in converted(file)]
    found += _brought({one.spark_class for one in found})
    found += [Listed(name, "refused", known.reason, known.fix) for name, known in REFUSED.items()]
    found += [Listed(name, "through", note) for name, note in READ_THROUGH.items()]
    found += [Listed(name, "none", note) for name, note in WITHOUT_MODEL.items()]
    return tuple(sorted(found, key=lambda one: one.spark_class))


def converted(file: Path) -> Iterator[Listed]:
    """The classes that a module of rules converts, from its text."""
    text = file.read_text(encoding="utf-8")
    constants = constants_of(text)
    for decorators in _DECORATORS.findall(text):  # parsing all of every module took eight times as long
        (function,) = ast.parse(decorators + "def _(): ...").body
        assert isinstance(function, ast.FunctionDef)
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "converts":
                yield _read(decorator, constants)


def _brought(own: set[str]) -> list[Listed]:
    """What other packages' rules convert: there is no way around importing those."""
    from importlib.metadata import entry_points

    from builder.graph.bringing import GROUP

    if not entry_points(group=GROUP):
        return []
    from builder.stages import all_rules

    return [
        Listed(name, rule.word, rule.note, since=rule.since) for name, rule in all_rules().items() if name not in own
    ]


def constants_of(module: str) -> Mapping[str, str]:
    """A module's own constants that are strings, by name."""
    return {name: ast.literal_eval(value) for name, value in _CONSTANT.findall(module)}


def _read(decorator: ast.Call, constants: Mapping[str, str]) -> Listed:
    given = {keyword.arg: keyword.value for keyword in decorator.keywords}
    told = {name: text_of(given[name], constants) for name in ("note", "since") if name in given}
    return Listed(
        text_of(decorator.args[0], constants), text_of(given["word"], constants), **{"since": OLDEST.name} | told
    )


def text_of(node: ast.expr, constants: Mapping[str, str]) -> str:
    """A string, of what a decorator may be written with."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.Name(id=name):
            return constants[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return text_of(left, constants) + text_of(right, constants)
        case ast.JoinedStr(values=values):
            return "".join(
                text_of(part.value if isinstance(part, ast.FormattedValue) else part, constants) for part in values
            )
    raise AssertionError(f"line {node.lineno}: a rule's class, word and note are plain strings")
