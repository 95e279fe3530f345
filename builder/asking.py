"""Questions to a running server: one row of a person's, or all that Spark once answered."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from builder.errors import UsageError
from builder.outcomes import Answer
from builder.types import INVALID, Progress, Servable, Table

if TYPE_CHECKING:
    from builder.evidence import Evidence, ParityReport
    from builder.source import FetchedModel
    from builder.triton.client import Client, Protocol
    from builder.triton.layout import Repository

CHUNK = 500  # rows a request: few enough that progress shows, many enough that batches are tried


def evidence_of(
    name: str, repository: Repository, version: int | None, model: FetchedModel | None
) -> tuple[Evidence, int, str]:
    """Evidence, the version it belongs to, and where it came from in words: the model's own, else the repository's.

    Raises UsageError where there is none, SourceError where it was recorded for another pipeline.
    """
    from builder.evidence import load
    from builder.triton.layout import EVIDENCE
    from builder.triton.repository import on_this_machine, read_manifest, serving

    manifest = read_manifest(repository, name, version)
    version = version or serving(repository, name)
    path = f"{name}/{version}/{EVIDENCE}"
    with nullcontext(model.evidence) if model else on_this_machine(repository, path) as file:
        if file is None or not file.is_file():
            what = f"{model.uri} has no evidence." if model else f"{name} version {version} was published unproven."
            raise UsageError(
                f"{what} There is nothing to compare its answers with.",
                fix="tritonbuild record SOURCE --rows FILE, then publish it again.",
            )
        evidence = load(file)
    where = file if model else f"{repository}/{path}"
    if not evidence.rows:
        raise UsageError(
            f"{where} holds no rows: there is nothing to compare.",
            fix="all of them were a user's: give --source, or publish with --evidence-in-repository.",
        )
    digest = manifest["source"]["digest"]
    if evidence.digest != digest:
        raise UsageError(
            f"{where} was recorded for another pipeline than {name} version {version}.",
            fix=f"give the source that it was published from: {manifest['source']['uri']}.",
        )
    return evidence, version, f"evidence of {model.uri}" if model else "the repository's evidence"


def ask_everything(
    name: str, version: int, evidence: Evidence, addresses: Mapping[str, str], progress: Progress
) -> dict[str, ParityReport]:
    """Protocol → parity of the server's answers. `addresses`: protocol ("gRPC", "HTTP") → host:port.

    Raises UsageError where the server has another model under this name, Unreachable where it does not answer.
    """
    from builder.triton.client import Client

    reports = {}
    for label, address in addresses.items():
        protocol: Protocol = "grpc" if label == "gRPC" else "http"
        with Client(address, protocol) as client:
            progress.step(f"asking {name} {evidence.rows} rows over {label}")
            reports[label] = ask_rows(client, name, version, evidence, progress)
    return reports


def ask_rows(client: Client, name: str, version: int, evidence: Evidence, progress: Progress) -> ParityReport:
    """Parity of what the version answers to the evidence's rows. Raises as `ask_everything` does."""
    from builder.evidence import compare

    served = client.specs(name, str(version))
    asked = evidence.of_model(Servable(b"", served.inputs, served.outputs))
    return compare(asked, answers_to(client, name, version, asked.inputs, progress))


def answers_to(client: Client, name: str, version: int, rows: Table, progress: Progress) -> Table:
    """Every row's answers, some hundred rows a request."""
    parts = []
    for start in range(0, rows.rows, CHUNK):
        parts.append(client.predict(name, rows.take(slice(start, start + CHUNK)), str(version)))
        progress.advance(min(start + CHUNK, rows.rows), rows.rows)
    return Table.concat(parts)


def parse_row(text: str) -> dict[str, Any]:
    """The JSON object of one row. Raises UsageError."""
    fix = 'write it as \'{"carrier": "UA", "seats": null}\'; `tritonbuild check SOURCE` lists the columns.'
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of 5,000 digits
        raise UsageError(f"the row is no JSON: {error}.", fix=fix) from error
    if not isinstance(row, dict):
        raise UsageError(f"the row is a JSON {type(row).__name__}, not an object.", fix=fix)
    return row


def ask_one(name: str, row: Mapping[str, Any], version: int | None, address: str) -> Answer:
    """The served model's answer; nulls as None, a refused row's outputs too."""
    from builder import tables
    from builder.triton.client import Client

    with Client(address) as client:
        served = client.specs(name, str(version or ""))
        answers = client.predict(name, tables.from_dicts([row], served.inputs), str(version or ""))
    invalid = int(answers[INVALID.name][0, 0])
    outputs = [spec for spec in served.outputs if spec.name != INVALID.name]
    (told,) = tables.decode(answers, outputs).to_pylist()
    values = dict.fromkeys(told) if invalid else {key: _plain(value) for key, value in told.items()}
    return Answer(name, values, invalid, served.reason(invalid) or "")


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they are told as text."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
