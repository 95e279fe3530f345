"""Who may import what, and what no rule may touch raw."""

from __future__ import annotations

import ast

import pytest
from importlinter.cli import lint_imports

from tests.house.sources import PACKAGE, ROOT, imported, modules

ONLY_IN = {
    "pyspark": ("evidence", "scoring"),
    "py4j": ("evidence", "scoring"),
    "mlflow": ("source", "plugin.py"),
    "tritonclient": ("triton", "bench"),
    "fsspec": ("triton",),
    "rich": ("console.py",),
    "spox": ("graph", "stages", "sql"),
    "sqlglot": ("sql",),
    "typer": ("cli.py", "options.py"),
}
TRAPS = {
    "acos", "arg_max", "arg_min", "asin", "atan", "cos", "cosh", "cumsum", "erf", "exp", "log", "mod", "one_hot",
    "prelu", "reduce_l1", "reduce_l2", "reduce_log_sum_exp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod",
    "reduce_sum", "reduce_sum_square", "sigmoid", "sin", "sinh", "softmax", "softplus", "tan", "tanh",
}  # fmt: skip


def test_a_floor_imports_only_from_lower_ones(monkeypatch):
    monkeypatch.chdir(ROOT)

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None) == 0


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_in_its_rooms_alone(library):
    rooms = tuple(f"builder/{room}" for room in ONLY_IN[library])

    strangers = {
        path
        for path, tree in modules()
        if not path.startswith(rooms)
        and any(name == library or name.startswith(library + ".") for name in imported(tree))
    }

    assert not strangers


def test_rules_reach_onnxruntimes_traps_only_through_their_idioms():
    raw = [
        f"{path}:{node.lineno} op.{node.func.attr}"
        for room in ("stages", "sql")
        for path, tree in modules(PACKAGE / room)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("op", "ml")
        and node.func.attr in TRAPS
    ]

    assert not raw, "use builder/graph/idioms.py, which says why"


def test_nothing_prints_but_the_console():
    printing = [
        f"{path}:{node.lineno}"
        for path, tree in modules()
        if path != "builder/console.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert not printing


def test_the_environment_is_read_by_what_starts_a_server_and_by_mlflows_door_alone():
    readers = {
        path
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }

    assert readers <= {"builder/triton/embedding.py", "builder/plugin.py"}
