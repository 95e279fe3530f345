"""tritonbuild: a saved Spark ML pipeline as an exact ONNX model in NVIDIA Triton."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder.recording import log_model

__all__ = ["log_model"]


def __getattr__(name: str) -> Any:
    """`builder.log_model`, fetched when asked for: `import builder` costs nothing."""
    if name == "log_model":
        from builder.recording import log_model

        return log_model
    raise AttributeError(f"module 'builder' has no attribute {name!r}")
