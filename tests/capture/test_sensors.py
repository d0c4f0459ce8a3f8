"""Which sensors are found, and what is said where none is."""

from __future__ import annotations

import pytest

from aegis_enrich.capture import choose, installed, sensors
from aegis_enrich.errors import CaptureError


def test_none(nowhere):
    assert installed() == []
    with pytest.raises(CaptureError, match=r"neither Zeek nor Suricata is installed here; install Zeek .* or install"):
        choose(None)


def test_zeek_comes_first(fake):
    suricata, zeek = fake("exit 0", "suricata"), fake("exit 0", "zeek")
    assert installed() == [zeek, suricata]
    assert choose(None) == zeek
    assert choose("suricata") == suricata


def test_suricata_where_there_is_no_zeek(fake):
    suricata = fake("exit 0", "suricata")
    assert choose(None) == suricata
    with pytest.raises(CaptureError, match=r"Zeek is not installed here; .* or take --with suricata"):
        choose("zeek")


def test_beside_path_where_packages_put_it(fake, monkeypatch, tmp_path):
    zeek = fake("exit 0", "zeek")
    monkeypatch.setenv("PATH", str(tmp_path / "no"))
    monkeypatch.setattr(sensors, "PLACES", {"zeek": (str(tmp_path / "no"), str(zeek.path.parent)), "suricata": ()})
    assert installed() == [zeek]


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo zeek version 8.0.10", "8.0.10"),
        ("echo This is Suricata version 7.0.10 RELEASE", "7.0.10"),
        ("echo broken >&2; exit 1", ""),
    ],
)
def test_versions(fake, script, version):
    assert fake(script).version() == version
