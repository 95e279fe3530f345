"""The standard faults, planted one at a time into a module's syntax tree."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDED = "__in_float32"
_NUMBERS = ("constant", "table", "times", "dot")  # their last argument is a constant of the model's
_OTHER = {
    "less": "less_or_equal", "less_or_equal": "less", "greater": "greater_or_equal", "greater_or_equal": "greater",
    "and_": "or_", "or_": "and_", "min": "max", "max": "min", "floor": "ceil",
}  # fmt: skip
_PYTHON_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Sub: ast.Add, ast.Div: ast.Mult,
}  # fmt: skip
_TOLERANCE = (
    "slack",
    "bound",
    "close",
    "unsure",
    "moved",
    "spread",
    "rounding",
    "error",
    "lost",
    "near",
    "growth",
    "undecided",
    "ends",
    "steps",
)


@dataclass(frozen=True)
class Mutant:
    """`key` stays the same when lines move: the function, the fault, and the text that it spoils.

    `lines`: of the statement that is spoilt; of one that holds others, its head.
    """

    module: str
    line: int
    key: str
    tree: ast.Module
    lines: range


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every fault that can be planted in the module, what only makes tolerances aside."""
    tree = ast.parse(source)
    lines, seen = _lines(tree), Counter[str]()
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)):
        if any(word in function.name for word in _TOLERANCE):
            continue
        for node in _sensible(function):
            for fault, spoil in _faults(node):
                key = f"{function.name}: {fault}: {' '.join(ast.unparse(node).split())[:90].rstrip()}"
                seen[key] += 1
                key += f" #{seen[key]}" if seen[key] > 1 else ""
                yield Mutant(module, node.lineno, key, _spoilt(tree, node, spoil), lines[node])  # type: ignore[attr-defined]


def _lines(tree: ast.AST) -> dict[ast.AST, range]:
    """Node → the lines of the innermost statement that it stands in."""
    found: dict[ast.AST, range] = {}

    def visit(node: ast.AST, lines: range) -> None:
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = body[0].lineno if body else (node.end_lineno or node.lineno) + 1
            lines = range(node.lineno, max(end, node.lineno + 1))
        found[node] = lines
        for child in ast.iter_child_nodes(node):
            visit(child, lines)

    visit(tree, range(0))
    return found


def in_float32(value: Any) -> Any:
    """What a graph of single precision would hold."""
    array = np.asarray(value)
    return array.astype(np.float32).astype(np.float64) if array.dtype == np.float64 else value


def _sensible(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function's body that make values: no docstrings, messages, annotations, tolerances."""
    todo: list[ast.AST] = [*function.body]  # type: ignore[attr-defined]
    while todo:
        node = todo.pop(0)
        match node:
            case (
                ast.Expr(value=ast.Constant())
                | ast.JoinedStr()
                | ast.Raise()
                | ast.Assert()
                | ast.AnnAssign(value=None)
            ):
                continue
            case ast.FunctionDef(name=name) if any(word in name for word in _TOLERANCE):
                continue
            case ast.FunctionDef(body=body):
                todo += body
                continue
            case ast.BinOp() | ast.Call(func=ast.Name(id="constant")) if _of_units(node):
                continue
            case ast.Assign(targets=[target]) if any(word in ast.unparse(target) for word in _TOLERANCE):
                continue
            case ast.Call(
                func=ast.Name(
                    id="outdone" | "undecided" | "weighed" | "dot_bound" | "stretched" | "decided" | "stepped"
                )
            ):
                continue
        yield node
        for name, child in ast.iter_fields(node):
            children = child if isinstance(child, list) else [child]
            for each in children:
                if name in ("annotation", "returns", "dtype") or not isinstance(each, ast.AST):
                    continue
                if isinstance(each, ast.keyword) and any(
                    word in (each.arg or "")
                    for word in (
                        *_TOLERANCE,
                        "origins",
                        "probes",
                        "axis",
                        "dtype",
                        "keepdims",
                        "to",
                        "fix",
                        "attribute",
                    )
                ):
                    continue
                todo.append(each)


def _of_units(node: ast.AST) -> bool:
    """A number of units in the last place: how far Spark's answer may be."""
    return any(isinstance(each, ast.Name) and each.id.strip("_") == "UNIT" for each in ast.walk(node))


Spoil = Callable[[Any], ast.AST]


def _faults(node: ast.AST) -> Iterator[tuple[str, Spoil]]:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="op"), attr=name)):
            yield from _graph_faults(name)
        case ast.Call(func=ast.Name(id=name), args=args) if name in _NUMBERS and not _short(args[-1]):
            yield "float32", _round_last
        case ast.Call(func=ast.Name(id="choose")):
            yield from _sides(0)
        case ast.Call(func=ast.Name(id="Mask")):
            yield "no mask", lambda node: _with_condition(node, 0, False)
        case ast.Call(func=ast.Name(id="ordered_sum" | "sequential_sum")):
            yield "backwards", _backwards
        case ast.If(body=[ast.Raise(exc=ast.Call(func=ast.Name(id="SourceError")))]):
            return  # recorded models are whole
        case ast.If(test=test) | ast.IfExp(test=test) if "slack" in ast.unparse(test):
            return  # whether there is a tolerance
        case ast.If() | ast.IfExp():
            for value in (True, False):
                yield f"if {value}", lambda node, value=value: _test(node, value)  # type: ignore[misc]
        case ast.Compare(ops=[operator]) if type(operator) in _PYTHON_OTHER:
            other = _PYTHON_OTHER[type(operator)]
            yield other.__name__, lambda node: _with(node, ops=[other()])
        case ast.BinOp(op=operator) if type(operator) in _PYTHON_OTHER:
            another = _PYTHON_OTHER[type(operator)]
            yield another.__name__, lambda node: _with(node, op=another())
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            yield "plus 1", lambda node: _with(node, value=value + 1)
            if value:
                yield "minus 1", lambda node: _with(node, value=value - 1)


