"""A server's repository API: have it load and unload models, and learn how it is.

Seen on Triton 2.51: with strict readiness a server is unready while anything loads or unloads, and after a failed load
until that very model and version loads well. So whoever loads waits, and heals what did not load.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from builder.errors import TritonbuildError, Unreachable, UsageError
from builder.triton import load_header
from builder.triton.client import Client, Protocol

LOAD_TIMEOUT_S = 600.0  # a forest of 8 million nodes needs 11 s to open
_UNLOAD_TIMEOUT_S = 60.0
_SCHEMES: Mapping[str, Protocol] = {"grpc": "grpc", "http": "http"}
_LIMITS: Mapping[Protocol, int] = {"grpc": (1 << 31) - 1, "http": 1 << 26}
"""Bytes a request. gRPC: protobuf's own. HTTP: what newer releases take unless --http-max-input-size says more.

2.51 took 400 MB in 10 s over gRPC, in 16 s over HTTP, on 2 busy cores.
"""
_ENVELOPE = 1 << 20  # config and names
_NOBODY = ".nobody"  # no model may be named so

State = Literal["ready", "unready", "silent"]


class Control(Client):
    """A connection to a server with explicit model control. `url`: `grpc://host:port` or `http://host:port`.

    `header`: `name=value` where the server restricts its repository API to whoever sends it; that of this user's own
    embedded server is found.
    """

    def __init__(self, url: str, header: str = "") -> None:
        scheme, there, _ = url.partition("://")
        if not there or scheme not in _SCHEMES:
            raise UsageError(f"{url!r} is no address of a server.", fix="give grpc://host:8001 or http://host:8000.")
        super().__init__(url, _SCHEMES[scheme])
        self.address = url
        self._headers = _headers(header or load_header.found(self.url), self.protocol)

    def __enter__(self) -> Control:
        return self

    def check(self) -> None:
        """Whether the server lives and lets models be loaded by name: it is asked to unload one that it cannot have.

        Raises Unreachable where it does not live, UsageError where it polls its repository or restricts this API.
        """
        with self._errors("server"):
            live = self._connection().is_server_live()
        if not live:
            raise Unreachable(f"Triton at {self.address} does not live.", fix="see its log.")
        try:
            self.unload(_NOBODY)
        except TritonbuildError as error:
            if "explicit model load / unload is not allowed" in error.message:
                raise UsageError(
                    f"Triton at {self.address} chooses by itself what it loads: it was not started with "
                    "--model-control-mode=explicit.",
                    fix="start it so; or, where it polls the repository, leave --load out: it finds the new version itself, "
                    "unproven over the wire.",
                ) from error
            if "restricted, expecting header" in error.message:
                raise UsageError(
                    f"Triton at {self.address} lets nobody load models without its header.",
                    fix="give --load-header NAME=VALUE, as its --grpc-restricted-protocol or --http-restricted-api has it; "
                    "`tritonbuild serve` tells it to commands of its own user on its own machine.",
                ) from error
            raise

    def load(self, model: str, config: str | None = None, files: Mapping[str, bytes] | None = None) -> None:
        """Have the server load a model, as its repository has it; or out of `files` under `config` (JSON), from nowhere.

        `files`: path in the model's folder → content. Returns once it answers; until then a version before it does.
        Raises UsageError with the server's reason where it does not load, Unreachable.
        """
        self._known = {key: info for key, info in self._known.items() if key[0] != model}
        options: dict[str, Any] = {"client_timeout": LOAD_TIMEOUT_S} if self.protocol == "grpc" else {}
        if config is not None:
            options |= {"config": config, "files": {f"file:{path}": content for path, content in (files or {}).items()}}
        try:
            with self._errors(model):
                self._connection(LOAD_TIMEOUT_S).load_model(model, headers=self._headers, **options)
        except UsageError as error:
            if "failed to poll" in error.message:
                error.message += "; that server's log alone says why."
            raise

    def unload(self, model: str) -> None:
        """Have the server let go of a model, and wait until it has. A model that it does not have is fine."""
        options = {"client_timeout": self._timeout_s} if self.protocol == "grpc" else {}
        with self._errors(model):
            self._connection().unload_model(model, headers=self._headers, **options)
        self._known = {key: info for key, info in self._known.items() if key[0] != model}

    def loaded(self) -> dict[str, tuple[int, ...]]:
        """Every model that answers, and its versions, lowest first."""
        with self._errors("server"):
            told = self._connection().get_model_repository_index(headers=self._headers)
        models = (
            told
            if self.protocol == "http"
            else [{"name": one.name, "version": one.version, "state": one.state} for one in told.models]
        )
        found: dict[str, list[int]] = {}
        for one in models:
            if one.get("state") == "READY":
                found.setdefault(one["name"], []).append(int(one.get("version") or 0))
        return {name: tuple(sorted(versions)) for name, versions in found.items()}

    def settle(self, was: State) -> State:
        """Wait until the server is as ready as it `was`: it is not while it unloads. How it is in the end."""
        if was == "ready":
            _await(lambda: self.state() == "ready", _UNLOAD_TIMEOUT_S)
        return self.state()

    def state(self) -> State:
        """What `/v2/health/ready` says, or that nobody says anything."""
        try:
            with self._errors("server"):
                return "ready" if self._connection().is_server_ready() else "unready"
        except Unreachable:
            return "silent"

    def answering(self, model: str, awaited: int | None = None) -> int | None:
        """The version that answers who asks for none: the highest one loaded. None where none is.

        `awaited`: one that is loaded, and answers as soon as those above it are gone.
        """
        if awaited is not None:
            _await(lambda: self._highest(model) == awaited, _UNLOAD_TIMEOUT_S)
        return self._highest(model)

    def _highest(self, model: str) -> int | None:
        if not self.ready(model):
            return None
        with self._errors(model):
            told = self._connection().get_model_metadata(model, headers=self._headers)
        loaded = told["versions"] if self.protocol == "http" else told.versions
        return max(map(int, loaded), default=None)

    def takes(self, files: Mapping[str, bytes]) -> bool:
        """Whether so much goes into one request."""
        size = sum(map(len, files.values()))
        size = size * 4 // 3 if self.protocol == "http" else size  # base64
        return size + _ENVELOPE <= _LIMITS[self.protocol]


def _headers(header: str, protocol: Protocol) -> dict[str, str] | None:
    if not header:
        return None
    name, there, value = header.partition("=")
    if not there or not name:
        raise UsageError("the header for loading is no NAME=VALUE.", fix="give --load-header NAME=VALUE.")
    return {f"triton-grpc-protocol-{name.lower()}" if protocol == "grpc" else name: value}


def _await(done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.05)
