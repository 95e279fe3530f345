"""The line that starts a server in production: NVIDIA's container, or a tritonserver of one's own.

Both take the same flags. Loading and unloading, and all else that changes a server, wants a header that clients of the
models do not know; its NAME=VALUE stays in the environment of whoever starts the server and of whoever rolls out.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.releases import Target
from builder.triton import load_header

HEADER = load_header.VARIABLE
_BOUND, _BOUNDED = (
    "--grpc-max-response-pool-size=64",
    "25.06",
)  # server#7879; without it a stream's responses are unbounded
_USER = "1000:1000"  # triton-server in NVIDIA's images
_PORTS = (8000, 8001, 8002)
_STORE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION")  # names, not values
_MEMORY = "1g"  # the container's own default of /dev/shm, 64 MB, is soon full of tensors


@dataclass(frozen=True)
class Launch:
    """What to serve, and where: `ports` are those of HTTP, gRPC and metrics on 127.0.0.1.

    `repository`: a folder, or an address as Triton has it; `config_name`: as --model-config-name has it; `gpu` reserves the GPUs too.
    """

    repository: Path | str
    models: tuple[str, ...]
    release: Target
    ports: tuple[int, int, int]
    config_name: str = ""

    def bare(self) -> str:
        """For a tritonserver on PATH. tritonserver takes the secret as a flag alone: `ps` shows it to this machine's users."""
        where = self.repository if isinstance(self.repository, str) else str(self.repository.resolve())
        return _joined(["tritonserver", *self._flags(where, "127.0.0.1", self.ports)], self._guard())

    def container(self) -> str:
        """For NVIDIA's container of the release. The secret is read inside of it: no line of `docker` shows it; `ps` does."""
        http, grpc, metrics = (
            f"--publish=127.0.0.1:{here}:{there}" for here, there in zip(self.ports, _PORTS, strict=True)
        )
        where, given = self._given()
        inside = " ".join(_quoted(flag) for flag in ["tritonserver", *self._flags(where, "0.0.0.0", _PORTS)])
        words = [
            "docker run --rm --init",
            f"--user={_USER} --cap-drop=ALL --security-opt=no-new-privileges --read-only --tmpfs=/tmp --shm-size={_MEMORY}",
            *(["--gpus=all"] if self.config_name == "gpu" else []),
            given,
            f"{http} {grpc} {metrics}",
            f"--env={HEADER}",
            image(self.release),
            f"sh -c {shlex.quote('exec ' + inside)}",
        ]
        return _joined(words, self._guard(), quote=False)

    def _given(self) -> tuple[str, str]:
        """Where the container finds the repository, and what it is given for that."""
        if isinstance(self.repository, str):
            return self.repository, " ".join(f"--env={name}" for name in _STORE)
        return "/models", f"--volume={shlex.quote(str(self.repository.resolve()))}:/models:ro"

    def _flags(self, repository: str, host: str, ports: Sequence[int]) -> list[str]:
        flags = server_flags(repository, self.models, self.release, self.config_name)
        return [*flags, *addresses(host, ports)]

    def _guard(self) -> str:
        return f': "${{{HEADER}:?NAME=VALUE, the header that lets a client load models}}"'


def server_flags(repository: str, models: Sequence[str], release: Target, config_name: str = "") -> list[str]:
    """Whatever the addresses are. `${…}` is for a shell, or for compose, to fill in."""
    return [
        f"--model-repository={repository}",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in models),
        "--disable-auto-complete-config",
        # Strict, one version that ever failed to load keeps the server unready for good, though the old one answers.
        "--strict-readiness=false",
        *([f"--model-config-name={config_name}"] if config_name else []),
        *load_header.guards(f"${{{HEADER}}}"),
        *([] if release.older_than(_BOUNDED) else [_BOUND]),
        "--exit-timeout-secs=10",
    ]


def addresses(host: str, ports: Sequence[int]) -> list[str]:
    """HTTP's, gRPC's and the metrics'."""
    listed = zip(("http", "grpc", "metrics"), ports, strict=True)
    return [flag for what, port in listed for flag in (f"--{what}-address={host}", f"--{what}-port={port}")]


def image(release: Target) -> str:
    """NVIDIA's."""
    return f"nvcr.io/nvidia/tritonserver:{release.name}-py3"


def _quoted(word: str) -> str:
    """For a shell that fills the header in, and nothing else."""
    variable = f"${{{HEADER}}}"
    if variable not in word:
        return shlex.quote(word)
    before, _, after = word.partition(variable)
    return f'{before}"{variable}"{after}'


def _joined(words: Sequence[str], guard: str, quote: bool = True) -> str:
    return guard + "\n" + " \\\n  ".join(_quoted(word) if quote else word for word in words) + "\n"
