"""All that a person sees. Talk goes to stderr; what was asked for goes to stdout, as a table or as one JSON document."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from builder import outcomes, summarizing
from builder.differences import Difference
from builder.errors import TritonbuildError, UsageError
from builder.releases import spans
from builder.rollouts import Rollout
from builder.types import TensorSpec, to_json

if TYPE_CHECKING:
    from builder.triton.inventory import Held
    from builder.triton.settings import Chosen
    from builder.triton.supervisor import Supervisor

_VERDICT_STYLE = {"kept": "green", "dropped": "dim", "refused": "bold red"}


class Told(Protocol):
    """Anything a command comes back with."""

    def json(self) -> dict[str, Any]: ...


class Steps:
    """A Progress on stderr: a line a step with the seconds it took; on a terminal, a count while it runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = 0.0
        self._text = ""
        self._status: Any = None

    def step(self, text: str) -> None:
        self.finish()
        self._text, self._began = text, time.monotonic()
        self._status = self._console.status(escape(text))
        self._status.start()

    def advance(self, done: int, total: int) -> None:
        if self._status is not None:
            self._status.update(f"{escape(self._text)}  {done}/{total}")

    def finish(self, *, failed: bool = False) -> None:
        """Close the current step's line, if there is one."""
        if self._status is None:
            return
        self._status.stop()
        self._status = None
        mark = "[red]✗[/]" if failed else "[green]✓[/]"
        self._console.print(
            f"{mark} {escape(self._text)}  [dim]{time.monotonic() - self._began:.1f} s[/]", soft_wrap=True
        )


@contextmanager
def talking(as_json: bool = False, summary: Path | None = None, source: str = "") -> Iterator[Steps]:
    """Progress while the block runs. An error of ours is told and becomes SystemExit with its exit code; others pass.

    `summary`: a file that is told too why `source` was not published.
    """
    steps, writable = Steps(_stderr()), False
    try:
        summarize(summary, "")  # whether it can be written is told before any work
        writable = True
        yield steps
    except TritonbuildError as error:
        steps.finish(failed=True)
        tell_error(error, as_json)
        if summary is not None and writable:
            _summarize_refusal(summary, source, error)
        raise SystemExit(error.exit_code) from error
    except BaseException:
        steps.finish(failed=True)
        raise
    steps.finish()


def tell_error(error: TritonbuildError, as_json: bool) -> None:
    """On stderr for a person; with `--json` also as the one document on stdout."""
    console = _stderr()
    head, _, rest = error.message.partition("\n")
    console.print(f"[bold red]error[/]  {escape(head)}", soft_wrap=True)
    if rest:
        console.print(escape(rest), soft_wrap=True)
    if error.fix:
        console.print(f"  [bold]fix[/]  {escape(error.fix)}", soft_wrap=True)
    if as_json:
        told = {"error": {"message": error.message, "fix": error.fix, "exit_code": error.exit_code}}
        print_json(told if error.report is None else told | {"rollout": error.report.json()})


def summarize(file: Path | None, text: str) -> None:
    """Append to a summary, which may hold other steps' too. Raises UsageError where the file cannot be written."""
    if file is None:
        return
    try:
        with file.open("a", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error}", fix="give --summary another file.") from error


def _summarize_refusal(file: Path, source: str, error: TritonbuildError) -> None:
    """Why nothing was published. The command ends by `error`, also where the disk is full meanwhile."""
    from builder.source.redacting import discreet

    try:
        summarize(file, summarizing.refused(discreet(source), error))
    except UsageError as lost:
        tell_error(lost, as_json=False)


def say(text: str) -> None:
    """A line of talk."""
    _stderr().print(text, soft_wrap=True, markup=False, highlight=False)


def show(outcome: Told, as_json: bool = False) -> None:
    """The outcome on stdout."""
    if as_json:
        print_json(outcome.json())
        return
    match outcome:
        case Rollout():
            _show_rollout(outcome)
        case outcomes.Checked():
            _show_checked(outcome)
        case outcomes.Publication():
            _show_publication(outcome)
        case Difference():
            _show_difference(outcome)
        case outcomes.Recording():
            _show_recording(outcome)
        case outcomes.Verification():
            _show_verification(outcome)
        case outcomes.Answer():
            _show_answer(outcome)
        case outcomes.Benchmark():
            _show_benchmark(outcome)
        case outcomes.Inventory():
            _show_inventory(outcome)
        case outcomes.Support():
            _show_support(outcome)
        case _:
            raise AssertionError(f"console does not know how to show {type(outcome).__name__}")


def show_settings(chosen: Chosen) -> None:
    """Every setting, its value, where that came from and what it means."""
    print_text("")
    table(("setting", "value", "from", "meaning"), [tuple(map(escape, line)) for line in chosen.lines()])


def show_server(server: Supervisor) -> None:
    """Where a server answers."""
    for what, address in (("gRPC", server.grpc), ("HTTP", server.http), ("metrics", f"{server.metrics}/metrics")):
        print_text(f"{what:<8} {address}")
    sys.stdout.flush()
    say("Commands of this user load models; others send the header TRITONBUILD_LOAD_HEADER, whose value `ps` shows.")
    say("Ctrl-C stops it.")


