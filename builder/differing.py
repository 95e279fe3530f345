"""A prepared version beside the one that is served: what publishing would change. Nothing is written, no lock is taken."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from builder.differences import Change, Difference, Verdict

if TYPE_CHECKING:
    from builder.publishing import Prepared
    from builder.triton.layout import Files, Repository
    from builder.triton.stores import Store

_UID = re.compile(r"_[0-9a-f]{12,}$")  # what Spark puts behind a stage's class, anew at each fit
_Told = Mapping[str, Any]


def difference(source: str, repository: Repository, prepared: Prepared) -> Difference:
    """The prepared version beside the one that the repository serves. Raises UsageError, Unreachable."""
    from builder.triton.layout import CONFIG, MANIFEST
    from builder.triton.repository import read_manifest, serving, versions
    from builder.triton.stores import store_of

    name, store = prepared.name, store_of(repository)
    there = versions(repository, name)
    served = serving(repository, name) if there else None
    before = read_manifest(repository, name, served) if there else None
    with store.errors():
        version, same = _number(store, prepared, there)
        now = _settings_of(store, name) if there else {}
        then = _settings_then(store, prepared, version, there)
        kept = same and _keeps(store, prepared, version) and then in (now, None)
        size = _size(store, f"{name}/{served}") if there else None
    verdict, changes = _verdict(bool(there), version in there, same, kept), tuple[Change, ...]()
    if before and verdict != "same":
        changes = (*_changes(before, prepared.manifest), *_beside(now, now if then is None else then))
    return Difference(
        name,
        source,
        str(repository),
        version,
        verdict,
        served,
        then is not None,
        changes,
        () if then is None else tuple(_unified(now.get(CONFIG, b""), then[CONFIG], served, version)),
        (size, sum(len(content) for one, content in prepared.files.items() if one != MANIFEST)),
        prepared.notes,
    )


def _size(store: Store, path: str) -> int:
    """Bytes of a version's content; its manifest and the settings it keeps aside."""
    from builder.triton.layout import MANIFEST, is_setting

    return sum(size for one, size in store.files(path).items() if one != MANIFEST and not is_setting(one))


def _keeps(store: Store, prepared: Prepared, version: int) -> bool:
    """Whether a version that is there keeps these very settings."""
    from builder.triton.content import as_json
    from builder.triton.layout import MANIFEST

    path = f"{prepared.name}/{version}"
    told = as_json(store.read(f"{path}/{MANIFEST}"))
    alike = isinstance(told, dict) and told.get("config") == prepared.manifest.get("config")
    return alike and _settings_of(store, path) == {one: bytes(content) for one, content in prepared.beside.items()}


def _number(store: Store, prepared: Prepared, there: Sequence[int]) -> tuple[int, bool]:
    """The version that it would be, and whether that is there with this very content."""
    from builder.triton.content import joins, same

    newest = there[-1] if there else 0
    number = prepared.version or newest
    alike = number in there and (
        same(store, f"{prepared.name}/{number}", prepared.files)
        or joins(store, f"{prepared.name}/{number}", prepared.files)
    )
    return (number if prepared.version or alike else newest + 1), alike


def _verdict(model: bool, known: bool, same: bool, settled: bool) -> Verdict:
    if not model:
        return "first"
    if not known:
        return "new"
    if not same:
        return "refused"
    return "same" if settled else "settings"


def _settings_of(store: Store, path: str) -> dict[str, bytes]:
    """Those at model level, with whatever was changed there by hand, or those that a version keeps."""
    from builder.triton.layout import is_setting

    return {one: store.read(f"{path}/{one}") for one in store.files(path) if is_setting(one)}


def _settings_then(store: Store, prepared: Prepared, version: int, there: Sequence[int]) -> Files | None:
    """What would lie at model level; None where the settings of the version that answers stay."""
    from builder.triton.answering import following, policy_at, shown

    current, newest = policy_at(store, prepared.name), there[-1] if there else 0
    if not (version > newest or version == current.owner or (version == newest and not current.held)):
        return None
    policy = following(current, prepared.beside, version, sorted({*there, version}))
    return {path: bytes(content) for path, content in shown(prepared.beside, policy).items()}


def _unified(before: bytes, after: bytes | memoryview, served: int | None, version: int) -> Iterator[str]:
    old, new = (bytes(text).decode("utf-8", "replace").splitlines() for text in (before, after))
    labels = "config.pbtxt" if served else "/dev/null", "config.pbtxt"
    dates = f"version {served}" if served else "", f"version {version}"
    return difflib.unified_diff(old, new, *labels, *dates, lineterm="")


def _changes(before: _Told, after: _Told) -> Iterator[Change]:
    """Of two manifests, what breaks clients first."""
    yield from _tensors("input", before, after)
    yield from _tensors("output", before, after)
    yield from _named("tensor", _packs(before), _packs(after), breaks=True)
    yield from _named("invalid", _reasons(before), _reasons(after))
    yield from _stages(before["stages"], after["stages"])
    yield from _named("setting", _settings(before), _settings(after))
    yield from _named("origin", _origin(before), _origin(after))
    yield from _named("file", before.get("files", {}), after["files"])


