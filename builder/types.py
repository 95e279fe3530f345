"""What flows between the floors: column types, tensors, tables. Imports nothing of ours.

A *column type* is Spark's. A *tensor* is what travels: `[N, 1]` for a scalar, `[N, width]` for a vector.
Its dtype depends on the schema alone (type and nullability), never on the stages that read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]
else:
    Array = Any  # what only lists or helps goes without numpy: a tenth of a second
Word = Literal["bit", "dot", "elementary", "iterative"]
"""How equal a stage's answer is to Spark's; README, *What "equal" means*."""

NULL_TEXT = "␀"  # U+2400: a NUL byte cannot travel, Triton cuts strings there

ScalarName = Literal[
    "string",
    "double",
    "decimal",
    "float",
    "integer",
    "long",
    "short",
    "byte",
    "boolean",
    "date",
    "timestamp",
    "timestamp_ntz",
]


@dataclass(frozen=True)
class Scalar:
    """One value a row, of Spark's type `name`."""

    name: ScalarName

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class VectorType:
    """Spark ML's VectorUDT; `width` is None where nothing has told it yet."""

    width: int | None = None

    def __str__(self) -> str:
        return f"vector[{'?' if self.width is None else self.width}]"


@dataclass(frozen=True)
class TextArray:
    """array<string>: `[N, -1]`, padded with the null marker."""

    def __str__(self) -> str:
        return "array<string>"


@dataclass(frozen=True)
class NoTensor:
    """A type of Spark's that has no tensor; `name` as Spark writes it."""

    name: str

    def __str__(self) -> str:
        return self.name


ColumnType = Scalar | VectorType | TextArray | NoTensor

_NUMPY: Mapping[str, str] = {
    "double": "float64",
    "decimal": "float64",
    "float": "float32",
    "integer": "int32",
    "long": "int64",
    "short": "int16",
    "byte": "int8",
    "boolean": "bool",
    "date": "int32",  # days since 1970-01-01
    "timestamp": "int64",  # microseconds since 1970-01-01 UTC
    "timestamp_ntz": "int64",  # microseconds since 1970-01-01 by the clock on the wall
    "string": "object",
}
_TRITON: Mapping[str, str] = {
    "float64": "FP64",
    "float32": "FP32",
    "int64": "INT64",
    "int32": "INT32",
    "int16": "INT16",
    "int8": "INT8",
    "bool": "BOOL",
    "object": "BYTES",
}


def dtype_of(type: ColumnType, nullable: bool) -> np.dtype[Any]:
    """The tensor's dtype; strings are `object` arrays of `str`. A nullable boolean is INT8."""
    import numpy as np

    match type:
        case VectorType():
            return np.dtype(np.float64)
        case TextArray():
            return np.dtype(np.object_)
        case NoTensor(name):
            raise AssertionError(f"{name} has no tensor")
        case Scalar("boolean") if nullable:
            return np.dtype(np.int8)
        case Scalar(name):
            return np.dtype(_NUMPY[name])


def null_of(type: ColumnType, text: str = NULL_TEXT) -> Any:
    """What stands for null on the wire: NaN, the type's minimum, or for strings `text` (`␀` unless chosen).

    A vector has no marker of its own: NaN in every slot is null where the column is nullable, as NaN is of doubles.
    """
    match type:
        case VectorType() | Scalar("double" | "decimal" | "float"):
            return float("nan")
        case TextArray() | Scalar("string"):
            return text
        case Scalar("boolean"):
            return -128
        case Scalar():
            return -(2 ** (8 * dtype_of(type, False).itemsize - 1))


