"""Options and output that commands share."""

from __future__ import annotations

from aegis_enrich.cli.options import alert_table, configuration, field
from aegis_enrich.config import Config


def alert(number: int, risk: float, **source: str) -> dict[str, object]:
    return {
        "@timestamp": f"2026-01-05T00:00:{number:02}.000000Z",
        "event": {"id": f"id{number:02}-and-more", "severity": 73, "risk_score": risk, "reason": f"reason {number}"},
        "rule": {"name": "Port scan"},
        "source": source,
        "aegis": {"first_seen": "2026-01-05T00:00:00.000000Z", "attack": [{"technique": {"id": "T1046"}}]},
    }


def test_a_field_of_a_document() -> None:
    document = {"event": {"id": "a"}, "rule": "text"}
    assert field(document, "event.id") == "a"
    assert field(document, "event.none", 5) == 5
    assert field(document, "rule.id") is None


def test_the_worst_come_first(capsys) -> None:
    alert_table([alert(1, 20.0, ip="10.0.0.1"), alert(2, 90.0, ip="10.0.0.2"), alert(3, 50.0)], limit=2)
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if "reason" in line]
    assert ["reason 2" in told[0], "reason 3" in told[1]] == [True, True]
    assert all(word in told[0] for word in ("high", "90", "Port scan", "10.0.0.2", "T1046", "2026-01-05 00:00:00"))
    assert lines[-1] == "and 1 more: aegis-enrich alerts list"


def test_ids_where_they_are_wanted(capsys) -> None:
    alert_table([alert(1, 20.0)], ids=True)
    assert "id01-and" in capsys.readouterr().out


def test_what_the_command_line_says_goes_over_the_file(tmp_path) -> None:
    file = tmp_path / "aegis.yml"
    file.write_text("state: there\nrules: mine\n", encoding="utf-8")
    assert configuration(file, None).state == str(tmp_path / "there")
    config = configuration(file, tmp_path / "here", rules=None, threads=3)
    assert (config.state, config.rules, config.threads) == (str(tmp_path / "here"), str(tmp_path / "mine"), 3)
    assert configuration(None, None) == Config()