def streaming(server: Supervisor) -> None:
    """What the server says and how often it comes back, until Ctrl-C. Raises Unreachable where it no longer does."""
    try:
        server.wait(on_line=say)
    except KeyboardInterrupt:
        say("stopping")


def print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(to_json(document))


def print_text(text: str) -> None:
    """Text as it is, unwrapped."""
    sys.stdout.write(text.rstrip("\n") + "\n")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = (), title: str = "") -> None:
    """A table on stdout. `right`: columns of numbers."""
    drawn = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, header in enumerate(headers):
        drawn.add_column(header, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    _stdout().print(drawn)


def _show_checked(outcome: outcomes.Checked) -> None:
    table(
        ("stage", "class", "", "equal", "note"),
        [
            (
                escape(verdict.uid),
                verdict.spark_class.rsplit(".", 1)[-1],
                f"[{_VERDICT_STYLE[verdict.verdict]}]{verdict.verdict}[/]",
                verdict.word or "",
                escape(verdict.note + (f" fix: {verdict.fix}" if verdict.fix else "")),
            )
            for verdict in outcome.verdicts
        ],
    )
    out = _stdout()
    if outcome.refused:
        out.print(f"\n[bold red]{outcome.refused} of {len(outcome.verdicts)} stages cannot be converted.[/]")
        if outcome.inputs:
            _show_tensors("would ask for", outcome.inputs)
    else:
        _show_tensors("asks for", outcome.inputs)
        _show_tensors("answers", outcome.outputs)
        for reason in outcome.invalid:
            out.print(escape(f"invalid ±{reason.code}  {reason.stage} ({reason.column}): {reason.reason}"))
        out.print(f"\ngraph     {outcome.size}")
        out.print(f"Triton    {spans(outcome.releases)}")
        out.print(f"GPU       {outcome.on_gpu}", soft_wrap=True)
        out.print("evidence  " + ("there" if outcome.evidence else "none: publish wants it, or --unproven"))
    for warning in outcome.warnings:
        out.print(escape(f"mind  {warning}"), soft_wrap=True)
    for note in outcome.notes:
        out.print(escape(f"note  {note}"))


def _show_tensors(title: str, specs: Sequence[TensorSpec]) -> None:
    _stdout().print()
    table(
        (title, "type", "null", "Triton"),
        [
            (
                escape(spec.name),
                escape(str(spec.type)),
                escape(str(spec.null)) if spec.nullable else "never",
                f"{spec.triton} \\[N, {spec.width}]",
            )
            for spec in specs
        ],
    )


def _show_publication(outcome: outcomes.Publication) -> None:
    out = _stdout()
    out.print(escape(f"{outcome.path}") + ("" if outcome.changed else "  (was there already)"), soft_wrap=True)
    for note in outcome.notes:
        out.print(escape(f"note  {note}"), soft_wrap=True)
    if outcome.mlflow is not None:
        for line in _told(outcome.mlflow):
            out.print(escape(f"MLflow  {line}"), soft_wrap=True)
    if outcome.parity is None:
        out.print("[yellow]unproven[/]  no evidence: nobody has compared these answers with Spark's")
    else:
        proof = outcome.manifest["proof"]
        _show_parity({f"Spark {proof['spark_version']}": outcome.parity})
        out.print(f"thresholds and categories that the rows cover  {proof['coverage']:.0%}")
    if outcome.rollout is not None:
        _show_rollout(outcome.rollout)


def _show_difference(outcome: Difference) -> None:
    out = _stdout()
    for sentence in outcome.summary:
        out.print(escape(sentence), soft_wrap=True)
    for note in outcome.notes:
        out.print(escape(f"note  {note}"), soft_wrap=True)
    if outcome.changes:
        lines = [tuple(map(escape, change.words)) for change in outcome.changes]
        print_text("")
        table(("what", "name", "served", "would be", ""), [(*line[:4], f"[bold red]{line[4]}[/]") for line in lines])
    if outcome.config:
        print_text("\n" + "\n".join(outcome.lines))


def _show_rollout(outcome: Rollout) -> None:
    out = _stdout()
    if outcome.gate is not None:
        out.print(escape(f"gate  {outcome.gate.words()}"), soft_wrap=True)
    reports = {part.server: part.parity for part in outcome.servers if part.parity is not None}
    if reports:
        _show_parity(reports)
    for part in outcome.servers:
        compared = f"on {part.parity.rows:,} rows as Spark did" if part.parity else "[yellow]compared with nothing[/]"
        unready = "" if part.ready else "; the server says that it is not ready"
        out.print(f"{escape(part.server)}  answers by version {part.answers}, {compared}{unready}", soft_wrap=True)
    if outcome.done:
        was = f", before it {outcome.before}" if outcome.before not in (None, outcome.version) else ""
        where = f"on {len(outcome.servers)} servers" if len(outcome.servers) != 1 else "on 1 server"
        out.print(f"{escape(outcome.name)} version {outcome.version} is [green]served[/] "
                  f"{where if outcome.servers else 'by the repository'}{was}")  # fmt: skip


def _told(told: outcomes.Told) -> Iterator[str]:
    if told.refused:
        yield f"{told.subject} was not told: {told.refused} --no-write-back says that it shall not be."
    if told.tags:
        yield f"{told.subject} has the tags and its run the metrics" if told.metrics else f"{told.subject} has the tags"
    if told.onnx:
        yield f"ONNX at {told.onnx}: mlflow models serve -m {told.onnx}"
    if told.alias:
        yield f"alias {told.alias} points to {told.subject}"


def _show_parity(reports: Any) -> None:
    table(
        ("against", "output", "equal", "values", "differ", "near", "greatest difference"),
        [
            (
                against,
                escape(output.name),
                output.word,
                str(output.values),
                f"[bold red]{output.differing}[/]" if output.differing else "0",
                str(output.near),
                f"{output.largest:.3g}",
            )
            for against, report in reports.items()
            for output in report.outputs
        ],
        right=(3, 4, 5, 6),
    )


def _show_recording(outcome: outcomes.Recording) -> None:
    _stdout().print(
        f"{outcome.rows} rows answered by Spark {outcome.spark_version}, {outcome.derived} of them derived from the "
        f"model; they cover {outcome.coverage:.0%} of its thresholds and categories.",
        soft_wrap=True,
    )
    for note in outcome.notes:
        _stdout().print(escape(note), soft_wrap=True)


def _show_verification(outcome: outcomes.Verification) -> None:
    _show_parity(outcome.reports)
    out = _stdout()
    for protocol, report in outcome.reports.items():
        if not report.passed:
            out.print(escape(f"{protocol}: {report.words()}"))
    rows = next(iter(outcome.reports.values())).rows
    verdict = "[green]answers as Spark did[/]" if outcome.passed else "[bold red]does not answer as Spark did[/]"
    out.print(f"{escape(outcome.name)} version {outcome.version}: {verdict} ({rows} rows, {outcome.evidence})")


def _show_answer(outcome: outcomes.Answer) -> None:
    for name, value in outcome.outputs.items():
        print_text(f"{name} = {value}")
    if outcome.invalid:
        print_text(f"invalid = {outcome.invalid}: {outcome.refused}")


def _show_benchmark(outcome: outcomes.Benchmark) -> None:
    table(
        ("what", "by", "workers", "rows/request", "p50 µs", "p95 µs", "p99 µs", "rows/s"),
        [
            (
                escape(latency.target),
                latency.protocol,
                str(latency.concurrency),
                str(latency.rows_per_request),
                f"{latency.p50_us:,.0f}",
                f"{latency.p95_us:,.0f}",
                f"{latency.p99_us:,.0f}",
                f"{latency.rows_per_s:,.0f}",
            )
            for latency in outcome.latencies
        ],
        right=(2, 3, 4, 5, 6, 7),
    )
    for note in outcome.notes:
        _stdout().print(escape(note), soft_wrap=True)


def _show_inventory(outcome: outcomes.Inventory) -> None:
    if outcome.removed is not None:
        for one in outcome.versions:
            print_text(f"{'removed' if outcome.removed else 'would remove'}  {one.path}  {one.bytes / 1e6:,.1f} MB")
        if not outcome.versions:
            print_text("nothing to remove")
        return
    table(
        ("model", "version", "", "MB", "from", "proven"),
        [
            (
                escape(one.name),
                str(one.version),
                "answers" if one.serving else "",
                f"{one.bytes / 1e6:,.1f}",
                escape(one.manifest["source"]["uri"]) if one.manifest else "[yellow]not tritonbuild's[/]",
                _proven(one),
            )
            for one in outcome.versions
        ],
        right=(1, 3),
    )
    out = _stdout()
    for problem in outcome.untrue or ():
        out.print(f"[bold red]untrue[/]  {escape(str(problem.path))} {escape(problem.why)}", soft_wrap=True)
    if outcome.untrue == ():
        out.print("[green]every file is what was published[/]")


def _proven(one: Held) -> str:
    rows = outcomes.proven_rows(one)
    if rows is None:
        return "unproven" if one.manifest else ""
    return f"on {rows:,} rows"


def _show_support(outcome: outcomes.Support) -> None:
    """By hand: rich needs as long to lay a hundred lines out as all the rest takes."""
    names = [one.spark_class.removeprefix("org.apache.spark.ml.") for one in outcome.listed]
    first, second = max(map(len, names)) + 2, max(len(one.verdict) for one in outcome.listed) + 2
    width = max(_stdout().width - first - second, 40)
    print_text(f"{'Spark class':<{first}}{'equal':<{second}}note")
    for name, one in zip(names, outcome.listed, strict=True):
        head, *more = textwrap.wrap(f"{one.note} {one.fix}".strip(), width) or [""]
        print_text(f"{name:<{first}}{one.verdict:<{second}}{head}".rstrip())
        for line in more:
            print_text(" " * (first + second) + line)


def _stdout() -> Console:
    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 120)


def _stderr() -> Console:
    return Console(file=sys.stderr, highlight=False)
