"""How Triton shall run a model: typed settings, and where each value came from.

A flag goes before `[models.NAME]` of tritonbuild.toml, that before its `[defaults]`, those before what stands here.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.documents import read_bytes
from builder.errors import UsageError
from builder.packing import AUTOMATIC, CHOICES

FILE = "tritonbuild.toml"
LEVELS = {"all": 0, "extended": 1, "basic": -1, "none": 2}
"""onnxruntime's graph optimizations, as its Triton backend numbers them."""

DEVICES = ("cpu", "gpu")
_MOST_BYTES = 1 << 20  # of a tritonbuild.toml
_SMALL_BYTES = 64 << 20  # a model that a core can hold by itself
_VERSIONS = re.compile(r"latest(:[1-9][0-9]*)?|all|[1-9][0-9]{0,17}(,[1-9][0-9]{0,17})*")
_TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # Prometheus' label names


def _setting(default: Any, meaning: str) -> Any:
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"meaning": meaning})
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """How Triton shall run a model. Raises UsageError where a value makes no sense."""

    # A 1,000-tree, ten-class forest holds [rows, trees, classes] doubles: 82 MB at 1,024 rows. One thread is busy long before.
    max_batch_size: int = _setting(1024, "rows a request, and rows that are joined into one run")
    preferred_batch_sizes: tuple[int, ...] = _setting(
        (), "sizes of a joined run to wait for; with max_queue_delay_us alone"
    )
    # Requests that come while the model is busy are joined anyway; to wait for more costs each lone request that time.
    max_queue_delay_us: int = _setting(0, "microseconds that a request waits for company")
    max_queue_size: int = _setting(0, "requests that may wait; the next is refused at once. 0: any number")
    queue_timeout_us: int = _setting(0, "microseconds after which a waiting request is refused. 0: never")
    priority_levels: int = _setting(
        0, "levels that requests may ask for, 1 the first; the middle one is the default. 0: none"
    )
    device: str = _setting(
        "cpu", "what config.pbtxt runs it on: cpu, or gpu; configs/ has both, for --model-config-name"
    )
    instances: int = _setting(1, "copies of the model that answer side by side")
    # The backend's default is a thread a core for each session: two models on a machine would fight for its cores.
    intra_op_threads: int = _setting(1, "onnxruntime's threads inside of an operator, an instance")
    inter_op_threads: int = _setting(1, "onnxruntime's threads across operators, an instance")
    versions: str = _setting("latest", "those that are loaded: latest, latest:2, all, or numbers: 3,5")
    response_cache: bool = _setting(False, "keep answers; the server needs --cache-config")
    warmup: int = _setting(1, "rows that a fresh instance answers before it is called ready")
    optimization: str = _setting("all", f"onnxruntime's graph optimizations: {', '.join(LEVELS)}; proven with all")
    pack: str = _setting("auto", f"many scalar inputs as one tensor a kind: auto (above {AUTOMATIC}), always, never")
    rate_limit: Mapping[str, int] = _setting({}, "resources that a run takes; the server needs --rate-limit")
    metric_tags: Mapping[str, str] = _setting({}, "labels on the model's metrics")

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "instances", "intra_op_threads", "inter_op_threads"):
            self._wants(name, getattr(self, name) >= 1, "give 1 or more.")
        for name in ("max_queue_delay_us", "max_queue_size", "queue_timeout_us", "priority_levels", "warmup"):
            self._wants(name, getattr(self, name) >= 0, "give 0 or more.")
        sizes = self.preferred_batch_sizes
        self._wants("preferred_batch_sizes", all(1 <= size <= self.max_batch_size for size in sizes),
                    f"give sizes from 1 to max_batch_size, {self.max_batch_size}.")  # fmt: skip
        self._wants("versions", _VERSIONS.fullmatch(self.versions), "give latest, latest:2, all, or numbers: 3,5.")
        self._wants("device", self.device in DEVICES, f"give one of {', '.join(DEVICES)}.")
        self._wants("optimization", self.optimization in LEVELS, f"give one of {', '.join(LEVELS)}.")
        self._wants("pack", self.pack in CHOICES, f"give one of {', '.join(CHOICES)}.")
        self._wants("rate_limit", all(count >= 1 for count in self.rate_limit.values()), "give 1 or more of each.")
        self._wants("metric_tags", all(map(_TAG.fullmatch, self.metric_tags)), "name them as Prometheus names labels.")

    def _wants(self, name: str, fine: object, fix: str) -> None:
        if not fine:
            raise UsageError(f"{name} is {shown(getattr(self, name))}.", fix=fix)


FIELDS = {one.name: one for one in dataclasses.fields(Settings)}


