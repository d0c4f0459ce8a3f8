"""An incident told in plain sentences: what happened when, how sure that is, what would show more, what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from ..decide.investigate import Investigate
from ..visible import CHARACTERS, visible
from .wording import several

UIDS = 5
ASK = 6  # questions and steps of each kind that a story gives at most

Advice = Callable[[Mapping[str, Any]], Investigate | None]  # of an alert as the incident document has it


@dataclass(frozen=True)
class Story:
    """`summary`: one paragraph. `chapters`: the heading (time, what) and the sentences of each stage. The rest:
    sentences."""

    title: str
    summary: str
    chapters: tuple[tuple[str, tuple[str, ...]], ...]
    sure: tuple[str, ...]
    risk: tuple[str, ...]
    confirm: tuple[str, ...]
    refute: tuple[str, ...]
    respond: tuple[str, ...]
    triage: tuple[str, ...]


def tell(doc: Mapping[str, Any], advice: Advice = lambda alert: None) -> Story:
    """The story of an incident document; `advice` gives what a rule says on how to investigate."""
    incident = doc["aegis"]["incident"]
    alerts = {a["id"]: a for a in incident["alerts"]}
    hosts = {h["ip"]: h for h in incident["hosts"]}
    asked = _asked(incident["alerts"], advice)
    return Story(
        title=doc["message"],
        summary=_summary(doc, hosts),
        chapters=tuple(_chapter(s, alerts, hosts, before) for s, before in _with_before(incident["stages"])),
        sure=_sure(doc),
        risk=_risk(doc["aegis"]["risk"]),
        confirm=_first(asked, "confirm"),
        refute=_first(asked, "refute"),
        respond=_first(asked, "respond"),
        triage=_triage(doc),
    )


def _summary(doc: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> str:
    aegis = doc["aegis"]
    by_role: dict[str, list[str]] = {}
    for host in hosts.values():
        by_role.setdefault(host["role"], []).append(_named(host))
    parts = [f"Between {_time(aegis['first_seen'])} and {_time(aegis['last_seen'])} UTC {_duration(aegis)}"]
    parts.append(f"{aegis['alert_count']} alerts of {_sensors(aegis['sensors'])} belong together")
    told = [
        f"{_role(role, len(by_role[role]))} {several(by_role[role])}"
        for role in ("attacker", "victim", "suspect", "infrastructure", "target")
        if role in by_role
    ]
    return f"{', '.join(parts)}. {'; '.join(told)}." if told else f"{', '.join(parts)}."


def _role(role: str, many: int) -> str:
    words = {
        "attacker": ("Attacker:", "Attackers:"),
        "victim": ("broken into:", "broken into:"),
        "suspect": ("inside host under suspicion:", "inside hosts under suspicion:"),
        "infrastructure": ("outside place that serves it:", "outside places that serve it:"),
        "target": ("also aimed at:", "also aimed at:"),
    }
    return words[role][many > 1]


def _chapter(
    stage: Mapping[str, Any],
    alerts: Mapping[str, Mapping[str, Any]],
    hosts: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, Any] | None,
) -> tuple[str, tuple[str, ...]]:
    tactic = stage["tactic"].get("name", "")
    heading = f"{_time(stage['first_seen'])}  {stage['name']}" + (f" ({tactic})" if tactic else "")
    sentences = [_transition(stage, hosts, before)] if before else []
    told = [alerts[i] for i in stage["alerts"] if i in alerts]
    leads = [a for a in told if not a["lead"]] or told
    for alert in leads:
        sentences.append(_sentence(alert))
        sentences += [f"The same was seen by {o['name']}: {o['reason']}." for o in told if o["lead"] == alert["id"]]
    if stage["entered"]:
        sentences.append(f"From then on the attacker is on {several([_known(hosts, h) for h in stage['entered']])}.")
    if hidden := stage["alert_count"] - len(told):
        sentences.append(f"{hidden} further alerts say the like.")
    return heading, tuple(sentences)


def _sentence(alert: Mapping[str, Any]) -> str:
    uids = alert["uids"][:UIDS]
    more = len(alert["uids"]) - len(uids)
    seen = f" [{', '.join(uids)}{f' and {more} more' if more > 0 else ''}]" if uids else ""
    like = f" For example {several(alert['examples'])}." if alert["examples"] else ""
    return f"{alert['reason'].rstrip('.')}.{like}{seen}"


def _transition(stage: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], before: Mapping[str, Any]) -> str:
    gap_s = (_moment(stage["first_seen"]) - _moment(before["last_seen"])).total_seconds()
    after = f"{_span(gap_s)} later" if gap_s >= 1 else "At the same time" if gap_s < 0 else "At once"
    actors = [_known(hosts, a) for a in stage["actors"]]
    came = set(stage["actors"]) & set(before.get("entered", ()))
    if came:
        return f"{after} {several(actors)}, which had just been entered, goes on."
    same = set(stage["actors"]) & set(before["actors"])
    return f"{after} {'the same host goes on' if same else f'{several(actors)} comes into it'}."


def _sure(doc: Mapping[str, Any]) -> tuple[str, ...]:
    aegis = doc["aegis"]
    likely = aegis["confidence"]
    told = [f"It is what it says with a likelihood of {likely * 100:.0f} %."]
    grounds = aegis["false_positive"]["grounds"]
    told += [f"Against it: {ground}." for ground in grounds] or ["Nothing known of the site speaks against it."]
    return tuple(told)


def _risk(risk: Mapping[str, Any]) -> tuple[str, ...]:
    told = [f"{risk['score']:.0f} of 100; the worst alert alone gives {risk['base']:.0f}."]
    told += [f"{f['why']}: takes {f['factor'] * 100:.0f} % of the rest." for f in risk["factors"]]
    if risk["left"] < 1:
        told.append(f"{risk['left'] * 100:.0f} % of that is left: {'; '.join(risk['why_left'])}.")
    return tuple(told)


def _asked(alerts: Sequence[Mapping[str, Any]], advice: Advice) -> list[Investigate]:
    """What the rules say, the worst alert's first, each rule once."""
    worst: dict[str, Mapping[str, Any]] = {}
    for alert in sorted(alerts, key=lambda a: (-a["risk_score"], a["first_seen"], a["id"])):
        worst.setdefault(alert["rule"], alert)
    return [said for said in map(advice, worst.values()) if said]


