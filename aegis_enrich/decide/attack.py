"""MITRE ATT&CK: enterprise tactics and the techniques that a network shows, in the version that `attack.json` names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

SITE = "https://attack.mitre.org"


@dataclass(frozen=True)
class Attack:
    """`tactics`: id -> name, in the order of the matrix. `techniques`: id -> {name, tactics}."""

    version: str
    tactics: dict[str, str]
    techniques: dict[str, dict[str, Any]]

    def pairs(self, ids: tuple[str, ...]) -> list[dict[str, Any]]:
        """Each technique with its tactic (of several, the first of the matrix), as the alert keeps them together."""
        return [
            {
                "tactic": {"id": tactic, "name": self.tactics[tactic]},
                "technique": {"id": technique, "name": self.name(technique)},
            }
            for technique in ids
            if technique in self.techniques
            for tactic in self.techniques[technique]["tactics"][:1]
        ]

    def name(self, technique: str) -> str:
        """A technique's name; a sub-technique's begins with its parent's."""
        own = str(self.techniques[technique]["name"])
        parent = self.techniques.get(technique.split(".")[0]) if "." in technique else None
        return f"{parent['name']}: {own}" if parent else own

    def threat(self, ids: tuple[str, ...]) -> dict[str, Any]:
        """ECS `threat.*` of these techniques: arrays without repeats, in the order given."""
        known = [i for i in ids if i in self.techniques]
        if not known:
            return {}
        tactics = list(dict.fromkeys(t for i in known for t in self.techniques[i]["tactics"][:1]))
        parents = list(dict.fromkeys(i.split(".")[0] for i in known))
        subs = list(dict.fromkeys(i for i in known if "." in i))
        threat: dict[str, Any] = {
            "framework": "MITRE ATT&CK",
            "tactic": _entries([(t, self.tactics[t], f"{SITE}/tactics/{t}/") for t in tactics]),
            "technique": _entries([(i, self.techniques[i]["name"], f"{SITE}/techniques/{i}/") for i in parents]),
        }
        if subs:
            threat["technique"]["subtechnique"] = _entries(
                [(i, self.techniques[i]["name"], f"{SITE}/techniques/{i.replace('.', '/')}/") for i in subs]
            )
        return threat


def _entries(entries: list[tuple[str, str, str]]) -> dict[str, Any]:
    ids, names, references = zip(*entries, strict=True)
    return {"id": list(ids), "name": list(names), "reference": list(references)}


@cache
def attack() -> Attack:
    """The table that ships."""
    data = json.loads((files(__package__) / "attack.json").read_text(encoding="utf-8"))
    return Attack(data["version"], data["tactics"], data["techniques"])
