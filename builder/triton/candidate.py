"""A model on a server under another name, so that nobody who asks for the model meets it before it is proven.

It is sent through the load API (`file:…`), and lies in no repository. It is always version 1: after a load that failed
a server with strict readiness waits for that very name and version to load well, and so each later candidate heals it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from builder.errors import UsageError
from builder.triton.control import Control
from builder.triton.layout import CONFIG, LABELS, WARMUP, Files, Repository

PREFIX = "candidate."
VERSION = 1
MODEL, WEIGHTS = "model.onnx", ".weights"


@dataclass(frozen=True)
class Candidate:
    """`config`: config.pbtxt under the candidate's name. `files`: path in the model's folder → content."""

    name: str
    config: Any  # ModelConfig
    files: Mapping[str, bytes]

    @property
    def text(self) -> str:
        from google.protobuf import text_format

        return str(text_format.MessageToString(self.config, as_utf8=True))


def candidate_of(name: str, files: Files, beside: Files) -> Candidate:
    """What `name` would be with these files, under the candidate's name. Raises UsageError where the config is none."""
    config = _parsed(beside[CONFIG], name)
    config.name = candidate_name(name)
    config.ClearField("version_policy")
    sent = {f"{VERSION}/{path}": bytes(content) for path, content in _of_model(files)}
    return Candidate(config.name, config, sent | _settings(beside))


def candidate_name(name: str) -> str:
    """Raises UsageError where the server could not have it."""
    if len(PREFIX + name) > 128:
        raise UsageError(f"{name!r} is too long to be loaded as {PREFIX}{name}.", fix="choose a --name of 118 at most.")
    return PREFIX + name


def check_free(name: str) -> str:
    """The name, where no rollout of another model would take it for its candidate, and remove it. Raises UsageError."""
    if name.startswith(PREFIX):
        raise UsageError(
            f"{name!r} is the name that a candidate of {name.removeprefix(PREFIX)!r} has in a rollout.",
            fix=f"choose a --name that does not begin with {PREFIX}",
        )
    return name


def send(control: Control, candidate: Candidate) -> None:
    """Load it out of what is sent along. Raises UsageError with the server's reason, Unreachable."""
    control.load(candidate.name, json_of(candidate.config), candidate.files)


def stage(repository: Repository, candidate: Candidate) -> None:
    """Let it lie in the repository, as a model that nobody has asked for: where it is too large to be sent."""
    from builder.triton.repository import write_version

    unstage(repository, candidate)
    folder = f"{VERSION}/"
    model = {path.removeprefix(folder): one for path, one in candidate.files.items() if path.startswith(folder)}
    beside = {path: one for path, one in candidate.files.items() if not path.startswith(folder)}
    write_version(repository, candidate.name, VERSION, model, {**beside, CONFIG: candidate.text.encode()})


def unstage(repository: Repository, candidate: Candidate) -> None:
    from builder.triton.repository import versions, withdraw

    for version in versions(repository, candidate.name):
        withdraw(repository, candidate.name, version)


def heal(control: Control, name: str, version: int = VERSION) -> None:
    """Let `name` load well as that version, and go: a failed load no longer keeps the server unready.

    What loads is a model that takes no request of anybody's.
    """
    config = _tiny(name)
    control.load(name, json_of(config), {f"{version}/{MODEL}": _nothing()})
    control.unload(name)


def heal_beside(control: Control, name: str, failed: int, version: int, files: Files, beside: Files) -> None:
    """The same where `version` of the model serves: for a moment it answers as `failed` too.

    A plain load afterwards brings back what the repository has.
    """
    config = _parsed(beside[CONFIG], name)
    config.version_policy.all.SetInParent()
    content = {path: bytes(found) for path, found in _of_model(files)}
    sent = {f"{number}/{path}": found for number in (version, failed) for path, found in content.items()}
    control.load(name, json_of(config), sent | _settings(beside))
    control.load(name)


def json_of(config: Any) -> str:
    from google.protobuf import json_format

    return json.dumps(json_format.MessageToDict(config, preserving_proto_field_name=True))


def _parsed(text: bytes | memoryview, name: str) -> Any:
    from builder.triton.policy import parse

    return parse(bytes(text).decode("utf-8"), f"the config.pbtxt of {name}")


def _of_model(files: Files) -> Iterable[tuple[str, bytes | memoryview]]:
    """Without manifest and evidence, which the server does not read."""
    return ((path, content) for path, content in files.items() if path == MODEL or path.endswith(WEIGHTS))


def _settings(beside: Files) -> dict[str, bytes]:
    return {path: bytes(found) for path, found in beside.items() if path == LABELS or path.startswith(f"{WARMUP}/")}


def _tiny(name: str) -> Any:
    from tritonclient.grpc import model_config_pb2 as proto

    config = proto.ModelConfig(name=name, backend="onnxruntime", max_batch_size=1)
    config.version_policy.all.SetInParent()
    config.instance_group.add(kind=proto.ModelInstanceGroup.KIND_CPU, count=1)
    config.input.add(name=_NOBODYS, data_type=proto.TYPE_BOOL, dims=[1])
    config.output.add(name="nothing", data_type=proto.TYPE_BOOL, dims=[1])
    return config


_NOBODYS = "tritonbuild.heals"


def _nothing() -> bytes:
    from builder.graph.identity import identity_of
    from builder.types import Scalar, TensorSpec

    truth = Scalar("boolean")
    asked, told = (TensorSpec(name, truth, nullable=False) for name in (_NOBODYS, "nothing"))
    return identity_of([asked], [told]).model
