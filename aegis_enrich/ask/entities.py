"""What a question is about: addresses, networks, names, ports, techniques …, each by a small grammar of its own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..decide.attack import attack
from . import times
from .lexicon import country_codes

KINDS = {
    "host": "host",
    "net": "network",
    "domain": "name",
    "port": "port",
    "service": "service",
    "protocol": "protocol",
    "detector": "found as",
    "severity": "severity",
    "technique": "technique",
    "tactic": "tactic",
    "country": "country",
    "as": "AS",
    "scope": "host",
    "sensor": "sensor",
    "status": "status",
    "direction": "direction",
    "limit": "at most",
    "id": "id",
    "time": "time",
}


@dataclass(frozen=True)
class Entity:
    """One of them: `role` is "to" or "from" where the word before it says so; `label` is for people."""

    kind: str
    value: Any
    label: str
    at: tuple[int, int] = (0, 0)
    role: str = ""

    def __str__(self) -> str:
        return f"{KINDS.get(self.kind, self.kind)} {f'{self.role} ' if self.role else ''}{self.label}"


_V4 = r"(?:\d{1,3}\.){3}\d{1,3}"
_V6 = r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{1,4}|:)?"
_NAME = r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9](?![\w-])"
_HEX = r"[0-9a-f]{4,32}"
_NOT_NAMES = frozenset({"e.g", "i.e", "u.s", "u.k", "u.s.a", "a.m", "p.m"})
_IN_COUNTRY = re.compile(r"\b(?:to|from|in|with|towards?|against|at)\s([A-Z]{2})\b")


def find(text: str, now_us: int, taken: list[bool]) -> list[Entity]:
    """The entities that their form gives away, in the order of the question; their characters become taken."""
    found: list[Entity] = []
    for grammar in (*_BEFORE_TIMES, lambda text: _times(text, now_us, taken), *_AFTER_TIMES):
        for entity in grammar(text):
            start, end = entity.at
            if not any(taken[start:end]):
                taken[start:end] = [True] * (end - start)
                found.append(entity)
    return sorted(found, key=lambda e: e.at)


def _addresses(text: str) -> Iterator[Entity]:
    for match in re.finditer(rf"(?<![\w.])(\[?)({_V4}|{_V6})\]?(?:/(\d{{1,3}}))?(?::(\d{{1,5}}))?(?!\w)", text, re.I):
        try:
            address = ipaddress.ip_address(match[2])
            if match[3] is None:
                yield Entity("host", str(address), str(address), (match.start(), match.end(2)))
                if match[4]:
                    yield from _port(match[4], (match.end(2), match.end()))
            else:
                network = ipaddress.ip_network(f"{match[2]}/{match[3]}", strict=False)
                kind, label = ("host", str(address)) if network.num_addresses == 1 else ("net", str(network))
                yield Entity(kind, label, label, (match.start(), match.end()))
        except ValueError:
            continue
    for match in re.finditer(r"(?<![\w.])((?:\d{1,3}\.){1,3})(?:\*|x)(?:\.(?:\*|x)){0,2}(?!\w)", text, re.I):
        octets = match[1].rstrip(".").split(".")
        if all(int(o) < 256 for o in octets):
            network_text = f"{'.'.join(octets + ['0'] * (4 - len(octets)))}/{8 * len(octets)}"
            yield Entity("net", network_text, network_text, match.span())


def _techniques(text: str) -> Iterator[Entity]:
    table = attack()
    for match in re.finditer(r"\bt(\d{4}(?:\.\d{3})?)\b", text, re.I):
        written = f"T{match[1]}"
        name = f"{written} {table.name(written)}" if table.knows(written) else written
        yield Entity("technique", written, name, match.span())
    for match in re.finditer(r"\bta(\d{4})\b", text, re.I):
        tactic = f"TA{match[1]}"
        yield Entity("tactic", tactic, f"{tactic} {table.tactics.get(tactic, '')}".strip(), match.span())


def _systems(text: str) -> Iterator[Entity]:
    for match in re.finditer(r"\bas[nN]?\s?(\d{1,10})\b", text, re.I):
        yield Entity("as", int(match[1]), f"AS{match[1]}", match.span())


def _ports(text: str) -> Iterator[Entity]:
    for match in re.finditer(r"\bports?\s?(\d{1,5})\b|\b(\d{1,5})/(?:tcp|udp)\b|(?<=\s):(\d{1,5})\b", text, re.I):
        yield from _port(match[1] or match[2] or match[3], match.span())


def _port(text: str, at: tuple[int, int]) -> Iterator[Entity]:
    if int(text) <= 65_535:
        yield Entity("port", int(text), text, at)


def _ids(text: str) -> Iterator[Entity]:
    named = re.compile(rf"\b(?:alert|incident|id|case)\s(?:no\.?\s|number\s|id\s|#)?#?({_HEX})\b(?=.*)", re.I)
    for match in named.finditer(text):
        if re.search(r"\d", match[1]):
            yield Entity("id", match[1].lower(), match[1].lower(), match.span(1))
    for match in re.finditer(
        r"(?<![\w.:/-])#?((?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,32})(?![\w.:/-])", text, re.I
    ):
        yield Entity("id", match[1].lower(), match[1].lower(), match.span())


def _names(text: str) -> Iterator[Entity]:
    for match in re.finditer(rf"(?<![\w@.-])(?:https?://)?(\*?\.?{_NAME})(?:/\S*)?", text, re.I):
        name = match[1].lower().lstrip("*.").rstrip(".")
        if name not in _NOT_NAMES and not name.endswith((".pcap", ".log", ".gz", ".json", ".yml")):
            yield Entity("domain", name, name, match.span())


def _limits(text: str) -> Iterator[Entity]:
    pattern = r"\b(?:top|first|worst|last|newest|latest|limit)\s(\d{1,4})\b(?!\s?(?:hours?|days?|min|h\b|d\b|[:.]\d))"
    for match in re.finditer(pattern, text, re.I):
        yield Entity("limit", int(match[1]), match[1], match.span(1))
    for match in re.finditer(
        r"\b(\d{1,4})\s(?=(?:worst|newest|latest|riskiest|busiest|biggest|alerts?|hosts?)\b)", text, re.I
    ):
        yield Entity("limit", int(match[1]), match[1], match.span(1))


def _codes(text: str) -> Iterator[Entity]:
    """Codes of countries in capitals, where not everything is."""
    if text.upper() == text:
        return
    for match in _IN_COUNTRY.finditer(text):
        if match[1] in country_codes():
            yield Entity("country", match[1], match[1], match.span(1))
        elif match[1] == "UK":
            yield Entity("country", "GB", "United Kingdom", match.span(1))


def _times(text: str, now_us: int, taken: list[bool]) -> Iterator[Entity]:
    free = "".join("\0" if t else c for c, t in zip(text, taken, strict=True))
    for span in times.find(free, now_us):
        yield Entity("time", span, str(span), span.at)


_BEFORE_TIMES = (_addresses, _techniques, _systems)
_AFTER_TIMES = (_ports, _limits, _ids, _names, _codes)
