"""The command: parse, call one function of flow.py, show what it came back with. No logic."""

from __future__ import annotations

import atexit
import gc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from builder.errors import CheckFailed, ConversionRefused, Unreachable
from builder.releases import DEFAULT, OLDEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.flow import Wanted
    from builder.triton.settings import Wish

app = typer.Typer(
    name="tritonbuild",
    help="Compile saved Spark ML pipelines into exact ONNX models that NVIDIA Triton serves, without Spark or Java.",
    epilog="Exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 this pipeline cannot be converted, "
    "4 MLflow, Spark, Triton or a store did not answer.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Source = Annotated[
    str,
    typer.Argument(
        help="models:/name/3, models:/name@alias, runs:/id/path, an MLflow model folder or a Spark PipelineModel folder"
    ),
]
Name = Annotated[str, typer.Argument(help="the model's name in the repository")]
Names = Annotated[list[str] | None, typer.Argument(help="models; default: all of the repository")]
Repository = Annotated[
    str, typer.Option(help="Triton's model repository: a folder, or s3://, gs://, az://bucket/folder")
]
Schema = Annotated[Path | None, typer.Option(help="a file with what df.schema.json() prints")]
Outputs = Annotated[str | None, typer.Option(help="columns to answer with, comma-separated")]
TrackingUri = Annotated[str | None, typer.Option(help="MLflow's tracking store, where not the environment's")]
RegistryUri = Annotated[str | None, typer.Option(help="MLflow's registry, where not the tracking store's")]
Triton = Annotated[
    str,
    typer.Option(help=f"the oldest Triton release that shall run it, by its container's tag, from {OLDEST.name} on"),
]
Converter = Annotated[
    str,
    typer.Option(help="another converter than ours: onnxmltools, or onnxmltools:module,… that registers converters"),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Markdown on stdout")]
Ansi = Annotated[
    bool | None,
    typer.Option(
        "--ansi/--no-ansi", help="SQL as with spark.sql.ansi.enabled, or without; default: as it was recorded or saved"
    ),
]
Timezone = Annotated[
    str | None,
    typer.Option(help="spark.sql.session.timeZone, for SQL over timestamps; default: as it was recorded"),
]
Json = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]
GrpcUrl = Annotated[str, typer.Option("--grpc", help="the server's gRPC address")]
HttpUrl = Annotated[str, typer.Option("--http", help="the server's HTTP address")]

HERE = "model_repository"
GRPC, HTTP, METRICS = 8001, 8000, 8002  # Triton's own


@app.command()
def check(
    source: Source,
    triton: Triton = DEFAULT.name,
    schema: Schema = None,
    outputs: Outputs = None,
    tracking_uri: TrackingUri = None,
    registry_uri: RegistryUri = None,
    markdown: Markdown = False,
    ansi: Ansi = None,
    timezone: Timezone = None,
    as_json: Json = False,
) -> None:
    """Judge every stage of SOURCE before any work: how equal to Spark, what is dropped, what is refused and why."""
    from builder import console, flow

    with console.talking(as_json):
        wanted = _wanted(source, schema, outputs, tracking_uri, registry_uri, ansi, timezone)
        outcome = flow.check(wanted, triton=triton)
    if markdown:
        console.print_text(outcome.markdown())
    else:
        console.show(outcome, as_json)
    if outcome.refused:
        raise typer.Exit(ConversionRefused.exit_code)


@app.command()
def record(
    source: Source,
    rows: Annotated[Path | None, typer.Option(help="rows to ask Spark: .jsonl, .json, .csv or .parquet")] = None,
    evidence_rows: Annotated[int, typer.Option(min=0, help="at most so many of these rows")] = 1000,
    derived_rows: Annotated[int, typer.Option(min=0, help="at most so many rows derived from the model")] = 2000,
    converter: Converter = "",
    schema: Schema = None,
    outputs: Outputs = None,
    tracking_uri: TrackingUri = None,
    registry_uri: RegistryUri = None,
    ansi: Ansi = None,
    timezone: Timezone = None,
    as_json: Json = False,
) -> None:
    """Let Spark answer rows, yours and ones derived from the model, and keep its answers with SOURCE."""
    from builder import console, flow

    with console.talking(as_json) as progress:
        wanted = _wanted(source, schema, outputs, tracking_uri, registry_uri, ansi, timezone)
        wanted = replace(wanted, converter=converter)
        outcome = flow.record(wanted, rows, evidence_rows=evidence_rows, derived_rows=derived_rows, progress=progress)
    console.show(outcome, as_json)


