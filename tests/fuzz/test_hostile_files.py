"""Files that no sensor would write, through the real command line: no crash, all counted or told, memory bounded."""

from __future__ import annotations

import gzip
import json
import os
import resource
import time
from pathlib import Path

import pytest
from fuzz.hostile import ANY, HEADER, make, row
from fuzz.program import OBEYED, aegis, letters, read_of

MIB = 2**20
TOLD = ("loop", "fifo", "socket", "zero", "xz")


@pytest.mark.parametrize("command", [("analyze",), ("watch", "--once")])
def test_every_file_is_read_counted_or_told(tmp_path, command):
    expected = make(tmp_path / "in" / "logs")
    ran = aegis(*command, tmp_path / "in/logs", "--state", tmp_path / "s", "-o", tmp_path / "a.ndjson", cwd=tmp_path)
    assert ran.code == 0
    got = read_of(tmp_path / "s")
    for path, of in expected.items():
        if of.rows != ANY:
            assert got.get(path, (0, 0)) == (of.rows, of.bad), path
    told = [line for line in (ran.out + ran.err).splitlines() if "unreadable" in line]
    for name in [
        *(Path(p).name for p, of in expected.items() if of.told and p.isascii()),
        *(f"conn.{t}.log" for t in TOLD),
    ]:
        assert any(name in line for line in told), (name, told)
    assert not OBEYED.search(ran.out + ran.err)
    assert any("conn.\\u001b[31m red.log" in line for line in told), "a line feed in a name ends the line"
    for line in (tmp_path / "a.ndjson").read_text(encoding="utf-8").splitlines():
        json.loads(line)


def test_a_line_of_64_mib_is_one_dead_letter_and_little_memory(tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none/conn.log").write_bytes(HEADER + row(1))
    least = aegis("analyze", tmp_path / "none", cwd=tmp_path).rss_mib
    log = tmp_path / "logs" / "conn.log"
    log.parent.mkdir()
    with log.open("wb") as file:
        file.write(HEADER + row(1))
        for _ in range(64):
            file.write(b"x" * MIB)
        file.write(b"\n" + row(2))
    ran = aegis("analyze", log.parent, "--state", tmp_path / "s", cwd=tmp_path)
    ((offset, reason, body),) = letters(tmp_path / "s")
    assert (offset, reason) == (len(HEADER + row(1)), f"a line of {64 * MIB + 1:,} bytes is too long to be read")
    assert body == b"x" * 4096
    assert read_of(tmp_path / "s")[str(log)] == (2, 1)
    assert ran.rss_mib < least + 48, f"{ran.rss_mib:.0f} MiB, {least:.0f} MiB without it"


@pytest.mark.skipif("AEGIS_FUZZ" not in os.environ, reason="reads 1 GiB; make fuzz runs it")
def test_a_line_of_1_gib(tmp_path):
    log = tmp_path / "logs" / "conn.log"
    log.parent.mkdir()
    log.write_bytes(HEADER + row(1))
    os.truncate(log, 2**30)  # NULs that take no room on disk
    ran = aegis("analyze", log.parent, "--state", tmp_path / "s", cwd=tmp_path)
    ((offset, reason, _),) = letters(tmp_path / "s")
    rest = 2**30 - len(HEADER + row(1))
    assert (offset, reason) == (2**30 - rest, f"a line of {rest:,} bytes is too long to be read")
    print(f"{ran.rss_mib:.0f} MiB")  # noqa: T201
    assert ran.rss_mib < 500


def test_a_gzip_bomb_is_read_as_a_stream(tmp_path):
    """200 MiB in 200 KB: one line without an end, then a log whose lines compress as well."""
    (tmp_path / "logs").mkdir()
    with gzip.open(tmp_path / "logs/conn.log.gz", "wb", 6) as file:
        for _ in range(200):
            file.write(b"\0" * MIB)
    with gzip.open(tmp_path / "logs/conn.2.log.gz", "wb", 6) as file:
        file.write(HEADER)
        for _ in range(20):
            file.write(row(7) * 10_000)
    ran = aegis("analyze", tmp_path / "logs", "--state", tmp_path / "s", cwd=tmp_path)
    assert [(o, r) for o, r, _ in letters(tmp_path / "s")] == [
        (0, f"a line of {200 * MIB:,} bytes is too long to be read")
    ]
    assert read_of(tmp_path / "s")[str(tmp_path / "logs/conn.2.log.gz")] == (200_000, 0)
    assert ran.rss_mib < 900


def test_millions_of_tiny_bad_lines_are_little_memory(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/conn.log").write_bytes(b"x\n" * 500_000)
    ran = aegis("analyze", tmp_path / "logs", "--state", tmp_path / "s", cwd=tmp_path)
    assert read_of(tmp_path / "s")[str(tmp_path / "logs/conn.log")] == (0, 500_000)
    assert ran.rss_mib < 600


def test_thousands_of_files(tmp_path):
    (tmp_path / "logs").mkdir()
    for n in range(800):
        (tmp_path / f"logs/conn.node{n}.log").write_bytes(HEADER + row(n))
    begun_s = time.monotonic()
    ran = aegis("analyze", tmp_path / "logs", "--json", cwd=tmp_path)
    assert json.loads(ran.out)["rows"] == {"conn": 800}
    assert time.monotonic() - begun_s < 200


def test_few_open_files_are_enough(tmp_path, monkeypatch):
    """The system's limit of open files is met by no error, but by files that are closed and opened again."""
    (tmp_path / "logs").mkdir()
    for n in range(400):
        (tmp_path / f"logs/conn.node{n}.log").write_bytes(HEADER + row(n))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(400, soft), hard))
    try:
        ran = aegis("analyze", tmp_path / "logs", "--json", cwd=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert json.loads(ran.out)["rows"] == {"conn": 400}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_told(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/conn.log").write_bytes(HEADER + row(1))
    (tmp_path / "logs/dns.log").write_bytes(HEADER + row(1))
    (tmp_path / "logs/dns.log").chmod(0)
    ran = aegis("analyze", tmp_path / "logs", cwd=tmp_path)
    assert "dns.log: Permission denied" in ran.out + ran.err
