"""What MLflow is told of a publication, and when: all but the alias before the version becomes visible, the alias last.

So where MLflow does not answer, nothing that serves has changed: before, nothing is there yet; at the alias, the version is
taken back. Tags and metrics are facts of the model (proven, on so many rows), true in whichever repository it lies.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import Forbidden, Unreachable, UsageError
from builder.outcomes import Told
from builder.types import Progress, Servable

if TYPE_CHECKING:
    from builder.source import FetchedModel
    from builder.source.registry import Stores
    from builder.source.writeback import Version


@dataclass(frozen=True)
class Telling:
    """What a caller wants MLflow to be told.

    `write_back` None: tags and metrics where the source is a registered version and the registry takes them; a token
    that may only read publishes as well, and is told. True: that, or an error. False: MLflow is left alone.
    `promote`: the alias that is moved to the version. `log_onnx`: the graph goes to the model's run, too.
    """

    write_back: bool | None = None
    promote: str = ""
    log_onnx: bool = False


@dataclass
class Registry:
    """A model's place in MLflow during one publication, its version and its run where it has them; and what was `told`."""

    telling: Telling
    stores: Stores
    version: Version | None = None
    run_id: str | None = None
    told: Told | None = None
    status: str = ""

    def tell(
        self,
        document: Mapping[str, Any],
        number: int | None,
        plain: Callable[[], Servable],
        progress: Progress,
    ) -> None:
        """Tags, metrics and the ONNX, before the version becomes visible; nothing where there is nobody to tell.

        `document`: its manifest. `number`: its number in Triton, where that is known. `plain`: the graph, proven, that
        takes each column by itself. Raises Unreachable, Forbidden.
        """
        from builder.source.writeback import write_metrics, write_tags

        if self.version is None and not self.telling.log_onnx:
            return
        told = self.told = Told(self.version.uri if self.version else f"runs:/{self.run_id}")
        progress.step(f"telling MLflow of {told.subject}")
        tags, metrics = _tags(document, number), _metrics(document)
        try:
            if self.telling.log_onnx:
                tags["onnx"] = self._log_onnx(document, plain)
                self.told = told = replace(told, onnx=tags["onnx"])
            if self.version is None:
                return
            if self.run_id and write_metrics(self.run_id, metrics, self.stores):
                self.told = told = replace(told, metrics=metrics)
            self.status = tags.pop("status")
            write_tags(self.version, tags, self.stores)
            self.told = replace(told, tags=tags)
        except Forbidden as error:
            if self.telling.write_back or self.telling.promote or self.telling.log_onnx:
                raise
            self.told = replace(told, refused=error.message)

    @property
    def last(self) -> Callable[[], None] | None:
        """What is done last of all, if anything: whoever does it takes back what became visible where it raises."""
        return self._finish if self.version is not None else None

    def _finish(self) -> None:
        """Say that it is proven, once it is there; then move the alias. Raises Unreachable, Forbidden."""
        from builder.source.writeback import write_tags

        if self.version is not None and self.told is not None and self.status:
            write_tags(self.version, {"status": self.status}, self.stores)
            self.told = replace(self.told, tags={**(self.told.tags or {}), "status": self.status})
        if self.telling.promote:
            self._promote()

    def _promote(self) -> None:
        """Move the alias. Raises Unreachable, Forbidden."""
        from builder.source.writeback import move_alias

        assert self.version is not None, "begin() refuses an alias without a version"
        assert self.told is not None, "what is promoted was told before"
        try:
            move_alias(self.version, self.telling.promote, self.stores)
        except Unreachable as error:
            raise type(error)(
                f"the alias {self.telling.promote!r} could not be moved to {self.version.uri}, so what is served stays "
                f"as it was. {error.message}",
                fix=error.fix,
            ) from error
        self.told = replace(self.told, alias=self.telling.promote)

    def _log_onnx(self, document: Mapping[str, Any], plain: Callable[[], Servable]) -> str:
        """The graph as an MLflow model in the run; its URI. Not again where the tags say that this very one is there."""
        from builder.source.onnx_model import write_onnx_model
        from builder.source.writeback import tags_of, upload_model

        assert self.run_id is not None, "begin() refuses a graph to log without a run"
        digest = document["files"]["model.onnx"]
        if self.version is not None:
            there = tags_of(self.version, self.stores)
            if there.get("onnx") and there.get("model_sha256") == digest:
                return there["onnx"]
        name = f"{document['name']}-{self.version.number}-onnx" if self.version else f"{document['name']}-onnx"
        with tempfile.TemporaryDirectory(prefix="tritonbuild-") as folder:
            model = Path(folder) / "model"
            write_onnx_model(model, plain(), name=name, run_id=self.run_id)
            return upload_model(model, self.run_id, name, self.stores)


def begin(model: FetchedModel, stores: Stores, telling: Telling) -> Registry:
    """Whom to tell, if anybody. What cannot be told is refused here, before any work.

    Raises UsageError (a wish that no registry can fulfil), Unreachable.
    """
    from builder.source.writeback import check_alias, version_of

    wishes = [("--promote", telling.promote), ("--log-onnx", telling.log_onnx), ("--write-back", telling.write_back)]
    wished = ", ".join(flag for flag, there in wishes if there)
    if telling.write_back is False:
        if wished:
            raise UsageError(f"{wished} and --no-write-back contradict each other.", fix="leave one of the two out.")
        return Registry(telling, stores)
    if telling.promote:
        check_alias(telling.promote)
    version = version_of(model, stores)
    in_mlflow = model.artifacts is not None
    run_id = (version.run_id if version else None) or (model.run_id if in_mlflow else None)
    if version is None and (telling.promote or telling.write_back):
        raise UsageError(
            f"{model.uri} is no registered version: {wished} has nothing to write to.",
            fix="register it (mlflow.register_model), and publish models:/name/version.",
        )
    if telling.log_onnx and run_id is None:
        raise UsageError(
            f"{model.uri} belongs to no run of MLflow: there is no place to log its ONNX.",
            fix="log the model with builder.log_model or mlflow.spark.log_model, and publish that.",
        )
    return Registry(telling, stores, version, run_id)


def _tags(document: Mapping[str, Any], number: int | None) -> dict[str, str]:
    """Facts that hold in every repository; no path, no address."""
    proof = document["proof"]
    tags = {
        "name": document["name"],
        "model_sha256": document["files"]["model.onnx"],
        "written_by": document["written_by"],
        "triton": f"{document['target']['triton']} and newer",
    }
    if number is not None:
        tags["version"] = str(number)
    if not isinstance(proof, Mapping):
        return tags | {"status": "unproven"}
    return tags | {
        "parity": "passed",
        "proven_rows": str(proof["parity"]["rows"]),
        "proven_against": f"Spark {proof['spark_version']}",
        "evidence_sha256": proof["evidence_sha256"],
        "status": "proven",
    }


def _metrics(document: Mapping[str, Any]) -> dict[str, float]:
    proof = document["proof"]
    if not isinstance(proof, Mapping):
        return {}
    parity = proof["parity"]
    outputs = parity["outputs"].values()
    return {
        "rows": float(parity["rows"]),
        "values": float(parity["values"]),
        "near": float(parity["near"]),
        "differing": float(sum(output["differing"] for output in outputs)),
        "largest_difference": max((float(output["largest_difference"]) for output in outputs), default=0.0),
        "coverage": float(proof["coverage"]),
    }
