"""A plot of who did what to whom in an incident: hosts in columns by their part in it, an arrow for each act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..correlate.alert import TARGETS, Alert
from .markup import NOTHING, Markup, join, tag
from .svg import BOLD, WIDTH, figure, fitted, label, rect

COLUMNS = {"attacker": 0, "victim": 1, "suspect": 1, "target": 2, "infrastructure": 2, "named": 2}
WORDS = {
    "attacker": "attacker",
    "victim": "broken into",
    "suspect": "under suspicion",
    "target": "aimed at",
    "infrastructure": "serves the attack",
}
MOST = {0: 6, 1: 8, 2: 8}  # hosts that a column shows; the rest is one box
BOX, TALL, GAP, TOP = 216.0, 40.0, 28.0, 6.0
LINES = 3  # acts that an arrow names


@dataclass(frozen=True)
class Node:
    """A host's box, or the box of those for which there was no room."""

    name: str
    about: str
    role: str
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.y + TALL / 2


@dataclass(frozen=True)
class Edge:
    """What one host did to another: the acts' names in the order of time, and the worst severity of them."""

    source: str
    target: str
    acts: tuple[str, ...]
    severity: int


def network(incident: Mapping[str, Any], known: Mapping[str, Alert]) -> Markup:
    """The plot of an incident document's `aegis.incident`; `known`: what its alerts say, by id. Nothing where nobody
    did anything to another."""
    acts = [act for alert in incident["alerts"] if (act := _act(alert, known.get(alert["id"]), incident["hosts"]))]
    hosts = [*_named(incident["hosts"], known, incident["alerts"]), *_unlisted(incident["hosts"], acts)]
    nodes = _nodes(_untangled(hosts, acts))
    found = _edges(acts, nodes)
    if not found:
        return NOTHING
    height = max(n.y for n in nodes.values()) + TALL + 8
    shown = {n.name: n for n in nodes.values()}
    body = [*(_drawn(e, shown) for e in found), *(_box(n) for n in shown.values())]
    said = "; ".join(f"{e.source} to {e.target}: {', '.join(e.acts)}" for e in found)
    return figure("Who did what to whom", said, body, height)


@dataclass(frozen=True)
class Act:
    """What an alert says that one did to another, or to many."""

    source: str
    target: str
    name: str
    severity: int


def _act(alert: Mapping[str, Any], known: Alert | None, hosts: Sequence[Mapping[str, Any]]) -> Act | None:
    """An alert as an arrow: to the host of the incident that it names, else to the name, else to many."""
    targets = known.targets if known else ()
    listed = {h["ip"] for h in hosts}
    target = alert["target"]
    if len(targets) == 1 and targets[0] in listed:
        (target,) = targets
    elif len(targets) > 1 and target in targets:
        target = f"{len(targets)}{' or more' if len(targets) >= TARGETS else ''} targets"
    return Act(alert["actor"], target, alert["name"], alert["severity"]) if alert["actor"] and target else None


