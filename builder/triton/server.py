"""A real tritonserver of one's own, on this machine, for as long as a `with` block lasts.

It never outlives whoever started it. The server leads a process group; beside it in that group waits a small shell that
holds one end of a pipe. When the starter ends, however it ends, the pipe closes and the shell ends the group.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, TracebackType

from builder.errors import Unreachable, UsageError
from builder.triton import repository as repositories
from builder.triton.embedding import Embedding, embed
from builder.triton.stores import store_of

_LOG = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_GRACE_S = (
    6.0  # from SIGTERM to SIGKILL; a clean end takes about 2 s, an idle HTTP client holds it for EXIT_TIMEOUT more
)
_EXIT_TIMEOUT_S = 3
_WORD = re.compile(r"[\w/.,:@%+=-]+")
_STUB_TIMEOUT_S = 600  # a forest of 8 million nodes needs 11 s to open; Triton's own default is 30

# $1 server's pid, $2 its folder, $3 the name that its shared memory begins with
_WATCHER = """trap '' TERM INT HUP
read -r _
kill -TERM 0
i=0; while [ $i -lt 60 ] && kill -0 "$1" 2>/dev/null; do sleep 0.1; i=$((i + 1)); done
rm -rf "$2"; rm -f "/dev/shm/$3"*
kill -KILL 0"""


class Server:
    """A running tritonserver; made by `start`. `grpc`, `http` and `metrics` are `host:port`."""

    def __init__(
        self, process: subprocess.Popen[bytes], folder: Path, log: Path, log_start: int, ports: Sequence[int]
    ) -> None:
        self.pid = process.pid
        self.grpc, self.http, self.metrics = (f"{_HOST}:{port}" for port in ports)
        self._process, self._folder = process, folder
        self._log, self._log_start = log, log_start  # the file may hold earlier servers' lines
        self._last_words = ""
        self._stopping = threading.Lock()
        self._watcher = subprocess.Popen(
            ["sh", "-c", _WATCHER, "sh", str(self.pid), str(folder), _shared_memory(folder)],
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
        status, text = _post(self.http, f"/v2/repository/models/{name}/load")
        if status != 200:
            raise Unreachable(
                f"Triton did not load {name}: {_reason(text)}", fix=f"its log ends with\n{self.log_tail()}"
            )

    def wait(self, on_line: Callable[[str], None] | None = None) -> int:
        """Block until the server ends by itself; its exit code. Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt.

        `on_line` is called with each line that the server logs from now on.
        """
        with _InterruptedBy(signal.SIGTERM, signal.SIGHUP):
            if on_line is not None:
                with self._log.open(encoding="utf-8", errors="replace") as log:
                    log.seek(0, os.SEEK_END)
                    ended = False
                    while not ended:
                        ended = not self.alive  # asked before the reading: what it said last is read too
                        for line in log:
                            on_line(line.rstrip("\n"))
                        time.sleep(0.2)
            return self._process.wait()

    def stop(self) -> None:
        """End the server and all that it started. Once done, doing it again does nothing."""
        with self._stopping:
            if self._watcher.poll() is not None and not self.alive:
                return
            if self.alive:
                self._process.terminate()
            try:
                self._process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                _LOG.info("tritonserver %d did not end in %g s: killing it", self.pid, _GRACE_S)
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
                for left in Path("/dev/shm").glob(_shared_memory(self._folder) + "*"):
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
    timeout_s: float = 600.0,
) -> Server:
    """Start tritonserver on 127.0.0.1 and return once every model is ready to answer.

    Port 0 takes a free one. `models`: None loads all of the repository, an empty sequence none; more come by `load`.
    `server`: a tritonserver with backends of its own; `server_python`: an interpreter whose nvidia-pytriton to use.
    `log`: where the server's output goes. `flags`: more of tritonserver's own; they win. Raises UsageError (no such repository or model), Unreachable (port taken,
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
    ports = _ports({"gRPC": grpc_port, "HTTP": http_port, "metrics": metrics_port})
    folder = Path(tempfile.mkdtemp(prefix="tritonbuild-server-"))
    try:
        embedding = embed(folder, server, server_python)
        log = log or folder / "server.log"
        with log.open("ab") as out:
            log_start = out.tell()
            process = subprocess.Popen(
                [*_command(embedding, folder, store_of(repository).for_triton, wanted, ports), *flags],
                env=dict(embedding.environment),
                cwd=folder,  # the stub's Python looks into its working directory first
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C at the terminal is for the starter, who then stops the server
            )
        started = Server(process, folder, log.resolve(), log_start, ports)
    except BaseException as error:
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


def _command(
    embedding: Embedding, folder: Path, repository: str, models: Sequence[str], ports: Sequence[int]
) -> list[str]:
    grpc_port, http_port, metrics_port = ports
    return [
        str(embedding.binary),
        *embedding.arguments,
        f"--model-repository={_plain(repository, folder)}",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in models),  # by name: `*` would fail on any folder that is no model
        "--disable-auto-complete-config",
        # Strict, one version that ever failed to load keeps the server unready for good, also once it is deleted.
        "--strict-readiness=false",
        f"--http-address={_HOST}",
        f"--http-port={http_port}",
        f"--grpc-address={_HOST}",
        f"--grpc-port={grpc_port}",
        f"--metrics-address={_HOST}",
        f"--metrics-port={metrics_port}",
        f"--exit-timeout-secs={_EXIT_TIMEOUT_S}",
        f"--backend-config=python,stub-timeout-seconds={_STUB_TIMEOUT_S}",
        f"--backend-config=python,shm-region-prefix-name={_shared_memory(folder)}",
    ]


