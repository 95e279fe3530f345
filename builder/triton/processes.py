"""A server's processes, as /proc tells them: the server itself, and the stubs that run its models."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_STUB = "triton_python_b"  # as much of its name as the kernel keeps
_INSTANCE = 8  # the stub's argument with the name of the model's instance
_DEAD_S = 0.3  # the server collects a stub that it ended itself within milliseconds
_STOPPED_S = 1.0  # a stub that goes on after a longer stop takes the server with it


@dataclass(frozen=True)
class Process:
    """`state` is ps's letter; `ticks` of CPU time it has used; `status` is how it ended, as wait() tells it."""

    pid: int
    parent: int
    name: str
    state: str
    ticks: int
    status: int


class Processes:
    """Watches a server's processes. Call `fault` again and again: it says what has ended or stands still."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._instances: dict[int, str] = {}
        self._since: dict[int, float] = {}
        self._strangers: set[int] = set()  # looked at once: a machine may have thousands

    def fault(self) -> str:
        """Why the server cannot answer any more, in words; empty where nothing is wrong."""
        now = time.monotonic()
        bad = {one.pid: one for one in self._all() if one.state in "ZT"}
        self._since = {pid: self._since.get(pid, now) for pid in bad}
        for pid, one in bad.items():
            if now - self._since[pid] >= (_DEAD_S if one.state == "Z" else _STOPPED_S):
                return self._told(one)
        return ""

    def computed(self, instances: str) -> int:
        """Ticks of CPU time that the stubs have used whose instances' names begin so; the server's, where it has none."""
        stubs = [pid for pid, name in self._instances.copy().items() if name.startswith(instances)]
        return sum(one.ticks for one in map(_process, stubs or [self._server]) if one is not None)

    def _all(self) -> Iterator[Process]:
        """The server and its stubs."""
        listed = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        self._strangers &= listed
        for pid in listed - self._strangers:
            one = _process(pid)
            if pid == self._server:
                if one is not None and one.state != "Z":  # its own end is told by whoever waits for it
                    yield one
            elif one is not None and one.parent == self._server:
                if one.name == _STUB and one.state != "Z" and not self._instances.get(pid):  # at first it is none yet
                    self._instances[pid] = _instance(pid)
                yield one
            else:
                self._strangers.add(pid)

    def _told(self, one: Process) -> str:
        who = "tritonserver" if one.pid == self._server else f"the stub of {self._instances.get(one.pid) or 'a model'}"
        return f"{who} stands still (it was stopped)" if one.state == "T" else f"{who} {ended(one.status)}"


def ended(status: int) -> str:
    """How a process ended, from wait()'s status."""
    number = status & 0x7F
    if not number:
        return f"ended with exit code {status >> 8}"
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _process(pid: int) -> Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    before, _, after = text.rpartition(")")
    fields = after.split()
    ticks = int(fields[11]) + int(fields[12])
    return Process(pid, int(fields[1]), before.partition("(")[2], fields[0], ticks, int(fields[-1]))


def _instance(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    return words[_INSTANCE] if len(words) > _INSTANCE else ""
