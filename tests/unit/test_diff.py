"""`tritonbuild diff`: what publishing would change, told before and true after."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builder.triton.repository import serve_version
from tests.saved import min_max, write_pipeline
from tests.unit.cli import HIGH, LOW, VECTOR, Saved, save_model, tritonbuild, write_schema


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    found = save_model(tmp_path)
    found.add_evidence()
    return found


def scaler(saved: Saved, folder: str, *, input: str = "v", low: float = 0.5) -> Saved:
    """Another pipeline, to be published under the first one's name."""
    path = saved.path.parent / folder
    write_pipeline(path / "model", [min_max("scaler", input, "scaled", [low, *LOW[1:]], HIGH)])
    write_schema(path / "schema.json", **{input: VECTOR})
    return Saved(path / "model", path / "schema.json", saved.repository)


def publish(saved: Saved, *more: str) -> Any:
    return saved.publish("--name", "model", "--json", *more)


def diff(saved: Saved, *more: str) -> Any:
    where = ("--schema", saved.schema, "--repository", saved.repository, "--name", "model")
    return tritonbuild("diff", saved.path, *where, *more)


def told(saved: Saved, *more: str) -> dict[str, Any]:
    result = diff(saved, "--json", *more)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def changes(document: dict[str, Any], what: str) -> dict[str, tuple[Any, Any, bool]]:
    found = [change for change in document["changes"] if change["what"] == what]
    return {change["name"]: (change["before"], change["after"], change["breaks"]) for change in found}


