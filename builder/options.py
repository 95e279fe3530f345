"""What the command's functions take: each option that several of them have, said once; and what its text means."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from builder.releases import OLDEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.flow import Wanted
    from builder.triton.settings import Wish

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
NewName = Annotated[str | None, typer.Option(help="the model's name in Triton; default: its registered name")]
NewVersion = Annotated[int | None, typer.Option(min=1, help="default: MLflow's version, else the next free number")]
Unproven = Annotated[bool, typer.Option("--unproven", help="without evidence; manifest and config will say so")]
EvidenceInRepository = Annotated[
    bool, typer.Option("--evidence-in-repository", help="also the users' rows, which may be personal data")
]
MaxBatchSize = Annotated[int | None, typer.Option(help="rows a request, and rows joined into one run")]
MaxQueueDelay = Annotated[int | None, typer.Option(help="microseconds to wait for company")]
Instances = Annotated[int | None, typer.Option(help="copies of the model that answer side by side")]
Threads = Annotated[int | None, typer.Option(help="onnxruntime's threads an instance")]
Cpus = Annotated[int | None, typer.Option(help="the cores it shall have: instances and threads follow")]
Device = Annotated[str | None, typer.Option(help="cpu or gpu: what config.pbtxt runs it on, as far as onnxruntime can")]
Pack = Annotated[
    bool | None, typer.Option("--pack/--no-pack", help="scalar inputs as one tensor a kind; default: above a width")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="any setting by its name, NAME=VALUE; --explain lists them")
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="[defaults] and [models.NAME]; default: tritonbuild.toml, if there")
]
NullMarker = Annotated[str, typer.Option(help="what stands for null among strings")]
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
LOAD = "a server to roll it out to, grpc://host:8001 or http://host:8000; give each: all of them take it, or none"
Load = Annotated[list[str] | None, typer.Option("--load", help=LOAD)]
LoadHeader = Annotated[
    str,
    typer.Option(
        envvar="TRITONBUILD_LOAD_HEADER", help="NAME=VALUE, where the servers let nobody load models without it"
    ),
]
Gated = Annotated[
    bool, typer.Option("--gate", help="refuse what is less equal to Spark, or slower, than the version now served")
]
GateLatency = Annotated[
    float | None, typer.Option(min=0, help="the gate, with the factor by which a row may take longer [default: 1.25]")
]


def wanted_of(
    source: str,
    schema: Path | None,
    outputs: str | None,
    tracking_uri: str | None,
    registry_uri: str | None,
    ansi: bool | None = None,
    timezone: str | None = None,
) -> Wanted:
    """Which model, and what of it."""
    from builder.flow import Wanted
    from builder.types import Session

    chosen = None if outputs is None else tuple(name.strip() for name in outputs.split(",") if name.strip())
    return Wanted(source, schema, chosen, tracking_uri, registry_uri, session=Session(ansi, timezone))


def flags_of(
    max_batch_size: int | None,
    max_queue_delay_us: int | None,
    instances: int | None,
    threads: int | None,
    pack: bool | None,
    device: str | None,
) -> dict[str, int | str | None]:
    """The settings that have a flag of their own."""
    return {
        "max_batch_size": max_batch_size,
        "max_queue_delay_us": max_queue_delay_us,
        "instances": instances,
        "intra_op_threads": threads,
        "pack": None if pack is None else "always" if pack else "never",
        "device": device,
    }


def wish_of(
    flags: Mapping[str, int | str | None], settings: Sequence[str], file: Path | None, cpus: int | None
) -> Wish:
    """What is said of settings: by these flags, by `--set`, by a file. Raises BadParameter."""
    from builder.triton.settings import FILE, Wish

    given: dict[str, object] = {name: value for name, value in flags.items() if value is not None}
    for setting in settings:
        name, there, value = setting.partition("=")
        if not there:
            raise typer.BadParameter(f"{setting!r} is no NAME=VALUE", param_hint="--set")
        given[name.strip()] = value.strip()
    beside = Path(FILE)
    return Wish(given, file or (beside if beside.exists() else None), cpus)


def gate_of(wanted: bool, latency: float | None) -> float | None:
    """The gate's factor; None where no gate is wanted. Raises BadParameter."""
    from builder.gating import ALLOWED

    if latency is not None and not math.isfinite(latency):
        raise typer.BadParameter(f"{latency} is no factor such as 1.25", param_hint="--gate-latency")
    return latency if latency is not None else ALLOWED if wanted else None


def numbers_of(text: str, option: str) -> tuple[int, ...]:
    """`1,4`. Raises BadParameter."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 1,4", param_hint=option)
    return numbers
