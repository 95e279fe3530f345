"""The whole program on one screen: each command is one function here, and its steps are the functions it calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from builder.differences import Difference
from builder.errors import UsageError
from builder.outcomes import Answer, Benchmark, Checked, Inventory, Publication, Recording, Support, Verification
from builder.recording import log_model
from builder.releases import DEFAULT, OLDEST, able, target_of
from builder.rollouts import Rollout
from builder.types import NULL_TEXT, UNSAID, Progress, Session, Silent

if TYPE_CHECKING:
    from builder.publishing import Prepared
    from builder.releases import Target
    from builder.source import FetchedModel
    from builder.source.registry import Stores
    from builder.telling import Telling
    from builder.triton.layout import Repository
    from builder.triton.settings import Wish
    from builder.triton.supervisor import Supervisor
    from builder.types import Servable

__all__ = [
    "Wanted",
    "audit",
    "bench",
    "check",
    "diff",
    "held",
    "launch",
    "log_model",
    "predict",
    "prune",
    "publish",
    "record",
    "rollback",
    "rollout",
    "serve",
    "stages",
    "verify",
]


@dataclass(frozen=True)
class Wanted:
    """Which model, and what of it.

    `schema`: a file with `df.schema.json()`. `outputs` None: the contract's default. `null_text`: null among strings.
    `converter`: another than ours, as `converting` names it.
    `session`: in which Spark's session it would answer so; what is not said is as the evidence, or the saving Spark, has it.
    """

    source: str
    schema: Path | None = None
    outputs: Sequence[str] | None = None
    tracking_uri: str | None = None
    registry_uri: str | None = None
    null_text: str = NULL_TEXT
    converter: str = ""
    session: Session = UNSAID

    def fetch(self) -> FetchedModel:
        from builder.source import fetch

        return fetch(self.source, schema=self.schema, tracking_uri=self.tracking_uri, registry_uri=self.registry_uri)

    @property
    def shown(self) -> str:
        """The source, without a password where it is an address."""
        from builder.source.redacting import discreet

        return discreet(self.source)

    @property
    def stores(self) -> Stores:
        from builder.source.registry import Stores

        return Stores(self.tracking_uri, self.registry_uri)


def check(wanted: Wanted, *, triton: str = DEFAULT.name) -> Checked:
    """Judge every stage before any work. What is refused is told, not raised. `triton`: as `publish` has it."""
    from builder.graph.lowering import asked_for, judge
    from builder.graph.needs import graph_of
    from builder.proving import settled
    from builder.sparkml.reader import read_pipeline
    from builder.stages import all_rules

    target = target_of(triton)
    model = wanted.fetch()
    pipeline = read_pipeline(model.path).under(settled(model, wanted.session))
    given = pipeline, model.schema, all_rules(), wanted.outputs
    verdicts, servable = judge(*given, target)
    known = model.evidence is not None, model.notes
    if servable is None:
        return Checked(wanted.source, verdicts, asked_for(*given), (), (), *known, target)
    known = known[0], (*known[1], *servable.null_notes)
    graph = graph_of(servable.model, target)
    older = () if OLDEST in able(graph.needs) or judge(*given, OLDEST)[1] is None else (OLDEST,)
    return Checked(
        wanted.source, verdicts, servable.inputs, servable.outputs, servable.invalid, *known, target, graph, older
    )


def record(
    wanted: Wanted,
    rows: Path | None,
    *,
    evidence_rows: int,
    derived_rows: int,
    nullable: Sequence[str] = (),
    progress: Progress | None = None,
) -> Recording:
    """Let Spark answer rows, a user's and ones derived from the model, and keep its answers with the model."""
    from builder import recording

    notes: list[str] = []
    evidence = recording.record(
        wanted.source,
        rows,
        schema=wanted.schema,
        nullable=nullable,
        outputs=wanted.outputs,
        evidence_rows=evidence_rows,
        derived_rows=derived_rows,
        tracking_uri=wanted.tracking_uri,
        registry_uri=wanted.registry_uri,
        converter=wanted.converter,
        session=wanted.session,
        notes=notes,
        progress=progress,
    )
    derived = int(evidence.derived.sum())
    return Recording(
        wanted.source,
        evidence.rows,
        derived,
        evidence.left_out,
        evidence.coverage,
        evidence.spark_version,
        tuple(notes),
    )


