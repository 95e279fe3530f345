"""python -m tests.mutants [module …] [--at-most N] [--like TEXT]: spoil the rules, and see whether the recorded answers notice.

Without a module, all of builder/stages/. Survivors are listed with their place as they come; those that survivors.txt
explains are counted alone. Exit 1 where one is not explained, or an explained one is noticed now or planted no more.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.planting import Mutant, mutants
from tests.mutants.running import ROOT, Result, reach, rows_of, run

EXPLAINED = Path(__file__).with_name("survivors.txt")


def explained() -> dict[tuple[str, str], str]:
    """(module, key) → why nobody can notice. A module's name, then under it `key  -- reason` a line."""
    found, module = {}, ""
    for line in EXPLAINED.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            module = line.strip("[]")
        elif " -- " in line and not line.startswith("#"):
            key, _, reason = line.rpartition(" -- ")
            found[module, key.strip()] = reason.strip()
    return found


def chosen(names: list[str]) -> list[str]:
    """Module names as Python has them; `scaling` is builder.stages.scaling, `graph.lookup` is builder.graph.lookup."""
    if names:
        return [f"builder.{name}" if "." in name else f"builder.stages.{name}" for name in names]
    files = sorted((ROOT / "builder" / "stages").glob("*.py"))
    return [f"builder.stages.{file.stem}" for file in files if file.stem not in ("__init__", "listing")]


def spread(planted: list[Mutant], at_most: int) -> list[Mutant]:
    """So many of them, evenly spread."""
    if at_most <= 0 or len(planted) <= at_most:
        return planted
    return [planted[i * len(planted) // at_most] for i in range(at_most)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--at-most", type=int, default=0, help="mutants a module, evenly spread; 0: all")
    parser.add_argument("--like", default="", help="those alone whose function, fault or text holds this")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    reasons, failed = explained(), False
    for module in chosen(given.modules):
        source = (ROOT / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8")
        possible, rows = list(mutants(module, source)), rows_of(module)
        failed |= gone(module, possible, reasons)
        planted = spread([mutant for mutant in possible if given.like in mutant.key], given.at_most)
        if planted:
            reached = reach(module, rows, given.processes)
            failed |= judged(module, run(planted, rows, reached, given.processes), len(rows), reasons)
    return int(failed)


def gone(module: str, possible: Iterable[Mutant], reasons: dict[tuple[str, str], str]) -> bool:
    """Print the explanations of faults that no line of the module can have any more; whether there is one."""
    known = {key for of, key in reasons if of == module} - {mutant.key for mutant in possible}
    for key in sorted(known):
        print(f"  {EXPLAINED.name}: {module}: explained, and planted no more: {key}", flush=True)
    return bool(known)


def judged(module: str, results: Iterable[Result], rows: int, reasons: dict[tuple[str, str], str]) -> bool:
    """Print what needs a person as it comes, and the module's score at its end; whether something needs one."""
    began, path = time.monotonic(), module.replace(".", "/") + ".py"
    score: Counter[str] = Counter()
    for result in results:
        fate = fate_of(result, known=(module, result.mutant.key) in reasons)
        score[fate] += 1
        if fate in ("survives", "stale"):
            seen = f"{result.asked} rows run it" if result.asked else "no row runs it"
            told = f"explained, and noticed now by {result.by}" if fate == "stale" else seen
            print(f"  {path}:{result.mutant.line}: {result.mutant.key} ({told})", flush=True)
    print(
        f"{module}: {score.total() - score['idle']} mutants, {score['noticed'] + score['stale']} noticed by {rows} rows, "
        f"{score['explained']} explained, {score['survives']} survive; {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return bool(score["survives"] or score["stale"])


def fate_of(result: Result, known: bool) -> str:
    """idle, noticed, explained; or what needs a person: survives, stale (an explanation of what is noticed)."""
    if result.idle:
        return "idle"
    if result.by:
        return "stale" if known else "noticed"
    return "explained" if known else "survives"


if __name__ == "__main__":
    sys.exit(main())
