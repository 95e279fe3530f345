"""Which Triton release can run what: the one table of NVIDIA's containers and the onnxruntime inside each.

The onnxruntime is the one that build.py of the release names; its limits were measured by loading models of one node
into that wheel (of 1.23.1 they are taken from its neighbours). A double `ai.onnx.ml.TreeEnsemble`, which is how trees
answer to the bit, loads from onnxruntime 1.21 on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builder.errors import UsageError

TREE_ENSEMBLE = "ai.onnx.ml.TreeEnsemble"


@dataclass(frozen=True)
class Needs:
    """What a graph asks of onnxruntime. `operators` with their domain, where that is not ONNX's own."""

    ir: int
    opset: int
    ml: int
    operators: frozenset[str]


@dataclass(frozen=True)
class Target:
    """A release: its container's tag, Triton's version, its onnxruntime, and the newest that this one loads.

    `tree_ensemble`: it has the operator in double. `subnormals`: its double Exp and Log know numbers below 2.2e-308; an older
    Exp stays at 5.6e-309, an older Log at -708.4.
    """

    name: str
    triton: str
    onnxruntime: str
    ir: int
    opset: int
    ml: int
    tree_ensemble: bool = True
    subnormals: bool = True

    def lacks(self, needs: Needs) -> tuple[str, ...]:
        """What of `needs` this release does not have, in words; nothing where it runs the graph."""
        limits = (
            ("IR version", needs.ir, self.ir),
            ("opset", needs.opset, self.opset),
            ("opset ai.onnx.ml", needs.ml, self.ml),
        )
        lacking = [f"{what} {wanted} (it has {most})" for what, wanted, most in limits if wanted > most]
        if TREE_ENSEMBLE in needs.operators and not self.tree_ensemble:
            lacking.append(f"{TREE_ENSEMBLE} in double")
        return tuple(lacking)

    def older_than(self, name: str) -> bool:
        """Whether the release of this name came later."""
        return TARGETS.index(self) < TARGETS.index(target_of(name))

    def __str__(self) -> str:
        return f"Triton {self.name} (onnxruntime {self.onnxruntime})"


TARGETS = (
    Target("24.10", "2.51", "1.19.2", 10, 21, 5, tree_ensemble=False, subnormals=False),
    Target("24.11", "2.52", "1.19.2", 10, 21, 5, tree_ensemble=False, subnormals=False),
    Target("24.12", "2.53", "1.20.1", 10, 21, 5, tree_ensemble=False, subnormals=False),
    Target("25.01", "2.54", "1.20.1", 10, 21, 5, tree_ensemble=False, subnormals=False),
    Target("25.02", "2.55", "1.20.1", 10, 21, 5, tree_ensemble=False, subnormals=False),
    Target("25.03", "2.56", "1.21.0", 10, 22, 5),
    Target("25.04", "2.57", "1.21.0", 10, 22, 5),
    Target("25.05", "2.58", "1.22.0", 10, 22, 5),
    Target("25.06", "2.59", "1.22.0", 10, 22, 5),
    Target("25.07", "2.59.1", "1.22.0", 10, 22, 5),
    Target("25.08", "2.60", "1.23.0", 11, 23, 5),
    Target("25.09", "2.61", "1.23.0", 11, 23, 5),
    Target("25.10", "2.62", "1.23.1", 11, 23, 5),
    Target("25.11", "2.63", "1.23.2", 11, 23, 5),
    Target("25.12", "2.64", "1.23.2", 11, 23, 5),
    Target("26.01", "2.65", "1.23.2", 11, 23, 5),
    Target("26.02", "2.66", "1.24.1", 13, 25, 5),
    Target("26.03", "2.67", "1.24.2", 13, 25, 5),
    Target("26.04", "2.68", "1.24.4", 13, 25, 5),
    Target("26.05", "2.69", "1.24.4", 13, 25, 5),
    Target("26.06", "2.70", "1.24.4", 13, 25, 5),
    Target("26.07", "2.71", "1.27.0", 13, 26, 5),
    Target("26.08", "2.72", "1.28.0", 13, 26, 5),
)
OLDEST = TARGETS[0]
PINNED = TARGETS[-1]
"""What the launch lines and docker-compose.yml run: the newest, which `make releases` tries every rule on."""
DEFAULT = next(target for target in TARGETS if target.tree_ensemble)


def target_of(name: str) -> Target:
    """The release of a container's tag. Raises UsageError where the table has none of that name."""
    for target in TARGETS:
        if target.name == name:
            return target
    raise UsageError(
        f"{name!r} is no Triton release that is known here.",
        fix=f"give a container's tag from {OLDEST.name} to {TARGETS[-1].name}; a newer server runs what {TARGETS[-1].name} runs.",
    )


def able(needs: Needs) -> tuple[Target, ...]:
    """The releases that run a graph, oldest first."""
    return tuple(target for target in TARGETS if not target.lacks(needs))


def spans(targets: Iterable[Target]) -> str:
    """Releases in words: `25.03 and newer`, `24.10 to 25.02`, `none`."""
    places = [TARGETS.index(target) for target in targets]
    if not places:
        return "none"
    first, last = places[0], places[-1]
    assert places == list(range(first, last + 1)), "what a release runs, the next one runs too"
    if last == len(TARGETS) - 1:
        return f"{TARGETS[first].name} and newer"
    return f"{TARGETS[first].name} to {TARGETS[last].name}"
