"""ATT&CK of a rule's tags: techniques (`attack.t1046`), and the tactics that other tags name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sigma.rule import SigmaRuleTag

_TECHNIQUE = re.compile(r"t\d{4}(\.\d{3})?")


def techniques(tags: Sequence[SigmaRuleTag], tactics: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Each technique's id with the ids of the tactics that the tags name; `tactics`: id -> name, as ATT&CK has them."""
    names = [tag.name.lower() for tag in tags if tag.namespace == "attack"]
    by_word = {_word(name): tactic for tactic, name in tactics.items()}
    named = [by_word[_word(name)] for name in names if _word(name) in by_word]
    return [(name.upper(), named) for name in dict.fromkeys(names) if _TECHNIQUE.fullmatch(name)]


def _word(name: str) -> str:
    return name.lower().replace("-", " ").replace("_", " ")
