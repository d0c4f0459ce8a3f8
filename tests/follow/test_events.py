import pytest

from aegis_enrich.follow import Follower
from aegis_enrich.follow.events import Events

LONG_S = 60.0


@pytest.fixture
def follower(tmp_path, clock):
    with Follower({"s": [tmp_path]}, clock=clock) as following:
        yield following


def test_a_new_file_ends_the_waiting_and_is_found(tmp_path, follower) -> None:
    assert not follower.pending()
    (tmp_path / "new.log").write_bytes(b"1\ta\n")
    (tmp_path / "new.log").rename(tmp_path / "conn.log")
    for _ in range(5):  # the clock stands still: without events, nothing is found; there may be several
        follower.wait(LONG_S)
        if pending := follower.pending():
            break
    assert [log.name for log in pending] == ["conn"]


def test_growth_ends_the_waiting(tmp_path, follower) -> None:
    path = tmp_path / "conn.log"
    path.write_bytes(b"1\ta\n")
    follower.read(follower.pending()[0], 1000)
    assert not follower.pending()
    with path.open("ab") as file:
        file.write(b"2\tb\n")
    follower.wait(LONG_S)
    chunk = follower.read(follower.pending()[0], 1000)
    assert chunk is not None and chunk.data == b"2\tb\n"


def test_polling_waits_no_longer_than_it_is_told() -> None:
    events, looks = Events(poll=True), []
    events.watch(["/"])
    events.wait(0.0, lambda: bool(looks.append(1)))
    assert looks
    assert not events.take()
    events.close()


def test_a_system_without_watches_left_is_polled(tmp_path, clock, monkeypatch, caplog) -> None:
    from watchdog.observers.api import BaseObserver

    def refuse(*args, **kwargs):
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(BaseObserver, "schedule", refuse)
    (tmp_path / "conn.log").write_bytes(b"1\ta\n")
    with Follower({"s": [tmp_path]}, clock=clock) as follower:
        assert follower.pending()
    assert "inotify watch limit reached" in caplog.text