def everything(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def a_new_model(saved: Saved) -> tuple[Saved, list[str]]:
    return saved, []


def the_same(saved: Saved) -> tuple[Saved, list[str]]:
    publish(saved)
    return saved, []


def other_settings(saved: Saved) -> tuple[Saved, list[str]]:
    publish(saved)
    return saved, ["--instances", "2"]


def other_content(saved: Saved) -> tuple[Saved, list[str]]:
    publish(saved)
    return scaler(saved, "other"), ["--unproven"]


def other_content_under_that_number(saved: Saved) -> tuple[Saved, list[str]]:
    publish(saved)
    return scaler(saved, "other"), ["--unproven", "--version", "1"]


def a_lower_version(saved: Saved) -> tuple[Saved, list[str]]:
    publish(saved, "--version", "5")
    return scaler(saved, "other"), ["--unproven", "--version", "3"]


def what_somebody_went_back_from(saved: Saved) -> tuple[Saved, list[str]]:
    publish(saved)
    other = scaler(saved, "other")
    publish(other, "--unproven")
    serve_version(saved.repository, "model", 1)
    return other, ["--unproven", "--instances", "3"]


CASES: dict[str, tuple[Callable[[Saved], tuple[Saved, list[str]]], str, int, bool]] = {
    "a new model": (a_new_model, "first", 1, True),
    "the same": (the_same, "same", 1, True),
    "other settings": (other_settings, "settings", 1, True),
    "other content": (other_content, "new", 2, True),
    "other content under that number": (other_content_under_that_number, "refused", 1, True),
    "a lower version": (a_lower_version, "new", 3, False),
    "what somebody went back from": (what_somebody_went_back_from, "settings", 2, False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_it_says_is_what_publishing_does(saved, case):
    arrange, verdict, version, answers = CASES[case]
    source, flags = arrange(saved)
    before = everything(saved.path.parent)

    said = told(source, *flags)
    untouched = everything(saved.path.parent) == before
    published = publish(source, *flags)

    assert untouched
    assert (said["verdict"], said["version"], said["answers"]) == (verdict, version, answers)
    assert published.exit_code == (2 if verdict == "refused" else 0)
    if verdict != "refused":
        document = json.loads(published.stdout)
        assert (document["version"], document["changed"]) == (version, said["differs"])
        assert told(source, *flags)["verdict"] == "same"


def test_what_would_not_answer_breaks_nobody_and_what_changes_nothing_has_no_changes(saved):
    source, flags = what_somebody_went_back_from(saved)
    renamed = scaler(saved, "renamed", input="w")

    assert changes(told(source, *flags), "setting")["instances"][1].startswith("3")
    publish(source, *flags)
    same, lower = told(source, *flags), told(renamed, "--unproven", "--version", "9")

    assert (same["verdict"], same["changes"], same["breaks"]) == ("same", [], False)
    assert lower["breaks"]
    publish(saved, "--version", "12")
    assert not told(renamed, "--unproven", "--version", "9")["breaks"]


def test_the_config_is_compared_with_the_one_that_is_served_edits_by_hand_included(saved):
    publish(saved)
    config = saved.repository / "model" / "config.pbtxt"
    config.write_text(config.read_text().replace("max_batch_size: 1024", "max_batch_size: 77"))

    said = told(saved)

    assert said["verdict"] == "settings"
    assert "-max_batch_size: 77" in said["config"]
    assert "+max_batch_size: 1024" in said["config"]


def test_settings_tell_both_values_and_where_they_come_from(saved):
    publish(saved)

    said = told(saved, "--instances", "2")

    assert changes(said, "setting") == {"instances": ("1 (default)", "2 (flag)", False)}
    assert "+  count: 2" in said["config"]
    assert not said["breaks"]


def test_a_refitted_pipeline_breaks_nobody(saved):
    publish(saved)

    said = told(scaler(saved, "refitted"), "--unproven")

    assert not said["breaks"]
    assert changes(said, "stage") == {}
    assert changes(said, "origin")["proof"] == (None, "unproven", False)
    assert set(changes(said, "file")) >= {"model.onnx"}


def test_a_column_that_is_renamed_breaks_clients(saved):
    publish(saved)

    said = told(scaler(saved, "renamed", input="w"), "--unproven")

    spec = "vector, FP64 [N, 3], may be null"
    assert changes(said, "input") == {"v": (spec, None, True), "w": (None, spec, True)}
    assert said["breaks"]


def test_an_answer_that_goes_breaks_clients_and_one_that_comes_does_not(saved):
    both = [min_max("scaler", "v", "scaled", LOW, HIGH), min_max("second", "v", "twice", LOW, HIGH)]
    two = Saved(write_pipeline(saved.path.parent / "both", both), saved.schema, saved.repository)
    spec = "vector, FP64 [N, 3], never null"

    publish(saved)
    coming = told(two, "--unproven")
    publish(two, "--unproven")
    going = told(saved)

    assert changes(coming, "output") == {"twice": (None, spec, False)}
    assert changes(coming, "stage") == {"2": (None, "MinMaxScalerModel: bit", False)}
    assert not coming["breaks"]
    assert changes(going, "output") == {"twice": (spec, None, True)}


def test_it_ends_with_0_unless_it_shall_say_so_by_its_exit_code(saved):
    publish(saved)

    assert diff(saved, "--instances", "2").exit_code == 0
    assert diff(saved, "--instances", "2", "--exit-code").exit_code == 1
    assert diff(saved, "--exit-code").exit_code == 0


def test_what_cannot_be_published_has_no_difference(saved):
    other = scaler(saved, "unproven")

    result = diff(other)

    assert result.exit_code == 2
    assert "has no evidence" in result.stderr


def test_a_pull_request_reads_it_as_markdown(saved):
    publish(saved)

    text = diff(scaler(saved, "renamed", input="w"), "--unproven", "--markdown").stdout

    assert text.startswith("## `model`\n\n")
    assert "would become version 2." in text
    assert "| input | `v` | vector, FP64 [N, 3], may be null |  | **breaks clients** |" in text
    assert "```diff\n--- config.pbtxt\tversion 1\n+++ config.pbtxt\tversion 2\n" in text


def test_a_person_reads_sentences_and_a_table(saved):
    publish(saved)

    lines = diff(scaler(saved, "renamed", input="w"), "--unproven").stdout.splitlines()

    assert lines[0].endswith("would become version 2.")
    assert lines[2] == "2 changes break clients of version 1."
    assert any(line.startswith("input") and "breaks clients" in line for line in lines)
    assert all(len(line) < 200 for line in lines)