def _named(what: str, before: Mapping[str, str], after: Mapping[str, str], breaks: bool = False) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield Change(what, name, before.get(name), after.get(name), breaks)


def _tensors(what: str, before: _Told, after: _Told) -> Iterator[Change]:
    """What is asked for and what is answered, column by column. What is answered besides breaks nobody."""
    old, new = ({spec["name"]: spec for spec in told[f"{what}s"]} for told in (before, after))
    was, will = ({name: _tensor(spec) for name, spec in specs.items()} for specs in (old, new))
    for change in _named(what, was, will):
        added = what == "output" and change.before is None
        wider = what == "input" and change.before and change.after and _only_wider(old[change.name], new[change.name])
        yield Change(what, change.name, change.before, change.after, breaks=not (added or wider))


def _tensor(spec: _Told) -> str:
    null = f", null is {spec['null_text']}" if spec["type"] in ("string", "array<string>") else ", may be null"
    return f"{spec['type']}, {spec['triton']} [N, {spec['width']}]{null if spec['nullable'] else ', never null'}"


def _only_wider(before: _Told, after: _Told) -> bool:
    """Whether an input takes all that it took, and nulls besides."""
    return after["nullable"] and before == dict(after) | {"nullable": False}


def _packs(told: _Told) -> dict[str, str]:
    """Tensors that travel in the place of many inputs."""
    return {
        pack["name"]: f"{pack['triton']} [N, {len(pack['columns'])}]: {', '.join(pack['columns'])}"
        for pack in told.get("packed", ())
    }


def _reasons(told: _Told) -> dict[str, str]:
    """Why a row may be refused → its number. A stage's uid is new at each fit: its class stands for it."""
    found: dict[str, list[str]] = {}
    for reason in told["invalid"]:
        stage = _UID.sub("", reason["stage"])
        found.setdefault(": ".join(filter(None, (stage, reason["column"], reason["reason"]))), []).append(
            str(reason["code"])
        )
    return {text: ", ".join(codes) for text, codes in found.items()}


def _stages(before: Sequence[_Told], after: Sequence[_Told]) -> Iterator[Change]:
    """Stages added and removed, and words that became others; a stage is known by its class and its place."""
    names = [[stage["class"].rsplit(".", 1)[-1] for stage in stages] for stages in (before, after)]
    for _, low, high, start, end in difflib.SequenceMatcher(None, names[0], names[1], autojunk=False).get_opcodes():
        for old, new in zip_longest(range(low, high), range(start, end)):
            was = None if old is None else f"{names[0][old]}: {_word(before[old])}"
            will = None if new is None else f"{names[1][new]}: {_word(after[new])}"
            if was != will:
                yield Change("stage", str((old if new is None else new) + 1), was, will)


def _word(stage: _Told) -> str:
    return str(stage["word"] or stage["verdict"])


def _settings(told: _Told) -> dict[str, str]:
    """Each with where it came from; of a manifest that tells none, none."""
    settings = told.get("config", {}).get("settings", {})
    return {name: f"{one['value']} ({one['from']})" for name, one in settings.items()}


def _origin(told: _Told) -> dict[str, str]:
    """Where it comes from and what it was proven with."""
    source, proof = told["source"], told["proof"]
    facts = {f"source {key}": source.get(key) for key in ("uri", "run_id", "digest", "saved_by_spark")}
    facts |= {"converter": told.get("converter"), "triton": told.get("target", {}).get("triton")}
    if isinstance(proof, dict):
        facts |= {f"proof {key}": proof[key] for key in ("spark_version", "rows", "coverage") if key in proof}
    else:
        facts["proof"] = proof
    return {name: str(fact) for name, fact in facts.items() if fact is not None}


def _beside(before: Files, after: Files) -> Iterator[Change]:
    """Files beside config.pbtxt; of what is no text of ours, that it changes."""
    from builder.triton.answering import digest_of
    from builder.triton.layout import CONFIG, LABELS, WARMUP

    for path in sorted({*before, *after} - {CONFIG}):
        old, new = before.get(path), after.get(path)
        if old == new or path.startswith(f"{WARMUP}/"):
            continue
        told = _lines if path == LABELS else digest_of
        was, will = (None if side is None else told(side) for side in (old, new))
        yield Change("file", path, was, will, breaks=path == LABELS)
    warm, warmed = (_below(WARMUP, files) for files in (before, after))
    if warm != warmed:  # a file is named by its content
        yield Change("file", f"{WARMUP}/", f"files: {len(warm)}", f"files: {len(warmed)}")


def _below(folder: str, files: Files) -> set[str]:
    return {path for path in files if path.startswith(f"{folder}/")}


def _lines(content: bytes | memoryview) -> str:
    return ", ".join(bytes(content).decode("utf-8", "replace").splitlines())
