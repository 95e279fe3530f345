"""MLflow's deployments door: `mlflow deployments create -t triton -m models:/flights/3 --name flights`.

A deployment is a model that the server has loaded. It comes there as `tritonbuild publish --load` brings it: compiled,
proven in this process and over the wire, never around the proof. MLflow reads the target's name off the entry point, and
wants one subclass of BaseDeploymentClient, `run_local` and `target_help` in this module.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlflow.deployments import BaseDeploymentClient, PredictionsResponse
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import ErrorCode

from builder import flow
from builder.errors import CheckFailed, ConversionRefused, SourceError, TritonbuildError, Unreachable, UsageError

if TYPE_CHECKING:
    from builder.outcomes import Publication
    from builder.triton.client import ModelInfo
    from builder.triton.control import Control

_log = logging.getLogger("mlflow.deployments.triton")  # below MLflow's own, whose talk a user of its command sees

FLAVOR = "spark"
_HOST, _PORT = "localhost", 8001
_REPOSITORY = "model_repository"
_HEADER = "TRITONBUILD_LOAD_HEADER"  # as `tritonbuild publish --load` has it; list, get and predict take no options
_TRUE = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_CODES = (
    (SourceError, "RESOURCE_DOES_NOT_EXIST"),
    (UsageError, "INVALID_PARAMETER_VALUE"),
    (ConversionRefused, "INVALID_PARAMETER_VALUE"),
    (CheckFailed, "BAD_REQUEST"),
    (Unreachable, "TEMPORARILY_UNAVAILABLE"),
)


class TritonDeploymentClient(BaseDeploymentClient):  # type: ignore[misc]
    """Deployments of one Triton. `triton` is localhost:8001, `triton://host:8001` another; it must run in explicit mode."""

    def __init__(self, target_uri: str) -> None:
        super().__init__(target_uri)
        self._url = _address(target_uri)

    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: Any = None, endpoint: str | None = None
    ) -> dict[str, Any]:
        """Publish the model and have the server load it, all of it or nothing; what `get_deployment` says of it.

        Raises MlflowException: where the server has a model of this name, and for every reason of `tritonbuild publish`.
        """
        _check(flavor, endpoint)
        with _as_mlflow(), self._control(config) as control:
            if name in control.loaded():
                raise _refusal(f"{name!r} is deployed at {self._url} already; update it.", "RESOURCE_ALREADY_EXISTS")
        self._publish(name, model_uri, config)
        return self.get_deployment(name)

    def update_deployment(
        self,
        name: str,
        model_uri: str | None = None,
        flavor: str | None = None,
        config: Any = None,
        endpoint: str | None = None,
    ) -> dict[str, Any]:
        """Another version, or without `model_uri` the same one under other settings. The old one answers meanwhile."""
        _check(flavor, endpoint)
        source = model_uri or self.get_deployment(name)["source"]
        with _as_mlflow(), self._control(config) as control:
            self._known(control, name)
        self._publish(name, source, config)
        return self.get_deployment(name)

    def delete_deployment(self, name: str, config: Any = None, endpoint: str | None = None) -> None:
        """Have the server let go of the model, if it has it. Its versions stay in the repository."""
        _check(None, endpoint)
        with _as_mlflow(), self._control(config) as control:
            control.unload(name)

    def list_deployments(self, endpoint: str | None = None) -> list[dict[str, Any]]:
        """The loaded models that tritonbuild made, by name."""
        _check(None, endpoint)
        with _as_mlflow(), self._control() as control:
            versions = control.loaded()
            return [self._told(info, versions[info.name]) for info in _ours(control, sorted(versions))]

    def get_deployment(self, name: str, endpoint: str | None = None) -> dict[str, Any]:
        """Name, flavor, version, where it comes from, how it was proven, what it asks for and answers."""
        _check(None, endpoint)
        with _as_mlflow(), self._control() as control:
            versions = self._known(control, name)
            return self._told(control.specs(name), versions)

    def predict(
        self, deployment_name: str | None = None, inputs: Any = None, endpoint: str | None = None
    ) -> PredictionsResponse:
        """Rows' answers: `.get_predictions()` is a DataFrame, `.to_json()` text with every digit.

        `inputs`: a DataFrame, what makes one, or the path of a file of rows. A refused row's outputs are None, and its
        `invalid_reason` says why.
        """
        _check(None, endpoint)
        if deployment_name is None:
            raise _refusal("name the deployment to ask.")
        with _as_mlflow(), self._control() as control:
            self._known(control, deployment_name)
            return PredictionsResponse({"predictions": _answers(control, control.specs(deployment_name), inputs)})

    def _publish(self, name: str, source: str, config: Any) -> Publication:
        repository, options = _options(config)
        with _as_mlflow():
            return flow.publish(
                flow.Wanted(source, **options.pop("wanted")),
                repository,
                name=name,
                load=[self._url],
                progress=_Logged(),
                **options,
            )

    def _control(self, config: Any = None) -> Control:
        from builder.triton.control import Control

        return Control(self._url, (config or {}).get("load_header") or os.environ.get(_HEADER, ""))

    def _known(self, control: Control, name: str) -> tuple[int, ...]:
        """The versions that the server has loaded of a model."""
        versions = control.loaded().get(name)
        if not versions:
            raise _refusal(f"{name!r} is not deployed at {self._url}.", "RESOURCE_DOES_NOT_EXIST")
        return versions

    def _told(self, info: ModelInfo, versions: tuple[int, ...]) -> dict[str, Any]:
        return {
            "name": info.name,
            "flavor": FLAVOR,
            "version": versions[-1],
            "target": self._url,
            **info.provenance,
            "inputs": {spec.name: str(spec.type) for spec in info.inputs},
            "outputs": {spec.name: str(spec.type) for spec in info.outputs},
        }


def run_local(name: str, model_uri: str, flavor: str | None = None, config: Any = None) -> None:
    """Publish the model, and serve the repository on this machine until Ctrl-C. `-C grpc_port=0` takes a free port."""
    _check(flavor, None)
    config = dict(config or {})
    ports: dict[str, Any] = {name: _typed(name, config.pop(name, port), int) for name, port in _LOCAL.items()}
    with _as_mlflow():
        repository, options = _options(config)
        flow.publish(
            flow.Wanted(model_uri, **options.pop("wanted")), repository, name=name, progress=_Logged(), **options
        )
        header = options.get("load_header", "")
        with flow.serve(repository, progress=_Logged(), load_header=header, **ports) as server:
            _log.info("%s answers: gRPC %s, HTTP %s; Ctrl-C stops it", name, server.grpc, server.http)
            try:
                server.wait()
            except KeyboardInterrupt:
                _log.info("stopping")


_LOCAL = {"grpc_port": _PORT, "http_port": 8000, "metrics_port": 8002}


def target_help() -> str:
    """What `mlflow deployments help -t triton` prints."""
    from builder.triton.settings import FIELDS

    return f"""Target `triton` is a Triton at {_HOST}:{_PORT}; `triton://host:{_PORT}` names another (gRPC). It runs with
