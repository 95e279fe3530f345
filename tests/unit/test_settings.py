"""Where a setting's value comes from, and what makes none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builder.errors import UsageError
from builder.triton.settings import FIELDS, Settings, Wish, choose
from tests.unit.cli import Saved, save_model, tritonbuild

TOML = """
[defaults]
max_batch_size = 512
instances = 2
metric_tags = { team = "risk" }

[models.flights]
instances = 4
preferred_batch_sizes = [16, 32]

[models.other]
instances = 9
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "tritonbuild.toml").write_text(TOML, encoding="utf-8")
    return tmp_path / "tritonbuild.toml"


def test_a_flag_goes_before_the_model_that_before_the_defaults(file):
    chosen = choose("flights", Wish({"max_batch_size": "256", "response_cache": "true"}, file))

    assert chosen.settings == Settings(
        max_batch_size=256,
        instances=4,
        preferred_batch_sizes=(16, 32),
        metric_tags={"team": "risk"},
        response_cache=True,
    )
    assert chosen.origins == dict.fromkeys(FIELDS, "default") | {
        "max_batch_size": "flag",
        "response_cache": "flag",
        "instances": "tritonbuild.toml [models.flights]",
        "preferred_batch_sizes": "tritonbuild.toml [models.flights]",
        "metric_tags": "tritonbuild.toml [defaults]",
    }


@pytest.mark.parametrize(("size", "instances", "threads"), [(1 << 20, 6, 1), (1 << 30, 1, 6)])
def test_instances_and_threads_follow_the_cores_together(file, size, instances, threads):
    chosen = choose("flights", Wish({}, file, cpus=6), size)

    assert (chosen.settings.instances, chosen.settings.intra_op_threads) == (instances, threads)
    assert chosen.origins["instances"].startswith("--cpus 6")
    assert choose("flights", Wish({"instances": 2}, file, cpus=6), size).settings.instances == 2


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_queue_size", " 7 ", 7),
        ("preferred_batch_sizes", "4, 8", (4, 8)),
        ("preferred_batch_sizes", "", ()),
        ("versions", "3,5", "3,5"),
        ("response_cache", "False", False),
        ("rate_limit", "cores=2,memory=1", {"cores": 2, "memory": 1}),
        ("metric_tags", "team=a=b", {"team": "a=b"}),
    ],
)
def test_a_text_is_read_as_its_settings_type(name, text, value):
    assert getattr(choose("m", Wish({name: text})).settings, name) == value


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("max_batch_size", "0", "give 1 or more"),
        ("max_batch_size", "many", "give a whole number"),
        ("max_batch_size", True, "give a whole number"),
        ("max_queue_delay_us", -1, "give 0 or more"),
        ("response_cache", "yes", "give true or false"),
        ("response_cache", 1, "give true or false"),
        ("preferred_batch_sizes", "8,2000", "max_batch_size, 1024"),
        ("preferred_batch_sizes", [1.5], "whole numbers"),
        ("versions", "newest", "latest:2"),
        ("versions", "0", "latest:2"),
        ("optimization", "fast", "extended"),
        ("rate_limit", "cores", "cores=1"),
        ("rate_limit", "cores=x", "cores=1"),
        ("metric_tags", "a-b=1", "Prometheus"),
        ("instance", 2, "did you mean instances?"),
        ("zzz", 2, "max_batch_size"),
    ],
)
def test_what_makes_no_sense_is_told_with_what_would(name, value, told):
    with pytest.raises(UsageError) as caught:
        choose("m", Wish({name: value}))

    assert name in caught.value.message
    assert told in caught.value.fix


@pytest.mark.parametrize(
    "text", ["[default]\na = 1", "[models]\nflights = 3", "defaults = 3", "not toml", "[models.m]\nx = 1"]
)
def test_a_file_that_is_not_understood_is_told_by_name(tmp_path, text):
    file = tmp_path / "tritonbuild.toml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match=r"tritonbuild\.toml"):
        choose("m", Wish({}, file))


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    return save_model(tmp_path)


def test_the_command_explains_where_each_value_came_from(saved, file, monkeypatch):
    monkeypatch.chdir(file.parent)
    given = ("--unproven", "--name", "flights", "--set", "queue_timeout_us=900", "--threads", "2")

    shown = saved.publish(*given, "--explain").stdout
    told = json.loads(saved.publish(*given, "--json").stdout)["settings"]

    assert set(FIELDS) <= {line.split()[0] for line in shown.splitlines() if line.strip()}
    assert told["queue_timeout_us"] == {"value": "900", "from": "flag"}
    assert told["intra_op_threads"] == {"value": "2", "from": "flag"}
    assert told["instances"] == {"value": "4", "from": "tritonbuild.toml [models.flights]"}
    config = (saved.repository / "flights" / "config.pbtxt").read_text("utf-8")
    assert "default_timeout_microseconds: 900" in config
    assert "count: 4" in config


@pytest.mark.parametrize(
    "given", [("--set", "instances"), ("--set", "x=1"), ("--cpus", "0"), ("--settings", "no.toml")]
)
def test_a_wish_that_makes_no_sense_is_told_before_any_work(saved, given):
    result = tritonbuild("publish", saved.path, "--schema", saved.schema, "--repository", saved.repository, *given)

    assert result.exit_code == 2
    assert saved.untouched
