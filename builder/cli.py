"""The command: parse, call one function of flow.py, show what it came back with. No logic."""

from __future__ import annotations

import atexit
import gc
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from builder.errors import CheckFailed, ConversionRefused
from builder.options import (
    LOAD,
    Ansi,
    Converter,
    Cpus,
    Device,
    EvidenceInRepository,
    Gated,
    GateLatency,
    GrpcUrl,
    HttpUrl,
    Instances,
    Json,
    Load,
    LoadHeader,
    Markdown,
    MaxBatchSize,
    MaxQueueDelay,
    Name,
    Names,
    NewName,
    NewVersion,
    NullMarker,
    Outputs,
    Pack,
    RegistryUri,
    Repository,
    Schema,
    Settings,
    SettingsFile,
    Source,
    Threads,
    Timezone,
    TrackingUri,
    Triton,
    Unproven,
    flags_of,
    gate_of,
    numbers_of,
    wanted_of,
    wish_of,
)
from builder.releases import DEFAULT, PINNED

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
        wanted = wanted_of(source, schema, outputs, tracking_uri, registry_uri, ansi, timezone)
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
    rows: Annotated[
        Path | None, typer.Option(help="rows to ask Spark: .jsonl, .json, .csv, .parquet, or a folder of them")
    ] = None,
    evidence_rows: Annotated[int, typer.Option(min=0, help="at most so many of these rows")] = 1000,
    derived_rows: Annotated[int, typer.Option(min=0, help="at most so many rows derived from the model")] = 2000,
    nullable: Annotated[
        str | None, typer.Option(help="columns that may be null though the schema calls them required, comma-separated")
    ] = None,
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
        wanted = wanted_of(source, schema, outputs, tracking_uri, registry_uri, ansi, timezone)
        wanted = replace(wanted, converter=converter)
        outcome = flow.record(
            wanted,
            rows,
            evidence_rows=evidence_rows,
            derived_rows=derived_rows,
            nullable=[name.strip() for name in (nullable or "").split(",") if name.strip()],
            progress=progress,
        )
    console.show(outcome, as_json)


@app.command()
def publish(
    source: Source,
    repository: Repository = HERE,
    name: NewName = None,
    version: NewVersion = None,
    unproven: Unproven = False,
    evidence_in_repository: EvidenceInRepository = False,
    max_batch_size: MaxBatchSize = None,
    max_queue_delay_us: MaxQueueDelay = None,
    instances: Instances = None,
    threads: Threads = None,
    device: Device = None,
    cpus: Cpus = None,
    pack: Pack = None,
    settings: Settings = None,
    settings_file: SettingsFile = None,
    explain: Annotated[bool, typer.Option("--explain", help="every setting, and where its value came from")] = False,
    write_back: Annotated[
        bool | None,
        typer.Option(
            "--write-back/--no-write-back",
            help="tags on MLflow's model version, metrics on its run; default: where it is registered and takes them",
        ),
    ] = None,
    promote: Annotated[
        str, typer.Option(metavar="ALIAS", help="move this alias to the version, after all else went well")
    ] = "",
    log_onnx: Annotated[
        bool, typer.Option("--log-onnx", help="log the graph into the model's run, too: mlflow models serve runs it")
    ] = False,
    triton: Triton = DEFAULT.name,
    converter: Converter = "",
    null_marker: NullMarker = "␀",
    schema: Schema = None,
    outputs: Outputs = None,
    tracking_uri: TrackingUri = None,
    registry_uri: RegistryUri = None,
    ansi: Ansi = None,
    timezone: Timezone = None,
    load: Load = None,
    load_header: LoadHeader = "",
    gate: Gated = False,
    gate_latency: GateLatency = None,
    perf_data: Annotated[
        Path | None, typer.Option(help="leave the rows that go into the repository to a file, for perf_analyzer")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(help="append what was published, or why not, to a file, in Markdown")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compile SOURCE into the repository: proven against Spark's recorded answers, or not at all."""
    from builder import console, flow, summarizing
    from builder.telling import Telling

    flags = flags_of(max_batch_size, max_queue_delay_us, instances, threads, pack, device)
    with console.talking(as_json, summary, source) as progress:
        wanted = wanted_of(source, schema, outputs, tracking_uri, registry_uri, ansi, timezone)
        outcome = flow.publish(
            replace(wanted, null_text=null_marker, converter=converter),
            repository,
            name=name,
            version=version,
            unproven=unproven,
            evidence_in_repository=evidence_in_repository,
            triton=triton,
            settings=wish_of(flags, settings or (), settings_file, cpus),
            load=load or (),
            load_header=load_header,
            gate=gate_of(gate, gate_latency),
            telling=Telling(write_back, promote, log_onnx),
            perf_data=perf_data,
            progress=progress,
        )
    console.show(outcome, as_json)
    with console.talking():
        console.summarize(summary, summarizing.published(outcome, str(repository)))
    if explain and not as_json:
        console.show_settings(outcome.settings)


@app.command()
def diff(
    source: Source,
    repository: Repository = HERE,
    name: NewName = None,
    version: NewVersion = None,
    unproven: Unproven = False,
    evidence_in_repository: EvidenceInRepository = False,
    max_batch_size: MaxBatchSize = None,
    max_queue_delay_us: MaxQueueDelay = None,
    instances: Instances = None,
    threads: Threads = None,
    device: Device = None,
    cpus: Cpus = None,
    pack: Pack = None,
    settings: Settings = None,
    settings_file: SettingsFile = None,
    triton: Triton = DEFAULT.name,
    converter: Converter = "",
    null_marker: NullMarker = "␀",
    schema: Schema = None,
    outputs: Outputs = None,
    tracking_uri: TrackingUri = None,
    registry_uri: RegistryUri = None,
    ansi: Ansi = None,
    timezone: Timezone = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="1 where publishing would change anything")] = False,
    markdown: Markdown = False,
    as_json: Json = False,
) -> None:
    """Say what publishing SOURCE with these flags would change against what is served, and write nothing."""
    from builder import console, flow

    flags = flags_of(max_batch_size, max_queue_delay_us, instances, threads, pack, device)
    with console.talking(as_json) as progress:
        wanted = wanted_of(source, schema, outputs, tracking_uri, registry_uri, ansi, timezone)
        outcome = flow.diff(
            replace(wanted, null_text=null_marker, converter=converter),
            repository,
            name=name,
            version=version,
            unproven=unproven,
            evidence_in_repository=evidence_in_repository,
            triton=triton,
            settings=wish_of(flags, settings or (), settings_file, cpus),
            progress=progress,
        )
    if markdown:
        console.print_text(outcome.markdown())
    else:
        console.show(outcome, as_json)
    if exit_code and outcome.differs:
        raise typer.Exit(CheckFailed.exit_code)