--model-control-mode=explicit and reads the repository that is published into.

create, update    as `tritonbuild publish --load`: compiled, proven against Spark's recorded answers, served on all or none.
delete            the server lets go of the model; its versions stay in the repository (`tritonbuild prune`).
predict           from Python also a file of rows: .jsonl, .json, .csv, .parquet. The command reads its file by
                  pandas.read_json, which makes numbers of texts such as "007" and may change a number's last digit.

Options, -C NAME=VALUE:
  repository=DIR           Triton's model repository; default {_REPOSITORY}
  version=N                default: MLflow's version, else the next free number
  outputs=a,b              columns to answer with
  schema=FILE              what df.schema.json() prints, where the model tells no types
  triton=25.03             the oldest Triton release that shall run it
  unproven=true            where no evidence was recorded
  evidence_in_repository=true   its users' rows, too
  write_back=false         leave MLflow alone; promote=ALIAS moves an alias, log_onnx=true logs the graph
  gate=1.2                 no worse than what is served, and no slower by more than this factor
  load_header=NAME=VALUE   where the server restricts its repository API; or {_HEADER} in the environment
  cpus=N                   instances and threads follow
  any setting: {", ".join(FIELDS)}
"""


def _options(config: Any) -> tuple[Any, dict[str, Any]]:
    """The repository, and what `flow.publish` takes, out of -C NAME=VALUE. Raises UsageError, MlflowException."""
    from builder.telling import Telling
    from builder.triton.settings import FILE, Wish

    given = dict(config or {})
    repository = given.pop("repository", _REPOSITORY)
    repository = repository if "://" in str(repository) else Path(repository)
    schema, outputs = given.pop("schema", None), given.pop("outputs", None)
    options: dict[str, Any] = {
        "wanted": {
            "schema": Path(schema) if schema else None,
            "outputs": outputs.split(",") if isinstance(outputs, str) else outputs,
        },
        "telling": Telling(
            _truth(given, "write_back", None), given.pop("promote", ""), bool(_truth(given, "log_onnx", False))
        ),
        "unproven": _truth(given, "unproven", False),
        "evidence_in_repository": _truth(given, "evidence_in_repository", False),
    }
    given.setdefault("load_header", os.environ.get(_HEADER, ""))
    for name, kind in (("version", int), ("gate", float), ("triton", str), ("load_header", str)):
        if name in given:
            options[name] = _typed(name, given.pop(name), kind)
    cpus = _typed("cpus", given.pop("cpus"), int) if "cpus" in given else None
    beside = Path(FILE)
    options["settings"] = Wish(given, beside if beside.exists() else None, cpus)
    return repository, options


def _truth(given: dict[str, Any], name: str, default: bool | None) -> bool | None:
    value = given.pop(name, default)
    if value is None or isinstance(value, bool):
        return value
    if str(value).lower() not in _TRUE:
        raise _refusal(f"{name}={value} is neither true nor false.")
    return _TRUE[str(value).lower()]


def _typed(name: str, value: Any, kind: type) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        raise _refusal(f"{name}={value}: {error}") from error


def _answers(control: Control, info: ModelInfo, inputs: Any) -> list[dict[str, Any]]:
    import pandas as pd

    from builder.evidence.rows import read_rows
    from builder.tables import decode

    if isinstance(inputs, str | Path):
        rows = read_rows(Path(inputs), info.inputs)
        answers = control.predict(info.name, rows)
        told: list[dict[str, Any]] = decode(answers, info.outputs).to_pylist()
        reasons = [info.reason(int(code)) for code in answers["invalid"][:, 0]]
        told = [row | {"invalid_reason": reason} for row, reason in zip(told, reasons, strict=True)]
    else:
        frame = inputs if isinstance(inputs, pd.DataFrame) else pd.DataFrame(inputs)
        _check_texts(frame, info)
        told = control.predict_frame(info.name, frame).to_dict("records")  # type: ignore[assignment]
    kept = ("invalid", "invalid_reason")
    return [
        {key: None if row["invalid"] and key not in kept else _plain(value) for key, value in row.items()}
        for row in told
    ]


def _check_texts(frame: Any, info: ModelInfo) -> None:
    """pandas makes numbers of texts where it reads a file; a 7 that was "007" is another text. Raises UsageError."""
    import pandas as pd

    for spec in info.inputs:
        if spec.triton == "BYTES" and spec.name in frame and pd.api.types.is_numeric_dtype(frame[spec.name].dtype):
            if frame[spec.name].isna().all():
                continue
            raise UsageError(
                f"input {spec.name!r} is {spec.type}; the frame holds {frame[spec.name].dtype}.",
                fix="read the file with dtype=str, or give its path: client.predict(name, 'rows.jsonl').",
            )


def _plain(value: Any) -> Any:
    """numpy's values as Python's, which JSON knows."""
    return value.tolist() if hasattr(value, "tolist") else value


def _ours(control: Control, names: list[str]) -> Iterator[ModelInfo]:
    for name in names:
        try:
            yield control.specs(name)
        except UsageError:
            continue  # not tritonbuild's: its config does not say what its tensors mean


def _address(target_uri: str) -> str:
    parts = urlsplit(target_uri if "://" in target_uri else f"{target_uri.partition(':')[0]}://")
    try:
        port = parts.port or _PORT
    except ValueError:
        port = 0
    if parts.path.strip("/") or not port or "@" in parts.netloc:
        raise _refusal(f"the target is triton, or triton://host:{_PORT}; nothing else can stand in it.")
    host = parts.hostname or _HOST
    return f"grpc://[{host}]:{port}" if ":" in host else f"grpc://{host}:{port}"


def _check(flavor: str | None, endpoint: str | None) -> None:
    if flavor not in (None, FLAVOR):
        raise _refusal(f"flavor {flavor!r} is not what tritonbuild compiles; {FLAVOR} is.")
    if endpoint is not None:
        raise _refusal("Triton has no endpoints; leave it out.")


def _refusal(message: str, code: str = "INVALID_PARAMETER_VALUE") -> MlflowException:
    return MlflowException(message, error_code=ErrorCode.Value(code))


@contextmanager
def _as_mlflow() -> Iterator[None]:
    """Our errors as MLflow's."""
    try:
        yield
    except TritonbuildError as error:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), "INTERNAL_ERROR")
        raise _refusal(str(error), code) from error


class _Logged:
    """A Progress that says each step as MLflow says things."""

    def step(self, text: str) -> None:
        _log.info("%s", text)

    def advance(self, done: int, total: int) -> None: ...


__all__ = ["TritonDeploymentClient", "run_local", "target_help"]
