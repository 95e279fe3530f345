"""A compiled graph → an MLflow model of the `onnx` flavour, in a folder: what `mlflow models serve` runs without Spark."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import UsageError
from builder.types import INVALID, Scalar, Servable, TensorSpec, to_json

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

SCORER = "tritonbuild_onnx"  # the module beside this one that travels with the model
DATA = "graph"
_NEEDED = ("mlflow", "numpy", "onnx", "onnxruntime", "pandas")  # the CPU's onnxruntime, whichever compiled it
_TOLD = {"string": "string", "double": "double", "decimal": "double", "float": "float"}


def write_onnx_model(folder: Path, servable: Servable, *, name: str, run_id: str) -> None:
    """Write the model folder.

    Two flavours over the same file: `onnx`, for whoever wants the graph, and `python_function` through a module that
    travels along, for MLflow's own wrapper makes the text "None" of a null and cannot hold a vector in a column. The
    requirements are given: MLflow would load the model in another process to guess them. Raises UsageError without pandas.
    """
    from builder.graph.weights import files_of

    try:
        import mlflow.pyfunc
        from mlflow.models import Model
    except ImportError as error:
        raise UsageError(
            f"--log-onnx needs the whole of MLflow ({error}).", fix="pip install 'tritonbuild[mlflow]'."
        ) from error

    data = folder.parent / DATA
    files: dict[str, bytes | memoryview] = {"model.onnx": servable.model, **files_of(servable.weights)}
    files["tensors.json"] = to_json(_tensors(servable)).encode()
    for path, content in files.items():
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).write_bytes(content)
    model = Model(artifact_path=name, run_id=run_id, metadata={"tritonbuild": _tensors(servable)})
    model.add_flavor(
        "onnx",
        onnx_version=installed("onnx"),
        data=f"data/{DATA}/model.onnx",
        providers=["CPUExecutionProvider"],
        onnx_session_options={"intra_op_num_threads": 1, "inter_op_num_threads": 1},
        code=None,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*input example")  # a person's rows are not ours to log
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module=SCORER,
            data_path=str(data),
            code_paths=[str(Path(__file__).with_name(f"{SCORER}.py"))],
            mlflow_model=model,
            signature=_signature(servable.inputs, servable.outputs),
            pip_requirements=_requirements(),
        )


def _requirements() -> list[str]:
    """What it needs, at the versions that proved it."""
    pinned = []
    for library in _NEEDED:
        try:
            pinned.append(f"{library}=={installed(library)}")
        except PackageNotFoundError:  # onnxruntime-gpu, mlflow-skinny
            pinned.append(library)
    return pinned


def _tensors(servable: Servable) -> dict[str, Any]:
    return {
        "inputs": [spec.json() for spec in servable.inputs],
        "outputs": [spec.json() for spec in servable.outputs],
        "invalid": [reason.json() for reason in servable.invalid],
    }


def _signature(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> ModelSignature:
    """MLflow's word on the columns. `any` where it would change a value before the model sees it: 3,000,000,000 to
    -1,294,967,296 in an integer column, 1.5 to 1, a null boolean to false; the model itself refuses such values.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    def told(spec: TensorSpec) -> Any:
        kind = _TOLD.get(spec.type.name) if isinstance(spec.type, Scalar) else None
        return ColSpec(kind or AnyType(), spec.name, required=not spec.nullable)

    answers = [
        *(ColSpec(AnyType(), spec.name, required=False) for spec in outputs if spec.name != INVALID.name),
        ColSpec("integer", INVALID.name),
        ColSpec("string", "invalid_reason", required=False),
    ]
    return ModelSignature(inputs=Schema([told(spec) for spec in inputs]), outputs=Schema(answers))
