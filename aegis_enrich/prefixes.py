"""Addresses to values by the longest prefix, IPv4 and IPv6, by bisection over packed addresses."""

from __future__ import annotations

import socket
from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Generic, TypeVar

V = TypeVar("V")
Network = IPv4Network | IPv6Network
_MAPPED = bytes(10) + b"\xff\xff"


def pack(address: str) -> bytes | None:
    """An address's 4 or 16 bytes; IPv4 where it is mapped into IPv6; None where the text is no address."""
    try:
        if ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        packed = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def is_address(text: str) -> bool:
    """Whether the text is an address, with a zone or without."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def parse_network(text: str) -> Network:
    """A CIDR or a single address; raises ValueError with what is wrong and what to write instead."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        wider = ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no network; write an address or a CIDR such as 10.0.0.0/8 or fd00::/8"
        ) from error
    raise ValueError(f"{text!r} has bits set after its prefix; write {wider}, or the address alone")


class Prefixes(Generic[V]):
    """A table of networks: `find` gives the value of the longest one that holds an address."""

    def __init__(self, entries: Iterable[tuple[Network, V]] = ()) -> None:
        by_version: dict[int, list[tuple[Network, V]]] = {4: [], 6: []}
        for network, value in entries:
            by_version[network.version].append((network, value))
        self._by_length = {bits // 8: _flatten(by_version[v], bits) for v, bits in ((4, 32), (6, 128))}
        self._some = any(by_version.values())

    def __bool__(self) -> bool:
        return self._some

    def find(self, address: str) -> V | None:
        """The value of the longest prefix; None for none and for what is no address."""
        packed = pack(address)
        return None if packed is None else self.find_packed(packed)

    def find_packed(self, packed: bytes) -> V | None:
        starts, values = self._by_length[len(packed)]
        return values[bisect_right(starts, packed) - 1]


def _flatten(entries: list[tuple[Network, V]], bits: int) -> tuple[list[bytes], list[V | None]]:
    """Nested prefixes as the starts of disjoint spans and the value in each; of equal prefixes the last counts."""
    starts: list[int] = [0]
    values: list[V | None] = [None]
    open_: list[tuple[int, V]] = []  # (first address after it, value) of the prefixes around

    def emit(at: int, value: V | None) -> None:
        if starts[-1] == at:
            values[-1] = value
        else:
            starts.append(at)
            values.append(value)

    def close_until(at: int) -> None:
        while open_ and open_[-1][0] <= at:
            end, _ = open_.pop()
            if end < 1 << bits:
                emit(end, open_[-1][1] if open_ else None)

    for network, value in sorted(entries, key=lambda e: (int(e[0].network_address), e[0].prefixlen)):
        start = int(network.network_address)
        close_until(start)
        emit(start, value)
        open_.append((start + network.num_addresses, value))
    close_until(1 << bits)
    return [start.to_bytes(bits // 8, "big") for start in starts], values
