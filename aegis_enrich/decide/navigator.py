"""Coverage as a layer of the ATT&CK Navigator, in its layer file format 4.5.

https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .attack import attack
from .coverage import Covered, Sight

VERSIONS = {"navigator": "5.2.0", "layer": "4.5"}
WHAT = "Techniques that the loaded rules can see; scores are numbers of rules"
PALE, STRONG, GAP = "#dbeafe", "#1d4ed8", "#e5e7eb"


def layer(covered: Sequence[Covered], gaps: Sequence[str] = (), *, note: str = "") -> dict[str, Any]:
    """A layer whose scores are numbers of rules that see a technique; `gaps` are coloured as seen by none.

    What only idle rules name is left out. `note` ends the description.
    """
    table = attack()
    seen = [c for c in covered if c.seeing]
    most = max((len(c.seeing) for c in seen), default=1)
    return {
        "name": "AegisEnrich coverage",
        "versions": {"attack": table.version.split(".")[0], **VERSIONS},
        "domain": "enterprise-attack",
        "description": f"{WHAT} (ATT&CK {table.version}). {note}".strip(),
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
        "hideDisabled": False,
        "techniques": [*(_seen(c) for c in seen), *(_gap(t) for t in gaps)],
        "gradient": {"colors": [PALE, STRONG], "minValue": 0, "maxValue": max(most, 2)},
        "legendItems": [
            {"label": "one rule", "color": PALE},
            {"label": f"{max(most, 2)} rules", "color": STRONG},
            *([{"label": "traffic shows it, no rule sees it", "color": GAP}] if gaps else []),
        ],
        "selectTechniquesAcrossTactics": False,
        "selectSubtechniquesWithParent": False,
    }


def _seen(item: Covered) -> dict[str, Any]:
    return {
        "techniqueID": item.technique,
        "tactic": attack().shortname(item.tactic),
        "score": len(item.seeing),
        "comment": "; ".join(_said(s) for s in item.seeing),
        "enabled": True,
        "metadata": [{"name": s.label, "value": f"{s.rule.name}, version {s.rule.version}"} for s in item.seeing],
    }


def _said(sight: Sight) -> str:
    severities = " to ".join(dict.fromkeys(s for s in (sight.severities[:1] + sight.severities[-1:])))
    return f"{sight.rule.name} ({', '.join(s for s in (severities, '' if sight.always else 'under conditions') if s)})"


def _gap(technique: str) -> dict[str, Any]:
    comment = "Traffic can show it; none of the loaded rules sees it."
    return {"techniqueID": technique, "color": GAP, "comment": comment, "enabled": True}