@dataclass(frozen=True)
class TensorSpec:
    """A named tensor of a served model. Shape `[N, width]`; width -1 is ragged (array<string>).

    `null_text` is what stands for null where the tensor is text (`--null-marker`).
    """

    name: str
    type: ColumnType
    nullable: bool
    width: int = 1
    null_text: str = NULL_TEXT

    @property
    def dtype(self) -> np.dtype[Any]:
        return dtype_of(self.type, self.nullable)

    @property
    def triton(self) -> str:
        """Triton's wire name: FP64, BYTES, …"""
        return _TRITON[self.dtype.name]

    @property
    def null(self) -> Any:
        return null_of(self.type, self.null_text)

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": str(self.type).split("[")[0],
            "nullable": self.nullable,
            "width": self.width,
            "null_text": self.null_text,
        }

    @staticmethod
    def from_json(text: Mapping[str, Any]) -> TensorSpec:
        """What `json` made. Raises ValueError, TypeError or KeyError where it is something else."""
        name, width, nullable = text["type"], text["width"], text["nullable"]
        null_text, column = text.get("null_text", NULL_TEXT), text["name"]
        if isinstance(width, bool) or not isinstance(width, int) or not -1 <= width < 2**31:
            raise ValueError(f"width {str(width)[:40]!r} is not a width")
        if not isinstance(column, str) or not isinstance(null_text, str) or not isinstance(nullable, bool):
            raise TypeError("a column's name and null_text are texts, nullable is true or false")
        if name not in (*_NUMPY, "vector", "array<string>"):
            raise ValueError(f"{str(name)[:40]!r} is not a type")
        type: ColumnType = (
            VectorType(width) if name == "vector" else TextArray() if name == "array<string>" else Scalar(name)
        )
        return TensorSpec(column, type, nullable, width, null_text)


@dataclass(frozen=True)
class Pack:
    """One tensor `[N, len(columns)]` that travels in the place of so many inputs `[N, 1]`, a column a slot."""

    spec: TensorSpec
    columns: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        return {"name": self.spec.name, "triton": self.spec.triton, "columns": list(self.columns)}


class Table(Mapping[str, Array]):
    """Rows in tensor form: name → array `[N, width]`, nulls as their markers, strings as `object` of `str`.

    Raises ValueError where the columns disagree about N or an array is not two-dimensional.
    """

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self._columns = dict(columns)
        rows = -1
        for array in self._columns.values():  # one pass: a table is made for every request
            if array.ndim != 2 or len(array) != rows != -1:
                shapes = {name: array.shape for name, array in self._columns.items()}
                asked = "are [N, width]" if array.ndim != 2 else "have one number of rows"
                raise ValueError(f"a table's columns {asked}; got {shapes}")
            rows = len(array)

    def __getitem__(self, name: str) -> Array:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """Columns, as of any mapping; rows are `rows`."""
        return len(self._columns)

    @property
    def rows(self) -> int:
        return next((array.shape[0] for array in self._columns.values()), 0)

    def take(self, rows: Array | slice) -> Table:
        """The rows of an index array, mask or slice."""
        return Table({name: array[rows] for name, array in self._columns.items()})

    def select(self, names: Sequence[str]) -> Table:
        return Table({name: self._columns[name] for name in names})

    @staticmethod
    def concat(tables: Sequence[Table]) -> Table:
        import numpy as np

        return Table({name: np.concatenate([table[name] for table in tables]) for name in tables[0]})


Predict = Callable[[Table], Table]
"""Anything that answers rows: onnxruntime in process, a server over gRPC or HTTP."""


@dataclass(frozen=True)
class Field:
    """A column of a DataFrame's schema. `metadata` is Spark's, with `ml_attr` where ML attributes are known."""

    name: str
    type: ColumnType
    nullable: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)


Schema = tuple[Field, ...]


def tensors_of(schema: Schema) -> Schema:
    """The columns that can travel."""
    return tuple(field for field in schema if not isinstance(field.type, NoTensor))


