"""Ask a Triton server: `Table` in, `Table` out, over gRPC or over HTTP with binary tensors (JSON would round doubles).

What the tensors mean is read from the served config's `tritonbuild.` parameters, so a client needs the server alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import numpy as np

from builder import tables
from builder.documents import parse_json
from builder.errors import Unreachable, UsageError
from builder.packing import Packing, packing_of, packs_from_json
from builder.triton.layout import PREFIX
from builder.types import Array, InvalidReason, Pack, Predict, Table, TensorSpec, travelling

if TYPE_CHECKING:
    import pandas as pd

Protocol = Literal["grpc", "http"]
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Wire:
    """A spec and what follows from it, worked out once and not at each call."""

    spec: TensorSpec
    dtype: np.dtype[Any]
    triton: str


@dataclass(frozen=True)
class ModelInfo:
    """What the server says of a model. `provenance`: the other `tritonbuild.` parameters, without that prefix."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    invalid: tuple[InvalidReason, ...]
    provenance: Mapping[str, str]
    max_batch_size: int
    packs: tuple[Pack, ...] = ()

    @cached_property
    def columns(self) -> tuple[Wire, ...]:
        """What is asked for, a tensor each."""
        return tuple(Wire(spec, spec.dtype, spec.triton) for spec in self.inputs)

    @cached_property
    def wire_inputs(self) -> tuple[Wire, ...]:
        """What travels."""
        return tuple(Wire(spec, spec.dtype, spec.triton) for spec in travelling(self.inputs, self.packs))

    @cached_property
    def packing(self) -> Packing:
        return packing_of(self.inputs, self.packs)

    def reason(self, code: int) -> str | None:
        """The `invalid` of a row in words; None where the row is fine."""
        if code == 0:
            return None
        found = next((item for item in self.invalid if item.code == abs(code)), None)
        if found is None:
            return f"refused for reason {code}, which the model does not explain"
        if not found.stage:
            return f"{found.column}: {found.reason}"
        does = "Spark would stop" if code > 0 else "Spark would drop this row"
        return f"{does}: {found.stage}, column {found.column}: {found.reason}"


