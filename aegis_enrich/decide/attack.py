"""MITRE ATT&CK: enterprise tactics and the techniques that a network shows, in the version that `attack.json` names."""

from __future__ import annotations

import json
from collections.abc import Iterable
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

    def knows(self, written: str) -> bool:
        """Whether `T1046` is in the table, or `TA0007/T1046` with a tactic of that technique."""
        tactic, _, technique = written.rpartition("/")
        entry = self.techniques.get(technique)
        return entry is not None and (not tactic or tactic in entry["tactics"])

    def resolve(self, written: Iterable[str]) -> list[tuple[str, str]]:
        """(tactic, technique) of each that is known: the tactic written before it, else the matrix's first."""
        found = []
        for text in written:
            tactic, _, technique = text.rpartition("/")
            if self.knows(text):
                found.append((tactic or self.techniques[technique]["tactics"][0], technique))
        return list(dict.fromkeys(found))

    def pairs(self, written: Iterable[str]) -> list[dict[str, Any]]:
        """Each technique with its tactic, as the alert keeps them together."""
        return [
            {
                "tactic": {"id": tactic, "name": self.tactics[tactic]},
                "technique": {"id": technique, "name": self.name(technique)},
            }
            for tactic, technique in self.resolve(written)
        ]

    def name(self, technique: str) -> str:
        """A technique's name; a sub-technique's begins with its parent's."""
        own = str(self.techniques[technique]["name"])
        parent = self.techniques.get(technique.split(".")[0]) if "." in technique else None
        return f"{parent['name']}: {own}" if parent else own

    def threat(self, written: Iterable[str]) -> dict[str, Any]:
        """ECS `threat.*` of these techniques: arrays without repeats, in the order given."""
        known = self.resolve(written)
        if not known:
            return {}
        tactics = list(dict.fromkeys(tactic for tactic, _ in known))
        parents = list(dict.fromkeys(technique.split(".")[0] for _, technique in known))
        subs = list(dict.fromkeys(technique for _, technique in known if "." in technique))
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
