"""Names and kinds of files that no sensor makes are told, and hide no log beside them."""

from __future__ import annotations

import os

from aegis_enrich.follow import Follower
from aegis_enrich.follow.names import is_text

LINE = b"#fields\tts\n1\n"


def read(folder):
    with Follower({"s": [folder]}, poll=True) as follower:
        follower.finish()
        found = [follower.read(log, 100_000).data for log in follower.pending()]
        return found, dict(follower.unreadable)


def test_a_link_to_itself_hides_nothing(tmp_path):
    (tmp_path / "a.log").symlink_to("a.log")
    (tmp_path / "conn.loop.log").symlink_to("conn.loop.log")
    (tmp_path / "dns.log").write_bytes(LINE)
    found, unreadable = read(tmp_path)
    assert found == [LINE]
    assert "symbolic links" in unreadable[str(tmp_path / "conn.loop.log")]


def test_pipes_and_devices_are_told(tmp_path):
    os.mkfifo(tmp_path / "conn.log")
    (tmp_path / "dns.log").symlink_to("/dev/zero")
    (tmp_path / "http.log").write_bytes(LINE)
    found, unreadable = read(tmp_path)
    assert found == [LINE]
    told = "it is no file but a pipe, a socket or a device"
    assert unreadable == {str(tmp_path / "conn.log"): told, str(tmp_path / "dns.log"): told}


def test_a_name_that_is_no_text_is_told(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"conn.\xff.log")  # noqa: PTH118
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(LINE)
    found, unreadable = read(tmp_path)
    assert found == []
    assert list(unreadable.values()) == ["its name is no UTF-8; rename it"]
    assert is_text("/a/ä.log") and not is_text(os.fsdecode(path))


def test_a_header_longer_than_a_head_is_read(tmp_path):
    data = b"#fields\tts\t" + b"\t".join(b"c%d" % n for n in range(2000)) + b"\n1" + b"\tx" * 2000 + b"\n"
    (tmp_path / "conn.log").write_bytes(data)
    assert read(tmp_path)[0] == [data]
