"""How Zeek is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from zeekscript import Script

from aegis_enrich.capture import zeek
from aegis_enrich.capture.sensors import Sensor
from aegis_enrich.config import shipped

SENSOR = Sensor("zeek", Path("/opt/zeek/bin/zeek"))


def command(folder, inside=(), load=(), head=b"x"):
    return zeek.command(SENSOR, folder, inside=inside, load=load, head=head)


def test_it_reads_standard_input_with_the_package_and_without_checksums(tmp_path):
    said = command(tmp_path)
    assert said.arguments[:4] == ["/opt/zeek/bin/zeek", "-C", "-r", "-"]
    assert said.arguments[4] == str(shipped("zeek_scripts") / "__load__.zeek")
    assert all(Path(s).is_file() for s in said.arguments[4:])


def test_the_site_s_networks_are_local(tmp_path):
    said = command(tmp_path, inside=["10.0.0.0/8", "fd00::/8"])
    site = Path(said.arguments[-1])
    assert "Site::local_nets += { 10.0.0.0/8, [fd00::]/8 };" in site.read_text(encoding="utf-8")
    assert "Site::private_address_space_is_local = F;" in site.read_text(encoding="utf-8")


def test_our_scripts_parse(tmp_path):
    site = Path(command(tmp_path, inside=["10.0.0.0/8", "fd00::/8"]).arguments[-1])
    for path in (site, Path(zeek.__file__).with_name("capture.zeek")):
        script = Script(path)
        assert script.parse() and not script.has_error(), path


def test_without_networks_zeek_s_own_notion_holds(tmp_path):
    command(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_uids_depend_on_the_capture_alone(tmp_path):
    seeds = {command(tmp_path, head=h).env["ZEEK_SEED_VALUES"] for h in (b"a", b"a", b"b")}
    assert len(seeds) == 2
    assert all(len(s.split()) == zeek.SEEDS and all(int(v) < 2**32 for v in s.split()) for s in seeds)


def test_the_environment_s_own_seeds_and_suffix_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEEK_SEED_FILE", "/x")
    monkeypatch.setenv("ZEEK_LOG_SUFFIX", "txt")
    assert not {"ZEEK_SEED_FILE", "ZEEK_LOG_SUFFIX"} & set(command(tmp_path).env)


@pytest.mark.parametrize("name", ["mine.zeek", "packet_stats", "local"])
def test_scripts_to_load_too(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.zeek").touch()
    wanted = {"mine.zeek": tmp_path / name, "packet_stats": shipped("zeek_scripts") / "packet_stats.zeek"}
    assert command(tmp_path, load=[name]).arguments[-1] == str(wanted.get(name, "local"))
