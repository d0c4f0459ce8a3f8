"""Labels of logs: a YAML of what happened in them, facts only.

    found_by:                                   # optional: the rules that ought to find an act of this name
      port scan: [port_scan]
    SCENARIO:
      when: [1795306836.2, 1795306836.9]        # first and last packet of it all, epoch seconds
      short: true                               # optional, of acts too: too short for the rules as shipped to find
      attacks:
        - {what: port scan, who: 10.0.0.1-9, whom: 10.0.1.0/24, when: [1795306836.2, 1795306836.9]}

`who`, `whom`, `name` and `forged_by` are hosts as in `Hosts`, or lists of such; `when` of an act is optional. Faults of
the network that a detector finds stand in `faults`, of the same form. Other keys are the file's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..yaml_text import load, text_of
from .hosts import Hosts

FOREVER = (-(2**62), 2**62)
PLACE = "{}"  # in a path: where the name of a scenario belongs


@dataclass(frozen=True)
class Act:
    """Something that happened and that a rule should tell of."""

    what: str
    who: Hosts
    whom: Hosts | None  # None: anybody
    start_us: int
    end_us: int
    rules: frozenset[str] = frozenset()  # those that ought to find it; empty: any will do
    expected: bool = True  # whether it is missed where nothing finds it


@dataclass(frozen=True)
class Truth:
    """What is true of one scenario's logs."""

    name: str
    acts: tuple[Act, ...]


def load_truth(path: Path) -> dict[str, Truth]:
    """Scenario name to its truth. ConfigError names the file and the scenario where it is not of this form."""
    try:
        told = load(text_of(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from error
    if not isinstance(told, dict) or not all(isinstance(s, dict) for s in told.values()):
        raise ConfigError("not a mapping of scenarios; docs/evaluation.md shows the form", where=str(path))
    found_by = told.pop("found_by", {})
    truths = {}
    for name, scenario in told.items():
        try:
            truths[str(name)] = Truth(str(name), tuple(_acts(_whole(told, scenario), found_by)))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{name}: {_problem(error)}", where=str(path)) from error
    return truths


def places(path: Path, truths: Iterable[Truth]) -> list[tuple[Path, Truth]]:
    """The scenarios whose logs are there, and where: their names stand in the path for `PLACE`."""
    named = ((Path(str(path).replace(PLACE, truth.name)), truth) for truth in truths)
    return [(place, truth) for place, truth in named if place.exists()]


def _problem(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def _whole(told: Mapping[str, Any], scenario: Mapping[str, Any]) -> Mapping[str, Any]:
    """With what the scenario that it was made of says, where it does not say otherwise."""
    return {**_whole(told, told[scenario["from"]]), **scenario} if "from" in scenario else scenario


def _acts(scenario: Mapping[str, Any], found_by: Mapping[str, list[str]]) -> Iterator[Act]:
    for told in [*scenario.get("attacks", []), *scenario.get("faults", [])]:
        start, end = _span(told.get("when") or scenario.get("when"))
        whom = [*_texts(told.get("whom")), *_texts(told.get("name"))]
        yield Act(
            what=str(told["what"]),
            who=Hosts(*_texts(told["who"]), *_texts(told.get("forged_by"))),
            whom=Hosts(*whom) if whom else None,
            start_us=start,
            end_us=end,
            rules=frozenset(told.get("found_by", found_by.get(told["what"], ()))),
            expected=not (scenario.get("short") or told.get("short")),
        )


def _texts(told: Any) -> list[str]:
    return [] if told is None else [str(t) for t in told] if isinstance(told, list) else [str(told)]


def _span(when: Any) -> tuple[int, int]:
    if when is None:
        return FOREVER
    first, last = when
    return int(float(first) * 1e6), int(float(last) * 1e6)
