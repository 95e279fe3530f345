"""What a package that brings rules of its own may rely on: these names change only with a note in CHANGELOG.md.

A rule is one function for one class of Spark, Scala's or Python's, under the name that `metadata/` of a saved stage has
for it. It gets the saved stage and its input columns, and gives its output columns:

    import spox.opset.ai.onnx.v21 as op
    from builder.rules import Number, SavedStage, converts, constant, number

    @converts("acme.transformers.Doubled", word="bit")
    def doubled(stage: SavedStage, x: Number) -> Number:
        return number(op.mul(x.double(), constant(2.0)))

and its module is told in the package's pyproject.toml, where tritonbuild finds it once the package is installed:

    [project.entry-points."tritonbuild.stages"]
    acme = "acme.rules"

`idioms` closes onnxruntime's traps (its docstring lists them), `tolerance` carries a tolerance through a step that is not
equal to the bit. What is not a name of this module, of `idioms` or of `tolerance` may change any day.
"""

from __future__ import annotations

from builder.errors import Refused
from builder.graph import idioms, tolerance
from builder.graph.columns import Column, Mask, Number, Origin, Text, Texts, Vector, number, text, vector
from builder.graph.idioms import constant
from builder.graph.rules import Rule, converts
from builder.sparkml.attributes import Attribute
from builder.sparkml.params import Params
from builder.sparkml.reader import SavedStage
from builder.sparkml.vectors import dense_vector
from builder.types import Array, Probe, Scalar, Word

__all__ = [
    "Array",
    "Attribute",
    "Column",
    "Mask",
    "Number",
    "Origin",
    "Params",
    "Probe",
    "Refused",
    "Rule",
    "SavedStage",
    "Scalar",
    "Text",
    "Texts",
    "Vector",
    "Word",
    "constant",
    "converts",
    "dense_vector",
    "idioms",
    "number",
    "text",
    "tolerance",
    "vector",
]
