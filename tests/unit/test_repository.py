"""A version in the repository is whole or not there."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from builder.errors import Unreachable, UsageError
from builder.triton.repository import check_name, models, read_manifest, versions, write_version

MANIFEST = b'{"source": %d, "stages": [], "inputs": [], "outputs": []}'
FILES = {"model.onnx": b"graph", "manifest.json": b'{"source": "here"}', "evidence/derived.parquet": b"rows"}
CONFIG = 'name: "flights"\n'


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "room" / "model_repository"


def test_a_new_model_lies_where_triton_looks_and_nothing_else_is_left(repository):
    published = write_version(repository, "flights", 3, FILES, CONFIG)

    assert (published.path, published.version, published.changed) == (repository / "flights" / "3", 3, True)
    held = everything(repository.parent)
    assert held.pop("model_repository/flights/config.pbtxt") == CONFIG.encode()
    assert held == {f"model_repository/flights/3/{name}": content for name, content in FILES.items()}
    assert (repository / "flights").stat().st_mode & 0o777 == 0o755
    assert published.path.stat().st_mode & 0o777 == 0o755


def test_the_same_content_again_changes_nothing(repository):
    write_version(repository, "flights", 3, FILES, CONFIG)
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}

    again = write_version(repository, "flights", 3, FILES, CONFIG)

    assert not again.changed
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_other_content_under_the_same_version_is_refused_and_nothing_moves(repository):
    write_version(repository, "flights", 3, FILES, CONFIG)
    before = everything(repository)

    with pytest.raises(UsageError, match="other content") as caught:
        write_version(repository, "flights", 3, FILES | {"model.onnx": b"other"}, "other config")

    assert "next free: 4" in caught.value.fix
    assert everything(repository) == before


def test_without_a_version_the_next_free_integer_is_taken(repository):
    numbers = [write_version(repository, "m", None, {"model.onnx": bytes([i])}, CONFIG).version for i in range(3)]
    again = write_version(repository, "m", None, {"model.onnx": bytes([2])}, CONFIG)

    assert numbers == [1, 2, 3]
    assert (again.version, again.changed) == (3, False)


def test_versions_count_as_numbers_and_what_triton_ignores_is_not_one(repository):
    for number in (9, 10):
        write_version(repository, "m", number, FILES, CONFIG)
    for stray in ("tmp.11.x", "02", "abc", "4.tmp"):
        (repository / "m" / stray).mkdir()

    assert versions(repository, "m") == (9, 10)
    assert versions(repository, "absent") == ()
    assert write_version(repository, "m", None, {"model.onnx": b"new"}, CONFIG).version == 11


def test_an_older_version_leaves_the_config_of_the_newest_alone(repository):
    write_version(repository, "m", 5, FILES, "newest")

    write_version(repository, "m", 4, FILES, "older")
    assert (repository / "m" / "config.pbtxt").read_text() == "newest"

    assert write_version(repository, "m", 5, FILES, "newest, tuned").changed
    assert (repository / "m" / "config.pbtxt").read_text() == "newest, tuned"


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "..", "a b", "-flag", "ä", "a\n", "x" * 129, "a\\b"])
def test_a_name_that_triton_or_the_disk_would_misread_is_refused(name, repository):
    with pytest.raises(UsageError, match="no valid Triton model name"):
        write_version(repository, name, 1, FILES, CONFIG)

    assert not repository.exists()


def test_a_refused_name_comes_with_one_that_would_do():
    with pytest.raises(UsageError) as caught:
        check_name("main.flights.late arrivals?")

    assert "--name main.flights.late_arrivals" in caught.value.fix


@pytest.mark.parametrize("version", [0, -1, 10**19])
def test_a_version_that_triton_cannot_read_is_refused(version, repository):
    with pytest.raises(UsageError, match="no version"):
        write_version(repository, "m", version, FILES, CONFIG)


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", ""])
def test_no_file_climbs_out_of_its_version(path, repository):
    with pytest.raises(UsageError, match="outside"):
        write_version(repository, "m", 1, {path: b""}, CONFIG)


def test_a_repository_that_cannot_be_made_is_unreachable(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Unreachable, match="cannot be read or written"):
        write_version(tmp_path / "file" / "repository", "m", 1, FILES, CONFIG)


@pytest.mark.parametrize("old", [False, True], ids=["new model", "new version"])
def test_a_disk_that_gives_up_midway_leaves_nothing_half_written(repository, old):
    if old:
        write_version(repository, "m", 1, FILES, CONFIG)
    before = everything(repository.parent)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))  # bytes a file: the kernel says EFBIG
    try:
        with pytest.raises(Unreachable):
            write_version(repository, "m", 2, FILES | {"big.data": bytes(2_000_000)}, CONFIG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert everything(repository.parent) == before
    assert {path.name for path in repository.iterdir()} == ({"m"} if old else set())
    assert versions(repository, "m") == ((1,) if old else ())


def test_the_manifest_of_the_highest_version_is_read_unless_another_is_named(repository):
    for number in (2, 10):
        write_version(repository, "m", number, {"manifest.json": MANIFEST % number}, CONFIG)

    assert read_manifest(repository, "m")["source"] == 10
    assert read_manifest(repository, "m", 2)["source"] == 2
    with pytest.raises(UsageError, match="does not hold version 3 of m") as caught:
        read_manifest(repository, "m", 3)
    assert "2, 10" in caught.value.fix


def test_models_are_the_folders_with_a_config(repository):
    write_version(repository, "b", 1, FILES, CONFIG)
    write_version(repository, "a", 1, FILES, CONFIG)
    (repository / "README.md").write_text("hello")
    (repository / "stray").mkdir()

    assert models(repository) == ("a", "b")
    with pytest.raises(UsageError, match="no folder"):
        models(repository / "absent")


def test_what_lies_beside_the_config_is_the_newest_versions(repository):
    beside = {"labels": ["no", "yes"], "warmup": {"warmup/a": b"1", "warmup/b": b"2"}}
    write_version(repository, "m", 2, FILES, CONFIG, **beside)
    write_version(repository, "m", 1, FILES, CONFIG, labels=["other"])
    assert (repository / "m" / "labels.txt").read_text() == "no\nyes\n"
    assert not write_version(repository, "m", 2, FILES, CONFIG, **beside).changed

    write_version(repository, "m", 3, FILES, CONFIG, warmup={"warmup/b": b"2", "warmup/c": b"3"})

    held = {name for name in everything(repository / "m") if not name[0].isdigit()}
    assert held == {"config.pbtxt", "warmup/b", "warmup/c"}