@app.command()
def publish(
    source: Source,
    repository: Repository = HERE,
    name: Annotated[str | None, typer.Option(help="the model's name in Triton; default: its registered name")] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="default: MLflow's version, else the next free number")
    ] = None,
    unproven: Annotated[
        bool, typer.Option("--unproven", help="publish without evidence; manifest and config will say so")
    ] = False,
    evidence_in_repository: Annotated[
        bool, typer.Option("--evidence-in-repository", help="also the users' rows, which may be personal data")
    ] = False,
    max_batch_size: Annotated[int | None, typer.Option(help="rows a request, and rows joined into one run")] = None,
    max_queue_delay_us: Annotated[int | None, typer.Option(help="microseconds to wait for company")] = None,
    instances: Annotated[int | None, typer.Option(help="copies of the model that answer side by side")] = None,
    threads: Annotated[int | None, typer.Option(help="onnxruntime's threads an instance")] = None,
    cpus: Annotated[int | None, typer.Option(help="the cores it shall have: instances and threads follow")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="any setting by its name, NAME=VALUE; --explain lists them")
    ] = None,
    settings_file: Annotated[
        Path | None,
        typer.Option("--settings", help="[defaults] and [models.NAME]; default: tritonbuild.toml, if there"),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="every setting, and where its value came from")] = False,
    triton: Triton = DEFAULT.name,
    converter: Converter = "",
    null_marker: Annotated[str, typer.Option(help="what stands for null among strings")] = "␀",
    schema: Schema = None,
    outputs: Outputs = None,
    tracking_uri: TrackingUri = None,
    registry_uri: RegistryUri = None,
    ansi: Ansi = None,
    timezone: Timezone = None,
    as_json: Json = False,
) -> None:
    """Compile SOURCE into the repository: proven against Spark's recorded answers, or not at all."""
    from builder import console, flow

    flags = {"max_batch_size": max_batch_size, "max_queue_delay_us": max_queue_delay_us, "instances": instances}
    with console.talking(as_json) as progress:
        wanted = _wanted(source, schema, outputs, tracking_uri, registry_uri, ansi, timezone)
        outcome = flow.publish(
            replace(wanted, null_text=null_marker, converter=converter),
            repository,
            name=name,
            version=version,
            unproven=unproven,
            evidence_in_repository=evidence_in_repository,
            triton=triton,
            settings=_wish(flags | {"intra_op_threads": threads}, settings or (), settings_file, cpus),
            progress=progress,
        )
    console.show(outcome, as_json)
    if explain and not as_json:
        console.show_settings(outcome.settings)


@app.command()
def serve(
    repository: Repository = HERE,
    grpc_port: Annotated[int, typer.Option(help="0: any free one")] = GRPC,
    http_port: Annotated[int, typer.Option(help="0: any free one")] = HTTP,
    metrics_port: Annotated[int, typer.Option(help="0: any free one")] = METRICS,
    server: Annotated[
        Path | None, typer.Option(help="a tritonserver to use, where not the one in nvidia-pytriton")
    ] = None,
    server_python: Annotated[Path | None, typer.Option(help="a Python that has tritonbuild[server]")] = None,
) -> None:
    """Serve every model of the repository with a real tritonserver on this machine, until Ctrl-C."""
    from builder import console, flow

    ports = {"grpc_port": grpc_port, "http_port": http_port, "metrics_port": metrics_port}
    with console.talking() as progress:
        running = flow.serve(repository, **ports, server=server, server_python=server_python, progress=progress)
    with running:
        console.show_server(running)
        code = console.streaming(running)
    if code:
        raise typer.Exit(Unreachable.exit_code)


@app.command(name="list")
def list_(names: Names = None, repository: Repository = HERE, as_json: Json = False) -> None:
    """List the repository's models: each version, where it comes from, on how many rows it was proven."""
    from builder import console, flow

    with console.talking(as_json):
        outcome = flow.held(repository, names or ())
    console.show(outcome, as_json)


@app.command()
def audit(names: Names = None, repository: Repository = HERE, as_json: Json = False) -> None:
    """Digest every file of the repository and compare with the manifests: 1 where one is not what was published."""
    from builder import console, flow

    with console.talking(as_json) as progress:
        outcome = flow.audit(repository, names or (), progress)
    console.show(outcome, as_json)
    if outcome.untrue:
        raise typer.Exit(CheckFailed.exit_code)


@app.command()
def prune(
    names: Names = None,
    repository: Repository = HERE,
    keep: Annotated[int, typer.Option(min=1, help="so many of each model's highest versions stay")] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would go, and leave it")] = False,
    as_json: Json = False,
) -> None:
    """Remove old versions, whole or not at all. What tritonbuild did not write stays."""
    from builder import console, flow

    with console.talking(as_json):
        outcome = flow.prune(repository, names or (), keep=keep, dry_run=dry_run)
    console.show(outcome, as_json)


