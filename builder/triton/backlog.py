"""Models whose requests wait while none is answered and no stub of theirs computes: such a stub hangs.

Triton's metrics count what waits. A stub that works, however long, uses the CPU; one that waits for a lock does not.
"""

from __future__ import annotations

import http.client
import re
import time
from collections import Counter

from builder.triton.processes import Processes

_PATIENCE_S = 20.0
_COUNT = re.compile(
    r'^nv_inference_(pending_request_count|request_success|request_failure)\{.*?model="([^"]*)".*\} (\d+)'
)


class Backlog:
    """Look again and again; `fault` says which model has stood still all the while."""

    def __init__(self, metrics: str, processes: Processes) -> None:
        self._metrics, self._processes = metrics, processes
        self._standing: dict[
            str, tuple[tuple[int, int], float]
        ] = {}  # model → answered and computed so far, since when

    def look(self, timeout_s: float) -> None:
        """Ask the server what waits. What it does not answer is for others to tell."""
        waiting: Counter[str] = Counter()
        answered: Counter[str] = Counter()
        for line in _read(self._metrics, timeout_s).splitlines():
            found = _COUNT.match(line)
            if found:
                (waiting if found[1].startswith("pending") else answered)[found[2]] += int(found[3])
        now, standing = time.monotonic(), {}
        for model in (model for model, count in waiting.items() if count):
            state = answered[model], self._processes.computed(f"{model}_")
            before = self._standing.get(model)
            standing[model] = before if before and before[0] == state else (state, now)
        self._standing = standing

    def fault(self) -> str:
        """In words; empty where every model goes on."""
        now = time.monotonic()
        for model, (_, since) in self._standing.items():
            if now - since > _PATIENCE_S:
                return (
                    f"the stub of {model} hangs: requests have waited for {now - since:.0f} s, and it computes nothing"
                )
        return ""


def _read(address: str, timeout_s: float) -> str:
    try:
        connection = http.client.HTTPConnection(address, timeout=timeout_s)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode("utf-8", "replace")
        connection.close()
    except (OSError, http.client.HTTPException):
        return ""
    return text
