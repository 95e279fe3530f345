"""MLflow's model signature ↔ Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.documents import Unreadable, parse_json
from builder.errors import SourceError
from builder.sparkml.schema import ELEMENT, check_once
from builder.types import ColumnType, Field, NoTensor, Scalar, Schema, TensorSpec, TextArray, VectorType

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

_SCALARS: Mapping[str, Scalar] = {
    "string": Scalar("string"),
    "integer": Scalar("integer"),
    "long": Scalar("long"),
    "float": Scalar("float"),
    "double": Scalar("double"),
    "boolean": Scalar("boolean"),
    "datetime": Scalar("timestamp"),
}
_MLFLOW: Mapping[str, str] = {
    "short": "integer",
    "byte": "integer",
    "decimal": "double",
    "date": "datetime",
    "timestamp": "datetime",
    "timestamp_ntz": "datetime",
}
_FIX = "give --schema schema.json, what df.schema.json() prints where the model is trained."


def schema_of_signature(inputs: str, where: Path) -> tuple[Schema, tuple[str, ...]]:
    """The signature's inputs (a JSON list, as MLmodel holds it) → Schema and notes; `required: false` is nullable.

    Raises SourceError where it describes tensors instead of named columns.
    """
    try:
        columns = parse_json(inputs)
        if not isinstance(columns, list) or not all(
            isinstance(column["name"], str) and column["type"] != "tensor" for column in columns
        ):
            raise KeyError("name")
    except (Unreadable, KeyError, TypeError) as error:
        raise SourceError(f"{where}: its signature names no columns ({error!r}).", fix=_FIX) from error
    check_once([column["name"] for column in columns])
    fields = tuple(
        Field(column["name"], _column_type(column), not column.get("required", True), _metadata(column))
        for column in columns
    )
    notes = list(without_tensors(fields))
    if fields and not any(field.nullable for field in fields):
        notes.append(
            "the signature calls every column required (MLflow infers that of any Spark DataFrame), so none may be "
            "null; for exact nullability " + _FIX
        )
    return fields, tuple(notes)


def without_tensors(schema: Schema) -> tuple[str, ...]:
    """What a person should know of columns that cannot travel."""
    return tuple(
        f"column {field.name!r} is {field.type}, which has no tensor: no stage can read it."
        for field in schema
        if isinstance(field.type, NoTensor)
    )


def _column_type(column: Mapping[str, Any]) -> ColumnType:
    match column:
        case {"type": "sparkml_vector"} | {"type": "array", "items": {"type": "double" | "float"}}:
            return VectorType()
        case {"type": "array", "items": {"type": "string"}}:
            return TextArray()
        case {"type": "object"}:
            return NoTensor("struct")
        case {"type": str(name)}:
            return _SCALARS.get(name, NoTensor(name[:80]))
    return NoTensor(str(column.get("type"))[:80])


def _metadata(column: Mapping[str, Any]) -> Mapping[str, Any]:
    match column:
        case {"type": "array", "items": {"type": "double" | "float" as element}}:
            return {ELEMENT: element}
    return {}


def signature_of(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> ModelSignature:
    """What `mlflow.models.infer_signature` says of such columns, with `required` from nullability."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema as MlflowSchema

    return ModelSignature(
        inputs=MlflowSchema([_colspec(spec) for spec in inputs]),
        outputs=MlflowSchema([_colspec(spec) for spec in outputs]),
    )


def _colspec(spec: TensorSpec) -> Any:
    from mlflow.types import ColSpec, DataType
    from mlflow.types.schema import Array, SparkMLVector

    match spec.type:
        case VectorType():
            kind: Any = SparkMLVector()
        case TextArray():
            kind = Array(DataType.string)
        case Scalar(name):
            kind = _MLFLOW.get(name, name)
    return ColSpec(kind, spec.name, required=not spec.nullable)
