"""python -m demo: train on real flights, register, publish, serve, verify, measure, and say what came out.

All that it leaves behind lies in demo-work/; a second run starts anew there.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder import console, flow
from builder.outcomes import Answer, Benchmark, Publication, Verification
from builder.types import Progress
from demo import data, train

if TYPE_CHECKING:
    from pyspark.ml import Pipeline
    from pyspark.sql import DataFrame

WORK = Path("demo-work")
REPOSITORY = WORK / "model_repository"
REQUESTS = 600
ROW = (
    '{"carrier": "UA", "origin": "EWR", "dest": "IAH", "engine": null, "month": 1, "hour": 5, "distance": 1400, '
    '"seats": null, "plane_year": null, "dep_delay": 2.0, "temp": 39.02, "humid": 59.37, "wind_speed": 12.66, '
    '"wind_gust": null, "precip": 0.0, "pressure": 1012.0, "visib": 10.0}'
)


@dataclass(frozen=True)
class Job:
    """One model to train, and what is said of it."""

    name: str
    what: str
    pipeline: Pipeline
    rows: DataFrame


@dataclass(frozen=True)
class Result:
    """What came out of one model."""

    job: Job
    published: Publication
    publish_s: float
    verified: Verification
    answered: Answer
    measured: Benchmark


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--full", action="store_true", help="bigger models: more and deeper trees, all rows for both")
    full = parser.parse_args().full
    began = time.monotonic()
    WORK.mkdir(exist_ok=True)
    with console.talking() as progress:
        uri = _registry()
        wanted = {name: flow.Wanted(f"models:/{name}@champion", tracking_uri=uri) for name in ("flights", "delay")}
        jobs = _train(full, progress)
        placed = {job.name: _publish(wanted[job.name], progress) for job in jobs}
        with flow.serve(REPOSITORY, progress=progress) as server:
            addresses = {"grpc": server.grpc, "http": server.http}
            verified = {
                job.name: flow.verify(job.name, REPOSITORY, wanted[job.name], **addresses, progress=progress)
                for job in jobs
            }
            answered = {job.name: flow.predict(job.name, ROW, grpc=server.grpc) for job in jobs}
            progress.step("stopping tritonserver")
        results = [
            Result(
                job,
                *placed[job.name],
                verified[job.name],
                answered[job.name],
                flow.bench(
                    job.name,
                    REPOSITORY,
                    requests=REQUESTS,
                    concurrencies=(1,),
                    spark=wanted[job.name],
                    progress=progress,
                ),
            )
            for job in jobs
        ]
    _tell(results, time.monotonic() - began)
    return 0 if all(result.verified.passed for result in results) else 1


def _registry() -> str:
    """MLflow in two folders: no server to start. What an earlier run left is taken away."""
    import mlflow

    for left in ("mlflow.db", "artifacts", "model_repository"):
        path = WORK / left
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uri = f"sqlite:///{WORK.resolve()}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("flights", artifact_location=(WORK / "artifacts").resolve().as_uri())
    mlflow.set_experiment("flights")
    return uri


def _train(full: bool, progress: Progress) -> list[Job]:
    """Fit both pipelines and register them with their evidence, alias `champion`."""
    import mlflow

    import builder

    file = WORK / "flights.parquet"
    if not file.exists():
        progress.step("joining flights, planes and weather")
        data.prepare(file)
    progress.step("starting Spark")
    spark = train.start_spark(WORK)
    progress.step("keeping one flight in ten back")
    rows, held_back = train.split(spark.read.parquet(str(file)))
    rows = rows.cache()
    some = rows if full else rows.limit(100_000)
    trees, depth, iterations = (200, 8, 60) if full else (100, 5, 20)
    late = f"more than {data.LATE_MINUTES} minutes late? random forest, {trees} trees of depth {depth}"
    jobs = [
        Job("flights", late, train.late_pipeline(trees, depth), rows),
        Job("delay", f"minutes late; {iterations} boosted trees", train.delay_pipeline(iterations), some),
    ]
    for job in jobs:
        count = job.rows.count()
        progress.step(f"training {job.name} on {count:,} flights: {job.what}")
        model = train.fit(job.pipeline, job.rows)
        with mlflow.start_run():
            builder.log_model(
                model,
                held_back.select(*data.INPUTS),
                registered_model_name=job.name,
                alias="champion",
                progress=progress,
            )
    return jobs


def _publish(wanted: flow.Wanted, progress: Progress) -> tuple[Publication, float]:
    began = time.monotonic()
    return flow.publish(wanted, REPOSITORY, progress=progress), time.monotonic() - began


def _tell(results: list[Result], seconds: float) -> None:
    """The table that says it all."""
    console.print_text("")
    lines = [_lines(result) for result in results]
    console.table(
        ("", *(result.job.name for result in results)),
        [(title, *(line[title] for line in lines)) for title in lines[0]],
    )
    console.print_text(
        f"\n{seconds:.0f} s in all. To ask for yourself:\n"
        f"  tritonbuild serve --repository {REPOSITORY}\n"
        f"  tritonbuild predict flights '{ROW}'"
    )


def _lines(result: Result) -> dict[str, str]:
    """Title → what this model has to say."""
    proof, verified = result.published.manifest["proof"], result.verified
    took = {
        (latency.target == result.job.name, latency.protocol, latency.rows_per_request): latency
        for latency in result.measured.latencies
    }
    served, empty, spark = took[True, "gRPC", 1], took[False, "gRPC", 1], took[True, "Spark's transform", 1]
    answer = {name: _short(value) for name, value in result.answered.outputs.items()}
    return {
        "model": result.job.what,
        "from registry to repository": f"{result.publish_s:.1f} s, no Spark",
        "rows that Spark answered": f"{proof['rows']:,}, {proof['derived_rows']:,} of them made from the model",
        "its thresholds and categories covered": f"{proof['coverage']:.0%}",
        **{f"the same answers over {by}": _agreement(report) for by, report in verified.reports.items()},
        "an answer": ", ".join(f"{name} {value}" for name, value in answer.items()),
        "one row, Spark's transform (p50)": f"{spark.p50_us / 1000:,.0f} ms",
        **{
            f"one row over {by} (p50 / p95 / p99)": " / ".join(
                f"{value / 1000:.2f}" for value in (one.p50_us, one.p95_us, one.p99_us)
            )
            + " ms"
            for by in ("gRPC", "HTTP")
            for one in (took[True, by, 1],)
        },
        "  an empty model over gRPC (p50)": f"{empty.p50_us / 1000:.2f} ms",
        "one row, onnxruntime in process (p50)": f"{took[True, 'onnxruntime, in process', 1].p50_us:,.0f} µs",
        "rows/s over gRPC, 256 a request": f"{took[True, 'gRPC', 256].rows_per_s:,.0f}",
        "faster than Spark, one row": f"{spark.p50_us / served.p50_us:,.0f} times",
    }


def _agreement(report: object) -> str:
    from builder.evidence import ParityReport

    assert isinstance(report, ParityReport)
    if not report.passed:
        return f"NO\n{report.words()}"
    words = {output.word for output in report.outputs if output.largest}
    how = "every bit" if not words else f"greatest difference {max(output.largest for output in report.outputs):.2g}"
    near = f", {report.near} labels inside their margin" if report.near else ""
    return f"{report.rows:,} rows, {report.values:,} values: {how}{near}"


def _short(value: object) -> str:
    return (
        f"[{', '.join(map(_short, value))}]"
        if isinstance(value, list)
        else (f"{value:.4g}" if isinstance(value, float) else str(value))
    )


if __name__ == "__main__":
    sys.exit(main())
