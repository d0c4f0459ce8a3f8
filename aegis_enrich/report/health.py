"""The section on the network's health over time: traffic, connections, loss, latency, and what the sensor missed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .clock import between, count, length, rate, share
from .contents import Contents, Document
from .lake import Row
from .markup import NOTHING, Markup, join, tag
from .parts import anchor, section, severity_chip
from .series import Scale, Series, lines, stacked
from .stretch import Stretch

MOST_ALERTS = 12


def health(contents: Contents) -> Markup:
    """Plots of each sensor, and the alerts that tell of the network rather than of an attacker."""
    told = _alerts(contents)
    if contents.stretch is None:
        return section("health", "Network health", tag("p", "There are no rows of this time to plot.", class_="quiet"))
    many = len(contents.health) > 1
    groups = [
        join(
            [
                tag("h3", f"Sensor {name}") if many else NOTHING,
                tag("div", *plots(contents.stretch, rows), class_="plots"),
            ]
        )
        for name, rows in contents.health.items()
    ]
    note = _left_out(contents.stretch)
    return section("health", "Network health", note, *groups, told)


def _left_out(shown: Stretch) -> Markup:
    """What the plots do not show."""
    if not shown.outside:
        return NOTHING
    span = between(shown.start_us, shown.end_us)
    left = f"Plots here and of top talkers show {span}; about {shown.outside:,} rows lie at other times."
    return tag("p", left, class_="quiet")


def plots(shown: Stretch, rows: Mapping[str, Sequence[Row]]) -> list[Markup]:
    """Those for which a sensor has numbers, then a line on those for which it has none."""
    connections = rows["connections"]
    drawn = {
        "traffic": _traffic(shown, rows["traffic"]),
        "connections": _connections(shown, connections),
        "loss": _again(shown, rows["retransmission"], connections),
        "round trips": _latency(shown, connections, rows["resolution"]),
        "capture loss": _capture(shown, rows["capture_loss"], rows["kernel_drops"], connections),
    }
    missing = [name for name, plot in drawn.items() if not plot]
    said = tag("p", f"Not measured in these logs: {', '.join(missing)}.", class_="quiet") if missing else NOTHING
    return [*(p for p in drawn.values() if p), said]


def _traffic(shown: Stretch, rows: Sequence[Row]) -> Markup:
    seconds = shown.bucket_us / 1e6
    ways = [("got", "received from outside", "c1"), ("sent", "sent outside", "c2"), ("within", "inside", "c3")]
    ways.append(("past", "between hosts outside", "c3 faint"))
    found = [
        Series(name, colour, {r["bucket"]: r[column] * 8 / seconds for r in rows if r[column]})
        for column, name, colour in ways
    ]
    return stacked("Traffic", shown, [s for s in found if s.values], Scale(rate)) if rows else NOTHING


def _connections(shown: Stretch, rows: Sequence[Row]) -> Markup:
    answered = {r["bucket"]: r["connections"] - r["failed"] for r in rows}
    failed = {r["bucket"]: r["failed"] for r in rows if r["failed"]}
    found = [Series("answered", "c1", answered), Series("refused or without answer", "c4", failed)]
    title = f"Connections in each {length(shown.bucket_us / 1e6)}"
    return stacked(title, shown, found, Scale(count, 4)) if rows else NOTHING


def _again(shown: Stretch, measured: Sequence[Row], connections: Sequence[Row]) -> Markup:
    if any(r["sent"] for r in measured):
        values = {r["bucket"]: r["again"] / r["sent"] for r in measured if r["sent"]}
        note = "Share of all payload that was sent more than once, as the script in Zeek measures it."
        return lines("Retransmitted payload", shown, [Series("retransmitted", "c4", values)], Scale(share, 0.01), note)
    values = {r["bucket"]: r["again"] / r["tcp"] for r in connections if r["tcp"]}
    note = "Share of TCP connections with payload in which any segment came again: a hint, no rate of loss."
    plot = lines(
        "Connections with retransmissions",
        shown,
        [Series("with a segment again", "c4", values)],
        Scale(share, 0.01),
        note,
    )
    return plot if values else NOTHING


def _latency(shown: Stretch, connections: Sequence[Row], resolution: Sequence[Row]) -> Markup:
    found = [
        Series("TCP handshake", "c1", _seconds(connections, "rtt_median")),
        Series("TCP, 9 of 10 below", "c1 faint", _seconds(connections, "rtt_d9")),
        Series("DNS answer", "c2", _seconds(resolution, "rtt_median")),
        Series("DNS, 9 of 10 below", "c2 faint", _seconds(resolution, "rtt_d9")),
    ]
    found = [s for s in found if s.values]
    return lines("Round trips: median and ninth decile", shown, found, Scale(length, 0.001)) if found else NOTHING


def _seconds(rows: Iterable[Row], column: str) -> dict[int, float]:
    return {r["bucket"]: r[column] / 1e6 for r in rows if r[column] is not None}


def _capture(shown: Stretch, zeek: Sequence[Row], suricata: Sequence[Row], connections: Sequence[Row]) -> Markup:
    found = [
        Series("Zeek's capture_loss", "c4", {r["bucket"]: r["lost"] / 100 for r in zeek}),
        Series(
            "dropped before Suricata", "c3", {r["bucket"]: r["drops"] / r["packets"] for r in suricata if r["packets"]}
        ),
        Series(
            "payload not seen", "c2", {r["bucket"]: r["missed"] / r["payload"] for r in connections if r["payload"]}
        ),
    ]
    found = [s for s in found if s.values]
    note = "What the sensor did not see: detectors judge by what is left."
    return lines("Capture loss", shown, found, Scale(share, 0.01), note) if found else NOTHING


def is_of_health(contents: Contents, alert: Document) -> bool:
    """Whether an alert tells of the state of network or sensor, by the rule in force, else by having no technique."""
    rules = contents.reading.rules
    if rules is not None and rules.get(alert["rule"]["id"]):
        return alert["rule"]["id"] in rules.health
    return not alert["aegis"].get("attack")


def _alerts(contents: Contents) -> Markup:
    found = [a for a in contents.alerts if is_of_health(contents, a)]
    if not found:
        return NOTHING
    items = [
        tag(
            "li",
            severity_chip(a["event"]["severity"]),
            tag("a", a["rule"]["name"], href=anchor("a", a)),
            ": ",
            a["event"]["reason"],
        )
        for a in found[:MOST_ALERTS]
    ]
    more = (
        tag("li", f"and {len(found) - MOST_ALERTS} more in the table of alerts")
        if len(found) > MOST_ALERTS
        else NOTHING
    )
    return join([tag("h3", "Alerts on the network itself"), tag("ul", *items, more, class_="plain")])