def _first(asked: Sequence[Investigate], kind: str) -> tuple[str, ...]:
    """The first sentence of each rule, then the second of each, as far as there is room."""
    lists = [getattr(said, kind) for said in asked]
    turns = zip_longest(*lists)
    return tuple(dict.fromkeys(s for turn in turns for s in turn if s))[:ASK]


def _triage(doc: Mapping[str, Any]) -> tuple[str, ...]:
    said = doc["aegis"].get("triage")
    if not said:
        return ()
    by = f" by {said['author']}" if said["author"] else ""
    told = [f"{said['status']} since {_time(said['at'])}{by}."]
    if (new := doc["aegis"]["alert_count"] - said["alerts"]) > 0 and said["status"] == "closed":
        told.append(f"{new} alerts came since.")
    return (*told, *(f"{_time(n['at'])} {n['author'] or 'somebody'}: {n['note']}" for n in said["notes"] if n["note"]))


def _with_before(stages: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    return list(zip(stages, (None, *stages[:-1]), strict=True))


def _named(host: Mapping[str, Any]) -> str:
    about = [host["name"], f"{host['criticality']} asset" if host["criticality"] in ("high", "critical") else ""]
    said = ", ".join(a for a in about if a)
    return f"{host['ip']} ({said})" if said else str(host["ip"])


def _known(hosts: Mapping[str, Mapping[str, Any]], address: str) -> str:
    return _named(hosts[address]) if address in hosts else address


def _sensors(names: Sequence[str]) -> str:
    return f"the sensor {names[0]}" if len(names) == 1 else f"the sensors {several(names)}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time(text: str) -> str:
    return text[:19].replace("T", " ")


def _duration(aegis: Mapping[str, Any]) -> str:
    return f"({_span((_moment(aegis['last_seen']) - _moment(aegis['first_seen'])).total_seconds())})"


def _span(seconds: float) -> str:
    """A duration as people say it."""
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}" if seconds >= 10 * size else f"{seconds / size:.1f} {word}"
    return f"{seconds:.0f} s"


def as_text(story: Story) -> str:
    """For a terminal, which obeys nothing that came from the wire."""
    lines = [_shown(story.title), "", _shown(story.summary)]
    for heading, sentences in story.chapters:
        lines += ["", _shown(heading), *(f"  {_shown(s)}" for s in sentences)]
    for heading, sentences in _sections(story):
        lines += ["", heading, *(f"  - {_shown(s)}" for s in sentences)]
    return "\n".join(lines)


def as_markdown(story: Story) -> str:
    """For a ticket; what came from the wire is escaped, and no address in it becomes a link."""
    lines = [f"# {_escaped(story.title)}", "", _escaped(story.summary)]
    for heading, sentences in story.chapters:
        lines += ["", f"## {_escaped(heading)}", "", *(f"{_escaped(s)}  " for s in sentences)]
    for heading, sentences in _sections(story):
        lines += ["", f"## {heading}", "", *(f"- {_escaped(s)}" for s in sentences)]
    return "\n".join(lines) + "\n"


def _sections(story: Story) -> list[tuple[str, tuple[str, ...]]]:
    named = (
        ("How sure", story.sure),
        ("Risk", story.risk),
        ("What would confirm it", story.confirm),
        ("What would refute it", story.refute),
        ("What to do next", story.respond),
        ("Triage", story.triage),
    )
    return [(heading, sentences) for heading, sentences in named if sentences]


def _shown(text: str) -> str:
    return visible(text, CHARACTERS)


def _escaped(text: str) -> str:
    """Markdown in which nothing of the text is more than text, at the beginning of a line neither."""
    plain = "".join(f"\\{c}" if c in "\\`*_{}[]<>#|&~!@" else c for c in _shown(text))
    unlinked = _LINK.sub(lambda m: f"{m[1]}\\{m[2]}", plain)
    return _BEGINS.sub(lambda m: f"{m[1]}\\{m[2]}", unlinked)


_LINK = re.compile(r"(?i)\b(www|https?|ftp|mailto|xmpp)([.:])")
_BEGINS = re.compile(r"^(\s*\d*)([-+=]|[.)](?=\s|$))")
