"""Let this interpreter's onnxruntime answer models and keep what it says. Needs onnxruntime and numpy alone.

    python tests/conformance/releases.py FOLDER

FOLDER/<model>/ holds model.onnx and inputs.npz; it gets answers.npz, or trouble.txt where the model did not load or run.
The first line on stdout is onnxruntime's version.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort


def answered(folder: Path) -> dict[str, Any]:
    """Output name → array; strings as unicode arrays."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    with np.load(folder / "inputs.npz") as stored:
        rows = {name: stored[name] for name in stored.files}
    rows = {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in rows.items()}
    answers = session.run(None, rows)
    names = [output.name for output in session.get_outputs()]
    return {n: a.astype(str) if a.dtype == object else a for n, a in zip(names, answers, strict=True)}


def main() -> int:
    print(ort.__version__, flush=True)
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        try:
            np.savez(folder / "answers.npz", **answered(folder))
        except Exception as error:  # whatever one model does must not lose the others
            (folder / "trouble.txt").write_text(str(error), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
