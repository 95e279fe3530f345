"""`tritonbuild serve` in a process of its own, on free ports, and what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.house.sources import ROOT


class Serve:
    """Run it in a `with` block. `addresses`: what → host:port."""

    def __init__(self, repository: Path | str, *flags: str, **environment: str) -> None:
        command = [sys.executable, "-m", "builder.cli", "serve", "--repository", str(repository)]
        ports = ["--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"]
        self.process = subprocess.Popen(
            [*command, *ports, *flags],
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.process.stdout is not None
        told = [self.process.stdout.readline().split() for _ in range(3)]
        assert all(told), f"nothing serves: {self.text}"
        self.grpc, self.http, self.metrics = (address for _, address in told)

    def __enter__(self) -> Serve:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)  # a background job of a shell ignores SIGINT

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    @property
    def restarts(self) -> int:
        return sum("it answers again after" in line for line in self.said)

    def end(self, number: signal.Signals) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self, seconds: float = 60) -> int:
        code = self.process.wait(seconds)
        self._reader.join(10)
        return code

    @property
    def server(self) -> int:
        """The pid of the tritonserver that runs now; 0 where none does."""
        return next((pid for pid, name in children(self.process.pid) if name == "tritonserver"), 0)

    @property
    def stubs(self) -> list[int]:
        """Of the models, by pid."""
        return sorted(pid for pid, name in children(self.server) if name == "triton_python_b") if self.server else []

    def health(self, path: str = "/v2/health/ready") -> int:
        """What it says; 0 where nobody says anything."""
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


def children(pid: int) -> list[tuple[int, str]]:
    """Those that live, with their names."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            before, _, after = (folder / "stat").read_text().rpartition(")")
        except OSError:
            continue  # it ended meanwhile
        state, parent = after.split()[:2]
        if int(parent) == pid and state != "Z":
            found.append((int(folder.name), before.partition("(")[2]))
    return found


def until(true: Callable[[], bool], seconds: float = 60) -> float:
    """Wait until something is so; the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + seconds, "it never was"
        time.sleep(0.05)
    return time.monotonic() - began
