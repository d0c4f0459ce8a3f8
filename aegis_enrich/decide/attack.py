"""MITRE ATT&CK for Enterprise: its tactics and techniques, in the version that `attack.json` names.

Ids, names and which technique serves which tactic are facts of that version; which techniques show in a network's
traffic (`network`) is this project's choice. See NOTICE for the notice that MITRE asks for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

SITE = "https://attack.mitre.org"
# ATT&CK 19 split Defense Evasion (TA0005): its id stayed with Stealth, the rest became Defense Impairment (TA0112).
FORMER_TACTICS = {"defense-evasion": "TA0005"}


@dataclass(frozen=True)
class Attack:
    """`tactics`: id -> name, in the order of the matrix. `techniques`: id -> {name, tactics}, tactics in that order.

    `network`: techniques that traffic can show. `renamed`: ids of former versions -> the ids that took their place.
    """

    version: str
    tactics: dict[str, str]
    techniques: dict[str, dict[str, Any]]
    network: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)

    def knows(self, written: str) -> bool:
        """Whether `T1046` is in the table, or `TA0007/T1046` with a tactic of that technique; former ids count."""
        return self._pair(written) is not None

    def resolve(self, written: Iterable[str]) -> list[tuple[str, str]]:
        """(tactic, technique) of each that is known: the tactic written before it, else the matrix's first."""
        return list(dict.fromkeys(pair for text in written if (pair := self._pair(text))))

    def _pair(self, written: str) -> tuple[str, str] | None:
        tactic, slash, former = written.rpartition("/")
        technique = self.renamed.get(former, former)
        entry = self.techniques.get(technique)
        if entry is None or (slash and tactic not in self.tactics):
            return None
        if not slash or (technique != former and tactic not in entry["tactics"]):
            return entry["tactics"][0], technique
        return (tactic, technique) if tactic in entry["tactics"] else None

    def tactic(self, word: str) -> str | None:
        """A tactic's id by `TA0011`, `Command and Control`, `command-and-control` or `command_and_control`."""
        if (plain := word.strip().lower().replace("_", "-").replace(" ", "-")).upper() in self.tactics:
            return plain.upper()
        names = FORMER_TACTICS | {self.shortname(t): t for t in self.tactics}
        return names.get(plain)

    def shortname(self, tactic: str) -> str:
        """A tactic as Sigma's tags and the Navigator write it: `command-and-control`."""
        return self.tactics[tactic].lower().replace(" ", "-")

    def link(self, ident: str) -> str:
        """The page of a tactic or technique."""
        return f"{SITE}/{'tactics' if ident in self.tactics else 'techniques'}/{ident.replace('.', '/')}/"

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
            "tactic": _entries([(t, self.tactics[t], self.link(t)) for t in tactics]),
            "technique": _entries([(i, self.techniques[i]["name"], self.link(i)) for i in parents]),
        }
        if subs:
            threat["technique"]["subtechnique"] = _entries(
                [(i, self.techniques[i]["name"], self.link(i)) for i in subs]
            )
        return threat


def _entries(entries: list[tuple[str, str, str]]) -> dict[str, Any]:
    ids, names, references = zip(*entries, strict=True)
    return {"id": list(ids), "name": list(names), "reference": list(references)}


@cache
def attack() -> Attack:
    """The table that ships."""
    data = json.loads((files(__package__) / "attack.json").read_text(encoding="utf-8"))
    return Attack(data["version"], data["tactics"], data["techniques"], frozenset(data["network"]), data["renamed"])
