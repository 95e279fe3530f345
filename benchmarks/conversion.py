"""python -m benchmarks.conversion: how long each row of the conformance table takes to convert, the slowest first.

Rows that Spark has answered (`make conformance`) are converted once each, after one that pays for the imports.
"""

from __future__ import annotations

import sys
import time
from statistics import median

from builder import console
from tests.conformance.answering import compiled, recorded
from tests.conformance.conftest import SPARK
from tests.conformance.record import entry
from tests.conformance.table import TABLE

SLOWEST = 10


def main() -> int:
    rows = [row for row in TABLE.values() if not (row.refused or row.notyet) and entry(row, SPARK).is_dir()]
    if not rows:
        raise SystemExit("no row is recorded yet: make conformance records them")
    with console.talking() as progress:
        progress.step(f"converting {len(rows):,} rows")
        compiled(rows[0], recorded(rows[0], SPARK))
        took = []
        for done, row in enumerate(rows):
            spark = recorded(row, SPARK)
            began = time.perf_counter()
            compiled(row, spark)
            took.append((time.perf_counter() - began, row.id))
            progress.advance(done, len(rows))
    lines = [(id, f"{seconds:.2f} s") for seconds, id in sorted(took, reverse=True)[:SLOWEST]]
    total = [seconds for seconds, _ in took]
    late = sum(seconds > 1 for seconds in total)
    console.table(
        ("row", "converted in"), [*lines, (f"median of {len(took):,} rows; {late} above 1 s", f"{median(total):.3f} s")]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