def publish(
    wanted: Wanted,
    repository: Repository,
    *,
    name: str | None = None,
    version: int | None = None,
    unproven: bool = False,
    evidence_in_repository: bool = False,
    triton: str = DEFAULT.name,
    settings: Wish | None = None,
    load: Sequence[str] = (),
    load_header: str = "",
    gate: float | None = None,
    telling: Telling | None = None,
    perf_data: Path | None = None,
    progress: Progress | None = None,
) -> Publication:
    """Fetch, read, lower, prove, write; nothing is written unless all before it went well.

    `triton`: the oldest release that shall run it. `load`: servers to roll it out to, all of them or none.
    `gate`: it must be no worse than what is served, and no slower on these servers by more than this factor.
    `telling`: what MLflow shall hear of it. `perf_data`: where to leave its rows for perf_analyzer.

    Raises SourceError, UsageError, ConversionRefused, CheckFailed (not Spark's answers, or the gate) and Unreachable.
    """
    from builder.publishing import keeping_proof, leave_perf_data
    from builder.rolling import bring, reached
    from builder.telling import Telling, begin
    from builder.triton.repository import try_writing
    from builder.triton.settings import Wish

    progress, settings, target = progress or Silent(), settings or Wish(), target_of(triton)
    try_writing(repository)
    model, name = _fetched(wanted, repository, name, settings, progress)
    registry = begin(model, wanted.stores, telling or Telling())
    with reached(load, load_header, name, progress) as fleet:
        prepared, every, plain = _prepared(
            wanted, model, name, version, unproven, evidence_in_repository, target, settings, progress
        )
        prepared = keeping_proof(repository, prepared)
        if perf_data is not None:
            prepared = leave_perf_data(perf_data, prepared)
        tell = partial(registry.tell, prepared.manifest, prepared.version, plain, progress)
        last, promotes = registry.last, bool(registry.telling.promote)
        published = bring(
            repository, prepared, every, fleet, gate, progress, before=tell, after=last, promotes=promotes
        )
        return replace(published, mlflow=registry.told)


def diff(
    wanted: Wanted,
    repository: Repository,
    *,
    name: str | None = None,
    version: int | None = None,
    unproven: bool = False,
    evidence_in_repository: bool = False,
    triton: str = DEFAULT.name,
    settings: Wish | None = None,
    progress: Progress | None = None,
) -> Difference:
    """All of `publish` but the writing, beside what the repository serves. It raises what `publish` raises."""
    from builder.differing import difference
    from builder.triton.settings import Wish

    progress, settings, target = progress or Silent(), settings or Wish(), target_of(triton)
    model, name = _fetched(wanted, repository, name, settings, progress)
    prepared, *_ = _prepared(wanted, model, name, version, unproven, evidence_in_repository, target, settings, progress)
    progress.step(f"comparing with {repository}")
    return difference(wanted.shown, repository, prepared)


def rollout(
    name: str,
    repository: Repository,
    *,
    version: int | None = None,
    load: Sequence[str],
    load_header: str = "",
    gate: float | None = None,
    progress: Progress | None = None,
) -> Rollout:
    """A version of the repository, by default the one it serves, to servers: proven on each first, on all or on none."""
    from builder.rolling import reached, turn_to

    progress = progress or Silent()
    with reached(load, load_header, name, progress) as fleet:
        return turn_to(repository, name, version, fleet, gate, progress)


def rollback(
    name: str,
    repository: Repository,
    *,
    to: int | None = None,
    load: Sequence[str] = (),
    load_header: str = "",
    progress: Progress | None = None,
) -> Rollout:
    """Serve an older version again, by default the highest below the one served. Servers that poll need no `load`."""
    from builder.rolling import reached, roll_back

    progress = progress or Silent()
    with reached(load, load_header, name, progress) as fleet:
        return roll_back(repository, name, to, fleet, progress)


def held(repository: Repository, names: Sequence[str] = ()) -> Inventory:
    """What the repository holds: of these models, or of all."""
    from builder.triton.inventory import held

    return Inventory(held(repository, names))


def audit(repository: Repository, names: Sequence[str] = (), progress: Progress | None = None) -> Inventory:
    """Whether every file still is what was published."""
    from builder.triton.inventory import audit

    (progress or Silent()).step(f"digesting {repository}")
    return Inventory(*audit(repository, names))


def prune(repository: Repository, names: Sequence[str] = (), *, keep: int, dry_run: bool = False) -> Inventory:
    """Remove all but the `keep` highest versions of these models, or of all."""
    from builder.triton.inventory import prune

    return Inventory(prune(repository, keep, names, dry_run=dry_run), removed=not dry_run)


def serve(
    repository: Repository,
    *,
    grpc_port: int = 0,
    http_port: int = 0,
    metrics_port: int = 0,
    config_name: str = "",
    server: Path | None = None,
    server_python: Path | None = None,
    load_header: str = "",
    restarts: int = 100,
    progress: Progress | None = None,
) -> Supervisor:
    """A real tritonserver that answers for every model of the repository; the caller must stop it.

    `load_header`: the NAME=VALUE that lets a client load models, else one is drawn. `restarts`: how many times an hour it
    may die while the caller waits for its end.
    """
    from builder.triton.repository import models
    from builder.triton.supervisor import supervise

    (progress or Silent()).step(f"starting tritonserver with {', '.join(models(repository)) or 'no model'}")
    return supervise(
        repository,
        grpc_port=grpc_port,
        http_port=http_port,
        metrics_port=metrics_port,
        server=server,
        server_python=server_python,
        flags=[f"--model-config-name={config_name}"] if config_name else (),
        header=load_header,
        restarts=restarts,
    )