class Client:
    """A connection to one server. Use it in one thread, as the HTTP library wants.

    `url`: `host:port`; `http://` or `grpc://` before it is taken off. `timeout_s`: for each call.
    """

    def __init__(self, url: str, protocol: Protocol = "grpc", timeout_s: float = TIMEOUT_S) -> None:
        self.url, self.protocol, self._timeout_s = _address(url), protocol, timeout_s
        self._wire = self._import()
        self._connections: dict[float, Any] = {}
        self._known: dict[tuple[str, str], ModelInfo] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def ready(self, model: str = "", version: str = "") -> bool:
        """Whether the server takes requests; with a model named, whether that one answers."""
        try:
            with self._errors(model or "server"):
                connection = self._connection()
                return bool(connection.is_model_ready(model, version) if model else connection.is_server_ready())
        except Unreachable:
            return False

    def specs(self, model: str, version: str = "") -> ModelInfo:
        """The model's tensors, reasons and provenance; asked once, then remembered.

        Raises UsageError where the server has no such model or it was not made by tritonbuild, Unreachable.
        """
        key = (model, str(version))
        if key not in self._known:
            with self._errors(model):
                config = self._config(model, key[1])
            self._known[key] = _info(model, config)
        return self._known[key]

    def predict(self, model: str, rows: Table, version: str = "", timeout_s: float | None = None) -> Table:
        """Every output for every row, in order; more than the model's max_batch_size go as several requests.

        Raises UsageError where the rows do not fit the model's inputs or the server refuses them, Unreachable.
        """
        info = self.specs(model, version)
        try:
            return self._ask(info, rows, version, timeout_s)
        except UsageError:
            if not self._outdated(info, version):
                raise
        return self._ask(self.specs(model, version), rows, version, timeout_s)

    def _outdated(self, info: ModelInfo, version: str) -> bool:
        """Whether what was remembered of a model is no longer so: another version may answer since, packed or not."""
        del self._known[info.name, str(version)]
        return self.specs(info.name, version) != info

    def _ask(self, info: ModelInfo, rows: Table, version: str, timeout_s: float | None) -> Table:
        fitting = {wire.spec.name: _fitting(rows, wire) for wire in info.columns}
        arrays = [*(info.packing(fitting) if info.packs else fitting).values()]
        step = info.max_batch_size
        parts = [
            self._infer(info, str(version), [array[start : start + step] for array in arrays], timeout_s)
            for start in range(0, rows.rows, step)
        ]
        if not parts:  # Triton refuses a request of no rows
            return Table({spec.name: np.empty((0, max(spec.width, 0)), spec.dtype) for spec in info.outputs})
        return Table.concat(parts) if len(parts) > 1 else parts[0]

    def predictor(self, model: str, version: str = "") -> Predict:
        """`predict` of one model, as evidence wants it: rows in, answers out."""
        return lambda rows: self.predict(model, rows, version)

    def predict_frame(self, model: str, frame: pd.DataFrame, version: str = "") -> pd.DataFrame:
        """pandas in, pandas out, on the frame's index: nulls for nulls, vectors as lists, `invalid_reason` in words."""
        import pyarrow as pa

        info = self.specs(model, version)
        try:
            arrow = pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise UsageError(f"the frame does not go into columns of one type each: {error}") from error
        answers = self.predict(model, tables.encode(arrow, info.inputs), version)
        told: pd.DataFrame = tables.decode(answers, info.outputs).to_pandas()
        told.index = frame.index
        told["invalid_reason"] = [info.reason(int(code)) for code in answers["invalid"][:, 0]]
        return told

    def _import(self) -> Any:
        if self.protocol == "grpc":
            import tritonclient.grpc as wire
        elif self.protocol == "http":
            import tritonclient.http as wire
        else:
            raise UsageError(f"{self.protocol!r} is no protocol that Triton speaks.", fix="choose grpc or http.")
        return wire

    def _connection(self, timeout_s: float | None = None) -> Any:
        """tritonclient's client; over HTTP a timeout belongs to the connection, over gRPC to the call."""
        key = (timeout_s or self._timeout_s) if self.protocol == "http" else 0.0
        if key not in self._connections:
            options = {"connection_timeout": key, "network_timeout": key} if key else {}
            self._connections[key] = self._wire.InferenceServerClient(self.url, **options)
        return self._connections[key]

    def _config(self, model: str, version: str) -> Mapping[str, Any]:
        if self.protocol == "http":
            config: Mapping[str, Any] = self._connection().get_model_config(model, version)
            return config
        answer = self._connection().get_model_config(model, version, as_json=True, client_timeout=self._timeout_s)
        return answer["config"]  # type: ignore[no-any-return]

    def _infer(self, info: ModelInfo, version: str, arrays: Sequence[Array], timeout_s: float | None) -> Table:
        inputs = []
        for wire, array in zip(info.wire_inputs, arrays, strict=True):
            tensor = self._wire.InferInput(wire.spec.name, list(array.shape), wire.triton)
            inputs.append(tensor.set_data_from_numpy(array))
        options = {"client_timeout": timeout_s or self._timeout_s} if self.protocol == "grpc" else {}
        with self._errors(info.name):
            answer = self._connection(timeout_s).infer(info.name, inputs, version, **options)
        return Table({spec.name: _arrived(answer.as_numpy(spec.name)) for spec in info.outputs})

    @contextmanager
    def _errors(self, model: str) -> Iterator[None]:
        """Errors of the wire, in words and with an exit code."""

        from tritonclient.utils import InferenceServerException

        try:
            yield
        except InferenceServerException as error:
            said, status = error.message() or str(error), str(error.status() or "")
            if any(word in status for word in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "503", "499")):
                raise self._unreachable(said) from error
            if "unknown model" in said or "not ready" in said:
                fix = (
                    "name a model and version that the server has loaded: `tritonbuild publish`, then serve or load it."
                )
                raise UsageError(f"Triton at {self.url} has no {model}: {said}", fix=fix) from error
            raise UsageError(f"Triton refused the request to {model}: {said}") from error
        except OSError as error:  # sockets, names, timeouts
            raise self._unreachable(str(error) or type(error).__name__) from error
        except (HTTPException, ValueError) as error:  # ValueError: a body that is no JSON, or no UTF-8
            said = f"what listens there does not speak Triton's {self.protocol} ({str(error) or type(error).__name__})"
            raise self._unreachable(said) from error

    def _unreachable(self, said: str) -> Unreachable:
        return Unreachable(
            f"Triton at {self.url} did not answer over {self.protocol}: {said}",
            fix="start it with `tritonbuild serve`, or give the address of one that runs (--grpc, --http).",
        )