@app.command()
def rollout(
    name: Name,
    load: Annotated[list[str], typer.Option("--load", help=LOAD)],
    repository: Repository = HERE,
    version: Annotated[int | None, typer.Option(min=1, help="default: the one that the repository serves")] = None,
    load_header: LoadHeader = "",
    gate: Gated = False,
    gate_latency: GateLatency = None,
    as_json: Json = False,
) -> None:
    """Roll a version of the repository out: proven on every server under another name, then served on all or on none."""
    from builder import console, flow

    with console.talking(as_json) as progress:
        outcome = flow.rollout(
            name,
            repository,
            version=version,
            load=load,
            load_header=load_header,
            gate=gate_of(gate, gate_latency),
            progress=progress,
        )
    console.show(outcome, as_json)


@app.command()
def rollback(
    name: Name,
    repository: Repository = HERE,
    to: Annotated[int | None, typer.Option(min=1, help="default: the lower version that answered before")] = None,
    load: Load = None,
    load_header: LoadHeader = "",
    as_json: Json = False,
) -> None:
    """Serve an older version again: in the repository, then on every server. One that polls needs no --load."""
    from builder import console, flow

    with console.talking(as_json) as progress:
        outcome = flow.rollback(name, repository, to=to, load=load or (), load_header=load_header, progress=progress)
    console.show(outcome, as_json)


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
    model_config_name: Annotated[
        str, typer.Option(help="run models by configs/<this>.pbtxt, where they have it: cpu, gpu")
    ] = "",
    print_command: Annotated[
        bool, typer.Option("--print-command", help="start nothing: print how a production server is started")
    ] = False,
    triton: Annotated[str, typer.Option(help="the container's tag in that line")] = PINNED.name,
    load_header: Annotated[
        str,
        typer.Option(
            envvar="TRITONBUILD_LOAD_HEADER", help="NAME=VALUE that lets a client load models [default: drawn]"
        ),
    ] = "",
    restarts: Annotated[
        int, typer.Option(min=0, help="how many times an hour a server that died is started again")
    ] = 100,
) -> None:
    """Serve every model of the repository with a real tritonserver on this machine, until Ctrl-C."""
    from builder import console, flow

    ports = {"grpc_port": grpc_port, "http_port": http_port, "metrics_port": metrics_port}
    if print_command:
        with console.talking():
            told = flow.launch(repository, **ports, config_name=model_config_name, triton=triton)
        console.print_text(told)
        return
    with console.talking() as progress:
        running = flow.serve(
            repository,
            **ports,
            config_name=model_config_name,
            server=server,
            server_python=server_python,
            load_header=load_header,
            restarts=restarts,
            progress=progress,
        )
    with running:
        console.show_server(running)
        with console.talking():
            console.streaming(running)


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
        wanted = wanted_of(source, None, None, tracking_uri, registry_uri) if source else None
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
            concurrencies=numbers_of(concurrency, "--concurrency"),
            sizes=numbers_of(rows, "--rows"),
            spark=wanted_of(spark, schema, None, tracking_uri, registry_uri) if spark else None,
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
    _run()


def _run() -> None:
    """The command. SIGTERM and SIGHUP end it as Ctrl-C does, so all is taken back, with exit code 128 + the signal's number."""
    caught: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not caught:  # a second one does not stop what takes things back
            caught.append(number)
            raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has SIGHUP ignored: leave it so
            signal.signal(number, interrupt)
    try:
        app()
    finally:
        if caught:
            sys.exit(128 + caught[0])


if __name__ == "__main__":
    main()
