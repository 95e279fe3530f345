"""Small Servables, built with spox, for the tests of what serves them. Each has the INT32 output `invalid`."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import spox.opset.ai.onnx.ml.v5 as ml
import spox.opset.ai.onnx.v21 as op
from spox import Tensor, Var, argument, build

from builder.graph.lowering import lower
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import INVALID, Field, InvalidReason, Scalar, Servable, TensorSpec, TextArray, VectorType
from tests.saved import Stage, write_pipeline

IR_VERSION = 10


def identity(*inputs: TensorSpec) -> Servable:
    """Each input `x` comes back as `x_out`; `invalid` is 0."""
    arguments = {spec.name: argument(Tensor(_element(spec), ("N", _width(spec)))) for spec in inputs}
    outputs = {f"{name}_out": op.identity(var) for name, var in arguments.items()}
    outputs["invalid"] = _zeros_like(next(iter(arguments.values())))
    specs = tuple(TensorSpec(f"{spec.name}_out", spec.type, spec.nullable, spec.width) for spec in inputs)
    return servable(arguments, outputs, inputs, (*specs, INVALID))


def text_identity() -> Servable:
    return identity(TensorSpec("text", Scalar("string"), nullable=True))


def every_type() -> Servable:
    """An identity over one column of each type that can travel."""
    names = ("string", "double", "float", "integer", "long", "short", "byte", "boolean", "date", "timestamp")
    scalars = [TensorSpec(f"a_{name}", Scalar(name), nullable=True) for name in names]  # type: ignore[arg-type]
    return identity(
        *scalars,
        TensorSpec("a_truth", Scalar("boolean"), nullable=False),
        TensorSpec("a_vector", VectorType(3), nullable=False, width=3),
    )


def words() -> Servable:
    """array<string> in and out: rows of different lengths."""
    return identity(TensorSpec("words", TextArray(), nullable=True, width=-1))


def carriers() -> Servable:
    """string → its place in ("UA", "ß", "日本", ""); an unseen one is invalid 1 and NaN, doubled `x` beside it."""
    carrier, x = (
        TensorSpec("carrier", Scalar("string"), nullable=True),
        TensorSpec("x", Scalar("double"), nullable=True),
    )
    arguments = {"carrier": argument(Tensor(np.str_, ("N", 1))), "x": argument(Tensor(np.float64, ("N", 1)))}
    place = ml.label_encoder(
        arguments["carrier"], keys_strings=["UA", "ß", "日本", ""], values_int64s=[0, 1, 2, 3], default_int64=-1
    )
    unseen = op.less(place, op.const(np.int64(0)))
    as_double = op.cast(place, to=np.float64)
    outputs = {
        "prediction": op.where(unseen, op.const(np.float64("nan")), as_double),
        "doubled": op.mul(arguments["x"], op.const(np.float64(2))),
        "invalid": op.cast(unseen, to=np.int32),
    }
    specs = (
        TensorSpec("prediction", Scalar("double"), nullable=False),
        TensorSpec("doubled", Scalar("double"), nullable=True),
        INVALID,
    )
    reason = InvalidReason(1, "StringIndexer_7a1", "carrier", "a label that was not seen in training")
    return servable(arguments, outputs, (carrier, x), specs, (reason,))


@cache
def every_scalar(pack: str = "always") -> Servable:
    """A pipeline that answers each column of each type, null or never null, as it came: `x` as `x_out`."""
    names = ("string", "double", "float", "integer", "long", "short", "byte", "boolean", "date", "timestamp")
    schema = tuple(
        Field(f"{'null' if nullable else 'sure'}_{name}", Scalar(name), nullable)  # type: ignore[arg-type]
        for name in names
        for nullable in (True, False)
    )
    outputs = [f"{one.name}_out" for one in schema]
    told = ", ".join(f"{one.name} AS {out}" for one, out in zip(schema, outputs, strict=True))
    statement = {"statement": f"SELECT *, {told} FROM __THIS__"}
    with tempfile.TemporaryDirectory() as folder:
        write_pipeline(Path(folder) / "model", [Stage("org.apache.spark.ml.feature.SQLTransformer", "sql", statement)])
        return lower(read_pipeline(Path(folder) / "model"), schema, all_rules(), outputs, pack=pack)


def picks() -> Servable:
    """`places` picks a row of a table of 4: a place outside of it fails the whole run in onnxruntime."""
    place = argument(Tensor(np.int64, ("N", 1)))
    picked = op.gather(op.const(np.array([1.5, 2.5, 3.5, 4.5])), place)
    inputs = (TensorSpec("place", Scalar("long"), nullable=False),)
    outputs = (TensorSpec("picked", Scalar("double"), nullable=False), INVALID)
    return servable({"place": place}, {"picked": picked, "invalid": _zeros_like(place)}, inputs, outputs)


def numbered(number: int) -> Servable:
    """Answers its number to each row, as `odd` or `even`: under the config of its neighbour it does not load."""
    spec = TensorSpec("asked", Scalar("double"), nullable=False)
    asked = argument(Tensor(np.float64, ("N", 1)))
    answer = op.add(op.mul(asked, op.const(0.0)), op.const(np.float64(number)))
    name = "odd" if number % 2 else "even"
    outputs = (TensorSpec(name, Scalar("double"), nullable=False), INVALID)
    return servable({"asked": asked}, {name: answer, "invalid": _zeros_like(asked)}, (spec,), outputs)


def servable(
    arguments: dict[str, Var],
    outputs: dict[str, Var],
    inputs: tuple[TensorSpec, ...],
    specs: tuple[TensorSpec, ...],
    invalid: tuple[InvalidReason, ...] = (),
) -> Servable:
    model = build(arguments, outputs)
    model.ir_version = IR_VERSION
    return Servable(model.SerializeToString(), inputs, specs, invalid)


def _element(spec: TensorSpec) -> type[np.generic]:
    return np.str_ if spec.dtype == np.object_ else spec.dtype.type


def _width(spec: TensorSpec) -> int | str:
    return "W" if isinstance(spec.type, TextArray) else spec.width


def _zeros_like(column: Var) -> Var:
    rows = op.slice(op.shape(column), op.const(np.array([0])), op.const(np.array([1])))
    shape = op.concat([rows, op.const(np.array([1]))], axis=0)
    zeros = op.expand(op.const(np.zeros((1, 1), np.int32)), shape)
    return op.reshape(zeros, op.const(np.array([-1, 1])))  # so that the width is known: Triton wants it exact
