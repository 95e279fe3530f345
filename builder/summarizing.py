"""What `publish --summary` leaves for a pull request: Markdown, of what was published or of why it was not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from builder.outcomes import Publication, markdown_table

if TYPE_CHECKING:
    from builder.errors import TritonbuildError
    from builder.evidence import ParityReport
    from builder.rollouts import Rollout

_PARITY = ("against", "output", "equal", "values", "differ", "near", "greatest difference")


def published(outcome: Publication, repository: str) -> str:
    """What was published, how it was proven, which settings are not the usual ones, where it is served, how to go back."""
    source = outcome.manifest["source"]
    run = f", run `{source['run_id']}`" if source["run_id"] else ""
    said = "published" if outcome.changed else "was there already"
    parts = [
        f"### `{outcome.name}` version {outcome.version}: {said}",
        f"From `{source['uri']}`{run}, saved by Spark {source['saved_by_spark']}, to `{outcome.path}`.",
        *_proof(outcome),
        *_settings(outcome),
        *(_rollout(outcome.rollout) if outcome.rollout else ()),
    ]
    if outcome.notes:
        parts.append("\n".join(f"* {_line(note)}" for note in outcome.notes))
    parts.append(_way_back(outcome, repository))
    return "\n\n".join(parts) + "\n\n"


def refused(source: str, error: TritonbuildError) -> str:
    """Why nothing was published."""
    fix = f"\n\nFix: {_line(error.fix)}" if error.fix else ""
    return f"### `{source}` was not published\n\n{_quoted(error.message)}{fix}\n\n"


def _proof(outcome: Publication) -> Iterator[str]:
    if outcome.parity is None:
        yield "**Unproven**: nobody has compared these answers with Spark's."
        return
    proof = outcome.manifest["proof"]
    against = f"Spark {proof['spark_version']}"
    yield f"Proven on {outcome.parity.rows:,} rows, which cover {proof['coverage']:.0%} of its thresholds and categories."
    yield _parity({against: outcome.parity})


def _settings(outcome: Publication) -> Iterator[str]:
    chosen = [
        (f"`{name}`", f"`{value}`", origin)
        for name, value, origin, _ in outcome.settings.lines()
        if origin != "default"
    ]
    if chosen:
        yield markdown_table(("setting", "value", "from"), chosen)
    else:
        yield "Every setting has its default."


def _rollout(rollout: Rollout) -> Iterator[str]:
    for part in rollout.servers:
        yield f"`{part.server}` answers by version {part.answers}."
    reports = {part.server: part.parity for part in rollout.servers if part.parity is not None}
    if reports:
        yield _parity(reports)
    if rollout.gate is not None:
        yield f"Gate: {_line(rollout.gate.words())}"


def _parity(reports: Mapping[str, ParityReport]) -> str:
    rows: list[Sequence[str]] = [
        (
            f"`{against}`",
            f"`{output.name}`",
            f"`{output.word}`",
            str(output.values),
            str(output.differing),
            str(output.near),
            f"{output.largest:.3g}",
        )
        for against, report in reports.items()
        for output in report.outputs
    ]
    return markdown_table(_PARITY, rows)


def _way_back(outcome: Publication, repository: str) -> str:
    from builder.source.redacting import discreet

    words = ["tritonbuild", "rollback", outcome.name, "--repository", discreet(repository)]
    for part in outcome.rollout.servers if outcome.rollout else ():
        words += ["--load", part.server]
    return f"The way back, where another version was served before:\n\n```shell\n{shlex.join(words)}\n```"


def _quoted(text: str) -> str:
    """As it stands, in a fence that the text cannot end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def _line(text: str) -> str:
    return " ".join(text.split())