def _graph_faults(name: str) -> Iterator[tuple[str, Spoil]]:
    if name in _OTHER:
        yield _OTHER[name], lambda node: _with(node, func=_op(_OTHER[name]))
    match name:
        case "where":
            yield from _sides(0)
        case "sub" | "div" | "less" | "greater" | "mod":
            yield "swapped", lambda node: _with(node, args=node.args[::-1])
        case "equal" | "isnan" | "isinf":
            yield "not", lambda node: _expression(f"op.not_({ast.unparse(node)})")
        case "not_" | "abs" | "floor" | "neg":
            yield "left out", lambda node: node.args[0]
    if name == "div":
        yield (
            "reciprocal",
            lambda node: _expression(
                f"op.mul({ast.unparse(node.args[0])}, op.div(op.cast_like(op.const(np.array(1.0)), {ast.unparse(node.args[1])}), {ast.unparse(node.args[1])}))"
            ),
        )
        yield (
            "epsilon",
            lambda node: _expression(
                f"op.div({ast.unparse(node.args[0])}, op.add({ast.unparse(node.args[1])}, op.const(np.array(1e-12))))"
            ),
        )
    if name == "sqrt":
        yield (
            "epsilon",
            lambda node: _expression(f"op.sqrt(op.add({ast.unparse(node.args[0])}, op.const(np.array(1e-12))))"),
        )


def _sides(at: int) -> Iterator[tuple[str, Spoil]]:
    for side in (True, False):
        yield f"always {side}", lambda node, side=side: _with_condition(node, at, side)  # type: ignore[misc]


def _with_condition(node: ast.Call, at: int, value: bool) -> ast.AST:
    """The same shape, all true or all false."""
    condition = ast.unparse(node.args[at])
    same = f"op.{'or_' if value else 'and_'}({condition}, op.not_({condition}))"
    return _with(node, args=[*node.args[:at], _expression(same), *node.args[at + 1 :]])


def _test(node: Any, value: bool) -> ast.AST:
    return _with(node, test=ast.Constant(value))


def _round_last(node: ast.Call) -> ast.AST:
    last = ast.Call(ast.Name(ROUNDED, ast.Load()), [node.args[-1]], [])
    return _with(node, args=[*node.args[:-1], last])


def _backwards(node: ast.Call) -> ast.AST:
    """The terms are on axis 1 of both sums."""
    ends = ("-1", "np.iinfo(np.int64).min", "1", "-1")
    given = ", ".join(f"op.const(np.array([{end}], dtype=np.int64))" for end in ends)
    return _with(node, args=[_expression(f"op.slice({ast.unparse(node.args[0])}, {given})")])


def _short(node: ast.expr) -> bool:
    """A literal that float32 holds too."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node) in ("np.nan", "np.inf", "-np.inf", "np.array(0.0)")
    return bool(np.float32(value) == value)


def _op(name: str) -> ast.AST:
    return ast.Attribute(ast.Name("op", ast.Load()), name, ast.Load())


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _with(node: Any, **changes: Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed  # type: ignore[no-any-return]


def _spoilt(tree: ast.Module, target: ast.AST, spoil: Spoil) -> ast.Module:
    class Planter(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            if node is not target:
                return self.generic_visit(_with(node))
            return ast.copy_location(spoil(copy.deepcopy(node)), node)

        def generic_visit(self, node: ast.AST) -> ast.AST:
            for name, value in ast.iter_fields(node):
                if isinstance(value, list):
                    setattr(node, name, [self.visit(each) if isinstance(each, ast.AST) else each for each in value])
                elif isinstance(value, ast.AST):
                    setattr(node, name, self.visit(value))
            return node

    return ast.fix_missing_locations(Planter().visit(tree))  # type: ignore[no-any-return]
