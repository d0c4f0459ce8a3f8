import pytest

from aegis_enrich.follow import opened


@pytest.fixture
def five(monkeypatch) -> None:
    monkeypatch.setattr(opened, "MAX_OPEN", 5)


def test_more_logs_than_files_may_be_open(tmp_path, start, five) -> None:
    paths = [tmp_path / f"conn_worker-{n}.log" for n in range(30)]
    for n, path in enumerate(paths):
        path.write_bytes(b"%d\ta\n" % n)
    reading = start(tmp_path)
    reading.read()
    for n, path in enumerate(paths):
        with path.open("ab") as file:
            file.write(b"%d\tb\n" % (100 + n))
    reading.scan()
    assert len(reading.follower._finder.files.logs) <= 5
    reading.read()
    assert len(reading.lines) == 60


def test_a_file_without_a_name_stays_open(tmp_path, start, five) -> None:
    (tmp_path / "conn.log").write_bytes(b"1\ta\n")
    reading = start(tmp_path)
    reading.scan()
    (tmp_path / "conn.log").unlink()
    for n in range(10):
        (tmp_path / f"dns_worker-{n}.log").write_bytes(b"%d\ta\n" % (10 + n))
    reading.scan()
    reading.read()
    assert reading.lines[0] == b"1\ta\n"
    assert len(reading.lines) == 11
