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

    @property
    def word(self) -> str:
        """How equal a converted class is, "" of one that is not."""
        return self.verdict if self.verdict in get_args(Word) else ""


def listed() -> tuple[Listed, ...]:
    """Every class of pyspark.ml, and every other that a rule converts; by name."""
    found = [*_converted(Path(__file__).parent)]
    found += [Listed(name, "refused", known.reason, known.fix) for name, known in REFUSED.items()]
    found += [Listed(name, "through", note) for name, note in READ_THROUGH.items()]
    found += [Listed(name, "none", note) for name, note in WITHOUT_MODEL.items()]
    return tuple(sorted(found, key=lambda one: one.spark_class))


def _converted(folder: Path) -> Iterator[Listed]:
    for file in sorted(folder.glob("*.py")):
        text = file.read_text(encoding="utf-8")
        constants = {name: ast.literal_eval(value) for name, value in _CONSTANT.findall(text)}
        for decorators in _DECORATORS.findall(text):  # parsing all of every module took four times as long
            (function,) = ast.parse(decorators + "def _(): ...").body
            assert isinstance(function, ast.FunctionDef)
            for decorator in function.decorator_list:
                if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "converts":
                    yield _read(decorator, constants)


def _read(decorator: ast.Call, constants: Mapping[str, str]) -> Listed:
    given = {keyword.arg: keyword.value for keyword in decorator.keywords}
    note = given.get("note")
    return Listed(
        _text(decorator.args[0], constants), _text(given["word"], constants), _text(note, constants) if note else ""
    )


def _text(node: ast.expr, constants: Mapping[str, str]) -> str:
    """A string, of what a decorator may be written with."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.Name(id=name):
            return constants[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, constants) + _text(right, constants)
        case ast.JoinedStr(values=values):
            return "".join(
                _text(part.value if isinstance(part, ast.FormattedValue) else part, constants) for part in values
            )
    raise AssertionError(f"line {node.lineno}: a rule's class, word and note are plain strings")
