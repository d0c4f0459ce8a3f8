"""ATT&CK: what a technique or tactic is, which rules see it, whether it was seen; and what can be seen at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...decide.attack import SITE, attack
from ..plan import Answer, Plan, Row, Rows, Step, Table, table
from ..reading import Reading
from ..scope import Scope
from ..where import at, attack_ids
from . import alerts
from .alerts import SHOWN, counted, when

RULES = Step("rules", "the rules in force and their techniques", "rules")


def technique(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """One technique or tactic, or those of an act; without one, those that were seen."""
    step = alerts.step(reading, scope, services)
    return Plan((RULES, step), lambda rows: _technique(reading, rows))


def _technique(reading: Reading, rows: Rows) -> Answer:
    meant = _meant(reading, rows["rules"])
    if not meant:
        return _seen(rows["alerts"])
    table_ = attack()
    unknown = [t for t in meant if t not in table_.techniques and t not in table_.tactics]
    if unknown:
        what = f"{', '.join(unknown)} is not among the techniques of ATT&CK {table_.version} that a network shows"
        return Answer(f"{what}.", found=False, see=("aegis-enrich attack coverage",))
    lines, seeing = [], []
    for written in meant:
        lines += _lines(written)
        seeing += [r for r in rows["rules"] if written in _ids(r) and r not in seeing]
    found = alerts.by_risk([d for d in rows["alerts"] if set(meant) & attack_ids(d)])
    rules = table("rules that see it", seeing, {"rule": "id", "finds": "description", "enabled": _yes})
    tables: tuple[Table, ...] = (rules,) if seeing else ()
    if found:
        tables += (table("alerts", found[:SHOWN], alerts.COLUMNS),)
    said = (
        f"{'is' if len(found) == 1 else 'are'} {counted(len(found), 'alert')} of it" if found else "is no alert of it"
    )
    by = counted(len(seeing), "rule") if seeing else "no rule"
    first = _title(meant[0]) + (f" and {len(meant) - 1} more" if len(meant) > 1 else "")
    return Answer(
        f"{first}: {by} in force {'sees' if len(seeing) < 2 else 'see'} it, and there {said} here.",
        tables,
        tuple(lines),
    )


def _meant(reading: Reading, rules: list[Row]) -> list[str]:
    """Techniques and tactics by id or name, else those of the rules that an everyday word stands for."""
    named = [e.value for e in reading.all("technique", "tactic")]
    if named:
        return list(dict.fromkeys(named))
    of = {rule for e in reading.all("detector") for rule in e.value}
    return sorted({t for r in rules if r["id"] in of for t in r["techniques"]})


def _title(written: str) -> str:
    table_ = attack()
    return f"{written} is {table_.name(written) if written in table_.techniques else table_.tactics[written]}"


def _lines(written: str) -> list[str]:
    table_ = attack()
    if written in table_.tactics:
        below = sorted(t for t, e in table_.techniques.items() if written in e["tactics"] and "." not in t)
        listed = ", ".join(f"{t} {table_.name(t)}" for t in below)
        return [f"{SITE}/tactics/{written}/", f"its techniques that a network shows: {listed}"]
    tactics = ", ".join(table_.tactics[t] for t in table_.techniques[written]["tactics"])
    return [f"{written} {table_.name(written)}: tactic {tactics}; {SITE}/techniques/{written.replace('.', '/')}/"]


def _ids(rule: Row) -> set[str]:
    table_ = attack()
    found = set(rule["techniques"]) | {t.split(".")[0] for t in rule["techniques"]}
    return found | {tactic for tactic, _ in table_.resolve(rule["attack"])}


def _yes(rule: Row) -> str:
    return "yes" if rule["enabled"] else "no"


def _seen(found: list[Row]) -> Answer:
    """The techniques of the alerts that are meant."""
    counts: dict[tuple[str, str, str], list[Row]] = {}
    for doc in found:
        for pair in at(doc, "aegis.attack", []):
            key = (pair["technique"]["id"], pair["technique"]["name"], pair["tactic"]["name"])
            counts.setdefault(key, []).append(doc)
    if not counts:
        return Answer("No alert here names a technique.", found=False)
    made = [
        {
            "technique": ident,
            "name": name,
            "tactic": tactic,
            "alerts": len(docs),
            "rules": ", ".join(sorted({at(d, "rule.id", "") for d in docs})),
            "first seen": when(min(at(d, "aegis.first_seen", "") for d in docs)),
            "last seen": when(max(at(d, "aegis.last_seen", "") for d in docs)),
        }
        for (ident, name, tactic), docs in sorted(counts.items(), key=lambda c: (-len(c[1]), c[0]))
    ]
    return Answer(
        f"{counted(len(made), 'technique')} {'was' if len(made) == 1 else 'were'} seen.",
        (table("techniques", made, {k: k for k in made[0]}),),
    )


def coverage(reading: Reading, scope: Scope, services: Mapping[str, Any]) -> Plan:
    """What the rules in force can see, and of which of it there are alerts."""
    every = replace(reading, entities=())
    return Plan((RULES, alerts.step(every, scope, services)), lambda rows: _coverage(reading, rows))


def _coverage(reading: Reading, rows: Rows) -> Answer:
    rules = [r for r in rows["rules"] if r["enabled"]]
    if "blind" in reading.groups:
        return _blind(rules)
    if wanted := {rule for e in reading.all("detector") for rule in e.value}:
        rules = [
            r for r in rules if any(r["id"] == w or (w.endswith("*") and r["id"].startswith(w[:-1])) for w in wanted)
        ]
    if asked := {e.value for e in reading.all("technique", "tactic")}:
        rules = [r for r in rules if asked & _ids(r) or r["id"] in wanted]
    if not rules:
        return Answer("No, no rule in force sees that.", found=False, see=("aegis-enrich rules list",))
    counts: dict[str, int] = {}
    for doc in rows["alerts"]:
        for ident in attack_ids(doc):
            counts[ident] = counts.get(ident, 0) + 1
    table_ = attack()
    made: dict[tuple[str, str], Row] = {}
    for rule in rules:
        for tactic, ident in table_.resolve(rule["attack"]):
            row = made.setdefault((tactic, ident), {"tactic": table_.tactics[tactic], "technique": ident, "rules": []})
            row |= {"name": table_.name(ident), "alerts": counts.get(ident) or None}
            row["rules"].append(rule["id"])
    order = list(table_.tactics)
    listed = [made[k] for k in sorted(made, key=lambda k: (order.index(k[0]), k[1]))]
    seeing = {ident for row in listed for ident in row["rules"]}
    techniques = {r["technique"] for r in listed}
    tactics = {r["tactic"] for r in listed}
    shown = table(
        "coverage",
        listed,
        {
            "tactic": "tactic",
            "technique": "technique",
            "name": "name",
            "rules": lambda r: ", ".join(sorted(set(r["rules"]))),
            "alerts here": "alerts",
        },
    )
    finds = table("rules", rules, {"rule": "id", "finds": "description"}) if wanted or asked else None
    told = f"{counted(len(techniques), 'technique')} of {counted(len(tactics), 'tactic')} (ATT&CK {table_.version})"
    verb = "sees" if len(seeing) == 1 else "see"
    summary = f"{counted(len(seeing), 'rule')} {verb} {told}"
    if finds:
        summary = f"Yes, by {', '.join(r['id'] for r in rules)}: {told}"
    return Answer(f"{summary}.", (shown, finds) if finds else (shown,), see=("aegis-enrich attack coverage",))


def _blind(rules: list[Row]) -> Answer:
    """The techniques that a network shows and no rule in force may give."""
    table_ = attack()
    seen = {t for r in rules for t in r["techniques"]}
    seen |= {t.split(".")[0] for t in seen}
    left = [{"technique": t, "name": table_.name(t)} for t in sorted(table_.techniques) if t not in seen]
    for row in left:
        row["tactics"] = ", ".join(table_.tactics[t] for t in table_.techniques[row["technique"]]["tactics"])
    columns = {"technique": "technique", "name": "name", "tactics": "tactics"}
    return Answer(
        f"No rule in force sees {counted(len(left), 'technique')} of the {len(table_.techniques)} that a network shows"
        f" (ATT&CK {table_.version}).",
        (table("not seen", left, columns),),
        see=("aegis-enrich attack coverage",),
    )
