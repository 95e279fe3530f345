"""What is mutated: saved pipelines of every family of the conformance table, and SynapseML's boosters."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from tests.conformance.record import CACHE, entry
from tests.conformance.row import Row
from tests.conformance.table import TABLE

SPARK = version("pyspark")
SYNAPSEML = Path(__file__).parents[1] / "synapseml"
_FEATURES = (
    '{"type":"struct","fields":[{"name":"features","type":{"type":"udt","class":"org.apache.spark.ml.linalg.VectorUDT",'
    '"pyClass":"pyspark.ml.linalg.VectorUDT","sqlType":{"type":"struct","fields":[]}},"nullable":true,"metadata":{}}]}'
)
_MLMODEL = """\
flavors:
  spark:
    code: null
    model_data: sparkml
    pyspark_version: {spark}
  python_function:
    loader_module: mlflow.spark
    data: sparkml
model_uuid: 0123456789abcdef0123456789abcdef
mlflow_version: 3.4.0
"""


@dataclass(frozen=True)
class Base:
    """A saved model. `row` is None where no rows are known to ask it; `mlflow`: it is wrapped as MLflow saves one.

    `evidence`: the file that lies with it, which alone is spoilt then.
    """

    id: str
    folder: Path
    row: Row | None = None
    mlflow: bool = False
    evidence: Path | None = None

    @property
    def outputs(self) -> Sequence[str] | None:
        return self.row.outputs if self.row and self.row.chosen else None

    @property
    def spoilt(self) -> str:
        """A pattern of the files that mutations are drawn for."""
        return "*" if self.evidence is None else "evidence.parquet"

    def copy_to(self, folder: Path) -> None:
        """Without the checksums beside the files: Spark would see every change by those alone."""
        ignored = shutil.ignore_patterns(".*.crc")
        if self.row is None:
            shutil.copytree(self.folder, folder / "model", ignore=ignored)
            (folder / "schema.json").write_text(_FEATURES)
            return
        inside = folder / "model" / "sparkml" if self.mlflow else folder / "model"
        shutil.copytree(self.folder / "pipeline", inside, ignore=ignored)
        if self.mlflow:
            (folder / "model" / "MLmodel").write_text(_MLMODEL.format(spark=SPARK))
        if self.evidence is not None and self.evidence.is_file():
            (folder / "model" / "tritonbuild").mkdir()
            shutil.copy(self.evidence, folder / "model" / "tritonbuild" / "evidence.parquet")
        shutil.copy(self.folder / "schema.json", folder / "schema.json")


def rows() -> list[Row]:
    """Of each family its first two smoke rows, and its first rows where it has none."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(TABLE.values(), key=lambda row: not row.smoke):
        family = found[row.id.split("/")[0]]
        if len(family) < 2 and not row.refused and not row.notyet:
            family.append(row)
    return [row for family in found.values() for row in family]


def bases() -> dict[str, Base]:
    made = [Base(row.id, entry(row, SPARK), row) for row in rows()]
    made += [Base(f"mlflow/{base.id}", base.folder, base.row, mlflow=True) for base in made[::6]]
    made += [
        replace(
            base, id=f"evidence/{base.id}", mlflow=True, evidence=CACHE / "evidence" / f"{base.folder.name}.parquet"
        )
        for base in made[:: len(made) // 8]
        if base.row is not None and not base.row.conf and not base.mlflow
    ]
    folders = sorted(path for path in SYNAPSEML.iterdir() if (path / "metadata").is_dir())
    made += [Base(f"synapseml/{folder.name}", folder) for folder in folders]
    return {base.id: base for base in made}
