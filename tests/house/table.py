"""The support table is data, made of the rules: python -m tests.house.table writes it, and README's copy."""

from __future__ import annotations

import json
import re

from builder.outcomes import Support
from builder.sparkml.verdicts import READ_THROUGH, REFUSED, WITHOUT_MODEL
from builder.stages import own_rules
from builder.stages.listing import DATA, Listed
from tests.house.params import params_read
from tests.house.sources import ROOT

README = ROOT / "README.md"
BETWEEN = re.compile(r"(<!-- stages -->\n).*?(<!-- /stages -->)", re.DOTALL)


def derived() -> tuple[Listed, ...]:
    """Every class of pyspark.ml, and every other that a rule converts; by name."""
    params = params_read()
    found = [
        Listed(name, rule.word, rule.note, since=rule.since, params=params[name]) for name, rule in own_rules().items()
    ]
    found += [Listed(name, "refused", known.reason, known.fix) for name, known in REFUSED.items()]
    found += [Listed(name, "through", note) for name, note in READ_THROUGH.items()]
    found += [Listed(name, "none", note) for name, note in WITHOUT_MODEL.items()]
    return tuple(sorted(found, key=lambda one: one.spark_class))


def main() -> None:
    told = derived()
    lines = ",\n".join(json.dumps(one.json(), ensure_ascii=False) for one in told)
    DATA.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    table = Support(told).markdown()
    README.write_text(BETWEEN.sub(lambda found: f"{found[1]}{table}\n{found[2]}", README.read_text()), encoding="utf-8")


if __name__ == "__main__":
    main()