def _plain(repository: str, folder: Path) -> str:
    """The repository as a shell reads one word: Triton's Python backend starts its stub without quoting the path."""
    if "://" in repository or _WORD.fullmatch(repository):
        return repository
    link = folder / "models"
    link.symlink_to(repository, target_is_directory=True)
    return str(link)


def _shared_memory(folder: Path) -> str:
    return f"{folder.name}-shm-"


def _await_ready(server: Server, timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if not server.alive:
            raise Unreachable(f"tritonserver ended while starting: {server.errors() or server.log_tail()}")
        try:
            connection = http.client.HTTPConnection(server.http, timeout=5)
            connection.request("GET", "/v2/health/ready")
            ready = connection.getresponse().status == 200
            connection.close()
        except OSError:
            ready = False
        if ready:
            return
        time.sleep(0.05)
    raise Unreachable(f"tritonserver was not ready after {timeout_s:g} s; its log ends with\n{server.log_tail()}")


def _ports(wanted: dict[str, int]) -> list[int]:
    """Each port as given, or a free one for 0. Raises Unreachable where one is taken. All are held until all are known."""
    held: list[socket.socket] = []
    try:
        for what, port in wanted.items():
            held.append(socket.socket())
            held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past TIME_WAIT, not past a listener
            try:
                held[-1].bind((_HOST, port))
            except (OSError, OverflowError) as error:
                raise Unreachable(
                    f"port {port} for {what} is taken or not allowed: {error}",
                    fix=f"stop what listens there, or choose another --{what.lower()}-port (0: any free one).",
                ) from error
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def _post(address: str, path: str) -> tuple[int, str]:
    try:
        connection = http.client.HTTPConnection(address, timeout=_STUB_TIMEOUT_S)
        connection.request("POST", path, body=b"{}")
        answer = connection.getresponse()
        status, text = answer.status, answer.read().decode("utf-8", errors="replace")
        connection.close()
    except OSError as error:
        raise Unreachable(f"Triton at {address} did not answer: {error}") from error
    return status, text


def _reason(text: str) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text


class _InterruptedBy:
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
