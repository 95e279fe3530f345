"""Which version answers: the one part of a config.pbtxt that the repository writes itself.

A model's config.pbtxt names the versions that it lets Triton load. So a new version's files may appear, in any order and
however slowly, and nobody loads them before the one file is replaced that names them; and an older version answers again
when it is named. What else the text says, and its comments, stay as they are. Beside the names stands what the
repository must know later: which version the settings belong to, which one answered before it, and whether somebody
wanted it so although there is a higher one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from builder.errors import UsageError
from builder.triton.layout import PREFIX

_FIELD = "version_policy"
_NUMBER = re.compile(r"[0-9]{1,18}")
_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}<>]|[A-Za-z_][A-Za-z0-9_]*""")
_ABOVE = re.compile(r"(?:^[ \t]*#[^\n]*\n)+\Z", re.MULTILINE)  # the comment right above a section


@dataclass(frozen=True)
class Policy:
    """What a model's config.pbtxt says of its versions.

    `loaded`: those it names; empty where it names none (then Triton takes the highest). `owner`: whose settings they are;
    None where no tritonbuild wrote it. `before`: the version that answered before it; None where there was none.
    `held`: it answers although there is a higher one, and goes on doing so when that is published again.
    """

    loaded: tuple[int, ...] = ()
    owner: int | None = None
    before: int | None = None
    held: bool = False


def parse(text: str, where: object) -> Any:
    """A ModelConfig. Raises UsageError where the text is none."""
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2 as proto

    try:
        return text_format.Parse(text, proto.ModelConfig())
    except (text_format.ParseError, ValueError, RecursionError) as error:  # a number out of its range is a ValueError
        raise UsageError(f"{where} is no model configuration: {error}", fix="publish the model again.") from error


def policy_of(config: Any) -> Policy:
    """Out of a ModelConfig."""
    told = {key: config.parameters[PREFIX + key].string_value for key in ("version", "version_before", "version_held")
            if PREFIX + key in config.parameters}  # fmt: skip
    owner, before = (
        int(told[key]) if _NUMBER.fullmatch(told.get(key, "")) else None for key in ("version", "version_before")
    )
    return Policy(tuple(config.version_policy.specific.versions), owner, before, told.get("version_held") == "true")


def allowed(config: Any, owner: int, there: Sequence[int]) -> tuple[int, ...]:
    """Those of the versions `there` that a config as it was published lets Triton load, while `owner` is the highest of them.

    One that names its versions means them; `latest` and `all` end with the owner.
    """
    known = tuple(version for version in sorted(there) if version <= owner)
    policy = config.version_policy
    if f"{PREFIX}version" in config.parameters:  # it comes out of a repository: these names are not its author's
        return known[-1:]
    match policy.WhichOneof("policy_choice"):
        case "all":
            return known
        case "specific":
            return tuple(policy.specific.versions)
        case "latest":
            return known[-max(1, policy.latest.num_versions) :]
    return known[-1:]


def rendered(text: str, policy: Policy) -> str:
    """The config's text with that policy."""
    start, end = _section(text)
    parts = [text[:start], _policy_text(policy), text[end:].lstrip("\n")]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part.strip()) + "\n" + _told(policy)


def _policy_text(policy: Policy) -> str:
    names = ", ".join(map(str, policy.loaded))
    versions = "".join(f"    versions: {version}\n" for version in policy.loaded)
    told = f"# Loaded: {names}. The highest answers who asks for none. Named, so that no other is loaded before it is whole.\n"
    return f"{told}{_FIELD} {{\n  specific {{\n{versions}  }}\n}}\n"


def _told(policy: Policy) -> str:
    told = {"version": str(policy.owner), "version_before": str(policy.before or "")}
    told |= {"version_held": "true"} if policy.held else {}
    comment = "# The repository's own: whose settings these are, and which version answered before it."
    if policy.held:
        comment += " Held: there is a higher one."
    entries = (
        f'parameters {{\n  key: "{PREFIX}{key}"\n  value {{\n    string_value: "{value}"\n  }}\n}}\n'
        for key, value in told.items()
        if value
    )
    return comment + "\n" + "".join(entries)


def _section(text: str) -> tuple[int, int]:
    """Where the text's own version_policy begins, with the comment above it, and ends; the text's end where it has none."""
    depth, begun = 0, None
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word in "{<":
            depth += 1
        elif word in "}>":
            depth -= 1
            if depth == 0 and begun is not None:
                above = _ABOVE.search(text, 0, begun)
                return above.start() if above else begun, token.end()
        elif depth == 0 and word == _FIELD:
            begun = token.start()
    return len(text), len(text)
