from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.buckets import Store, store
from tests.unit.cli import Saved, save_model


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def bucket(s3: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The server with an empty bucket, and this process's environment so that it is found."""
    import s3fs

    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3.files()
    for path in files.find("room"):
        files.rm_file(path)
    s3.log.write_bytes(b"")
    yield s3
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def saved(tmp_path: Path, bucket: Store) -> Saved:
    saved = save_model(tmp_path)
    saved.add_evidence()
    return Saved(saved.path, saved.schema, bucket.repository)
