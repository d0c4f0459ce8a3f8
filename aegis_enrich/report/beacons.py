"""The section on beacons: the rhythm of what calls at an even pace."""

from __future__ import annotations

from .beat import beat
from .clock import many
from .contents import Contents
from .markup import NOTHING, Markup, tag
from .parts import anchor, at, section, severity_chip
from .rhythm import Rhythm


def beacons(contents: Contents) -> Markup:
    """The section; nothing where nothing beacons."""
    if not contents.beacons:
        return NOTHING
    left = contents.beacon_count - len(contents.beacons)
    more = tag("p", f"{many(left, 'further beacon')} in the table of alerts.", class_="quiet") if left > 0 else NOTHING
    return section("beacons", "Beacons", *(_beacon(b) for b in contents.beacons), more)


def _beacon(found: Rhythm) -> Markup:
    alert, entity = found.alert, found.alert["aegis"]["entity"]
    whom = at(alert, "destination.domain") or at(alert, "destination.ip") or entity.get("key", "several servers")
    title = f"{entity['orig_h']} → {whom}"
    link = tag("a", "alert", href=anchor("a", alert))
    told = tag("p", severity_chip(alert["event"]["severity"]), " ", alert["event"]["reason"], ". ", link)
    if len(found.gaps) < 2:
        gone = tag("p", "The rows of its calls are not in the lake any more, so there is no plot.", class_="quiet")
        return tag("div", tag("h3", title), told, gone, class_="beacon")
    return tag("div", told, beat(found, title), class_="beacon")
