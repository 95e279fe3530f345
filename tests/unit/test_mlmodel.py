"""An MLmodel file from outside: bounded, and it leads nowhere but into its own folder."""

from pathlib import Path

import pytest

from builder.errors import SourceError
from builder.source.folder import read_folder

BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        BOMB + "flavors: *a11\n",
        "flavors: " + "[" * 5000 + "]" * 5000,
        "flavors: {1: {}, python_function: {}}",
        "flavors: {spark: {model_data: ../other}}",
        "flavors: {spark: {model_data: /}}",
        "flavors: {spark: {model_data: link}}",
        "flavors: {spark: {model_data: 2020-13-45}}",
        "flavors: {spark: {model_data: [sparkml]}}",
        "flavors: &f {spark: *f}",
    ],
    ids=["bomb", "deep", "mixed", "relative", "absolute", "link", "date", "list", "cycle"],
)
def test_a_hostile_mlmodel_is_refused_in_words(tmp_path: Path, text: str) -> None:
    root, other = tmp_path / "model", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (root / "link").symlink_to(other)
    (root / "MLmodel").write_text(text)
    with pytest.raises(SourceError):
        read_folder(root, uri="model")
