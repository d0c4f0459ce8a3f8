"""Sets of hosts as people write them down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

_LAST_NUMBERS = re.compile(r"(?P<head>\d+\.\d+\.\d+\.)(?P<tails>\d+(-\d+)?(,\d+(-\d+)?)*)")


class Hosts:
    """Addresses, networks (10.0.0.0/8), ranges of the last number (10.0.0.1-9,15) and names; spaces between them.

    A name stands for names below it and for domains that it lies in, too. ValueError if a network or a range is none.
    """

    def __init__(self, *texts: str) -> None:
        self._spans: list[tuple[int, int, int]] = []  # version, first, last
        self._names: set[str] = set()
        for part in (part for text in texts for part in text.split()):
            spans = list(_spans(part))
            self._spans += spans
            if not spans:
                self._names.add(part.lower().rstrip("."))

    def __contains__(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return self._has_name(host.lower().rstrip("."))
        return any(version == address.version and first <= int(address) <= last for version, first, last in self._spans)

    def _has_name(self, host: str) -> bool:
        below = (host == name or host.endswith("." + name) for name in self._names)
        around = ("." in host and name.endswith("." + host) for name in self._names)
        return any(below) or any(around)


def _spans(part: str) -> Iterator[tuple[int, int, int]]:
    if "/" in part:
        network = ip_network(part)
        yield network.version, int(network.network_address), int(network.broadcast_address)
        return
    numbers = _LAST_NUMBERS.fullmatch(part)
    if numbers is None:
        try:
            address = ip_address(part)
        except ValueError:
            return
        yield address.version, int(address), int(address)
        return
    for tail in numbers["tails"].split(","):
        first, _, last = tail.partition("-")
        begin, end = (int(ip_address(numbers["head"] + n)) for n in (first, last or first))
        if end < begin:
            raise ValueError(f"{part!r}: the range ends before it begins")
        yield 4, begin, end
