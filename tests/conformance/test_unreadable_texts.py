"""A text that is no UTF-8 spoils its own row alone, with the C++ operators of every onnxruntime that is set up here.

Python's door to onnxruntime takes str alone, so the bytes go in as a constant of the graph.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import spox
import spox.opset.ai.onnx.v21 as op
from spox import Tensor, Var, argument

from builder.graph.characters import taken_apart
from builder.graph.texts import flat, lower, upper, upright
from tests.conformance.conftest import ROOT

SIX = {
    "surrogate high": b"\xed\xa0\x80",
    "surrogate low": b"\xed\xbf\xbf",
    "above U+10FFFF": b"\xf4\x90\x80\x80",
    "far above": b"\xf7\xbf\xbf\xbf",
    "overlong of three": b"\xe0\x80\x80",
    "overlong of four": b"\xf0\x80\x80\x80",
    "overlong of two": b"\xc0\x80",
    "cut": b"\xe6\x97",
}
NEIGHBOURS = [b"A b", "\u00dfX \ud7ff\ue000\U0010ffff".encode("utf-8"), b""]
TEXTS = [NEIGHBOURS[0], *SIX.values(), *(b"A" + text + b"b" for text in SIX.values()), *NEIGHBOURS[1:]]
PYTHONS = [Path(sys.executable), *sorted(ROOT.glob(".venv-ort-*/bin/python"))]


def _lowered(text: Var) -> tuple[Var, Var]:
    answer = lower(flat(text))
    return upright(answer.text), answer.refused


def _raised(text: Var) -> tuple[Var, Var]:
    answer = upper(flat(text))
    return upright(answer.text), answer.refused


def _counted(text: Var) -> tuple[Var, Var]:
    answer = taken_apart(text)
    return answer.count(), answer.refused


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parent.parent.name)
@pytest.mark.parametrize("made", [_lowered, _raised, _counted])
def test_bytes_that_are_no_utf8_refuse_their_row_alone(made, python, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "model.onnx").write_bytes(_asked(made, TEXTS))
    np.savez(tmp_path / "one" / "inputs.npz", rows=np.arange(len(TEXTS)))

    script = ROOT / "tests" / "conformance" / "releases.py"
    run = subprocess.run([python, script, tmp_path], capture_output=True, text=True, timeout=120, check=False)

    trouble = tmp_path / "one" / "trouble.txt"
    assert run.returncode == 0, run.stderr[-2000:]
    assert not trouble.exists(), trouble.read_text("utf-8")
    with np.load(tmp_path / "one" / "answers.npz") as answers:
        assert answers["refused"][:, 0].tolist() == [text not in NEIGHBOURS for text in TEXTS]


def _asked(made, texts: list[bytes]) -> bytes:
    text, rows = argument(Tensor(np.str_, ("T", 1))), argument(Tensor(np.int64, ("N",)))
    answer, refused = made(op.gather(text, rows))  # else onnxruntime folds constants, of branches not taken too
    model = spox.build({"text": text, "rows": rows}, {"answer": op.identity(answer), "refused": op.identity(refused)})
    del model.graph.input[0]
    model.graph.initializer.append(
        onnx.TensorProto(name="text", dims=[len(texts), 1], data_type=onnx.TensorProto.STRING, string_data=texts)
    )
    model.ir_version = 10
    return model.SerializeToString()
