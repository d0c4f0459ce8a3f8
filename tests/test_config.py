import pytest

from aegis_enrich.config import Config, load, size_bytes
from aegis_enrich.errors import ConfigError, Problems


def test_no_file_is_all_defaults() -> None:
    assert load(None) == Config()


def test_all_problems_come_at_once_with_their_lines(tmp_path) -> None:
    file = tmp_path / "aegis.yml"
    file.write_text("stat: /x\nflush:\n  rows: ten\n  minutes: 3\nretention: 5\nmemory_limit: lots\nthreads: 0\n")
    with pytest.raises(Problems) as found:
        load(file)
    lines = str(found.value).splitlines()
    assert [line.removeprefix(f"{file}:").split(":")[0] for line in lines[:5]] == ["1", "3", "4", "5", "7"]
    assert "unknown setting stat; known are state, sensors" in lines[0]
    assert "memory_limit" in lines[5] and "512MB" in lines[5]


def test_paths_are_relative_to_the_file(tmp_path) -> None:
    (tmp_path / "a.yml").write_text("geo: {asn: geo/asn.mmdb}\nintel: lists\nsensors: {north: /logs/north}\n")
    config = load(tmp_path / "a.yml")
    assert config.geo.asn == str(tmp_path / "geo" / "asn.mmdb")
    assert config.intel == [str(tmp_path / "lists")]
    assert config.sensors == {"north": ["/logs/north"]}


@pytest.mark.parametrize(("text", "value"), [("512MB", 512_000_000), ("1 GiB", 2**30), ("77", 77), ("1.5kb", 1500)])
def test_sizes(text, value) -> None:
    assert size_bytes(text) == value


def test_a_size_that_is_none_says_how_to_write_one() -> None:
    with pytest.raises(ConfigError, match="512MB"):
        size_bytes("much")
