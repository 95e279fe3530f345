"""The other converter: a whole pipeline through `onnxmltools.convert_sparkml`, for those who registered converters there.

It needs Spark (its converters read live models). What comes out answers in float32 wherever a converter of onnxmltools'
own has a part in it; nothing of that is forgiven: the proof compares it as it compares our own graphs.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.errors import ConversionRefused, Refusal, UsageError
from builder.evidence.frames import to_spark
from builder.evidence.session import load_stages, spark_session, transform
from builder.graph.liveness import Plan, plan
from builder.graph.lowering import asked_for
from builder.graph.session import in_process
from builder.graph.wrapping import wrapped
from builder.releases import Target
from builder.sparkml.schema import parse_schema
from builder.types import Field, Scalar, Schema, Servable, StageVerdict, Table, TensorSpec, VectorType

if TYPE_CHECKING:
    import onnx

    from builder.graph.rules import Rule
    from builder.sparkml.reader import SavedPipeline

_log = logging.getLogger(__name__)
_OPSET = 15  # what onnxmltools' converters were written for; onnx brings it up to ours


def convert(
    path: Path,
    pipeline: SavedPipeline,
    schema: Schema,
    rules: Mapping[str, Rule],
    outputs: Sequence[str] | None,
    target: Target,
    modules: Sequence[str],
) -> Servable:
    """The pipeline as onnxmltools converts it, with our tensors. `modules` register converters when they are imported.

    Doubles are offered as doubles; where a converter does not take them, everything numeric is float32.
    Raises UsageError where onnxmltools or a module is missing, ConversionRefused where it cannot convert, Unreachable
    without Spark.
    """
    tools = _onnxmltools(modules)
    chosen = plan(pipeline.stages, schema, rules, outputs)
    asked = asked_for(pipeline, schema, rules, outputs)
    with spark_session() as session:
        stages = [stage for stage, kept in zip(load_stages(path, session), chosen.kept, strict=True) if kept]
        fields = _written(stages, asked, schema, session)
        trouble: Exception | None = None
        for doubles in (True, False):
            try:
                model = _converted(tools, stages, asked, doubles, session)
                specs = _answers(model, fields, chosen, outputs)
                made = wrapped(model, asked, specs, _verdicts(pipeline, chosen), target, _name())
                in_process(made)  # a graph whose types do not meet fails here
            except (UsageError, ConversionRefused):
                raise
            except Exception as error:  # any converter, ours or another's, may raise anything
                _log.info("onnxmltools, doubles %s: %r", doubles, error)
                trouble = error
            else:
                return made
    told = f"{type(trouble).__name__}: {trouble}".partition("\n")[0]
    fix = "register a converter for the class it names (--converter onnxmltools:your.module), or leave --converter out."
    refusal = Refusal("onnxmltools", f"convert_sparkml failed: {told}", fix)
    raise ConversionRefused([refusal], len(pipeline.stages)) from trouble


def _onnxmltools(modules: Sequence[str]) -> Callable[..., Any]:
    """`convert_sparkml`, after the modules have registered their converters."""
    try:
        from onnxmltools import convert_sparkml
    except ImportError as error:
        raise UsageError(
            f"onnxmltools cannot be imported ({error}).", fix="pip install 'tritonbuild[direct]'."
        ) from error
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # another's module may raise anything while it is imported
            raise UsageError(
                f"the module {name!r} of --converter cannot be imported: {error!r}.",
                fix="install its package, or correct its name.",
            ) from error
    found: Callable[..., Any] = convert_sparkml
    return found


def _name() -> str:
    return f"onnxmltools {version('onnxmltools')}"


def _converted(
    convert_sparkml: Callable[..., Any], stages: Sequence[Any], asked: Sequence[TensorSpec], doubles: bool, session: Any
) -> onnx.ModelProto:
    from onnxmltools.convert.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
    from pyspark.ml import PipelineModel

    number = DoubleTensorType if doubles else FloatTensorType
    kinds = [
        (spec.name, (StringTensorType if spec.dtype == np.object_ else number)([None, _slots(spec)])) for spec in asked
    ]
    model: onnx.ModelProto = convert_sparkml(
        PipelineModel(list(stages)), "pipeline", kinds, target_opset=_OPSET, spark_session=session
    )
    return model


def _slots(spec: TensorSpec) -> int | None:
    return None if spec.width < 0 else spec.width


def _written(stages: Sequence[Any], asked: Sequence[TensorSpec], schema: Schema, session: Any) -> Mapping[str, Field]:
    """The columns that the stages write, as Spark types them."""
    row = Table({spec.name: np.full((1, max(spec.width, 1)), _any_value(spec), spec.dtype) for spec in asked})
    frame = transform(list(stages), to_spark(session, row, asked, schema).frame(np.array([0])), ())
    return {field.name: field for field in parse_schema(frame.schema.json())}


def _any_value(spec: TensorSpec) -> Any:
    return "" if spec.dtype == np.object_ else 0


def _answers(
    model: onnx.ModelProto, fields: Mapping[str, Field], chosen: Plan, outputs: Sequence[str] | None
) -> list[TensorSpec]:
    """What is answered with: the columns wanted, of those that the graph gives."""
    given = {value.name: value for value in model.graph.output}
    missing = [name for name in chosen.outputs if name not in given]
    names = [name for name in chosen.outputs if name in given]
    if not names or (outputs is not None and missing):
        raise UsageError(
            f"the graph that onnxmltools made does not answer with {', '.join(missing)}.",
            fix=f"choose --outputs of: {', '.join(given)}.",
        )
    return [_spec(fields[name], given[name]) for name in names]


def _spec(field: Field, value: Any) -> TensorSpec:
    match field.type:
        case VectorType(width):
            dims = value.type.tensor_type.shape.dim
            slots = width or dims[-1].dim_value
            return TensorSpec(field.name, VectorType(slots), nullable=False, width=slots)
        case Scalar("string"):
            return TensorSpec(field.name, field.type, nullable=False)
        case _:
            return TensorSpec(field.name, field.type, nullable=False)


def _verdicts(pipeline: SavedPipeline, chosen: Plan) -> list[StageVerdict]:
    told = StageVerdict("", "", "kept", note=f"converted by {_name()}: equal as far as the proof goes")
    left = StageVerdict("", "", "dropped", note="no output needs it; its inputs are not asked for")
    return [
        replace(told if kept else left, uid=stage.uid, spark_class=stage.spark_class)
        for stage, kept in zip(pipeline.stages, chosen.kept, strict=True)
    ]