def launch(
    repository: Repository, *, grpc_port: int, http_port: int, metrics_port: int, config_name: str = "", triton: str
) -> str:
    """How a production server over the repository is started: NVIDIA's container of a release, or a tritonserver of one's own."""
    from builder.triton.launching import Launch
    from builder.triton.repository import models
    from builder.triton.stores import store_of

    ports, store = (http_port, grpc_port, metrics_port), store_of(repository)
    where = store.at("")
    line = Launch(
        where if isinstance(where, Path) else store.for_triton,
        models(repository),
        target_of(triton),
        ports,
        config_name,
    )
    # tritonserver takes the header as a flag alone
    shown = "the header's value stands in the server's command line, where `ps` shows it to every user of the machine"
    bare = "Or a tritonserver on PATH, run by a user who is not root"
    return f"# NVIDIA's container; {shown}:\n{line.container()}\n# {bare}; {shown}:\n{line.bare()}"


def verify(
    name: str,
    repository: Repository,
    wanted: Wanted | None = None,
    *,
    version: int | None = None,
    grpc: str,
    http: str,
    progress: Progress | None = None,
) -> Verification:
    """Put every row of the evidence to a running server over both protocols.

    The evidence is the repository's, or that of `wanted`, with its users' rows.
    """
    from builder.asking import ask_everything, evidence_of

    evidence, version, origin = evidence_of(name, repository, version, wanted.fetch() if wanted else None)
    reports = ask_everything(name, version, evidence, {"gRPC": grpc, "HTTP": http}, progress or Silent())
    return Verification(name, version, reports, origin)


def predict(name: str, row: str, *, version: int | None = None, grpc: str) -> Answer:
    """One row of JSON to a running server. A key that is left out is a null."""
    from builder.asking import ask_one, parse_row

    return ask_one(name, parse_row(row), version, grpc)


def bench(
    name: str,
    repository: Repository,
    *,
    requests: int = 2000,
    concurrencies: Sequence[int] = (1, 4),
    sizes: Sequence[int] = (1, 256),
    spark: Wanted | None = None,
    server: Path | None = None,
    server_python: Path | None = None,
    progress: Progress | None = None,
) -> Benchmark:
    """The model beside an empty one with its tensors, in turns on one server; Spark's transform beside both."""
    from builder.bench import measure_served, measure_spark

    progress = progress or Silent()
    source = spark.fetch() if spark else None
    served = measure_served(name, repository, requests, concurrencies, sizes, server, server_python, progress)
    beside = measure_spark(source, repository, name, progress) if source else ()
    return Benchmark(name, (*served, *beside))


def stages() -> Support:
    """Every Spark class that has a verdict, by name; those of other packages behind ours."""
    from builder.stages.listing import listed

    return Support(listed())


def _fetched(
    wanted: Wanted, repository: Repository, name: str | None, settings: Wish, progress: Progress
) -> tuple[FetchedModel, str]:
    """The model, and its name in Triton. A repository or a setting that makes no sense is told before any work."""
    from builder.publishing import choose_name
    from builder.triton.settings import choose
    from builder.triton.stores import store_of

    progress.step(f"fetching {wanted.shown}")
    store_of(repository)
    model = wanted.fetch()
    chosen = choose_name(name, model)
    choose(chosen, settings)
    return model, chosen


def _prepared(
    wanted: Wanted,
    model: FetchedModel,
    name: str,
    version: int | None,
    unproven: bool,
    evidence_in_repository: bool,
    target: Target,
    settings: Wish,
    progress: Progress,
) -> tuple[Prepared, Callable[[], Servable] | None, Callable[[], Servable]]:
    """Read, lower, prove: a version in memory; its graph with every stage's column, where there is such a graph; and the
    one that takes each column by itself.
    """
    from builder.converting import convert
    from builder.graph.lowering import lower
    from builder.graph.rules import session_of
    from builder.proving import prove, settled
    from builder.publishing import check_null, prepare
    from builder.sparkml.reader import read_pipeline
    from builder.stages import all_rules
    from builder.triton.settings import choose

    pipeline = read_pipeline(model.path).under(settled(model, wanted.session))
    progress.step(f"compiling {len(pipeline.stages)} stages")
    null_text, rules = check_null(wanted.null_text), all_rules()
    compiled = partial(lower, pipeline, model.schema, rules, wanted.outputs, null_text=null_text, target=target)
    other = wanted.converter
    if other and null_text != NULL_TEXT:
        raise UsageError(
            "--null-marker is for graphs of tritonbuild's own; what --converter makes keeps the usual one.",
            fix="leave one of the two out.",
        )
    pack = choose(name, settings).settings.pack
    if other and pack == "always":
        raise UsageError(
            "packing is for graphs of tritonbuild's own; what --converter makes takes each column by itself.",
            fix="leave --pack (or the setting pack) out.",
        )
    servable = convert(model, wanted.outputs, target, other) if other else compiled(pack=pack)
    every = None if other else partial(compiled, proof=True, every_column=True)
    proof = prove(model, servable, every, unproven, progress)
    session = session_of(pipeline.stages, rules)
    prepared = prepare(
        name, version, model, pipeline, servable, proof, evidence_in_repository, target, session, settings
    )

    def plain() -> Servable:
        if not servable.packs:
            return servable
        prove(model, found := compiled(), every, unproven, progress)
        return found

    return prepared, every, plain
