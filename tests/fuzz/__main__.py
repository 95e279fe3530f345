"""python -m tests.fuzz [--mutants 10000] [--seed 1] [--bases PREFIX] [--one BASE:NUMBER] [--spark 200]: see `make fuzz`."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.conformance.record import record
from tests.fuzz.bases import bases, rows
from tests.fuzz.workers import BAD, Outcome, ask, made, run


def campaign(mutants: int, seed: int, among: str = "") -> list[Outcome]:
    subprocess.run([sys.executable, "-m", "tests.fuzz.evidence"], check=True)  # its threads must not live when we fork
    every = {name: base for name, base in bases().items() if name.startswith(among)}
    own = list(run(((base, -1) for base in every.values()), seed, {}))
    if wrong := [outcome for outcome in own if outcome.kind not in ("same", "converted")]:
        raise AssertionError(f"bases themselves fail: {wrong[0]}")
    originals = {outcome.base: outcome.digest for outcome in own if outcome.kind == "same"}
    fine = [every[outcome.base] for outcome in own if outcome.kind in ("same", "converted")]
    print(f"{len(fine)} of {len(every)} bases convert", file=sys.stderr)
    draw = random.Random(seed)
    found = []
    for outcome in run(((draw.choice(fine), number) for number in range(mutants)), seed, originals):
        found.append(outcome)
        if outcome.kind in BAD:
            print(outcome, flush=True)
        if len(found) % 500 == 0:
            print(f"{len(found)} of {mutants}: {dict(Counter(one.kind for one in found))}", file=sys.stderr, flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bases", default="", help="only those whose names begin so, as evidence/ do")
    parser.add_argument("--one", default="", help="BASE:NUMBER: this one, in this process")
    parser.add_argument("--spark", type=int, default=200, help="so many changed mutants are put to real Spark")
    given = parser.parse_args()
    record(rows())
    if given.one:
        name, _, number = given.one.rpartition(":")
        with tempfile.TemporaryDirectory() as scratch:
            print(*made(bases()[name], int(number), given.seed, Path(scratch)))
            print(*ask(bases()[name], Path(scratch)))
        return 0
    outcomes = campaign(given.mutants, given.seed, given.bases)
    bad = [outcome for outcome in outcomes if outcome.kind in BAD]
    unmade = sum(outcome.kind == "unmade" for outcome in outcomes) * 50 > len(outcomes)  # mutations that do not work
    kinds = Counter(
        (o.kind, o.told.split("\n")[0].split(":")[0] if o.kind in ("error", *BAD) else "") for o in outcomes
    )
    print(*(f"{count:6} {kind} {told}" for (kind, told), count in kinds.most_common()), sep="\n")
    print(*(f"{count:6} {name}" for name, count in Counter(o.mutation for o in bad).most_common()), sep="\n")
    wrong: list[str] = []
    if given.spark:
        from tests.fuzz.judgement import judged

        changed = [
            o for o in outcomes if o.kind == "changed" and o.file != "schema.json"
        ]  # Spark is given the true frame
        wrong = judged(random.Random(given.seed).sample(changed, min(given.spark, len(changed))))
        print(*wrong, sep="\n")
    return 1 if bad or wrong or unmade else 0


if __name__ == "__main__":
    sys.exit(main())