def _address(url: str) -> str:
    """host:port without its scheme. Raises UsageError where it is none."""
    address = url.partition("://")[2] or url
    try:
        named = urlsplit(f"//{address}").port is not None
    except ValueError:  # the port is no number, or too large
        named = False
    if not named:
        raise UsageError(f"{url!r} is no address of a server.", fix="give host:port, such as localhost:8001.")
    return address


def _info(model: str, config: Mapping[str, Any]) -> ModelInfo:
    parameters = {
        key.removeprefix(PREFIX): value.get("string_value", "")
        for key, value in config.get("parameters", {}).items()
        if key.startswith(PREFIX)
    }
    try:
        inputs, outputs, invalid = (parse_json(parameters.pop(key)) for key in ("inputs", "outputs", "invalid"))
        specs = tuple(TensorSpec.from_json(spec) for spec in inputs)
        packs = packs_from_json(parse_json(parameters.pop("packed", "[]")), specs)
        return ModelInfo(
            model,
            specs,
            tuple(TensorSpec.from_json(spec) for spec in outputs),
            tuple(InvalidReason(int(r["code"]), r["stage"], r["column"], r["reason"]) for r in invalid),
            parameters,
            max(1, int(config.get("max_batch_size", 0))),
            packs,
        )
    except (LookupError, ArithmeticError, AttributeError, ValueError, TypeError) as error:
        raise UsageError(
            f"the config of {model} does not say what its tensors mean ({type(error).__name__}: {error}).",
            fix="publish the model with `tritonbuild publish`; its config.pbtxt carries that in `parameters`.",
        ) from error


def _fitting(rows: Table, wire: Wire) -> Array:
    """The column of an input, checked here so that the error can name the column. Raises UsageError."""
    spec = wire.spec
    if spec.name not in rows:
        raise UsageError(f"input {spec.name!r} is missing from the rows.", fix="an absent value is a null, not a gap.")
    array = rows[spec.name]
    if array.dtype != wire.dtype:
        raise UsageError(f"input {spec.name!r} is {spec.type}, so {wire.dtype}; the rows hold {array.dtype}.")
    if spec.width >= 0 and array.shape[1] != spec.width:
        raise UsageError(f"input {spec.name!r} has width {spec.width}; the rows hold {array.shape[1]}.")
    if array.dtype == np.object_ and any("\0" in text for text in array.flat):
        raise UsageError(f"input {spec.name!r} holds a NUL character; Triton would cut the string there.")
    return array


def _arrived(array: Array) -> Array:
    """Strings arrive as bytes. What is not UTF-8 cannot come from our models: it shows as U+FFFD, equal to no answer."""
    if array.dtype != np.object_:
        return array
    texts = np.empty(array.size, dtype=object)
    texts[:] = [item.decode("utf-8", "replace") for item in array.flat]
    return texts.reshape(array.shape)