@dataclass(frozen=True)
class Session:
    """What Spark's answers hang on and no saved model holds; None: as the Spark that saved it has it by default."""

    ansi: bool | None = None
    timezone: str | None = None

    @property
    def conf(self) -> dict[str, str]:
        """Spark's names for what is said."""
        ansi = {} if self.ansi is None else {"spark.sql.ansi.enabled": str(self.ansi).lower()}
        return ansi if self.timezone is None else ansi | {"spark.sql.session.timeZone": self.timezone}

    def json(self) -> dict[str, Any]:
        return {"ansi": self.ansi, "timezone": self.timezone}


UNSAID = Session()


@dataclass(frozen=True)
class InvalidReason:
    """A row of the table k → reason: `code` k > 0; a row's `invalid` is k (Spark would stop) or -k (would drop it)."""

    code: int
    stage: str  # uid
    column: str
    reason: str

    def json(self) -> dict[str, Any]:
        return {"code": self.code, "stage": self.stage, "column": self.column, "reason": self.reason}


@dataclass(frozen=True)
class Probe:
    """Values of one input column at which the model decides: a split's threshold, a category, an edge.

    `exact` are put into rows as they are; of `thresholds` also their two neighbours in the column's type.
    """

    input: str
    exact: tuple[Any, ...] = ()
    thresholds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Servable:
    """A model that can be served: the ONNX file's bytes and what its tensors mean.

    `inputs` and `outputs` are in the graph's order; `invalid` (INT32 `[N, 1]`) is the last output, always there.
    `packs`: which of the inputs travel together; `travelling` are the tensors that the graph really has.
    `weights`: initializers too large for the model's own file, by name; each lies beside it as `<name>.weights`.
    `converter` made the graph. `apart`: nullable input of doubles → the stage that tells its null from NaN.
    """

    model: bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    invalid: tuple[InvalidReason, ...] = ()
    probes: tuple[Probe, ...] = ()
    stages: tuple[StageVerdict, ...] = ()
    weights: Mapping[str, Array] = field(default_factory=dict)
    converter: str = "tritonbuild"
    packs: tuple[Pack, ...] = ()
    apart: Mapping[str, str] = field(default_factory=dict)

    @property
    def null_notes(self) -> tuple[str, ...]:
        """What a client must know of the columns in `apart`."""
        return tuple(
            f"column {name!r}: {uid} tells null from NaN; on the wire NaN is null, so a NaN is answered as Spark answers null."
            for name, uid in self.apart.items()
        )

    @property
    def travelling(self) -> tuple[TensorSpec, ...]:
        """What goes over the wire: each pack, then the inputs that are in none."""
        return travelling(self.inputs, self.packs)


def travelling(inputs: Sequence[TensorSpec], packs: Sequence[Pack]) -> tuple[TensorSpec, ...]:
    """The tensors of a model with these inputs and packs, in the graph's order."""
    inside = {name for pack in packs for name in pack.columns}
    return (*(pack.spec for pack in packs), *(spec for spec in inputs if spec.name not in inside))


@dataclass(frozen=True)
class StageVerdict:
    """What `check` says of one stage. `word` is None where it is dropped or refused."""

    uid: str
    spark_class: str
    verdict: Literal["kept", "dropped", "refused"]
    word: Word | None = None
    note: str = ""
    fix: str = ""

    def json(self) -> dict[str, Any]:
        return {
            "uid": self.uid,
            "class": self.spark_class,
            "verdict": self.verdict,
            "word": self.word,
            "note": self.note,
            "fix": self.fix,
        }


INVALID = TensorSpec("invalid", Scalar("integer"), nullable=False)
SLACK = "__slack"  # suffix of the proof graph's outputs that hold an output's absolute tolerance, value by value


class Progress(Protocol):
    """How the library tells a person what it does, without knowing who listens."""

    def step(self, text: str) -> None:
        """A new step has begun."""

    def advance(self, done: int, total: int) -> None:
        """The current step has come so far."""


class Silent:
    """A Progress that says nothing."""

    def step(self, text: str) -> None: ...

    def advance(self, done: int, total: int) -> None: ...


def to_json(document: Any) -> str:
    """One way to write a JSON file: sorted, indented, UTF-8, ending in a newline."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
