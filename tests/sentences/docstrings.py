"""Real text: the sentences in the docstrings of the packages that are installed."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("mlflow", "numpy", "pandas", "pyspark", "onnx", "spox", "rich", "sqlglot", "hypothesis", "fsspec")
_DOCSTRING = re.compile(r'"""(.+?)"""', re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n\s*\n")


def sentences(count: int) -> list[str]:
    """`count` different ones, those with other characters than ASCII first; white space and line ends as they stand."""
    found = dict.fromkeys(sentence for text in _docstrings() for sentence in _SENTENCE.split(text))
    fit = [sentence for sentence in found if "\0" not in sentence and 0 < len(sentence) < 2000]
    fit.sort(key=str.isascii)
    assert len(fit) >= count, f"only {len(fit)} sentences in the docstrings of {', '.join(PACKAGES)}"
    return fit[:count]


def _docstrings() -> Iterator[str]:
    site = Path(sysconfig.get_path("purelib"))
    for package in PACKAGES:
        for file in sorted((site / package).rglob("*.py")):
            yield from _DOCSTRING.findall(file.read_text(encoding="utf-8"))
