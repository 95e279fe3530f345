"""One process a mutant: the spoilt module in place of the real one, and the recorded rows that reach it, until one notices."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.util
import json
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from tests.conformance.record import entry
from tests.conformance.row import Row
from tests.conformance.table import TABLE
from tests.house.params import classes_of
from tests.mutants.planting import ROUNDED, Mutant, in_float32
from tests.synapseml.record import HERE
from tests.synapseml.record import asked as rows_asked

ROOT = Path(__file__).parents[2]
SPARK = version("pyspark")
_at_import: dict[str, frozenset[int]] = {}  # of a process: module → the lines that importing it runs
SECONDS = 10  # for each row that a mutant is shown to: what takes longer hangs, and somebody would notice


@dataclass(frozen=True)
class Result:
    """`by`: the row that noticed, "" where none did. `idle`: the fault changed no number of any row's model.

    `asked`: how many rows run the spoilt statement.
    """

    mutant: Mutant
    by: str
    idle: bool = False
    asked: int = 0


@dataclass(frozen=True)
class Foreign:
    """A model that SynapseML itself saved, with its answers: tests/synapseml."""

    name: str

    @property
    def id(self) -> str:
        return f"synapseml/{self.name}"


Asked = Row | Foreign


def rows_of(module: str) -> list[Asked]:
    """Recorded rows whose pipelines hold a class that the module, or one that imports it, converts; smoke rows first."""
    classes = {name for importer in _importers(module) for name in classes_of(importer)}
    rows = [row for row in TABLE.values() if not row.notyet and entry(row, SPARK).is_dir()]
    reached = [row for row in rows if classes & _classes(entry(row, SPARK) / "pipeline")]
    foreign = [Foreign(answers.parent.name) for answers in sorted(HERE.glob("*/answers.json"))]
    return [
        *sorted(reached, key=lambda row: (not row.smoke, bool(row.refused))),
        *(one for one in foreign if classes & _classes(HERE / one.name)),
    ]


def reach(module: str, rows: Sequence[Asked], processes: int) -> Mapping[str, frozenset[int]]:
    """Row → the module's lines that its conversion runs. A mutant elsewhere cannot change its answer."""
    with multiprocessing.get_context("fork").Pool(processes, _silent) as pool:
        found = pool.map(partial(_lines_run, module), rows, chunksize=4)
    return {row.id: lines for row, lines in zip(rows, found, strict=True)}


def _lines_run(module: str, row: Asked) -> frozenset[int]:
    file, lines = str((ROOT / Path(*module.split("."))).with_suffix(".py")), set[int]()

    def here(frame: FrameType, event: str, _: object) -> Any:
        lines.add(frame.f_lineno)
        return here

    before = _at_import.get(module)
    sys.settrace(lambda frame, *_: here(frame, "call", None) if frame.f_code.co_filename == file else None)
    try:
        if before is None:
            importlib.import_module(module)
            _at_import[module] = before = frozenset(lines)
        _notices(row)
    finally:
        sys.settrace(None)
    return before | lines


def run(
    mutants: Sequence[Mutant], rows: Sequence[Asked], reached: Mapping[str, frozenset[int]], processes: int
) -> Iterator[Result]:
    """Each mutant's fate, as it comes to pass. Rows that noticed the mutant before are asked first."""
    import onnxruntime  # noqa: F401  before the fork: a second for each mutant
    import spox.opset.ai.onnx.ml.v5
    import spox.opset.ai.onnx.v21  # noqa: F401

    context = multiprocessing.get_context("fork")
    waiting, running, killers = list(mutants), {}, {row.id: row for row in rows}
    while waiting or running:
        while waiting and len(running) < processes:
            mutant, (end, other) = waiting.pop(0), context.Pipe(duplex=False)
            order = [row for id, row in killers.items() if not reached[id].isdisjoint(mutant.lines)]
            child = context.Process(target=_child, args=(mutant, order, other))
            child.start()
            other.close()
            running[child] = (mutant, end, len(order), time.monotonic() + SECONDS * (1 + len(order)))
        for child, (mutant, end, asked, until) in list(running.items()):
            if child.is_alive() and not end.poll(0.01) and time.monotonic() < until:
                continue
            del running[child]
            by, idle = _told(child, end)
            if by in killers:
                killers = {by: killers[by], **killers}
            yield Result(mutant, by, idle, asked)


def _told(child: Any, end: Any) -> tuple[str, bool]:
    try:
        told: tuple[str, bool] = end.recv() if end.poll(0) else ("it hangs", False)
    except EOFError:
        told = ("it crashes", False)
    if child.is_alive():
        child.kill()
    child.join()
    return told


def _child(mutant: Mutant, rows: Sequence[Asked], end: Any) -> None:
    _silent()
    changed: list[bool] = []
    sys.meta_path.insert(0, _Spoilt(mutant, changed))
    by = next((row.id for row in rows if _notices(row)), "")
    end.send((by, not by and not changed and "float32" in mutant.key))
    end.close()
    os._exit(0)


def _silent() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # onnxruntime too


def _notices(row: Asked) -> bool:
    """Whether the row fails. Anything that is raised is noticed, but for the refusal that is wanted."""
    try:
        if isinstance(row, Foreign):
            return _foreign(row.name)
        from builder.errors import ConversionRefused
        from tests.conformance.answering import compiled, judge, recorded

        if not row.refused:
            return bool(judge(row, SPARK).wrong)
        try:
            compiled(row, recorded(row, SPARK))
        except ConversionRefused as refused:
            return not re.search(row.refused, str(refused))
        return True
    except Exception:
        return True


def _foreign(name: str) -> bool:
    import numpy as np

    from tests.boosters import answers, beyond

    wanted = json.loads((HERE / name / "answers.json").read_text())
    answered = answers(HERE / name, np.array(rows_asked()))
    return any(beyond(answered, column, np.array(values)) for column, values in wanted.items())


class _Spoilt(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads the mutant's tree for its module's name."""

    def __init__(self, mutant: Mutant, changed: list[bool]) -> None:
        self._mutant, self._changed = mutant, changed

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._mutant.module else None

    def exec_module(self, module: ModuleType) -> None:
        vars(module)[ROUNDED] = self._rounded
        exec(self._code(), vars(module))

    def _code(self) -> CodeType:
        return compile(self._mutant.tree, self._mutant.module, "exec", dont_inherit=True)

    def _rounded(self, value: Any) -> Any:
        import numpy as np

        rounded = in_float32(value)
        if rounded is not value and not np.array_equal(rounded, value, equal_nan=True):
            self._changed.append(True)
        return rounded


def _importers(module: str) -> set[str]:
    """The modules of rules that import this one, over any number of steps; itself among them."""
    imports = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): _imported(file)
        for file in (ROOT / "builder").rglob("*.py")
    }
    found = {module}
    while True:
        more = {name for name, read in imports.items() if read & found} - found
        if not more:
            return {name for name in found if name.startswith("builder.stages.")}
        found |= more


def _imported(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.module}


def _classes(saved: Path) -> set[str]:
    """Spark classes that stand in a saved pipeline, nested ones too."""
    texts = saved.rglob("metadata/part-*")
    return {name for text in texts for name in re.findall(r'"class":"([\w.]+)"', text.read_text(encoding="utf-8"))}