@dataclass(frozen=True)
class Chosen:
    """Settings, and for each its value's origin: a flag, a table of tritonbuild.toml, or "default"."""

    settings: Settings
    origins: Mapping[str, str]

    def json(self) -> dict[str, Any]:
        return {name: {"value": value, "from": origin} for name, value, origin, _ in self.lines()}

    def lines(self) -> Iterator[tuple[str, str, str, str]]:
        """(name, value, where it came from, what it means), in the order of the settings."""
        for name, one in FIELDS.items():
            yield name, shown(getattr(self.settings, name)), self.origins[name], one.metadata["meaning"]


@dataclass(frozen=True)
class Wish:
    """What a caller says of settings. `given`: by flags; a text is read as its setting's type. `file`: a tritonbuild.toml.

    `cpus`: those that the model shall have.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None
    cpus: int | None = None


def choose(name: str, wish: Wish, size: int = 0) -> Chosen:
    """The settings of the model `name`, of so many bytes.

    Of its cpus a small model gets an instance each, of one thread; a large one, which every instance would hold again,
    one instance of many threads. Raises UsageError on names, types and values that make no sense.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(FIELDS, "default")

    def take(found: Mapping[str, Any], origin: str) -> None:
        for key, value in found.items():
            values[key], origins[key] = _typed(key, value, origin), origin

    for table, found in _tables(wish.file, name):
        take(found, table)
    if (cpus := wish.cpus) is not None:
        if cpus < 1:
            raise UsageError(f"--cpus is {cpus}.", fix="give 1 or more.")
        small = size <= _SMALL_BYTES
        take({"instances": cpus if small else 1, "intra_op_threads": 1 if small else cpus},
             f"--cpus {cpus}, the model is {'small' if small else 'large'}")  # fmt: skip
    take(wish.given, "flag")
    return Chosen(Settings(**values), origins)


def shown(value: Any) -> str:
    """A value as a flag would give it."""
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(str, value)) or "none"
        case Mapping():
            return ",".join(f"{key}={one}" for key, one in value.items()) or "none"
    return str(value)


def _tables(file: Path | None, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables of a tritonbuild.toml that say something of the model, the weaker one first."""
    if file is None:
        return
    try:
        document = tomllib.loads(read_bytes(file, _MOST_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: what is no TOML, no UTF-8 or too large
        raise UsageError(f"{file} cannot be read: {error}", fix="mend it, or move it away.") from error
    strange = sorted(document.keys() - {"defaults", "models"})
    models = document.get("models", {})
    tables = [document.get("defaults", {}), models, *(models.values() if isinstance(models, dict) else ())]
    if strange or not all(isinstance(table, dict) for table in tables):
        raise UsageError(
            f"{file} holds {', '.join(strange) or 'a value where a table belongs'}.",
            fix="it has the tables [defaults] and [models.NAME], and in them settings by name.",
        )
    yield f"{file.name} [defaults]", document.get("defaults", {})
    yield f"{file.name} [models.{name}]", models.get(name, {})


def _typed(name: str, value: Any, origin: str) -> Any:
    """The value in its setting's type; out of a text, as a flag gives it."""
    if name not in FIELDS:
        near = difflib.get_close_matches(name, FIELDS, 1)
        raise UsageError(
            f"{name!r} ({origin}) is no setting.",
            fix=f"did you mean {near[0]}?" if near else f"there are {', '.join(FIELDS)}.",
        )
    kind = str(FIELDS[name].type)
    found = _read(kind, value) if isinstance(value, str) else value
    match kind, found:
        case ("int", int()) | ("bool", bool()) if (kind == "bool") == isinstance(found, bool):
            return found
        case "str", str() | int():
            return str(found)
        case "tuple[int, ...]", list() | tuple() if all(map(_whole, found)):
            return tuple(found)
        case "Mapping[str, int]", dict() if all(map(_whole, found.values())):
            return found
        case "Mapping[str, str]", dict():
            return {key: str(one) for key, one in found.items()}
    raise UsageError(f"{name} ({origin}) is {value!r}.", fix=f"{_WANTED[kind]}: {FIELDS[name].metadata['meaning']}.")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _read(kind: str, text: str) -> Any:
    """What a text says, where it says something of that kind; else the text."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    pairs = dict(part.split("=", 1) for part in parts if "=" in part)
    try:
        match kind:
            case "int":
                return int(text)
            case "bool":
                return {"true": True, "false": False}.get(text.lower(), text)
            case "tuple[int, ...]":
                return tuple(map(int, parts))
            case "Mapping[str, int]" if len(pairs) == len(parts):
                return {key: int(value) for key, value in pairs.items()}
            case "Mapping[str, str]" if len(pairs) == len(parts):
                return pairs
    except ValueError:
        return text
    return text


_WANTED = {
    "int": "give a whole number",
    "bool": "give true or false",
    "str": "give a text",
    "tuple[int, ...]": "give whole numbers, 8,16",
    "Mapping[str, int]": "give names and whole numbers, cores=1",
    "Mapping[str, str]": "give names and texts, team=risk",
}
