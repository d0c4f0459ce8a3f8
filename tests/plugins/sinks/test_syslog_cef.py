"""CEF: its escapes, its keys, its severities."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_enrich.plugin import Document
from aegis_plugins.sinks.syslog.cef import cef, extension, header

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def alert(**fields):
    body = json.loads((GOLDEN / "multistage.json").read_text(encoding="utf-8"))[0] | fields
    return Document("alert", body["event"]["id"], 3, body)


def read(line):
    """Header fields and extensions, as a receiver reads them."""
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    found = re.split(r"(?:^| )([A-Za-z0-9]+)(?<!\\)=", parts[7])
    return parts[:7], dict(zip(found[1::2], found[2::2], strict=True))


def test_an_alert_in_the_keys_of_the_dictionary():
    head, values = read(cef(alert(), "open"))
    assert [head[0], head[1], head[4], head[5], head[6]] == [
        "CEF:0", "AegisEnrich", "port_scan", "Port scan by 203.0.113.66", "6",
    ]  # fmt: skip
    assert values["src"] == "203.0.113.66" and values["dst"] == "10.10.0.14" and values["proto"] == "TCP"
    assert values["externalId"] == alert().id and values["cn1"] == "3" and values["cs1"] == "T1595.001"
    assert values["rt"] == values["end"] == "1795314531105" and values["start"] == "1795314526115"
    assert values["msg"].startswith("203.0.113.66 probed 1,000 ports")


def test_ipv6_has_fields_of_its_own():
    _, values = read(cef(alert(source={"ip": "fd00::1"}, destination={"ip": "fd00::2"}), "open"))
    assert (values["c6a2"], values["c6a3"]) == ("fd00::1", "fd00::2") and "src" not in values and "dst" not in values


@pytest.mark.parametrize(("severity", "shown"), [(21, "3"), (47, "6"), (73, "8"), (99, "10"), (None, "5")])
def test_severities(severity, shown):
    event = {"id": "a", "severity": severity}
    assert read(cef(alert(event=event), "open"))[0][6] == shown


def test_escapes():
    assert header("a|b\\c=d\ne") == "a\\|b\\\\c=d e"
    assert extension("a|b\\c=d\r\ne\nf") == "a|b\\\\c\\=d\\ne\\nf"


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_leaves_its_field(title, reason):
    event = {"id": "a", "severity": 47, "reason": f"r {reason}"}
    line = cef(alert(message=f"t{title}", event=event, rule={"id": title or "r"}), "open")
    assert not any(ord(c) < 32 for c in line)
    unescaped_pipes = re.findall(r"(?<!\\)(?:\\\\)*\|", line.split(" externalId=")[0].split("externalId=")[0])
    assert len(unescaped_pipes) == 7
    keys = re.findall(r"(?:\|| )([A-Za-z0-9]+)=", line)
    assert keys.count("msg") == 1 and keys.count("act") == 1
