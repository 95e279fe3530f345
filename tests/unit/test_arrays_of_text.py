"""array<string> on the wire: rows filled up with the null marker."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pyarrow as pa
from spox import Tensor, argument, build

from builder.graph.columns import Texts
from builder.tables import decode, encode
from builder.types import TensorSpec, TextArray

SPEC = TensorSpec("words", TextArray(), nullable=True, width=-1)
ROWS = pa.table({"words": [["a", None, "b"], [], None, [None], ["", ""], ["c", None]]})


def test_only_nulls_at_the_end_are_lost():
    back = decode(encode(ROWS, [SPEC]), [SPEC]).column("words").to_pylist()

    assert back == [["a", None, "b"], [], [], [], ["", ""], ["c"]]


def test_what_comes_in_goes_out_as_it_came():
    words = argument(Tensor(np.str_, ("N", None)))
    column = Texts.given(words, "␀").keeping(Texts.given(words, "␀").tokens)
    model = build({"words": words}, {"out": column.travelling("␀").var})
    model.ir_version = 10
    session = ort.InferenceSession(model.SerializeToString())
    given = encode(ROWS, [SPEC])["words"]

    (out,) = session.run(None, {"words": given})
    (none,) = session.run(None, {"words": np.empty((2, 0), dtype=object)})

    assert out[:, :3].tolist() == given.tolist()
    assert none.tolist() == [["␀"], ["␀"]]