def _named(
    hosts: Sequence[Mapping[str, Any]], known: Mapping[str, Alert], alerts: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Hosts with the name by which an alert calls them, where the site has none for them."""
    names: dict[str, str] = {}
    for alert in (known[a["id"]] for a in alerts if a["id"] in known):
        if len(alert.targets) == 1 and alert.names:
            names.setdefault(alert.targets[0], alert.names[0])
    return [{**h, "name": h["name"] or names.get(h["ip"], "")} for h in hosts]


def _unlisted(hosts: Sequence[Mapping[str, Any]], acts: Sequence[Act]) -> list[dict[str, Any]]:
    """What alerts aim at that is no host of the incident: names, and many at once."""
    listed = {h["ip"] for h in hosts}
    targets = dict.fromkeys(a.target for a in acts if a.target not in listed)
    return [{"ip": t, "name": "", "role": "named", "internal": None, "criticality": ""} for t in targets]


def _untangled(hosts: Sequence[Mapping[str, Any]], acts: Sequence[Act]) -> list[Mapping[str, Any]]:
    """Hosts in the order of those that act on them, so that fewer arrows cross."""
    place = {h["ip"]: n for n, h in enumerate(hosts)}
    first: dict[str, int] = {}
    for act in acts:
        actor = place.get(act.source, len(place))
        first[act.target] = min(actor, first.get(act.target, actor))
    return sorted(hosts, key=lambda h: first.get(h["ip"], len(place)) if COLUMNS[h["role"]] == 2 else -1)


def _nodes(hosts: Sequence[Mapping[str, Any]]) -> dict[str, Node]:
    """The box of each host by address; columns without a host take no room."""
    columns: dict[int, list[Mapping[str, Any]]] = {}
    for host in hosts:
        columns.setdefault(COLUMNS[host["role"]], []).append(host)
    tallest = max((min(len(c), MOST[n] + 1) for n, c in columns.items()), default=0)
    nodes: dict[str, Node] = {}
    for place, (column, members) in enumerate(sorted(columns.items())):
        x = (WIDTH - BOX - 2) * place / max(1, len(columns) - 1) + 1
        kept = members if len(members) <= MOST[column] + 1 else members[: MOST[column]]
        offset = TOP + (tallest - min(len(members), MOST[column] + 1)) * (TALL + GAP) / 2
        for n, host in enumerate(members):
            row = offset + min(n, len(kept)) * (TALL + GAP)
            if n < len(kept):
                nodes[host["ip"]] = Node(host["ip"], _about(host), host["role"], x, row)
            else:
                nodes[host["ip"]] = Node(f"{len(members) - len(kept):,} more", "", host["role"], x, row)
    return nodes


def _about(host: Mapping[str, Any]) -> str:
    if host["role"] == "named":
        return "aimed at" if host["ip"].endswith(" targets") else ""
    place = "" if host["name"] else "inside" if host["internal"] else "outside"
    critical = f"{host['criticality']} asset" if host["criticality"] in ("high", "critical") else ""
    return ", ".join(t for t in (host["name"], WORDS.get(host["role"], host["role"]), place, critical) if t)


def _edges(acts: Sequence[Act], nodes: Mapping[str, Node]) -> list[Edge]:
    found: dict[tuple[str, str], list[Act]] = {}
    for act in acts:
        source, target = nodes.get(act.source), nodes.get(act.target)
        if source and target and source.name != target.name:
            found.setdefault((source.name, target.name), []).append(act)
    return [
        Edge(*pair, tuple(dict.fromkeys(a.name for a in done)), max(a.severity for a in done))
        for pair, done in found.items()
    ]


def arrowheads() -> Markup:
    """What the arrows of all these plots end with; once in a page."""
    heads = [
        tag(
            "marker",
            tag("path", d="M0 0L8 4L0 8Z", class_=f"sev{severity}"),
            id=f"head{severity}",
            viewBox="0 0 8 8",
            refX=7,
            refY=4,
            markerWidth=7,
            markerHeight=7,
            orient="auto-start-reverse",
        )
        for severity in (21, 47, 73, 99)
    ]
    return tag("svg", tag("defs", *heads), class_="heads", width=0, height=0, aria_hidden="true")


def _drawn(edge: Edge, nodes: Mapping[str, Node]) -> Markup:
    source, target = nodes[edge.source], nodes[edge.target]
    words = ", ".join(edge.acts)
    if source.x == target.x:
        return _beside(edge, source, target, words)
    way = 1 if source.x < target.x else -1
    x1, x2 = source.x + BOX * (way > 0), target.x + BOX * (way < 0)
    y1, y2 = source.middle, target.middle
    bend = (x2 - x1) / 2
    curve = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    acts = edge.acts[:LINES] if len(edge.acts) <= LINES else (*edge.acts[: LINES - 1], "…")
    top = (y1 + y2) / 2 - 5 - (len(acts) - 1) * 9
    room = abs(x2 - x1) - 10
    said = [label((x1 + x2) / 2, top + n * 14, fitted(a, room), "on", "middle", words) for n, a in enumerate(acts)]
    return join([_curve(edge, curve, words), *said])


def _beside(edge: Edge, source: Node, target: Node, words: str) -> Markup:
    """Within a column: straight to the next box, or a bow past those between."""
    if abs(target.y - source.y) <= TALL + GAP + 1:
        x, down = source.x + BOX / 2, target.y > source.y
        y1, y2 = (source.y + TALL, target.y) if down else (source.y, target.y + TALL)
        return join(
            [_curve(edge, f"M{x:.1f} {y1:.1f}L{x:.1f} {y2:.1f}", words), label(x + 8, (y1 + y2) / 2 + 4, words, "on")]
        )
    side = -1 if source.x + BOX + 30 > WIDTH else 1
    x = source.x + BOX * (side > 0)
    out, y1, y2 = x + 34 * side, source.middle, target.middle
    curve = f"M{x:.1f} {y1:.1f}C{out:.1f} {y1:.1f} {out:.1f} {y2:.1f} {x:.1f} {y2:.1f}"
    text = label(out - 6 * side, (y1 + y2) / 2 + 4, fitted(words, 150), "on", "end" if side < 0 else "", words)
    return join([_curve(edge, curve, words), text])


def _curve(edge: Edge, d: str, words: str) -> Markup:
    tip = tag("title", f"{edge.source} → {edge.target}: {words}")
    return tag("path", tip, d=d, class_=f"edge line{edge.severity}", marker_end=f"url(#head{edge.severity})")


def _box(node: Node) -> Markup:
    whole = f"{node.name} ({node.about})" if node.about else node.name
    return tag(
        "g",
        rect(node.x, node.y, BOX, TALL, f"node {node.role}", whole, 5),
        label(node.x + 10, node.y + (17 if node.about else 25), fitted(node.name, (BOX - 20) / BOLD), "strong"),
        label(node.x + 10, node.y + 32, fitted(node.about, BOX - 16), "small") if node.about else NOTHING,
    )
