"""A command of this project as a whole process: its time and its memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time


def command(*arguments: str) -> tuple[float, float]:
    """Seconds, and the greatest resident memory in MiB, of `tritonbuild` with these arguments."""
    line = [sys.executable, "-m", "builder.cli", *arguments]
    began = time.monotonic()
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    told = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(line)} failed:\n{told}")
    return time.monotonic() - began, usage.ru_maxrss / 1024
