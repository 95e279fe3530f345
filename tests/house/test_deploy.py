"""docker-compose.yml and deploy/, as far as they can be looked at without a Docker engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.releases import PINNED, TARGETS
from builder.triton.launching import HEADER, image
from tests.house.sources import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
DOCKERFILES = sorted((ROOT / "deploy").rglob("Dockerfile"))
BIN = Path(sys.executable).parent


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("compose-spec", "docker-compose.yml"),
        ("github-workflows", "deploy/ci/github-actions.yml"),
        ("gitlab-ci", "deploy/ci/gitlab-ci.yml"),
    ],
)
def test_a_file_is_what_its_schema_wants(schema, file):
    done = run(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", ROOT / file)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_hadolint_has_nothing_to_say(file):
    assert shutil.which("hadolint", path=str(BIN)), "make install brings it"

    done = run(BIN / "hadolint", "--failure-threshold=info", file)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_image_that_is_built_has_a_dockerfile_and_the_other_way_round():
    built = {service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service}

    assert built == {str(file.relative_to(ROOT)) for file in DOCKERFILES}


def test_triton_is_the_pinned_release_of_the_table():
    images = {service["image"] for name, service in SERVICES.items() if name.startswith("triton")}

    assert images == {image(PINNED)}
    assert PINNED in TARGETS


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_fenced_in(name):
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert not service.get("privileged")


@pytest.mark.parametrize("name", ["triton", "triton-gpu"])
def test_triton_reads_its_repository_and_writes_nothing(name):
    service = SERVICES[name]

    assert service["volumes"] == ["./model_repository:/models:ro"]
    assert service["read_only"]
    assert service["user"] == "${TRITONBUILD_USER:-1000:1000}"
    assert "/v2/health/ready" in service["healthcheck"]["test"][-1]


def test_the_gpu_is_reserved_in_its_profile_alone():
    profiles = {name: SERVICES[name]["profiles"] for name in ("triton", "triton-gpu", "publish")}
    (device,) = SERVICES["triton-gpu"]["deploy"]["resources"]["reservations"]["devices"]

    assert profiles == {"triton": ["cpu"], "triton-gpu": ["gpu"], "publish": ["publish"]}
    assert (ROOT / ".env").read_text().splitlines()[-1] == "COMPOSE_PROFILES=cpu"
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert "deploy" not in SERVICES["triton"]
    assert SERVICES["triton-gpu"]["entrypoint"][-1] == "--model-config-name=gpu"


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_an_image_runs_as_a_plain_user_with_our_pins(file):
    lines = file.read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if line.startswith("USER ")] == ["USER 1000:1000"]
    installs = " ".join(lines).count("pip install")
    assert installs == " ".join(lines).count("--constraint ") == 1


def test_what_a_dockerfile_copies_is_let_in_by_dockerignore():
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    for file in DOCKERFILES:
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("COPY ") and "--from" not in line:
                sources = [source.rstrip("/") for source in line.split()[1:-1]]
                assert set(sources) <= let_in
                assert all((ROOT / source).exists() for source in sources)


def test_the_publishers_image_has_no_java_and_no_spark():
    text = (ROOT / "deploy" / "publish" / "Dockerfile").read_text(encoding="utf-8").split("\n", 1)[1]

    assert "'.[cpu]'" in text
    assert not re.search(r"java|jre|jdk|spark|\btrain\b", text, re.IGNORECASE)


def test_the_secret_comes_from_the_environment_alone():
    files = [ROOT / "docker-compose.yml", ROOT / ".env", *(ROOT / "deploy").rglob("*")]
    told = [
        line
        for file in files
        if file.is_file()
        for line in file.read_text(encoding="utf-8").splitlines()
        if HEADER in line
    ]

    assert told
    for line in told:
        value = re.search(rf"{HEADER}\s*[:=]\s*(?!\?)(.*)", line)
        assert value is None or re.match(r'"?\$|"?triton-control=\$\(', value[1]), line
