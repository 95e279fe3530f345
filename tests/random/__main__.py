"""python -m tests.random COUNT: Spark fits, saves and answers the first COUNT seeds that the cache does not hold."""

from __future__ import annotations

import sys

from tests.conformance.record import record
from tests.random.drawing import rows

if __name__ == "__main__":
    for id, trouble in record(rows(int(sys.argv[1]))).items():
        print(f"{id}: {trouble}\n", file=sys.stderr)
