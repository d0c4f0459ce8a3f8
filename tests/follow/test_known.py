from aegis_enrich.follow.known import Known
from aegis_enrich.follow.logfile import LogFile
from aegis_enrich.follow.state import LogState, digest


def _log(head: bytes, *, raw: bool = True, name: str = "conn") -> LogFile:
    state = LogState(head.decode(), "s", name, head_hash=digest(head), head_len=len(head))
    return LogFile(state, head=head if raw else b"")


def test_a_log_is_found_by_what_it_begins_with_the_longest_first() -> None:
    known = Known()
    short, long, other = _log(b"1\n"), _log(b"1\n2\n"), _log(b"1\n", name="dns")
    for log in (short, long, other):
        known.add(log)
    assert known.find("s", "conn", b"1\n2\n3\n") == [long, short]
    assert known.find("s", "conn", b"1\n") == [short]
    assert known.find("t", "conn", b"1\n") == []
    known.drop(short)
    assert known.find("s", "conn", b"1\n") == []
    assert set(known) == {long, other}


def test_a_head_that_grows_stays_found() -> None:
    known, log = Known(), _log(b"1\n")
    known.add(log)
    with known.regrown(log):
        log.grow_head(b"1\n2\n")
    assert known.find("s", "conn", b"1\n2\n") == [log]
    assert known.find("s", "conn", b"1\n3\n") == []


def test_a_short_file_may_become_a_copy_unless_a_known_head_says_no() -> None:
    known = Known()
    known.add(_log(b"1\n2\n"))
    assert known.may_grow_into("s", "conn", b"1\n")
    assert not known.may_grow_into("s", "conn", b"3\n")
    assert not known.may_grow_into("s", "dns", b"1\n")
    known.add(_log(b"5\n6\n", raw=False))  # of the state: just its hash is known
    assert known.may_grow_into("s", "conn", b"3\n")
