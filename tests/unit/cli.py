"""The real command in this process, and a small saved model to give it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from builder.cli import app
from builder.evidence import Evidence, save
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.source import read_folder
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.types import Table
from tests.saved import min_max, write_pipeline

VECTOR = {"type": "udt", "class": "org.apache.spark.ml.linalg.VectorUDT", "pyClass": None, "sqlType": {}}
LOW, HIGH = [1 / 3, -2.7, 0.0], [3.1, 2.7, 0.0]
ROWS = Table({"v": np.array([[1 / 3, -2.7, 0.0], [0.1, np.nan, 7.3], [-1e308, 5e-324, -0.0], [2.5, 0.3, 1.0]])})


def tritonbuild(*arguments: str | Path) -> Result:
    """Run the command; `stdout` and `stderr` apart, a traceback where the error is not one of ours."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@dataclass(frozen=True)
class Saved:
    """A saved pipeline of one scaler, `v` → `scaled`, its schema and a repository to publish into."""

    path: Path
    schema: Path
    repository: Path

    def publish(self, *more: str | Path) -> Result:
        return tritonbuild("publish", self.path, "--schema", self.schema, "--repository", self.repository, *more)

    @property
    def untouched(self) -> bool:
        """Whether publishing left nothing behind, beside the repository either."""
        return sorted(path.name for path in self.repository.parent.iterdir()) == ["model", "schema.json"]

    def add_evidence(self, rows: Table = ROWS, *, spoil: bool = False) -> None:
        """Evidence as `record` keeps it, with our own answers in the place of Spark's; `spoil` changes one bit."""
        model = read_folder(self.path, uri=str(self.path), schema=self.schema)
        servable = lower(read_pipeline(model.path), model.schema, all_rules())
        answers = dict(in_process(servable)(rows))
        if spoil:
            answers["scaled"][3, 1] = np.nextafter(answers["scaled"][3, 1], 1)
        save(
            Evidence(
                inputs=rows,
                answers=Table(answers),
                tolerance={},
                derived=np.array([False, True, True, True])[: rows.rows],
                input_specs=servable.inputs,
                output_specs=servable.outputs,
                words={"scaled": "bit", "invalid": "bit"},
                coverage=1.0,
                spark_version="4.3.0",
                digest=model.digest,
            ),
            self.path / "tritonbuild" / "evidence.parquet",
        )


def save_model(folder: Path) -> Saved:
    write_pipeline(folder / "model", [min_max("scaler", "v", "scaled", LOW, HIGH)])
    write_schema(folder / "schema.json", v=VECTOR)
    return Saved(folder / "model", folder / "schema.json", folder / "model_repository")


def write_schema(file: Path, **columns: object) -> Path:
    """What `df.schema.json()` prints."""
    fields = [{"name": name, "type": type, "nullable": True, "metadata": {}} for name, type in columns.items()]
    file.write_text(json.dumps({"type": "struct", "fields": fields}), encoding="utf-8")
    return file
