"""A saved model is data: nothing in it is run. A password in an address stays where the user wrote it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from builder.evidence import load, save
from builder.source import digest
from builder.source.redacting import discreet
from tests.registry.conftest import command, free_port, register

SECRET = "hunter2"


class Bomb:
    """Unpickled, it writes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return (Path.write_text, (self.file, "ran"))


def booby_trapped(canary: Path):
    """What MLflow's own loader would import and unpickle, beside a pipeline of Spark's."""

    def change(model: Path) -> None:
        code = f"from pathlib import Path\nPath({str(canary)!r}).write_text('ran')\n"
        (model / "code").mkdir()
        for name in ("evil.py", "sitecustomize.py", "builder.py"):
            (model / "code" / name).write_text(code)
        for name in ("python_model.pkl", "sparkml/model.pkl", "sparkml/stages/0_scaler/python.pkl"):
            (model / name).write_bytes(pickle.dumps(Bomb(canary)))
        (model / "MLmodel").write_text(
            (model / "MLmodel").read_text()
            + "  python_function:\n    loader_module: evil\n    code: code\n    python_model: python_model.pkl\n"
        )
        evidence = model / "tritonbuild" / "evidence.parquet"
        save(replace(load(evidence), digest=digest(model / "sparkml")), evidence)

    return change


def test_no_code_and_no_pickle_of_a_model_is_ever_run(mlflow_server, tmp_path):
    canary = tmp_path / "canary"
    flights = register(mlflow_server, tmp_path / "model", booby_trapped(canary))

    checked = command("check", f"models:/{flights.name}/1", "--tracking-uri", flights.uri)
    published = command("publish", f"models:/{flights.name}/1", "--log-onnx", "--promote", "champion",
                        "--tracking-uri", flights.uri, "--repository", str(flights.repository))  # fmt: skip

    assert (checked.returncode, published.returncode) == (0, 0), checked.stderr + published.stderr
    assert not canary.exists()
    pickle.loads(pickle.dumps(Bomb(canary)))
    assert canary.read_text() == "ran", "the trap would have sprung"


def test_an_mlmodel_that_asks_yaml_to_run_something_is_refused(tmp_path):
    canary = tmp_path / "canary"
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text(f"flavors: !!python/object/apply:os.mknod ['{canary}']\n")

    result = command("check", str(tmp_path / "model"))

    assert result.returncode == 2
    assert "cannot be read" in result.stderr
    assert not canary.exists()


def test_a_password_in_the_tracking_address_is_in_nothing_that_is_written_or_said(flights, gateway, mlflow_server):
    uri = f"http://clerk:{SECRET}@{gateway.address}"

    result = command("publish", f"models:/{flights.name}/1", "--repository", str(flights.repository), "--log-onnx",
                     "--promote", "champion", "--json", MLFLOW_TRACKING_URI=uri)  # fmt: skip

    assert result.returncode == 0, result.stderr
    assert any("authorization" in line for line in gateway.headers), "the password went to the server"
    written = [*flights.repository.rglob("*"), *mlflow_server.folder.rglob("*")]
    holders = [path for path in written if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert holders == []
    assert SECRET not in result.stdout + result.stderr


@pytest.mark.parametrize("requests", [0, 1, 3, 8, 12])
def test_a_password_is_not_told_when_mlflow_stops_answering(flights, gateway, requests):
    uri = f"http://clerk:{SECRET}@{gateway.address}"
    gateway.fail_after(requests)

    result = command("publish", f"models:/{flights.name}/1", "--repository", str(flights.repository), "--json",
                     "--promote", "champion", "--tracking-uri", uri)  # fmt: skip

    assert result.returncode == 4
    assert SECRET not in result.stdout + result.stderr


@pytest.mark.parametrize(
    "address",
    [
        "http://clerk:{}@127.0.0.1:{port}",
        "https://clerk:{}@127.0.0.1:{port}/mlflow?token={}",
        "postgresql://clerk:{}@127.0.0.1:{port}/mlflow",
        "sqlite:////nowhere/{}@x?key={}",
        "http://clerk:p@ss{}@127.0.0.1:{port}",
        "ftp://clerk:{}@127.0.0.1:{port}",
        "nonsense://clerk:{}@127.0.0.1:{port}",
        "http://clerk:{}@not a host",
    ],
)
def test_no_error_tells_a_password(address, tmp_path):
    uri = address.replace("{port}", str(free_port())).replace("{}", SECRET)

    for source in ("models:/flights/1", "runs:/0123/model"):
        result = command("publish", source, "--tracking-uri", uri, "--repository", str(tmp_path / "models"), "--json")

        assert result.returncode in (2, 4), result.stderr
        assert SECRET not in result.stdout + result.stderr


@pytest.mark.parametrize("asked", ["check", "diff", "publish"])
def test_a_source_that_is_an_address_is_refused_without_its_password(asked):
    result = command(asked, f"https://clerk:{SECRET}@host/model")

    assert result.returncode == 2
    assert SECRET not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("GET http://clerk:pw@host:5000/api failed", "GET http://***@host:5000/api failed"),
        ("http://clerk:p@w@host", "http://***@host"),
        (
            "url: https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&y=1 gone",
            "url: https://b.s3.amazonaws.com/k?*** gone",
        ),
        ("models:/flights@champion is fine? yes", "models:/flights@champion is fine? yes"),
        ("no address at all, clerk@host", "no address at all, clerk@host"),
    ],
)
def test_an_address_keeps_its_host_and_loses_its_secrets(text, told):
    assert discreet(text) == told
