"""A lake in a directory and in a bucket: the same files, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpuledger.errors import ConfigError, StoreError
from gpuledger.lake.files import Bucket, Directory, Files, open_files
from gpuledger.store import Store
from tests.components.s3 import S3
from tests.lake.world import bring, contents, export, filled
from tests.store_contract import another_database


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with S3() as server:
        make_bucket(server)
        yield server


def make_bucket(server: S3) -> None:
    import boto3

    keys = server.environ
    client = boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="lake")
    client.close()


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Files:
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    return open_files(f"s3://lake/{request.node.name}", s3.environ)


@pytest.fixture(params=["directory", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "bucket":
        found: Files = request.getfixturevalue("bucket")
        return found
    return Directory(tmp_path)


def test_what_was_put_is_there(files: Files) -> None:
    assert files.get("a/b.parquet") is None
    assert files.sizes("a") == {}
    files.put("a/b.parquet", b"one")
    files.put("a/b.parquet", b"other")
    files.put("c.json", b"")
    assert files.get("a/b.parquet") == b"other"
    assert files.sizes("a") == {"a/b.parquet": 5}
    files.delete("a/b.parquet")
    files.delete("a/b.parquet")
    assert files.sizes("a") == {}


def test_a_store_returns_from_a_bucket(engine: Store, bucket: Files) -> None:
    with another_database(engine) as source, another_database(engine) as target:
        source.apply()
        target.apply()
        filled(source)
        export(source, bucket)
        assert sum(done.files for done in export(source, bucket).values()) == 0
        bring(target, bucket)
        assert contents(target) == contents(source)


def test_a_bucket_that_is_not_there_is_told_in_one_line(bucket: Files, s3: S3) -> None:
    missing = Bucket("s3://nowhere/lake", s3.environ)
    with pytest.raises(StoreError, match="s3://nowhere/lake") as caught:
        missing.put("a", b"1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "s3://", "s3:///prefix", "s3://k:s@bucket/p", "gs://bucket/p"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="write"):
        open_files(url, {})


def test_an_endpoint_without_a_scheme_is_refused() -> None:
    bucket = Bucket("s3://lake/x", {"AWS_ENDPOINT_URL": "127.0.0.1:9000"})
    with pytest.raises(ConfigError, match=r"AWS_ENDPOINT_URL 127.0.0.1:9000: write http"):
        bucket.get("a")


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is no directory"):
        Directory(tmp_path / "file").get("_manifest.json")


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        Directory(tmp_path / "file" / "lake").put("a/b", b"1")


def test_a_draft_is_never_a_file_of_the_lake(tmp_path: Path) -> None:
    files = Directory(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".b.parquet.part").write_bytes(b"half")
    files.put("a/b.parquet", b"whole")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.parquet"]
