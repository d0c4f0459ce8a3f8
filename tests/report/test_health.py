import dataclasses

import pytest
from html_page import Page

from aegis_enrich.report.health import health, is_of_health, plots
from aegis_enrich.report.stretch import Stretch

SHOWN = Stretch(0, 600_000_000, 60_000_000)
NONE = {q: [] for q in ("traffic", "connections", "retransmission", "resolution", "capture_loss", "kernel_drops")}
CONNECTIONS = {"bucket": 0, "connections": 10, "failed": 4, "tcp": 5, "again": 1, "missed": 50, "payload": 1000}
CONNECTIONS |= {"rtt_median": 20_000, "rtt_d9": 80_000}


def said(rows):
    page = Page.of(f"<div>{''.join(plots(SHOWN, NONE | rows))}</div>")
    return {e.attributes["aria-label"].split(",")[0]: e.attributes["aria-label"] for e in page.all("svg")}, page.text


def test_plots_of_a_real_log(contents):
    page = Page.of(health(contents))
    titles = [e.text for e in page.all("b")]
    assert titles[:2] == ["Traffic", "Connections in each 5 s"]
    assert "Not measured" not in page.text


@pytest.mark.parametrize(
    ("rows", "title", "values"),
    [
        (
            {"traffic": [{"bucket": 0, "sent": 750_000, "got": 0, "within": 0, "past": 0}]},
            "Traffic",
            "sent outside: 100 kbit/s",
        ),
        ({"connections": [CONNECTIONS]}, "Connections in each 60 s", "answered: 6 to 6; refused or without answer: 4"),
        ({"connections": [CONNECTIONS]}, "Connections with retransmissions", "with a segment again: 20 % to 20 %"),
        ({"connections": [CONNECTIONS]}, "Capture loss", "payload not seen: 5 % to 5 %"),
        (
            {"connections": [CONNECTIONS]},
            "Round trips: median and ninth decile",
            "TCP handshake: 20 ms to 20 ms; TCP, 9 of 10 below: 80 ms",
        ),
        (
            {"retransmission": [{"bucket": 3, "again": 20, "sent": 100}], "connections": [CONNECTIONS]},
            "Retransmitted payload",
            "retransmitted: 20 % to 20 %",
        ),
        ({"capture_loss": [{"bucket": 1, "lost": 2.5}]}, "Capture loss", "Zeek's capture_loss: 2.5 %"),
        ({"kernel_drops": [{"bucket": 1, "drops": 1, "packets": 50}]}, "Capture loss", "dropped before Suricata: 2 %"),
        (
            {"resolution": [{"bucket": 1, "rtt_median": 1000, "rtt_d9": 2000}]},
            "Round trips: median and ninth decile",
            "DNS answer: 1 ms",
        ),
    ],
)
def test_a_plot_says_what_was_measured(rows, title, values):
    found, _ = said(rows)
    assert values in found[title]


def test_what_is_not_measured_is_said():
    found, text = said({})
    assert found == {}
    assert text == "Not measured in these logs: traffic, connections, loss, round trips, capture loss."


def test_without_rows(contents):
    assert "no rows of this time" in health(dataclasses.replace(contents, stretch=None, alerts=()))


def test_rows_of_other_times_are_counted(contents):
    shown = dataclasses.replace(contents.stretch, outside=1234)
    assert "about 1,234 rows lie at other times" in health(dataclasses.replace(contents, stretch=shown))


def test_several_sensors_are_named(contents):
    two = {"east": contents.health["sensor"], "west": contents.health["sensor"]}
    page = Page.of(health(dataclasses.replace(contents, health=two)))
    assert [e.text for e in page.all("h3")] == ["Sensor east", "Sensor west"]


def test_alerts_on_the_network_itself_stand_here(contents):
    loss = {**contents.alerts[0], "rule": {"id": "packet_loss", "name": "Packet loss"}}
    unknown = {**loss, "rule": {"id": "gone", "name": "Gone"}}
    assert is_of_health(contents, loss)
    assert not is_of_health(contents, contents.alerts[0])
    assert not is_of_health(contents, unknown)
    bare = {k: v for k, v in unknown["aegis"].items() if k != "attack"}
    assert is_of_health(contents, {**unknown, "aegis": bare})
    page = Page.of(health(dataclasses.replace(contents, alerts=(loss,) * 20)))
    assert page.text.count("Packet loss: ") == 12
    assert "and 8 more in the table of alerts" in page.text
