"""MLflow's model signature ↔ Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import SourceError
from builder.types import ColumnType, Field, Scalar, Schema, TensorSpec, TextArray, VectorType

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
}
_FIX = "give --schema schema.json, what df.schema.json() prints where the model is trained."


def schema_of_signature(inputs: str, where: Path) -> tuple[Schema, tuple[str, ...]]:
    """The signature's inputs (a JSON list, as MLmodel holds it) → Schema and notes; `required: false` is nullable.

    Raises SourceError where it describes tensors instead of named columns.
    """
    try:
        columns = json.loads(inputs)
        if not all(isinstance(column["name"], str) and column["type"] != "tensor" for column in columns):
            raise KeyError("name")
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f"{where}: its signature names no columns ({error!r}).", fix=_FIX) from error
    fields, notes = [], []
    for column in columns:
        type = _column_type(column)
        if type is None:
            notes.append(f"column {column['name']!r} is {column['type']}: left out of the schema.")
        else:
            fields.append(Field(column["name"], type, not column.get("required", True)))
    if fields and not any(field.nullable for field in fields):
        notes.append(
            "the signature calls every column required (MLflow infers that of any Spark DataFrame), so none may be "
            "null; for exact nullability " + _FIX
        )
    return tuple(fields), tuple(notes)


def _column_type(column: Mapping[str, Any]) -> ColumnType | None:
    match column:
        case {"type": "sparkml_vector"}:
            return VectorType()
        case {"type": "array", "items": {"type": "string"}}:
            return TextArray()
        case {"type": str(name)}:
            return _SCALARS.get(name)
        case _:
            return None


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
