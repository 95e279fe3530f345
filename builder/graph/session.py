"""Run a Servable in this process, with onnxruntime."""

from __future__ import annotations

from typing import Any

from builder.errors import UsageError
from builder.packing import packing_of
from builder.types import Predict, Servable, Table


def in_process(servable: Servable, *, threads: int = 1) -> Predict:
    """rows → every output of the graph, by onnxruntime's CPU provider on `threads` threads.

    Raises UsageError where onnxruntime is not installed, or installed twice.
    """
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if servable.weights:
        values = [runtime.OrtValue.ortvalue_from_numpy(array) for array in servable.weights.values()]
        options.add_external_initializers(list(servable.weights), values)
    session = runtime.InferenceSession(servable.model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    inputs = [(spec.name, spec.dtype) for spec in servable.travelling]
    together = packing_of(servable.inputs, servable.packs) if servable.packs else None

    def predict(rows: Table) -> Table:
        sent = together(rows) if together else rows
        feed = {name: array if (array := sent[name]).dtype == dtype else array.astype(dtype) for name, dtype in inputs}
        return Table(dict(zip(names, session.run(names, feed), strict=True)))

    return predict


def import_onnxruntime() -> Any:
    """The onnxruntime module. Raises UsageError where it is missing, or where both builds share its folder."""
    from importlib.metadata import PackageNotFoundError, version

    installed = []
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            version(name)
            installed.append(name)
        except PackageNotFoundError:
            continue
    if len(installed) > 1:
        raise UsageError(
            "onnxruntime and onnxruntime-gpu are both installed; they share one folder, and either may be half there.",
            fix="pip uninstall onnxruntime onnxruntime-gpu, then install tritonbuild[cpu] or tritonbuild[gpu].",
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            f"onnxruntime is not installed ({error}).", fix="pip install 'tritonbuild[cpu]' (or [gpu]; never both)."
        ) from error
    return onnxruntime
