"""Where a capture's logs lie: temporary ones go, those of a state are taken up and never read twice."""

from __future__ import annotations

import pytest

from aegis_enrich.capture.folders import Folders, identity


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(bytes(200_000))
    return path


def test_a_temporary_one_goes(capture):
    with Folders(None) as folders:
        first, second = (folders.folder(capture, "sensor", "zeek") for _ in range(2))
        assert first.path != second.path
        assert first.path.is_dir() and not first.ran
    assert not folders.root.exists()


def test_it_is_where_tmpdir_says(capture, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Folders(None) as folders:
        assert folders.root.parent == tmp_path


def test_a_state_keeps_nothing_of_what_the_sensor_did_not_end(capture, tmp_path):
    with Folders(tmp_path / "state") as folders:
        folder = folders.folder(capture, "sensor", "zeek")
        (folder.path / "conn.log").touch()
    assert not folder.path.exists()


def test_after_a_crash_it_begins_anew(capture, tmp_path):
    folder = Folders(tmp_path / "state").folder(capture, "sensor", "zeek")
    (folder.path / "conn.log").touch()
    with Folders(tmp_path / "state") as folders:
        again = folders.folder(capture, "sensor", "zeek")
        assert (again.path, again.ran, list(again.path.iterdir())) == (folder.path, False, [])


def test_it_takes_up_the_same_logs_after_an_interrupt(capture, tmp_path):
    with Folders(tmp_path / "state") as folders:
        folder = folders.folder(capture, "sensor", "zeek")
        (folder.path / "conn.log").touch()
        folder.note_ran()
    with Folders(tmp_path / "state") as folders:
        again = folders.folder(capture, "sensor", "zeek")
        assert (again.ran, again.done, again.logs()) == (True, False, [folder.path])
        assert (again.path / "conn.log").exists()


def test_what_is_done_leaves_no_logs(capture, tmp_path):
    with Folders(tmp_path / "state") as folders:
        folder = folders.folder(capture, "sensor", "suricata")
        (folder.path / "eve.json").touch()
        (folder.path / "extract_files").mkdir()
        assert folder.logs() == [folder.path / "eve.json"]
        folder.note_done()
        assert [p.name for p in folder.path.iterdir()] == ["done"]
        assert folders.folder(capture, "sensor", "suricata").done


def test_another_sensor_reader_or_capture_is_another(capture, tmp_path):
    other = tmp_path / "b.pcap"
    other.write_bytes(bytes(199_999) + b"1")
    with Folders(tmp_path / "state") as folders:
        given = [(capture, "sensor", "zeek"), (capture, "dmz", "zeek"), (capture, "sensor", "suricata")]
        assert len({folders.folder(*g).path for g in [*given, (other, "sensor", "zeek")]}) == 4
    assert identity(capture, "sensor") == identity(capture.rename(tmp_path / "c.pcap"), "sensor")
