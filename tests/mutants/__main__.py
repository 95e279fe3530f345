"""python -m tests.mutants [module …] [--at-most N] [--like TEXT]: spoil the rules, and see whether the recorded answers notice.

Without a module, all of builder/stages/. Survivors are listed with their place; those that survivors.txt explains are
counted alone. Exit 1 where one is not explained, or an explained one is noticed now.
"""

from __future__ import annotations

import argparse
import sys
import time
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
        elif " -- " in line:
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
        asked = [mutant for mutant in mutants(module, source) if given.like in mutant.key]
        planted, rows = spread(asked, given.at_most), rows_of(module)
        if planted:
            began = time.monotonic()
            results = list(run(planted, rows, reach(module, rows, given.processes), given.processes))
            failed |= tell(module, results, len(rows), reasons, time.monotonic() - began)
    return int(failed)


def tell(module: str, results: list[Result], rows: int, reasons: dict[tuple[str, str], str], seconds: float) -> bool:
    """Print a module's score; whether something needs a person."""
    told = [result for result in results if not result.idle]
    alive = [result for result in told if not result.by]
    new = [result for result in alive if (module, result.mutant.key) not in reasons]
    stale = [result.mutant for result in told if result.by and (module, result.mutant.key) in reasons]
    print(
        f"{module}: {len(told)} mutants, {len(told) - len(alive)} noticed by {rows} rows, {len(alive) - len(new)} explained, "
        f"{len(new)} survive; {seconds:.0f} s"
    )
    path = module.replace(".", "/") + ".py"
    for result in new:
        seen = f" ({result.asked} rows run it)" if result.asked else " (no row runs it)"
        print(f"  {path}:{result.mutant.line}: {result.mutant.key}{seen}")
    for mutant in stale:
        print(f"  {path}:{mutant.line}: explained, and noticed now: {mutant.key}")
    sys.stdout.flush()
    return bool(new or stale)


if __name__ == "__main__":
    sys.exit(main())
