"""Ask each model its own rows alone, and again among rows that nobody would send. Needs onnxruntime and numpy alone.

    python tests/conformance/neighbours.py FOLDER

FOLDER/<model>/ holds model.onnx and inputs.npz (arrays `[N, width]`, text as unicode, in the order of the model's
inputs). One JSON line before each model, one after: who dies in between has been stopped by that model's rows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

INT_MIN = -(2**31)
FLOATS = (0.0, float(INT_MIN), -1.0, float("nan"), float("inf"), float("-inf"), 1e30, -1e30, 5e-324, -(2.0**63))
TEXTS = ("", "abc", "␀", "日本", "NaN", "-1", "x" * 300)


def hostile(array: Any, rows: int, shift: int) -> Any:
    """[rows, width] of what the type can hold at its worst; ragged text keeps the width of its neighbours."""
    if array.dtype.kind in "OU":
        pool: Any = np.array(TEXTS, dtype=object)
    elif array.dtype.kind == "f":
        pool = np.array(FLOATS)
    elif array.dtype.kind == "b":
        pool = np.array([False, True])
    else:
        info = np.iinfo(array.dtype)
        pool = np.array([0, max(info.min, INT_MIN), -1, info.min, info.max, 1])
    places = np.arange(rows)[:, None] + shift + 3 * np.arange(array.shape[1])
    return pool[places % len(pool)].astype(array.dtype if array.dtype.kind not in "OU" else object)


def session(model: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def changed(folder: Path) -> list[str]:
    """Outputs whose own rows changed, and in which company."""
    with np.load(folder / "inputs.npz") as stored:
        arrays = [stored[f"arr_{i}"] for i in range(len(stored.files))]
    arrays = [array.astype(object) if array.dtype.kind == "U" else array for array in arrays]
    one, two = session(folder / "model.onnx", 1), session(folder / "model.onnx", 2)
    names = [given.name for given in one.get_inputs()]
    count = len(arrays[0])
    alone = [one.run(None, {n: a[i : i + 1] for n, a in zip(names, arrays, strict=True)}) for i in range(count)]
    wrong = []
    for company, step in (("before", 0), ("after", 1), ("between", 2)):
        strangers = [hostile(array, count + 13, shift) for shift, array in enumerate(arrays)]
        order, own = _seats(count, count + 13, step)
        for name, run in (("1 thread", one), ("2 threads", two)):
            batch = {n: np.concatenate([a, s])[order] for n, a, s in zip(names, arrays, strangers, strict=True)}
            answers = run.run(None, batch)
            for k, output in enumerate(one.get_outputs()):
                if not all(_same(alone[i][k][0], answers[k][seat]) for i, seat in enumerate(own)):
                    wrong.append(f"{output.name}: own rows change with hostile rows {company} them, {name}")
    return wrong


def _seats(own: int, strangers: int, step: int) -> tuple[Any, list[int]]:
    """The batch's order over [own…, strangers…], and where each own row sits."""
    mine, theirs = list(range(own)), list(range(own, own + strangers))
    if step == 0:
        order = theirs + mine
    elif step == 1:
        order = mine + theirs
    else:
        order = [row for pair in zip(theirs, mine, strict=False) for row in pair] + theirs[own:]
    seats = {row: seat for seat, row in enumerate(order)}
    return np.array(order), [seats[row] for row in mine]


def _same(a: Any, b: Any) -> bool:
    if a.dtype.kind == "f":
        return a.tobytes() == b.tobytes() or bool(
            np.array_equal(a, b, equal_nan=True) and (np.signbit(a) == np.signbit(b))[~np.isnan(a)].all()
        )
    if a.dtype.kind in "OU":  # an array of strings is filled up to its batch's longest
        return _unfilled(a.tolist()) == _unfilled(b.tolist())
    return a.tolist() == b.tolist()


def _unfilled(texts: list[str]) -> list[str]:
    while texts and texts[-1] == "␀":
        texts.pop()
    return texts


def main() -> int:
    bad = 0
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        print(json.dumps({"asking": folder.name, "onnxruntime": ort.__version__}), flush=True)
        wrong = changed(folder)
        bad += bool(wrong)
        print(json.dumps({"asked": folder.name, "wrong": wrong}), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
