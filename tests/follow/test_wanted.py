import pytest

from aegis_enrich.follow.logfile import Place
from aegis_enrich.follow.names import LogName
from aegis_enrich.follow.state import LogState
from aegis_enrich.follow.wanted import floor_us, kind_of

KNOWN = {"conn", "dns", "open_conn"}
HOUR_US = 3_600_000_000


def _archive(hour: int) -> Place:
    return Place("s", "p", LogName("conn", rotated=True, start_us=(hour - 1) * HOUR_US, end_us=hour * HOUR_US), False)


@pytest.mark.parametrize(
    ("since_us", "back_us", "floor"),
    [
        (None, None, None),
        (None, 2 * HOUR_US, 8 * HOUR_US),
        (9 * HOUR_US, None, 9 * HOUR_US),
        (3 * HOUR_US, 2 * HOUR_US, 8 * HOUR_US),
    ],
)
def test_a_new_state_begins_this_long_before_the_newest_archive(since_us, back_us, floor) -> None:
    places = [_archive(3), _archive(10), Place("s", "live", LogName("conn"), False, mtime_ns=10**18)]
    assert floor_us(places, [], KNOWN, since_us=since_us, back_us=back_us) == floor


def test_a_state_that_knows_archives_begins_with_the_oldest() -> None:
    known = [LogState(p, "s", "conn", path=p) for p in ("/z/conn.2026-11-21-15-00-00.log", "/z/conn.log")]
    assert floor_us([_archive(3)], known, KNOWN, since_us=0, back_us=None) == 1_795_273_200_000_000
    assert floor_us([_archive(3)], known[1:], KNOWN, since_us=None, back_us=HOUR_US) is None
    assert floor_us([_archive(3)], known, KNOWN, since_us=None, back_us=None) is None


@pytest.mark.parametrize(
    ("path", "head", "name"),
    [
        ("a/conn.log", b"#path\tdns\n1\n", "dns"),
        ("a/conn_worker-1.log", b"#path\tconn\n1\n", "conn"),
        ("a/conn.log", b"#path\tstats\n1\n", "conn"),
        ("a/open_conn.log", b'{"_path":"conn"}\n', "open_conn"),
        ("a/x.log", b'{"_path":"conn"}\n', "conn"),
        ("a/x", b'{"event_type":"flow"}\n', "eve"),
        ("a/x", b"text\n", None),
    ],
)
def test_a_file_named_by_itself(path, head, name) -> None:
    found = kind_of(path, head, KNOWN)
    assert (found and found.name) == name


def test_the_node_of_a_file_named_by_itself_is_in_its_name() -> None:
    found = kind_of("a/conn_worker-1.log", b"#path\tconn\n1\n", KNOWN)
    assert found is not None and found.node == "worker-1"
