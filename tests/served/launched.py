"""A launch line meant for production, run as it is: `tritonserver` on its PATH is the embedded one."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.triton.embedding import embed

HEADER = "TRITONBUILD_LOAD_HEADER"
_WITHOUT_NEWER = """for flag; do
  shift
  case $flag in --grpc-max-response-pool-size=*) ;; *) set -- "$@" "$flag" ;; esac
done
"""  # what Triton 2.51 does not have yet


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@contextmanager
def launched(line: str, folder: Path, http_port: int, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a shell's line until its server is ready; in the end it and what it started are ended.

    `folder`: an empty one. The server's flags are the line's own, but for the folder of the embedded backends.
    """
    home = folder / "home"
    home.mkdir(parents=True)
    embedding = embed(home, None, None)
    wrapper = folder / "bin" / "tritonserver"
    wrapper.parent.mkdir()
    words = shlex.join([str(embedding.binary), *embedding.arguments])
    wrapper.write_text(f'#!/bin/sh\n{_WITHOUT_NEWER}exec {words} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    known = dict(embedding.environment) | environment
    known["PATH"] = f"{wrapper.parent}:{known['PATH']}"
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["sh", "-c", line], env=known, cwd=home, stdout=out, stderr=out, text=True, start_new_session=True
        )
    try:
        _await_ready(process, http_port, log)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def _await_ready(process: subprocess.Popen[str], port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, f"it ended:\n{log.read_text('utf-8', 'replace')[-3000:]}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"not ready:\n{log.read_text('utf-8', 'replace')[-3000:]}")
