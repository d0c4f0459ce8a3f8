"""A plot of the hosts that moved most bytes: what each sent and what it got, and whether alerts tell of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .clock import many, size
from .lake import Row
from .markup import NOTHING, Markup, tag
from .svg import BOLD, WIDTH, Line, figure, fitted, label, legend, rect, top_of

LEFT, RIGHT, TOP, STEP, BAR = 262.0, 150.0, 4.0, 24.0, 14.0


def talkers(rows: Sequence[Row], severities: Mapping[str, int], names: Mapping[str, str]) -> Markup:
    """`severities`: the worst alert of each host that is in one; `names`: what the site calls its hosts."""
    scale = Line(0, top_of(r["sent"] + r["got"] for r in rows), LEFT, WIDTH - RIGHT)
    body = [_host(r, TOP + n * STEP, scale, severities, names) for n, r in enumerate(rows)]
    said = "; ".join(f"{r['host']} sent {size(r['sent'])} and got {size(r['got'])}" for r in rows)
    colours = legend([("c1", "sent"), ("c2", "received")])
    marks = "A mark before a host is the worst severity of the alerts in which it acts or is acted upon."
    note = marks if any(r["host"] in severities for r in rows) else ""
    return figure("Top talkers", said, body, TOP + len(rows) * STEP + 4, beside=colours, note=note)


def _host(row: Row, y: float, scale: Line, severities: Mapping[str, int], names: Mapping[str, str]) -> Markup:
    host, sent, got = row["host"], row["sent"], row["got"]
    severity = severities.get(host)
    told = f"{host} ({names[host]})" if names.get(host) else host
    peers = f"{size(sent + got)}, {many(row['peers'], 'peer')}"
    return tag(
        "g",
        tag("circle", cx=7, cy=y + BAR / 2, r=5, class_=f"sev{severity}") if severity else NOTHING,
        label(18, y + BAR - 3, fitted(told, (LEFT - 26) / BOLD), "strong" if row["inside"] else "", tip=told),
        rect(LEFT, y, scale(sent) - LEFT, BAR, "bar c1", f"{host} sent {size(sent)}"),
        rect(scale(sent), y, scale(sent + got) - scale(sent), BAR, "bar c2", f"{host} received {size(got)}"),
        label(scale(sent + got) + 6, y + BAR - 3, peers, "small"),
    )
