"""A real tritonserver of one's own, on this machine, for as long as a `with` block lasts.

It never outlives whoever started it. The server leads a process group; beside it in that group waits a small shell that
holds one end of a pipe. When the starter ends, however it ends, the pipe closes and the shell ends the group.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType

from builder.errors import Unreachable, UsageError
from builder.triton import load_header, temporary
from builder.triton import repository as repositories
from builder.triton.arguments import HOST, STUB_TIMEOUT_S, command, free_ports, shared_memory
from builder.triton.embedding import embed
from builder.triton.processes import Processes, ended
from builder.triton.stores import store_of

_LOG = logging.getLogger(__name__)
_GRACE_S = (
    6.0  # from SIGTERM to SIGKILL; a clean end takes about 2 s, an idle HTTP client holds it for EXIT_TIMEOUT more
)

# $1 server's pid, $2 its folder, $3 the name that its shared memory begins with
_WATCHER = """trap '' TERM INT HUP
read -r _
kill -TERM 0
i=0; while [ $i -lt 60 ] && kill -0 "$1" 2>/dev/null; do sleep 0.1; i=$((i + 1)); done
rm -rf "$2"; rm -f "/dev/shm/$3"*
kill -KILL 0"""


class Server:
    """A running tritonserver; made by `start`. `grpc`, `http` and `metrics` are `host:port`.

    `header`: the NAME=VALUE that it wants from whoever loads models.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        folder: Path,
        log: Path,
        log_start: int,
        ports: Sequence[int],
        header: str,
    ) -> None:
        self.pid = process.pid
        self.grpc, self.http, self.metrics = (f"{HOST}:{port}" for port in ports)
        self.ports, self.header = tuple(ports), header
        self.processes = Processes(self.pid)
        self._process, self._folder = process, folder
        self._log, self._log_start = log, log_start  # the file may hold earlier servers' lines
        self._last_words = ""
        self._stopping = threading.Lock()
        self._watcher = subprocess.Popen(
            ["sh", "-c", _WATCHER, "sh", str(self.pid), str(folder), shared_memory(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=self.pid,
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the server's log, also after it has stopped."""
        try:
            with self._log.open("rb") as log:
                log.seek(self._log_start)
                text = log.read().decode("utf-8", "replace")
        except FileNotFoundError:
            text = self._last_words
        return "\n".join(text.splitlines()[-lines:])

    def errors(self) -> str:
        """Why models did not load, one line a model, from the server's log; empty where all did."""
        lines = [
            line.partition("] ")[2].strip().strip('"') for line in self.log_tail(10_000).splitlines() if line[:1] == "E"
        ]
        told = [line for line in lines if line.startswith(("failed to load", "Poll failed"))]
        return "\n".join(dict.fromkeys(line.split("\\n\\nAt:")[0].replace("\\n", "\n") for line in told))

    def load(self, name: str) -> None:
        """Load a model, or its newest version. Raises Unreachable with the server's reason; an old version serves on."""
        repositories.check_name(name)
        status, text = self.post(f"/v2/repository/models/{name}/load", timeout_s=STUB_TIMEOUT_S)
        if status != 200:
            raise Unreachable(
                f"Triton did not load {name}: {_reason(text)}", fix=f"its log ends with\n{self.log_tail()}"
            )

    def post(self, path: str, body: bytes = b"{}", timeout_s: float = 60.0) -> tuple[int, str]:
        """Status and text of a request that changes the server or asks for its models. Raises Unreachable."""
        name, _, value = self.header.partition("=")
        try:
            connection = http.client.HTTPConnection(self.http, timeout=timeout_s)
            connection.request("POST", path, body=body, headers={name: value})
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode("utf-8", errors="replace")
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"Triton at {self.http} did not answer: {error}") from error
        return status, text

    def wait(self, on_line: Callable[[str], None] | None = None) -> int:
        """Block until the server ends by itself; its exit code. Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt.

        `on_line` is called with each line that the server logs from now on.
        """
        with InterruptedBy(signal.SIGTERM, signal.SIGHUP), self.lines() as lines:
            over = False
            while not over:
                over = not self.alive  # asked before the reading: what it said last is read too
                for line in lines():
                    if on_line is not None:
                        on_line(line)
                time.sleep(0.2)
            return self._process.wait()

    @contextmanager
    def lines(self) -> Iterator[Callable[[], list[str]]]:
        """A function with what the server has logged since the last call; first: since now."""
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(0, os.SEEK_END)
            yield lambda: [line.rstrip("\n") for line in log]

    def how_it_ended(self) -> str:
        """In words, once it has."""
        code = self._process.wait()
        return f"tritonserver {ended(-code if code < 0 else code << 8)}"

    def stop(self, grace_s: float = _GRACE_S) -> None:
        """End the server and all that it started. Once done, doing it again does nothing. `grace_s` 0: kill it."""
        with self._stopping:
            if self._watcher.poll() is not None and not self.alive:
                return
            if self.alive and grace_s:
                self._process.terminate()
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                if grace_s:
                    _LOG.info("tritonserver %d did not end in %g s: killing it", self.pid, grace_s)
            finally:
                # The watcher is still in the group, so its number cannot have passed to anybody else.
                if self._watcher.poll() is None:
                    os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()
                self._watcher.wait()
                assert self._watcher.stdin is not None
                self._watcher.stdin.close()
                self._last_words = self.log_tail(10_000)
                shutil.rmtree(self._folder, ignore_errors=True)
                for left in Path("/dev/shm").glob(shared_memory(self._folder) + "*"):
                    left.unlink(missing_ok=True)


def start(
    repository: repositories.Repository,
    *,
    http_port: int = 0,
    grpc_port: int = 0,
    metrics_port: int = 0,
    models: Sequence[str] | None = None,
    server: Path | None = None,
    server_python: Path | None = None,
    log: Path | None = None,
    flags: Sequence[str] = (),
    header: str = "",
    timeout_s: float = 600.0,
) -> Server:
    """Start tritonserver on 127.0.0.1 and return once every model is ready to answer.

    Port 0 takes a free one. `models`: None loads all of the repository, an empty sequence none; more come by `load`.
    `server`: a tritonserver with backends of its own; `server_python`: an interpreter whose nvidia-pytriton to use.
    `log`: where the server's output goes. `flags`: more of tritonserver's own; they win. `header`: the NAME=VALUE that
    lets a client load models, else one is drawn. Raises UsageError (no such repository or model), Unreachable (port taken,
    nothing to run, a model that does not load, with the reason).
    """
    there = repositories.models(repository)
    wanted = there if models is None else tuple(map(repositories.check_name, models))
    absent = [name for name in wanted if name not in there]
    if absent:
        raise UsageError(
            f"{repository} holds no model {', '.join(absent)}.",
            fix=f"it has {', '.join(there) or 'none: publish one'}.",
        )
    header = load_header.checked(header) if header else load_header.drawn()
    ports = free_ports({"gRPC": grpc_port, "HTTP": http_port, "metrics": metrics_port})
    folder = temporary.make()
    process: subprocess.Popen[bytes] | None = None
    try:
        embedding = embed(folder, server, server_python)
        log = log or folder / "server.log"
        words = command(embedding, folder, store_of(repository).for_triton, wanted, ports, header)
        given = {flag.partition("=")[0] for flag in flags} & set(load_header.FLAGS)  # a second one would stop it
        with log.open("ab") as out:
            log_start = out.tell()
            process = subprocess.Popen(
                [*(word for word in words if word.partition("=")[0] not in given), *flags],
                env=dict(embedding.environment),
                cwd=folder,  # the stub's Python looks into its working directory first
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C at the terminal is for the starter, who then stops the server
            )
        load_header.keep(folder, process.pid, ports, header)
        started = Server(process, folder, log.resolve(), log_start, ports, header)
    except BaseException as error:
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise Unreachable(f"tritonserver does not start: {error}") from error
        raise
    try:
        _await_ready(started, timeout_s)
    except BaseException:
        started.stop()
        raise
    _LOG.info("tritonserver %d serves %s: gRPC %s, HTTP %s", started.pid, ", ".join(wanted), started.grpc, started.http)
    return started


def _await_ready(server: Server, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if not server.alive:
            raise Unreachable(f"tritonserver ended while starting: {server.errors() or server.log_tail()}")
        fault = server.processes.fault()  # Triton itself waits for STUB_TIMEOUT_S
        if fault:
            raise Unreachable(f"tritonserver does not start: {fault}; its log ends with\n{server.log_tail()}")
        if responds(server.http, "/v2/health/ready", 5):
            return
        time.sleep(0.05)
    raise Unreachable(f"tritonserver was not ready after {timeout_s:g} s; its log ends with\n{server.log_tail()}")


def responds(address: str, path: str, timeout_s: float) -> bool:
    """Whether a GET is answered with 200."""
    try:
        connection = http.client.HTTPConnection(address, timeout=timeout_s)
        connection.request("GET", path)
        fine = connection.getresponse().status == 200
        connection.close()
    except (OSError, http.client.HTTPException):
        return False
    return fine


def _reason(text: str) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text


class InterruptedBy:
    """Within the block these signals raise KeyboardInterrupt, as SIGINT does; in the main thread alone (Python's rule)."""

    def __init__(self, *signals: signal.Signals) -> None:
        main = threading.current_thread() is threading.main_thread()
        # nohup has SIGHUP ignored: leave it so
        self._signals = [one for one in signals if main and signal.getsignal(one) is not signal.SIG_IGN]

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._interrupt) for number in self._signals}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @staticmethod
    def _interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt
