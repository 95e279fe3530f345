"""Publishers to kill: each line on stdin forks a process that changes a repository until it is killed.

    python -m tests.faults.writer REPOSITORY

A line is a seed. Its process writes new versions, large and small, changes the settings of the newest one, and goes back
to the one before it and forth again, in an order that the seed gives. Its pid is told on stdout; the next line kills it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
from functools import cache

from builder.triton import leasing
from builder.triton.config import write_config
from builder.triton.repository import serve_version, serving, versions, write_version
from builder.triton.settings import Settings
from builder.types import Servable
from tests.small_models import numbered

NAME = "numbered"
PAD = (0, 0, 1 << 20, 30 << 20)  # bytes beside the model, for kills to fall into


@cache
def servable(number: int) -> Servable:
    return numbered(number)


def publish(repository: str, number: int, pad: int, size: int) -> None:
    """Version `number`, which answers its number; `size` is its max_batch_size, a setting."""
    config = write_config(servable(number), NAME, Settings(max_batch_size=size), {}).encode()
    beside = {"labels.txt": f"{number}\n".encode(), "config.pbtxt": config}
    files = {"model.onnx": servable(number).model, "pad.data": bytes([number % 251]) * pad}
    manifest = {"source": {}, "stages": [], "inputs": [], "outputs": [], "files": digests(files)}
    document = json.dumps(manifest | {"config": {"files": digests(beside)}}).encode()
    write_version(repository, NAME, number, files | {"manifest.json": document}, beside)


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def pad_of(number: int) -> int:
    """The same each time that the version is published."""
    return random.Random(number).choice(PAD)


def change(repository: str, seed: int) -> None:
    drawn = random.Random(seed)
    while True:
        there = versions(repository, NAME)
        match drawn.choice(["new", "new", "settings", "turn"]):
            case "new":
                number = (there or (0,))[-1] + 1
                publish(repository, number, pad_of(number), 8)
            case "settings" if there:
                publish(repository, there[-1], pad_of(there[-1]), drawn.randint(9, 99))
            case "turn" if len(there) > 1:
                serve_version(repository, NAME, there[-2 if serving(repository, NAME) == there[-1] else -1])


def main() -> None:
    leasing.EXPIRY_S, leasing.BEAT_S = 2.0, 0.3  # of a bucket's lock, which a killed one leaves behind
    servable(1)
    print("ready", flush=True)
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            change(sys.argv[1], int(line))
        print(child, flush=True)
        sys.stdin.readline()
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print(f"{child} ended by {-os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()
