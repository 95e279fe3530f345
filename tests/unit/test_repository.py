"""A version in the repository is whole or not there."""

from __future__ import annotations

import base64
import json
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as proto

from builder.errors import Unreachable, UsageError
from builder.triton.locking import LOCK
from builder.triton.repository import (
    check_name,
    models,
    policy,
    read_manifest,
    serve_version,
    serving,
    versions,
    withdraw,
    write_version,
)  # fmt: skip

MANIFEST = b'{"source": %d, "stages": [], "inputs": [], "outputs": []}'
FILES = {"model.onnx": b"graph", "manifest.json": b'{"source": "here"}', "evidence/derived.parquet": b"rows"}
SETTINGS = {"config.pbtxt": b'name: "flights"\n'}


def tuned(size: int, more: str = "") -> dict[str, bytes]:
    return {"config.pbtxt": f'name: "m"\nmax_batch_size: {size}\n{more}'.encode()}


def config_of(repository: Path, name: str, version: int | str = "") -> Any:
    text = (repository / name / str(version) / "config.pbtxt").read_text("utf-8")
    return text_format.Parse(text, proto.ModelConfig())


def loaded(config: bytes) -> list[int]:
    return list(text_format.Parse(config.decode(), proto.ModelConfig()).version_policy.specific.versions)


