"""What every class is worth, told without importing a rule: spox alone takes half a second.

`listed.json` is made of the rules by `make table`; a test compares the two.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).with_name("listed.json")
CONVERTED = ("bit", "dot", "elementary", "iterative")


@dataclass(frozen=True)
class Listed:
    """A class and its verdict: how equal it is (`bit`, `dot`, `elementary`, `iterative`), `through`, `refused` or `none`.

    `params`: those that its rule reads, but for names of columns. `since`: the oldest Triton release that runs it.
    """

    spark_class: str
    verdict: str
    note: str = ""
    fix: str = ""
    since: str = ""
    params: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """How equal a converted class is, "" of one that is not."""
        return self.verdict if self.verdict in CONVERTED else ""

    def json(self) -> dict[str, object]:
        """What `tritonbuild stages --json` says of it, and `listed.json`."""
        return {
            "class": self.spark_class,
            "verdict": "converted" if self.word else self.verdict,
            "word": self.word,
            "params": list(self.params),
            "triton": self.since,
            "note": self.note,
            "fix": self.fix,
        }


def listed() -> tuple[Listed, ...]:
    """Every class of pyspark.ml, and every other that a rule converts, by name; those of other packages behind them.

    Raises UsageError where what another package brings cannot be used.
    """
    return (*(_of(told) for told in json.loads(DATA.read_text(encoding="utf-8"))), *_brought())


def _of(told: dict[str, str]) -> Listed:
    return Listed(
        told["class"], told["word"] or told["verdict"], told["note"], told["fix"], told["triton"], tuple(told["params"])
    )


def _brought() -> list[Listed]:
    """There is no way around importing the rules that other packages bring."""
    from builder.graph.bringing import brought

    return [
        Listed(rule.spark_class, rule.word, f"{rule.note} (brought by {package})".strip(), since=rule.since)
        for rule, package in brought()
    ]
