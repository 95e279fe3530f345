"""python -m benchmarks: publishing a big forest as a whole process, and one row of it in process and served."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.forest import rows, write_forest
from benchmarks.measuring import command
from benchmarks.text import BATCH, compiled, sentences, write_text
from builder import console, flow
from builder.bench.served import published
from builder.evidence import Evidence, save
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.sparkml.reader import read_pipeline
from builder.stages import all_rules
from builder.tables import encode
from builder.types import Servable, Table

DEPTH, RUNS, EVIDENCE = 10, 3, 1000


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    got: str
    wanted: str


def main() -> int:
    with console.talking() as progress, tempfile.TemporaryDirectory(prefix="tritonbuild-bench-") as folder:
        work = Path(folder)
        progress.step(f"{RUNS} times tritonbuild --help")
        figures = [Figure("tritonbuild --help", f"{_process(work, '--help')[0] * 1000:.0f} ms", "under 300 ms")]
        for trees, wanted in ((100, "under 3 s and 500 MB"), (500, "under 12 s")):
            progress.step(f"publishing {trees} trees of depth {DEPTH}, {RUNS} times")
            (work / str(trees)).mkdir()
            model = write_forest(work / str(trees), trees, DEPTH)
            schema = str(model.parent / "schema.json")
            seconds, megabytes = _process(work, "publish", str(model), "--schema", schema, "--unproven")
            what = f"publish {trees} trees of depth {DEPTH}, from a folder, unproven"
            figures.append(Figure(what, f"{seconds:.1f} s, {megabytes:.0f} MB", wanted))
        progress.step(f"publishing 100 trees from the registry with {EVIDENCE} evidence rows, {RUNS} times")
        uri = _register(work, work / "100" / "forest")
        seconds, megabytes = _process(work, "publish", "models:/forest@champion", "--tracking-uri", uri)
        what = f"publish 100 trees from models:/, proven on {EVIDENCE:,} rows"
        figures.append(Figure(what, f"{seconds:.1f} s, {megabytes:.0f} MB", "under 6 s"))
        progress.step("asking onnxruntime alone, one row at a time")
        asked, served = published(work / "repository", "forest")
        alone = _alone_us(asked, served)
        figures.append(Figure("one row in onnxruntime, nothing beside it, p50", f"{alone:.0f} µs", "under 100 µs"))
        progress.step("a text pipeline of 262,144 slots: one row, and a batch")
        figures += _text(work)
        measured = flow.bench("forest", work / "repository", concurrencies=(1,), sizes=(1,), progress=progress)
    figures += _latencies(measured.latencies)
    console.table(("what", "got", "wanted"), [(one.what, one.got, one.wanted) for one in figures])
    return 0


def _process(work: Path, *arguments: str) -> tuple[float, float]:
    """Median seconds, and the greatest peak of resident memory in MB, of whole processes into an empty repository."""
    seconds, peaks = [], []
    for run in range(RUNS):
        target = work / ("repository" if "models:/forest@champion" in arguments else f"scratch-{run}-{time.time_ns()}")
        more: Sequence[str] = ("--repository", str(target)) if arguments[0] == "publish" else ()
        took, peak = command(*arguments, *more)
        seconds.append(took)
        peaks.append(peak)
    return median(seconds), max(peaks)


def _register(work: Path, model: Path) -> str:
    """The forest in MLflow's registry, as `log_model` leaves it, with our own answers in the place of Spark's."""
    import shutil

    import mlflow

    from builder.source import read_folder

    schema = model.parent / "schema.json"
    fetched = read_folder(model, uri="forest", schema=schema)
    servable = lower(read_pipeline(model), fetched.schema, all_rules(), proof=False)
    inputs = encode(rows(EVIDENCE), servable.inputs)
    uri = f"sqlite:///{work}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("forest", artifact_location=(work / "artifacts").as_uri())
    mlflow.set_experiment("forest")
    packed = work / "packed"
    shutil.copytree(model, packed / "sparkml")
    (packed / "tritonbuild").mkdir()
    shutil.copy(schema, packed / "tritonbuild" / "schema.json")
    evidence = Evidence(
        inputs=inputs,
        answers=Table(dict(in_process(servable)(inputs))),
        tolerance={},
        derived=np.ones(inputs.rows, dtype=np.bool_),
        input_specs=servable.inputs,
        output_specs=servable.outputs,
        words={spec.name: "bit" for spec in servable.outputs},
        coverage=0.0,
        spark_version="none: made for the benchmark",
        digest=fetched.digest,
    )
    save(evidence, packed / "tritonbuild" / "evidence.parquet")
    with mlflow.start_run() as run:
        description = mlflow.models.Model(artifact_path="model", run_id=run.info.run_id)
        description.add_flavor("spark", model_data="sparkml", pyspark_version="4.3.0")
        description.save(str(packed / "MLmodel"))
        mlflow.log_artifacts(str(packed), "model")
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", "forest").version
    mlflow.MlflowClient().set_registered_model_alias("forest", "champion", version)
    return uri


def _text(work: Path) -> list[Figure]:
    """Tokenizer, HashingTF, IDF, LogisticRegression over sentences of twenty words."""
    model = write_text(work)
    alone = _alone_us(sentences(100), compiled(model))
    growing = [sys.executable, "-m", "benchmarks.text", str(model)]
    grown = float(subprocess.run(growing, check=True, capture_output=True, text=True).stdout)
    what = "text, 262,144 slots: "
    return [
        Figure(f"{what}one row in onnxruntime, p50", f"{alone:.0f} µs", "under 100 µs"),
        Figure(f"{what}a batch of {BATCH:,} rows, memory", f"{grown:.0f} MB", "tens of megabytes"),
    ]


def _alone_us(asked: Table, model: Servable) -> float:
    """Median time of one row through the graph, on one thread of this process; the best of five rounds of 2,000."""
    predict = in_process(model)
    ones = [asked.take(slice(row, row + 1)) for row in range(min(asked.rows, 100))]
    rounds = []
    for _ in range(5):
        took = []
        for turn in range(2000):
            began = time.perf_counter()
            predict(ones[turn % len(ones)])
            took.append(time.perf_counter() - began)
        rounds.append(median(took))
    return min(rounds) * 1e6


def _latencies(latencies: Sequence[object]) -> list[Figure]:
    from builder.bench import Latency

    took = {(one.target, one.protocol): one.p50_us for one in latencies if isinstance(one, Latency)}
    lines = []
    for protocol in ("gRPC", "HTTP"):
        served, empty = took["forest", protocol], took["empty model", protocol]
        lines.append(
            Figure(
                f"one row over {protocol}, p50, and an empty model's",
                f"{served:.0f} µs and {empty:.0f} µs: {served / empty:.2f} times",
                "under 1.5 times" if protocol == "gRPC" else "",
            )
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
