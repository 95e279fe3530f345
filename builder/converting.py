"""Another converter than ours, where one is asked for by name: `onnxmltools`, or `onnxmltools:module,module`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from builder.errors import UsageError
from builder.releases import Target

if TYPE_CHECKING:
    from builder.source import FetchedModel
    from builder.types import Servable

ONNXMLTOOLS = "onnxmltools"


def convert(model: FetchedModel, outputs: Sequence[str] | None, target: Target, converter: str) -> Servable:
    """The model as `converter` converts it. The modules after its name register converters when they are imported.

    Raises UsageError on any other name, and what the converter raises.
    """
    name, _, modules = converter.partition(":")
    if name != ONNXMLTOOLS:
        raise UsageError(
            f"{converter!r} is no converter that is known here.",
            fix=f"give {ONNXMLTOOLS}, or {ONNXMLTOOLS}:module with a module that registers converters.",
        )
    from builder.evidence import direct
    from builder.sparkml.reader import read_pipeline
    from builder.stages import all_rules

    wanted = [module.strip() for module in modules.split(",") if module.strip()]
    return direct.convert(model.path, read_pipeline(model.path), model.schema, all_rules(), outputs, target, wanted)
