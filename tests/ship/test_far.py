"""The far side on this machine and on S3: what is put is whole, and errors say where and what."""

from __future__ import annotations

import os

import pytest

from aegis_enrich.errors import ShipError
from aegis_enrich.ship import Far


def test_what_is_put_is_read(far):
    assert far.read("s/manifest/a.jsonl") is None and far.files_in("s/manifest") == {}
    far.put("s/manifest/a.jsonl", "one\n")
    far.put("s/manifest/a.jsonl", "zwei: ü\n")
    assert far.read("s/manifest/a.jsonl") == "zwei: ü\n"
    assert list(far.files_in("s/manifest")) == ["s/manifest/a.jsonl"]
    assert far.folders("") == ["s"] and far.folders("s") == ["s/manifest"]
    assert far.written("s/manifest/a.jsonl") is not None and far.written("nothing") is None
    far.delete("s/manifest/a.jsonl")
    far.delete("s/manifest/a.jsonl")
    assert far.read("s/manifest/a.jsonl") is None


def test_a_file_is_copied_once(far, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(9 * 2**20))
    assert far.copy(source, "s/conn/x.parquet")
    assert far.size("s/conn/x.parquet") == 9 * 2**20
    assert not far.copy(source, "s/conn/x.parquet")
    with pytest.raises(FileNotFoundError):
        far.copy(tmp_path / "gone", "s/conn/y.parquet")
    assert far.size("s/conn/y.parquet") is None


def test_a_copy_that_ends_within_leaves_nothing_under_the_name(tmp_path):
    far = Far(str(tmp_path / "lake"))
    far.put("a", "old")
    with pytest.raises(RuntimeError), far._writing("a") as file:
        file.write(b"ne")
        raise RuntimeError
    assert far.read("a") == "old"
    assert [p.name for p in (tmp_path / "lake").iterdir()] == ["a"]


@pytest.mark.parametrize("endpoint", ["10.0.0.1:9000", "ftp://10.0.0.1", "http://"])
def test_an_endpoint_is_an_address(endpoint):
    with pytest.raises(ShipError, match="write the endpoint as http://host:port"):
        Far("s3://bucket/lake", endpoint=endpoint)


def test_what_cannot_be_is_said(tmp_path):
    with pytest.raises(ShipError, match="nosuch://x"):
        Far("nosuch://x/y")
    (tmp_path / "file").touch()
    with pytest.raises(ShipError, match="cannot be used"):
        Far(str(tmp_path / "file")).put("a/b", "text")


def test_a_bucket_that_is_not_there_is_said(bucket):
    with pytest.raises(ShipError, match="s3://nobucket/lake/a"):
        Far("s3://nobucket/lake", endpoint=bucket[1]).put("a", "text")
