"""A server that comes back: where it, or a stub of it, dies or stops answering, it is started again on the same ports.

Triton 2.51 does not see that a stub has died: it says "ready" and fails every request. Some requests end the server
itself. So whoever serves watches. A server that cannot answer is killed at once: what refuses connections is not ready.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

from builder.errors import TritonbuildError, Unreachable
from builder.triton import repository as repositories
from builder.triton.backlog import Backlog
from builder.triton.candidate import PREFIX
from builder.triton.server import InterruptedBy, Server, responds, start

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.25
_PULSE_S = 0.5
_ANSWER_S, _SILENCE_S = 5.0, 15.0  # a request of 64 MB holds one of HTTP's eight threads for seconds
_MINUTE_S = 60.0  # deaths within it make the next start wait: not at all, 1/4 s, 1/2 s, …
_LONGEST_PAUSE_S = 1.0
_CRASH = "Signal ("  # what Triton's own handler logs first
_CRASH_S = 2.0  # on a stack that has overflowed that handler may never end, and the ports stay open
_STARTS = 5  # that did not make it ready, one after the other
_HOUR_S = 3600.0


class Supervisor:
    """A `Server` and its successors; made by `supervise`. The addresses and the header stay the same."""

    def __init__(self, again: Callable[[Sequence[str]], Server], first: Server, models: Sequence[str], restarts: int):
        self.grpc, self.http, self.metrics = first.grpc, first.http, first.metrics
        self.header = first.header
        self.restarts = 0
        self._again, self._server, self._limit = again, first, restarts
        self._models = frozenset(models)
        self._deaths: list[float] = []

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of the tritonserver that runs now."""
        return self._server.pid

    def stop(self) -> None:
        """End the server, for good."""
        self._server.stop()

    def wait(self, on_line: Callable[[str], None] | None = None) -> None:
        """Serve until Ctrl-C, SIGTERM or SIGHUP, which raise KeyboardInterrupt.

        `on_line` is called with each line that a server logs, and with a line for each end and each return.
        Raises Unreachable where the server does not start any more, or dies too often.
        """
        say = on_line or _LOG.info
        with InterruptedBy(signal.SIGTERM, signal.SIGHUP):
            while True:
                why = self._watch(say)
                self._server.stop(grace_s=0)
                say(f"tritonbuild: {why}")
                self._return(why, say)

    def _watch(self, say: Callable[[str], None]) -> str:
        """Follow the server until it has died, or must; why."""
        server, pulse = self._server, _Pulse(self._server)
        try:
            with server.lines() as lines:
                crashes_at = float("inf")
                while True:
                    over = not server.alive
                    fault = server.how_it_ended() if over else server.processes.fault() or pulse.fault()
                    for line in lines():
                        say(line)
                        if line.startswith(_CRASH):
                            crashes_at = min(crashes_at, time.monotonic())
                    if fault:
                        return fault
                    if time.monotonic() - crashes_at > _CRASH_S:
                        return "tritonserver hangs in its handler of a signal, which its log names"
                    time.sleep(_LOOK_S)
        finally:
            pulse.stop()
            self._models = (self._models - pulse.seen) | pulse.loaded  # what did not load is still wanted

    def _return(self, why: str, say: Callable[[str], None]) -> None:
        """Start again, after a pause where it died lately. Raises Unreachable where that is of no use."""
        died = time.monotonic()
        self._deaths = [at for at in self._deaths if died - at < _HOUR_S] + [died]
        if len(self._deaths) > self._limit:
            raise Unreachable(
                f"tritonserver died {len(self._deaths)} times within an hour, at last: {why}",
                fix="see its log above; --restarts sets how many are borne.",
            )
        lately = sum(died - at < _MINUTE_S for at in self._deaths)
        time.sleep(min(2.0 ** (lately - 4), _LONGEST_PAUSE_S) if lately > 1 else 0.0)
        for attempt in range(_STARTS):
            try:
                self._server = self._again(sorted(self._models))
                break
            except TritonbuildError as error:
                say(f"tritonbuild: it does not start: {error.message}")
                failed = error
            if attempt < _STARTS - 1:
                time.sleep(2.0**attempt)
        else:
            raise Unreachable(
                f"tritonserver did not start {_STARTS} times in a row, at last: {failed.message}", fix=failed.fix
            ) from failed
        for line in self._server.errors().splitlines():
            say(f"tritonbuild: {line}")
        self.restarts += 1
        say(f"tritonbuild: it answers again after {time.monotonic() - died:.1f} s (restart {self.restarts})")


class _Pulse:
    """Asks a server over HTTP, again and again, whether it lives and what it has loaded; from a thread of its own."""

    def __init__(self, server: Server) -> None:
        self.loaded: frozenset[str] = frozenset()
        self.seen: frozenset[str] = frozenset()  # all that were loaded at any time
        self._server, self._backlog = server, Backlog(server.metrics, server.processes)
        # From the first question on that was not answered; not by the clock alone: this process may have been stopped.
        self._silent_since: float | None = None
        self._over = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def fault(self) -> str:
        """Why it must be taken for dead, in words; empty where it answers."""
        since = self._silent_since
        if since is None or time.monotonic() - since < _SILENCE_S:
            return self._backlog.fault()
        return f"tritonserver has not answered for {time.monotonic() - since + _ANSWER_S:.0f} s"

    def _beat(self) -> None:
        while not self._over.wait(_PULSE_S):
            if responds(self._server.http, "/v2/health/live", _ANSWER_S):
                self._silent_since = None
                self._learn()
                self._backlog.look(_ANSWER_S)
            else:
                self._silent_since = self._silent_since or time.monotonic()

    def _learn(self) -> None:
        try:
            status, text = self._server.post("/v2/repository/index", b'{"ready": true}', _ANSWER_S)
        except Unreachable:
            return
        # A server that is ending unloads all of its models; it is not ready then.
        if status == 200 and responds(self._server.http, "/v2/health/ready", _ANSWER_S):
            self.loaded = frozenset(_lasting(one["name"] for one in json.loads(text)))
            self.seen |= self.loaded


def _lasting(names: Iterable[str]) -> Iterable[str]:
    """Without those that a rollout only tries."""
    return (name for name in names if not name.startswith(PREFIX))


def supervise(
    repository: repositories.Repository,
    *,
    restarts: int = 100,
    http_port: int = 0,
    grpc_port: int = 0,
    metrics_port: int = 0,
    server: Path | None = None,
    server_python: Path | None = None,
    flags: Sequence[str] = (),
    header: str = "",
) -> Supervisor:
    """`start` for every model of the repository, and again whenever `wait` sees it die: at most `restarts` times an hour.

    What is loaded again is what was loaded last, as the repository now has it. A model that no longer loads keeps no
    other from coming back.
    """
    models = repositories.models(repository)
    begin = partial(start, repository, server=server, server_python=server_python)
    first = begin(
        http_port=http_port, grpc_port=grpc_port, metrics_port=metrics_port, flags=flags, header=header, models=models
    )
    grpc, http, metrics = first.ports

    def again(wanted: Sequence[str]) -> Server:
        there = repositories.models(repository)
        return begin(
            models=[name for name in wanted if name in there],
            grpc_port=grpc,
            http_port=http,
            metrics_port=metrics,
            flags=["--exit-on-error=false", *flags],
            header=first.header,
        )

    return Supervisor(again, first, models, restarts)
