"""What doctor says of EVE logs: the lab's, which have all but HASSH and hashes of files, and these with less."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.doctor.logs import logs

LAB = Path(__file__).parents[1] / "data" / "lab"
SHOWN = 1_700_000_000.0


def said(folder: Path, events: list[dict[str, Any]]) -> tuple[str, str]:
    """Level and text of what doctor says of these events beside the log's name and clock."""
    (folder / "eve.json").write_text("".join(json.dumps(e) + "\n" for e in events))
    checks = [c for c in logs({"sensor": [folder]}, SHOWN) if c.what.startswith("eve.json")]
    return (checks[0].level, checks[0].what.split("; include ")[0]) if checks else ("", "")


@pytest.fixture
def events() -> list[dict[str, Any]]:
    lines = gzip.decompress((LAB / "benign_tls" / "eve.json.gz").read_bytes()).splitlines()
    return [json.loads(line) for line in lines[::4]]


def without(events: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    kept = [{k: v for k, v in e.items() if k not in names} for e in events]
    return [e | {"tls": {k: v for k, v in e["tls"].items() if k not in names}} if "tls" in e else e for e in kept]


def test_a_log_that_has_all(tmp_path, events) -> None:
    assert said(tmp_path, events) == ("ok", "eve.json has what is read of it")


def test_a_log_of_a_stock_suricata(tmp_path, events) -> None:
    lacks = "eve.json has no community_id, no ja3 of ssl, no ja4 of ssl"
    assert said(tmp_path, without(events, "community_id", "ja3", "ja3s", "ja4")) == ("note", lacks)
    (check,) = [c for c in logs({"sensor": [tmp_path]}, SHOWN) if c.level == "note" and "eve.json" in c.what]
    assert Path(check.what.split("; include ")[1].split(" at the end")[0]).is_file()


def test_a_log_without_flows(tmp_path, events) -> None:
    others = [e for e in events if e["event_type"] != "flow"]
    assert "no flow events" in said(tmp_path, others)[1]


def test_a_few_rows_tell_nothing(tmp_path, events) -> None:
    handshakes = [e for e in events if e["event_type"] == "tls"][:2]
    assert said(tmp_path, without(handshakes, "community_id", "ja3")) == ("", "")
    assert said(tmp_path, [{"timestamp": events[0]["timestamp"], "event_type": "stats", "stats": {}}] * 9) == ("", "")