@app.command()
def verify(
    name: Name,
    repository: Repository = HERE,
    source: Annotated[
        str | None, typer.Option(help="take the evidence from there, users' rows included; default: the repository's")
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="default: the one that answers")] = None,
    grpc: GrpcUrl = f"localhost:{GRPC}",
    http: HttpUrl = f"localhost:{HTTP}",
    tracking_uri: TrackingUri = None,
    registry_uri: RegistryUri = None,
    as_json: Json = False,
) -> None:
    """Put every row of the evidence to the running server, over gRPC and over HTTP, and compare with Spark's answers."""
    from builder import console, flow

    with console.talking(as_json) as progress:
        wanted = _wanted(source, None, None, tracking_uri, registry_uri) if source else None
        outcome = flow.verify(name, repository, wanted, version=version, grpc=grpc, http=http, progress=progress)
    console.show(outcome, as_json)
    if not outcome.passed:
        raise typer.Exit(CheckFailed.exit_code)


@app.command()
def predict(
    name: Name,
    row: Annotated[str, typer.Argument(help='one row as JSON: \'{"carrier": "UA", "seats": null}\'')],
    version: Annotated[int | None, typer.Option(min=1, help="default: the one that the server prefers")] = None,
    grpc: GrpcUrl = f"localhost:{GRPC}",
    as_json: Json = False,
) -> None:
    """Ask the running server one row. A key that is left out is a null."""
    from builder import console, flow

    with console.talking(as_json):
        outcome = flow.predict(name, row, version=version, grpc=grpc)
    console.show(outcome, as_json)


@app.command()
def bench(
    name: Name,
    repository: Repository = HERE,
    requests: Annotated[
        int, typer.Option(min=1, help="requests a measurement; less of large ones, never below 200")
    ] = 2000,
    concurrency: Annotated[str, typer.Option(help="workers, comma-separated")] = "1,4",
    rows: Annotated[str, typer.Option(help="rows a request, comma-separated")] = "1,256",
    spark: Annotated[
        str | None, typer.Option(help="also Spark's transform of one row: the SOURCE to load (needs Java)")
    ] = None,
    server: Annotated[Path | None, typer.Option(help="a tritonserver to use")] = None,
    server_python: Annotated[Path | None, typer.Option(help="a Python that has tritonbuild[server]")] = None,
    schema: Schema = None,
    tracking_uri: TrackingUri = None,
    registry_uri: RegistryUri = None,
    as_json: Json = False,
) -> None:
    """Measure the model beside an empty one with the same tensors, in turns, on a server of its own."""
    from builder import console, flow

    with console.talking(as_json) as progress:
        outcome = flow.bench(
            name,
            repository,
            requests=requests,
            concurrencies=_numbers(concurrency, "--concurrency"),
            sizes=_numbers(rows, "--rows"),
            spark=_wanted(spark, schema, None, tracking_uri, registry_uri) if spark else None,
            server=server,
            server_python=server_python,
            progress=progress,
        )
    console.show(outcome, as_json)


@app.command()
def stages(markdown: Markdown = False, as_json: Json = False) -> None:
    """List the Spark classes that are converted, and how equal each is to Spark."""
    from builder import console, flow

    with console.talking(as_json):
        outcome = flow.stages()
    if markdown:
        console.print_text(outcome.markdown())
    else:
        console.show(outcome, as_json)


def main() -> None:
    """The console script."""
    # MLflow's and SQLAlchemy's imports make a million objects that live to the end. Walking them for cycles again and
    # again, and once more at exit, was 2 of the 6 s that publishing from the registry took.
    gc.set_threshold(1_000_000)
    atexit.register(gc.freeze)
    app()


def _wanted(
    source: str,
    schema: Path | None,
    outputs: str | None,
    tracking_uri: str | None,
    registry_uri: str | None,
    ansi: bool | None = None,
    timezone: str | None = None,
) -> Wanted:
    from builder.flow import Wanted
    from builder.types import Session

    chosen = None if outputs is None else tuple(name.strip() for name in outputs.split(",") if name.strip())
    return Wanted(source, schema, chosen, tracking_uri, registry_uri, session=Session(ansi, timezone))


def _wish(flags: dict[str, int | None], settings: Sequence[str], file: Path | None, cpus: int | None) -> Wish:
    from builder.triton.settings import FILE, Wish

    given: dict[str, object] = {name: value for name, value in flags.items() if value is not None}
    for setting in settings:
        name, there, value = setting.partition("=")
        if not there:
            raise typer.BadParameter(f"{setting!r} is no NAME=VALUE", param_hint="--set")
        given[name.strip()] = value.strip()
    beside = Path(FILE)
    return Wish(given, file or (beside if beside.exists() else None), cpus)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 1,4", param_hint=option)
    return numbers


if __name__ == "__main__":
    main()
