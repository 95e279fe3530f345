"""Which params each rule reads, told from the rules' own text; no rule is imported.

Followed are the functions that a rule calls, as far as their names tell which they are. A test holds the result against
the conformance table: what a stage there has saved is either among it, or a column's name, or ignored by its rule.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.house.sources import PACKAGE, ROOT

_CONSTANT = re.compile(r'^(\w+) = ("[^"\n]*")$', re.MULTILINE)
_READERS = frozenset({"flag", "integer", "nested", "number", "numbers", "raw", "text", "texts", "vector", "was_set"})


@dataclass
class _Function:
    """What one function says of params: those it names, whom it calls and with which texts."""

    params: set[str] = field(default_factory=set)
    calls: dict[str, set[str]] = field(default_factory=dict)
    asks_for_what_it_is_given: bool = False


@dataclass
class _Module:
    """A file: its functions and methods by name, and where the names that it imports come from."""

    functions: dict[str, _Function]
    imported: dict[str, tuple[str, str]]
    rules: dict[str, list[ast.expr]]


@cache
def params_read() -> dict[str, tuple[str, ...]]:
    """Spark class → the params that its rule reads, by name; those that name columns are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for file in sorted((PACKAGE / "stages").glob("*.py")):
        module = _module(f"builder.stages.{file.stem}")
        constants = _constants_of(file.read_text(encoding="utf-8"))
        for name, classes in module.rules.items():
            read = tuple(sorted(param for param in _reach(f"builder.stages.{file.stem}", name) if _tells(param)))
            found |= {_text_of(spark_class, constants): read for spark_class in classes}
    return found


def classes_of(module: str) -> set[str]:
    """The Spark classes that a module of rules converts: `builder.stages.scaling`."""
    text = _file(module).read_text(encoding="utf-8")
    return {_text_of(node, _constants_of(text)) for classes in _module(module).rules.values() for node in classes}


def _constants_of(module: str) -> Mapping[str, str]:
    """A module's own constants that are strings, by name."""
    return {name: ast.literal_eval(value) for name, value in _CONSTANT.findall(module)}


def _text_of(node: ast.expr, constants: Mapping[str, str]) -> str:
    """A string, of what a decorator may be written with."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.Name(id=name):
            return constants[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text_of(left, constants) + _text_of(right, constants)
        case ast.JoinedStr(values=values):
            return "".join(
                _text_of(part.value if isinstance(part, ast.FormattedValue) else part, constants) for part in values
            )
    raise AssertionError(f"line {node.lineno}: a rule's class, word and note are plain strings")


def _tells(param: str) -> bool:
    return param.isidentifier() and not param.endswith(("Col", "Cols", "_col"))


def _reach(module: str, name: str) -> set[str]:
    """Params named by a function and by all that it calls."""
    seen: set[tuple[str, str]] = set()
    waiting, params = [(module, name)], set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        function = _module(place[0]).functions.get(place[1])
        if function is None:
            continue
        params |= function.params
        for called, texts in function.calls.items():
            at = _module(place[0]).imported.get(called, (place[0], called))
            waiting.append(at)
            known = _module(at[0]).functions.get(at[1])
            if known is not None and known.asks_for_what_it_is_given:
                params |= texts
    return params


def _file(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


@cache
def _module(name: str) -> _Module:
    file, module = _file(name), _Module({}, {}, {})
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    if "params" not in text and "@converts" not in text:  # half of the modules need no parsing
        return module
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(source)) if source.startswith("builder."):
                module.imported |= {alias.asname or alias.name: (source, alias.name) for alias in node.names}
            case ast.FunctionDef():
                module.functions[node.name] = _function(node)
                classes = list(_converted(node))
                if classes:
                    module.rules[node.name] = classes
    return module


def _converted(node: ast.FunctionDef) -> Iterator[ast.expr]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "converts":
            yield decorator.args[0]


def _function(function: ast.FunctionDef) -> _Function:
    """Names handed on without a call (`weakened=…`, a rule's own helpers) count as called."""
    found = _Function()
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(value=holder, attr=reader)) if reader in _READERS and _are_params(holder):
                match node.args[0]:
                    case ast.Constant(value=str(param)):
                        found.params.add(param)
                    case _:
                        found.asks_for_what_it_is_given = True
            case ast.Compare(left=ast.Constant(value=str(param)), ops=[ast.In() | ast.NotIn()], comparators=[holder]):
                if _are_params(holder):
                    found.params.add(param)
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)):
                found.calls.setdefault(called, set()).update(_texts(node))
            case ast.Name(id=called):
                found.calls.setdefault(called, set())
    return found


def _texts(call: ast.Call) -> set[str]:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def _are_params(node: ast.expr) -> bool:
    """`stage.params`, or a variable of that name; `.names()` of it too."""
    match node:
        case ast.Attribute(attr="params") | ast.Name(id="params"):
            return True
        case ast.Call(func=ast.Attribute(value=holder, attr="names")):
            return _are_params(holder)
    return False