def everything(folder: Path) -> dict[str, bytes]:
    """But the lock's file, which stays."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "room" / "model_repository"


def test_a_new_model_lies_where_triton_looks_and_nothing_else_is_left(repository):
    published = write_version(repository, "flights", 3, FILES, SETTINGS)

    assert (published.path, published.version, published.changed) == (repository / "flights" / "3", 3, True)
    held = everything(repository.parent)
    assert loaded(held.pop("model_repository/flights/config.pbtxt")) == [3]
    assert held == {f"model_repository/flights/3/{name}": content for name, content in (FILES | SETTINGS).items()}
    assert (repository / "flights").stat().st_mode & 0o777 == 0o755
    assert published.path.stat().st_mode & 0o777 == 0o755


def test_the_same_content_again_changes_nothing(repository):
    write_version(repository, "flights", 3, FILES, SETTINGS)
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}

    again = write_version(repository, "flights", 3, FILES, SETTINGS)

    assert not again.changed
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_other_content_under_the_same_version_is_refused_and_nothing_moves(repository):
    write_version(repository, "flights", 3, FILES, SETTINGS)
    before = everything(repository)

    with pytest.raises(UsageError, match="other content") as caught:
        write_version(repository, "flights", 3, FILES | {"model.onnx": b"other"}, tuned(7))

    assert "next free: 4" in caught.value.fix
    assert everything(repository) == before


def test_without_a_version_the_next_free_integer_is_taken(repository):
    numbers = [write_version(repository, "m", None, {"model.onnx": bytes([i])}, SETTINGS).version for i in range(3)]
    again = write_version(repository, "m", None, {"model.onnx": bytes([2])}, SETTINGS)

    assert numbers == [1, 2, 3]
    assert (again.version, again.changed) == (3, False)


def test_versions_count_as_numbers_and_what_triton_ignores_is_not_one(repository):
    for number in (9, 10):
        write_version(repository, "m", number, FILES, SETTINGS)
    for stray in ("tmp.11.x", "02", "abc", "4.tmp"):
        (repository / "m" / stray).mkdir()

    assert versions(repository, "m") == (9, 10)
    assert versions(repository, "absent") == ()
    assert write_version(repository, "m", None, {"model.onnx": b"new"}, SETTINGS).version == 11


def test_an_older_version_leaves_the_config_of_the_newest_alone(repository):
    write_version(repository, "m", 5, FILES, tuned(5))

    write_version(repository, "m", 4, FILES, tuned(4))
    assert config_of(repository, "m").max_batch_size == 5

    assert write_version(repository, "m", 5, FILES, tuned(50)).changed
    assert config_of(repository, "m").max_batch_size == 50
    assert config_of(repository, "m", 5).max_batch_size == 50


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "..", "a b", "-flag", "ä", "a\n", "x" * 129, "a\\b"])
def test_a_name_that_triton_or_the_disk_would_misread_is_refused(name, repository):
    with pytest.raises(UsageError, match="no valid Triton model name"):
        write_version(repository, name, 1, FILES, SETTINGS)

    assert not repository.exists()


def test_a_refused_name_comes_with_one_that_would_do():
    with pytest.raises(UsageError) as caught:
        check_name("main.flights.late arrivals?")

    assert "--name main.flights.late_arrivals" in caught.value.fix


@pytest.mark.parametrize("version", [0, -1, 10**19])
def test_a_version_that_triton_cannot_read_is_refused(version, repository):
    with pytest.raises(UsageError, match="no version"):
        write_version(repository, "m", version, FILES, SETTINGS)


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", ""])
def test_no_file_climbs_out_of_its_version(path, repository):
    with pytest.raises(UsageError, match="outside"):
        write_version(repository, "m", 1, {path: b""}, SETTINGS)


def test_a_repository_that_cannot_be_made_is_unreachable(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Unreachable, match="cannot be read or written"):
        write_version(tmp_path / "file" / "repository", "m", 1, FILES, SETTINGS)


@pytest.mark.parametrize("old", [False, True], ids=["new model", "new version"])
def test_a_disk_that_gives_up_midway_leaves_nothing_half_written(repository, old):
    if old:
        write_version(repository, "m", 1, FILES, SETTINGS)
    before = everything(repository.parent)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))  # bytes a file: the kernel says EFBIG
    try:
        with pytest.raises(Unreachable):
            write_version(repository, "m", 2, FILES | {"big.data": bytes(2_000_000)}, SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert everything(repository.parent) == before
    assert {path.name for path in repository.iterdir()} == ({LOCK, "m"} if old else {LOCK})
    assert versions(repository, "m") == ((1,) if old else ())


def test_the_manifest_of_the_highest_version_is_read_unless_another_is_named(repository):
    for number in (2, 10):
        write_version(repository, "m", number, {"manifest.json": MANIFEST % number}, SETTINGS)

    assert read_manifest(repository, "m")["source"] == 10
    assert read_manifest(repository, "m", 2)["source"] == 2
    with pytest.raises(UsageError, match="does not hold version 3 of m") as caught:
        read_manifest(repository, "m", 3)
    assert "2, 10" in caught.value.fix


def test_models_are_the_folders_with_a_config(repository):
    write_version(repository, "b", 1, FILES, SETTINGS)
    write_version(repository, "a", 1, FILES, SETTINGS)
    (repository / "README.md").write_text("hello")
    (repository / "stray").mkdir()

    assert models(repository) == ("a", "b")
    with pytest.raises(UsageError, match="no folder"):
        models(repository / "absent")


def test_what_lies_beside_the_config_is_the_newest_versions(repository):
    beside = SETTINGS | {"labels.txt": b"no\nyes\n", "warmup/a": b"1", "warmup/b": b"2"}
    write_version(repository, "m", 2, FILES, beside)
    write_version(repository, "m", 1, FILES, SETTINGS | {"labels.txt": b"other\n"})
    assert (repository / "m" / "labels.txt").read_text() == "no\nyes\n"
    assert not write_version(repository, "m", 2, FILES, beside).changed

    write_version(repository, "m", 3, FILES, SETTINGS | {"warmup/b": b"2", "warmup/c": b"3"})

    held = {name for name in everything(repository / "m") if not name[0].isdigit()}
    assert held == {"config.pbtxt", "warmup/b", "warmup/c"}


@pytest.fixture
def five(repository: Path) -> Path:
    """Versions 1 to 5 of m, each with a batch size of its number."""
    for number in range(1, 6):
        beside = tuned(number) | {"labels.txt": f"{number}\n".encode(), "configs/gpu.pbtxt": tuned(100)["config.pbtxt"]}
        write_version(repository, "m", number, {"model.onnx": bytes([number])}, beside)
    return repository


def answers(repository: Path) -> tuple[int, int, str]:
    """What answers, by every file that says so: version, batch size, label."""
    config = config_of(repository, "m")
    assert list(config.version_policy.specific.versions)[-1] == serving(repository, "m")
    gpu = (repository / "m" / "configs" / "gpu.pbtxt").read_bytes()
    assert loaded(gpu) == list(config.version_policy.specific.versions)
    label = (repository / "m" / "labels.txt").read_text().strip()
    return serving(repository, "m"), config.max_batch_size, label


def test_an_older_version_answers_again_as_it_did(five):
    assert answers(five) == (5, 5, "5")

    serve_version(five, "m", 2)
    assert answers(five) == (2, 2, "2")
    assert policy(five, "m").before == 5

    serve_version(five, "m", 5)
    assert answers(five) == (5, 5, "5")
    assert not policy(five, "m").held


def test_publishing_what_was_rolled_back_from_says_so_and_changes_nothing(five):
    serve_version(five, "m", 4)
    before = everything(five)
    beside = tuned(5) | {"labels.txt": b"5\n", "configs/gpu.pbtxt": tuned(100)["config.pbtxt"]}

    again = write_version(five, "m", 5, {"model.onnx": bytes([5])}, beside)

    assert (again.changed, again.serving) == (False, 4)
    assert "rollback m --to 5" in again.notes[0]
    assert everything(five) == before


def test_a_higher_version_answers_although_an_older_one_was_held(five):
    serve_version(five, "m", 3)

    published = write_version(five, "m", None, {"model.onnx": b"6"}, tuned(6))

    assert (published.version, published.serving, published.notes) == (6, 6, ())
    assert policy(five, "m").before == 3


def test_settings_of_the_version_that_is_held_may_change(five):
    serve_version(five, "m", 3)

    write_version(five, "m", 3, {"model.onnx": bytes([3])}, tuned(30))

    assert config_of(five, "m").max_batch_size == 30
    assert serving(five, "m") == 3
    assert policy(five, "m").held


@pytest.mark.parametrize("held", [False, True])
def test_what_is_withdrawn_leaves_what_answered_before(five, held):
    if held:
        serve_version(five, "m", 2)
    before = answers(five)
    write_version(five, "m", 6, {"model.onnx": b"6"}, tuned(6))

    withdraw(five, "m", 6)

    assert answers(five) == before
    assert versions(five, "m") == (1, 2, 3, 4, 5)
    assert policy(five, "m").held == held


def test_the_only_version_is_withdrawn_with_its_model(repository):
    write_version(repository, "m", 1, FILES, SETTINGS)

    withdraw(repository, "m", 1)

    assert everything(repository.parent) == {}
    assert versions(repository, "m") == ()
    with pytest.raises(UsageError, match="does not hold m"):
        serving(repository, "m")


def test_a_version_whose_kept_settings_were_changed_is_not_served(five):
    manifest = b'{"config": {"files": {"config.pbtxt": "0"}}}'
    write_version(five, "m", 6, {"manifest.json": manifest}, tuned(6))

    with pytest.raises(UsageError, match="does not hold the settings") as caught:
        serve_version(five, "m", 6)

    assert "publish version 6 of m again" in caught.value.fix


@pytest.mark.parametrize(
    ("asked", "then", "rolled_back"),
    [
        ("", [3], [2]),
        ("version_policy { latest { num_versions: 2 } }", [2, 3], [1, 2]),
        ("version_policy { all {} }", [1, 2, 3], [1, 2]),
        ("version_policy { specific { versions: 1 versions: 3 } }", [1, 3], [1, 2]),
    ],
)
def test_the_config_names_the_versions_that_were_asked_for(repository, asked, then, rolled_back):
    for number in (1, 3, 2):
        write_version(repository, "m", number, {"model.onnx": bytes([number])}, tuned(number, asked))
    assert list(config_of(repository, "m").version_policy.specific.versions) == then

    serve_version(repository, "m", 2)

    assert list(config_of(repository, "m").version_policy.specific.versions) == rolled_back


def test_a_version_that_came_whole_before_its_settings_did_answers_once_it_is_published_again(five):
    """Killed between the two renames."""
    config = (five / "m" / "config.pbtxt").read_bytes()
    write_version(five, "m", 6, {"model.onnx": b"6"}, tuned(6))
    (five / "m" / "config.pbtxt").write_bytes(config)
    assert serving(five, "m") == 5

    assert write_version(five, "m", 6, {"model.onnx": b"6"}, tuned(6)).changed

    assert config_of(five, "m").max_batch_size == 6
    assert serving(five, "m") == 6


def test_settings_that_were_begun_are_finished_by_the_next_publisher(five):
    """Killed once they were written down."""
    begun = {"config.pbtxt": tuned(50)["config.pbtxt"], "labels.txt": b"fifty\n"}
    noted = {name: base64.b64encode(content).decode() for name, content in begun.items()}
    (five / "m" / "5" / ".settings.json").write_text(json.dumps(noted))

    write_version(five, "m", 4, {"model.onnx": bytes([4])}, tuned(4))

    assert config_of(five, "m", 5).max_batch_size == 50
    assert config_of(five, "m").max_batch_size == 50
    assert (five / "m" / "labels.txt").read_text() == "fifty\n"
    assert not list(five.rglob(".settings.json"))
    assert not (five / "m" / "configs" / "gpu.pbtxt").exists()  # the new settings have none


@pytest.mark.parametrize("noted", ["", "{", "[1]", '{"config.pbtxt": 7}', '{"config.pbtxt": "no base64"}'])
def test_begun_settings_that_nobody_can_read_are_told_and_nothing_is_changed(five, noted):
    (five / "m" / "5" / ".settings.json").write_text(noted)
    before = everything(five)

    with pytest.raises(UsageError, match=r"5/\.settings\.json is not as a publisher writes it") as told:
        write_version(five, "m", 4, {"model.onnx": bytes([4])}, tuned(4))

    assert "remove that file" in told.value.fix
    assert everything(five) == before


def document(**more: object) -> dict[str, bytes]:
    told = {"name": "m", "source": {"digest": "d", "uri": "models:/m/1"}, "files": {"model.onnx": "0"}, "tools": {}}
    return {"model.onnx": b"graph", "manifest.json": json.dumps(told | more).encode()}


@pytest.mark.parametrize(
    ("more", "the_same"),
    [
        ({"tools": {"onnx": "9"}}, True),
        ({"source": {"digest": "d", "uri": "runs:/1/model", "alias": "champion"}}, True),
        ({"stages": [{"note": "other words"}]}, True),
        ({"source": {"digest": "other"}}, False),
        ({"inputs": [{"name": "x"}]}, False),
        ({"proof": "unproven"}, False),
    ],
)
def test_what_a_manifest_means_decides_whether_a_version_is_the_same(repository, more, the_same):
    write_version(repository, "m", 1, document(), SETTINGS)
    before = everything(repository)

    if the_same:
        assert not write_version(repository, "m", 1, document(**more), SETTINGS).changed
    else:
        with pytest.raises(UsageError, match="other content"):
            write_version(repository, "m", 1, document(**more), SETTINGS)

    assert everything(repository) == before


def test_other_settings_are_told_by_the_manifest_and_are_no_other_content(repository):
    write_version(repository, "m", 1, document(config={"files": {}}, tools={"onnx": "1"}), tuned(1))

    write_version(repository, "m", 1, document(config={"files": {"a": "0"}}, tools={"onnx": "2"}), tuned(2))

    told = json.loads((repository / "m" / "1" / "manifest.json").read_text())
    assert (told["config"], told["tools"]) == ({"files": {"a": "0"}}, {"onnx": "1"})


@pytest.mark.parametrize(
    ("files", "beside"),
    [(FILES | SETTINGS, SETTINGS), (FILES, {}), (FILES, SETTINGS | {"model.onnx": b""}), (FILES, SETTINGS | {"warmup/../../x": b""})],
)  # fmt: skip
def test_settings_lie_where_triton_looks_for_them_and_nowhere_else(repository, files, beside):
    with pytest.raises(UsageError):
        write_version(repository, "m", 1, files, beside)

    assert not repository.exists()
