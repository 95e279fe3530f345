"""What tritonserver is started with on this machine: its flags, its ports, and paths that a shell reads as one word."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from builder.errors import Unreachable
from builder.triton import load_header, temporary
from builder.triton.embedding import Embedding

HOST = "127.0.0.1"
EXIT_TIMEOUT_S = 3
STUB_TIMEOUT_S = 600  # a forest of 8 million nodes needs 11 s to open; Triton's own default is 30


def command(
    embedding: Embedding, folder: Path, repository: str, models: Sequence[str], ports: Sequence[int], header: str
) -> list[str]:
    grpc_port, http_port, metrics_port = ports
    return [
        str(embedding.binary),
        *embedding.arguments,
        f"--model-repository={plain(repository, folder)}",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in models),  # by name: `*` would fail on any folder that is no model
        "--disable-auto-complete-config",
        # Strict, one version that ever failed to load keeps the server unready for good, also once it is deleted.
        "--strict-readiness=false",
        f"--http-address={HOST}",
        f"--http-port={http_port}",
        f"--grpc-address={HOST}",
        f"--grpc-port={grpc_port}",
        f"--metrics-address={HOST}",
        f"--metrics-port={metrics_port}",
        *load_header.guards(header),
        f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
        f"--backend-config=python,stub-timeout-seconds={STUB_TIMEOUT_S}",
        f"--backend-config=python,shm-region-prefix-name={shared_memory(folder)}",
    ]


def plain(repository: str, folder: Path) -> str:
    """The repository as a shell reads one word: Triton's Python backend starts its stub without quoting the path."""
    if "://" in repository or temporary.is_word(repository):
        return repository
    link = folder / "models"
    link.symlink_to(repository, target_is_directory=True)
    return str(link)


def shared_memory(folder: Path) -> str:
    return f"{folder.name}-shm-"


def free_ports(wanted: dict[str, int]) -> list[int]:
    """Each port as given, or a free one for 0. Raises Unreachable where one is taken. All are held until all are known."""
    held: list[socket.socket] = []
    try:
        for what, port in wanted.items():
            held.append(socket.socket())
            held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past TIME_WAIT, not past a listener
            try:
                held[-1].bind((HOST, port))
            except (OSError, OverflowError) as error:
                raise Unreachable(
                    f"port {port} for {what} is taken or not allowed: {error}",
                    fix=f"stop what listens there, or choose another --{what.lower()}-port (0: any free one).",
                ) from error
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
