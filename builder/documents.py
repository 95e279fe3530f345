"""JSON and YAML that come from outside → Python, with what no honest file has refused by name: at one place, in bounded time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_MOST_BYTES = 1 << 28  # a large pipeline's metadata has some kilobytes; a booster's JSON may have a hundred megabytes
_MOST_YAML_BYTES = 1 << 21
_YAML_DEPTH = 50
_ALIASES = 16
_YAML_EVENTS = 20_000  # MLflow writes some hundreds
_YAML_TAGS = (None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "binary", "set")))  # read in linear time
_DIGITS = 400  # of a number: the largest double has 309
_DEPTH = 200
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class Unreadable(ValueError):
    """Why a text is not JSON that can be read."""


def parse_json(text: str | bytes) -> Any:
    """A JSON document; NaN and Infinity as Python's writers put them (xgboost.spark). Raises Unreadable: no JSON, a key twice, numbers of more than 400 digits, more than 200 levels, text that is no Unicode (a lone surrogate), more than 256 MB."""
    if len(text) > _MOST_BYTES:
        raise Unreadable(f"it has {len(text):,} bytes, more than {_MOST_BYTES:,}")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_object, parse_int=_whole, parse_float=_number)
    except RecursionError as error:
        raise Unreadable("it is nested too deep") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 ({error})") from error
    except json.JSONDecodeError as error:
        raise Unreadable(f"it is not JSON ({error})") from error
    if text.count("[") + text.count("{") > _DEPTH:
        _check_depth(document)
    if _SURROGATE.search(text):
        _check_text(document)
    return document


def read_json(file: Path) -> Any:
    """The document of a file. Raises Unreadable, and OSError where it cannot be opened."""
    return parse_json(read_bytes(file, _MOST_BYTES))


def read_bytes(file: Path, most: int = _MOST_BYTES) -> bytes:
    """A file's content. Raises Unreadable where it has more than `most` bytes, whatever it says of its size; and OSError."""
    with file.open("rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise Unreadable(f"it has more than {most:,} bytes")
    return content


def read_yaml(file: Path) -> Any:
    """A YAML document: lists, objects, texts and null; a number or a date stays the text that it is, `<<` a key.

    Raises Unreadable: no YAML, more than 2 MB, 20,000 values, 16 aliases or 50 levels, or another tag than
    str, binary and set; and OSError.
    """
    import yaml

    try:
        text = read_bytes(file, _MOST_YAML_BYTES).decode("utf-8")
        if any(line.startswith("%") for line in text.splitlines()):
            raise Unreadable("it has a directive")  # libyaml compares each %TAG with all before it
        loader = _yaml_loader()
        _check_events(yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=loader)
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 ({error})") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"it is not plain YAML ({' '.join(str(error).split())[:300]})") from error


def _yaml_loader() -> Any:
    """YAML's own reading of plain scalars is not linear: `1:1:1…` is a number of base 60, `<<` copies what it names."""
    import yaml

    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # Python's own needs 10 s a megabyte
    null = "tag:yaml.org,2002:null"
    resolvers = {
        first: [one for one in found if one[0] == null] for first, found in fast.yaml_implicit_resolvers.items()
    }
    return type("PlainLoader", (fast,), {"yaml_implicit_resolvers": resolvers})


def _check_events(events: Iterable[Any]) -> None:
    import yaml

    depth = aliases = 0
    for count, event in enumerate(events):
        aliases += isinstance(event, yaml.AliasEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _YAML_DEPTH or aliases > _ALIASES or count > _YAML_EVENTS:
            raise Unreadable(f"it has more than {_YAML_DEPTH} levels, {_ALIASES} aliases or {_YAML_EVENTS:,} values")
        if getattr(event, "tag", None) not in _YAML_TAGS:
            raise Unreadable(f"it has a tag, {event.tag[:80]!r}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        raise Unreadable(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice in an object")
    return made


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise Unreadable(f"a number of {len(text):,} digits")
    return int(text)


def _number(text: str) -> float:
    if len(text) > _DIGITS:
        raise Unreadable(f"a number of {len(text):,} digits")
    return float(text)


def _check_depth(document: Any) -> None:
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > _DEPTH:
            raise Unreadable(f"it is nested more than {_DEPTH} levels deep")
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]


def _check_text(document: Any) -> None:
    """Raises Unreadable on a text that is no Unicode: it could be neither printed nor sent."""
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if not one.isascii() and any("\ud800" <= character <= "\udfff" for character in one):
                raise Unreadable(f"the text {one[:80]!r} holds half of a surrogate pair")
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
