"""What publishing would change, as an outcome: told as JSON, as Markdown for a pull request, or as sentences and a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from builder.outcomes import markdown_table

Verdict = Literal["first", "new", "settings", "same", "refused"]
_WORDS: Mapping[Verdict, str] = {
    "first": "would be version {version} of a new model",
    "new": "would become version {version}",
    "settings": "is version {version}'s content; its settings would change",
    "same": "is version {version} already: publishing would change nothing",
    "refused": "would be refused: version {version} is there with other content, and a version never changes",
}


@dataclass(frozen=True)
class Change:
    """One thing that would be other. `before` None: it is added; `after` None: it goes.

    `breaks`: who asks the served version as it is asked today would get an error, or an answer that he does not expect.
    """

    what: str  # input, output, tensor, invalid, labels, stage, setting, source, proof, target, converter, file
    name: str
    before: str | None
    after: str | None
    breaks: bool = False

    def json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "breaks": self.breaks,
        }

    @property
    def words(self) -> tuple[str, str, str, str, str]:
        """The cells of a table: what, name, before, after, whether it breaks clients."""
        told = "breaks clients" if self.breaks else ""
        return self.what, self.name, _short(self.before or "", 60), _short(self.after or "", 60), told


@dataclass(frozen=True)
class Difference:
    """What publishing a source would change.

    `version`: the number it would get. `served`: the version that it is compared with; no `changes` where it is there already. `answers`: whether who asks for no
    version would get this one. `config`: lines of a unified diff of config.pbtxt. `bytes`: before and after.
    """

    name: str
    source: str
    repository: str
    version: int
    verdict: Verdict
    served: int | None
    answers: bool
    changes: tuple[Change, ...]
    config: tuple[str, ...]
    bytes: tuple[int | None, int]
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        return self.verdict != "same"

    @property
    def breaking(self) -> tuple[Change, ...]:
        """None where another version goes on answering."""
        return tuple(change for change in self.changes if change.breaks and self.answers)

    @property
    def lines(self) -> tuple[str, ...]:
        """`config`, as far as a person reads: what the tensors mean is one long line, and the changes tell it."""
        return tuple(_short(line, 160) for line in self.config)

    @property
    def summary(self) -> tuple[str, ...]:
        """Sentences: what would become of it, who answers, how large it is, whether clients break."""
        told = [f"{self.source} {_WORDS[self.verdict].format(version=self.version)}."]
        if self.served is not None and self.verdict in ("new", "settings") and not self.answers:
            told.append(f"Version {self.served} would go on answering.")
        before, after = self.bytes
        told.append(f"{after:,} bytes" + (f", before it {before:,}." if before not in (None, after) else "."))
        if self.breaking:
            told.append(f"{len(self.breaking)} changes break clients of version {self.served}.")
        return tuple(told)

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "source": self.source,
            "repository": self.repository,
            "version": self.version,
            "verdict": self.verdict,
            "served": self.served,
            "answers": self.answers,
            "differs": self.differs,
            "breaks": bool(self.breaking),
            "changes": [change.json() for change in self.changes],
            "config": list(self.config),
            "bytes": {"before": self.bytes[0], "after": self.bytes[1]},
            "notes": list(self.notes),
        }

    def markdown(self) -> str:
        """The same for a pull request."""
        parts = [f"## `{self.name}`", " ".join(self.summary)]
        if self.changes:
            rows = [(what, f"`{name}`", old, new, breaks and f"**{breaks}**") for what, name, old, new, breaks in
                    (change.words for change in self.changes)]  # fmt: skip
            parts.append(markdown_table(("what", "name", "served", "would be", ""), rows))
        if self.config:
            parts.append("\n".join(("```diff", *self.lines, "```")))
        return "\n\n".join((*parts, *(f"* {note}" for note in self.notes)))


def _short(text: str, width: int) -> str:
    """A digest by its beginning, a text as far as it goes."""
    if re.fullmatch("[0-9a-f]{64}", text):
        return text[:12]
    return text if len(text) <= width else text[: width - 2].rstrip() + " …"
