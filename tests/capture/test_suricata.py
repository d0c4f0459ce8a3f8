"""How Suricata is called."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from aegis_enrich.capture import suricata
from aegis_enrich.capture.sensors import Sensor
from aegis_enrich.config import shipped
from aegis_enrich.errors import CaptureError


@pytest.fixture
def sensor(tmp_path):
    """An installation with its configuration beside it."""
    (tmp_path / "usr/etc/suricata").mkdir(parents=True)
    (tmp_path / "usr/etc/suricata/suricata.yaml").touch()
    return Sensor("suricata", tmp_path / "usr/bin/suricata")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def arguments(sensor, folder, inside=(), load=()):
    said = list(suricata.command(sensor, folder, inside=inside, load=load).arguments)
    return dict(zip(said[1::2], said[2::2], strict=True))


def test_it_reads_standard_input_in_one_thread(sensor, folder, monkeypatch):
    monkeypatch.setattr(suricata, "CONFIGURATIONS", ())
    said = arguments(sensor, folder)
    assert said["-c"].endswith("usr/etc/suricata/suricata.yaml")
    assert (said["-r"], said["-l"], said["-k"], said["--runmode"]) == ("/dev/stdin", str(folder), "none", "single")
    assert "--set" not in said


def test_the_site_s_networks_are_its_home(sensor, folder):
    said = arguments(sensor, folder, inside=["10.0.0.0/8", "fd00::/8"])
    assert said["--set"] == "vars.address-groups.HOME_NET=[10.0.0.0/8,fd00::/8]"


def test_it_writes_what_the_project_s_configuration_says_but_stats(sensor, folder):
    shipped_eve = yaml.safe_load((shipped("suricata", "plugins/suricata") / suricata.EVE).read_text(encoding="utf-8"))
    text = Path(arguments(sensor, folder)["--include"]).read_text(encoding="utf-8")
    assert text.startswith("%YAML 1.1\n---\n")
    (before,), (after,) = (
        [o["eve-log"]["types"] for o in settings["outputs"] if "eve-log" in o]
        for settings in (shipped_eve, yaml.safe_load(text))
    )
    assert [t for t in before if t not in after] == [t for t in before if "stats" in t] != []


def test_rules_are_the_project_s_and_those_that_are_named(sensor, folder, tmp_path):
    (tmp_path / "a.rules").write_text("alert a", encoding="utf-8")
    (tmp_path / "b.rules").write_text("alert b", encoding="utf-8")
    said = arguments(sensor, folder, load=[str(tmp_path / "a.rules"), str(tmp_path / "b.rules")])
    assert Path(said["-S"]).read_text(encoding="utf-8").endswith("alert a\nalert b")
    with pytest.raises(CaptureError, match=r"no.rules: No such file .* with --load"):
        arguments(sensor, folder, load=[str(tmp_path / "no.rules")])


def test_without_its_configuration(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(suricata, "CONFIGURATIONS", ("/no/suricata.yaml",))
    with pytest.raises(CaptureError, match=r"suricata.yaml is not in /no/suricata.yaml; install Suricata anew"):
        arguments(Sensor("suricata", tmp_path / "x/bin/suricata"), folder)
