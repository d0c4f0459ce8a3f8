from datetime import UTC, datetime

import pytest

from aegis_enrich.follow.names import packed, parse, unknown

KNOWN = {"conn", "dns", "open_conn", "smb_files", "http", "weird", "notice"}


@pytest.mark.parametrize(
    ("filename", "name", "node", "rotated"),
    [
        ("conn.log", "conn", "", False),
        ("conn.2026-11-21-15-00-00.log", "conn", "", True),
        ("conn.15:00:00-16:00:00.log.gz", "conn", "", True),
        ("conn.15:00:00-16:00:00-logger-1.log.gz", "conn", "logger-1", True),
        ("conn-logger-1.log", "conn", "logger-1", False),
        ("conn_worker-2.log", "conn", "worker-2", False),
        ("conn__2026-11-22-00-03-13__2026-11-22-00-03-56__.log", "conn", "", True),
        ("conn_20230101_00:00:00-01:00:00+0000.log.gz", "conn", "", True),
        ("conn-11-03-07_03.00.05.log", "conn", "", True),
        ("open_conn.17_32_32-18_00_00.log.gz", "open_conn", "", True),
        ("conn_top.log", "conn", "top", False),
        ("smb_files.log", "smb_files", "", False),
        ("conn.log.gz", "conn", "", True),
        ("conn.log.1", "conn", "", True),
        ("conn.log-20261121.gz", "conn", "", True),
        ("eve.json", "eve", "", False),
        ("eve.json.gz", "eve", "", True),
        ("eve.3.json", "eve", "3", False),
        ("eve.json.1", "eve", "", True),
        ("eve-2026-11-21-15:00.json", "eve", "", True),
        ("eve.2026-11-21.json.gz", "eve", "", True),
        ("conn__2020-07-16-09-43-10__2020-07-16-10-00-00__log_suffix=logger-2__.log", "conn", "logger-2", True),
        ("conn_worker-1-3.log", "conn", "worker-1-3", False),
        ("conn-logger-1.2026-11-21-15-00-00.log", "conn", "logger-1", True),
        ("conn.18_00_00-19_00_00.log.gz", "conn", "", True),
        ("smb_files.15:00:00-16:00:00.log.gz", "smb_files", "", True),
        ("open-conn.log", "open_conn", "", False),
        ("conn_json.log", "conn", "json", False),
    ],
)
def test_every_way_in_which_sensors_name_their_logs(filename, name, node, rotated) -> None:
    found = parse(filename, KNOWN)
    assert found is not None
    assert (found.name, found.node, found.rotated) == (name, node, rotated)


OTHERS = """labeled-conn.log conn-summary.log conn-summary.15:00:00-16:00:00.log.gz conn_long.log weird_stats.log
    http2.log ORIGINALdns.log README.md conn.pcap stats.log conn.json eve.log"""


@pytest.mark.parametrize("filename", OTHERS.split())
def test_what_is_no_log_of_ours(filename) -> None:
    assert parse(filename, KNOWN) is None


def _utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("filename", "folder", "start", "end"),
    [
        ("conn.2026-11-21-15-00-00.log", "", (2026, 11, 21, 15), (2026, 11, 21, 15)),
        ("conn.15:00:00-16:00:00.log.gz", "2026-11-21", (2026, 11, 21, 15), (2026, 11, 21, 16)),
        ("conn.23:00:00-00:00:00.log.gz", "2026-11-21", (2026, 11, 21, 23), (2026, 11, 22)),
        (
            "conn__2026-11-22-00-03-13__2026-11-22-00-03-56__.log",
            "",
            (2026, 11, 22, 0, 3, 13),
            (2026, 11, 22, 0, 3, 56),
        ),
        ("conn_20230101_00:00:00-01:00:00+0000.log.gz", "", (2023, 1, 1), (2023, 1, 1, 1)),
        ("conn-11-03-07_03.00.05.log", "", (2011, 3, 7, 3, 0, 5), (2011, 3, 7, 3, 0, 5)),
        ("conn.log-20261121.gz", "", (2026, 11, 21), (2026, 11, 21)),
        ("eve-2026-11-21-15:00.json", "", (2026, 11, 21, 15), (2026, 11, 21, 15)),
        ("conn.log.gz", "2026-11-21", (2026, 11, 21), (2026, 11, 21)),
    ],
)
def test_what_a_name_and_its_folder_say_of_time(filename, folder, start, end) -> None:
    found = parse(filename, KNOWN, folder=folder)
    assert found is not None
    assert (found.start_us, found.end_us) == (_utc(*start), _utc(*end))


@pytest.mark.parametrize("filename", ["conn.18_00_00-19_00_00.log.gz", "conn.log", "conn.9999-99-99.log", "eve.json.1"])
def test_a_name_that_says_no_time(filename) -> None:
    found = parse(filename, KNOWN)
    assert found is not None
    assert found.start_us is None and found.end_us is None


def test_other_logs_are_named_without_their_times() -> None:
    assert unknown("conn-summary.15:00:00-16:00:00.log.gz") == "conn-summary"
    assert unknown("labeled-conn.log") == "labeled-conn"
    assert unknown("capture.pcap") is None


def test_other_compressions_are_told_from_gzip() -> None:
    assert packed("conn.log.zst")
    assert not packed("conn.log.gz")
