"""SQL for "this address is in this network", over addresses as text in canonical form (RFC 5952)."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network


def within(network: IPv4Network | IPv6Network, x: str) -> str:
    """A predicate over an SQL expression of an address; exact, and false for what is no address."""
    return _within_4(network, x) if isinstance(network, IPv4Network) else _within_6(network, x)


def _within_4(network: IPv4Network, x: str) -> str:
    """By the first octets as text, and the one in which the prefix ends as a number."""
    whole, rest = divmod(network.prefixlen, 8)
    octets = str(network.network_address).split(".")
    is_4 = f"regexp_full_match({x}, '[0-9.]+')"
    if not network.prefixlen:
        return is_4
    if network.prefixlen == 32:
        return f"{x} = '{network.network_address}'"
    prefix = "".join(f"{o}." for o in octets[:whole])
    begins = f"starts_with({x}, '{prefix}')" if prefix else is_4
    if not rest:
        return begins
    least = int(octets[whole])
    most = least + 2 ** (8 - rest) - 1
    return f"({begins} AND try_cast(split_part({x}, '.', {whole + 1}) AS INTEGER) BETWEEN {least} AND {most})"


def _within_6(network: IPv6Network, x: str) -> str:
    """By the address in full (32 hex digits), between the network's first and last."""
    least, most = f"{int(network.network_address):032x}", f"{int(network.broadcast_address):032x}"
    return f"(contains({x}, ':') AND {_in_full(x)} BETWEEN '{least}' AND '{most}')"


def _in_full(x: str) -> str:
    """`::` written out: each group has four digits, eight groups in all."""
    left, right = (f"list_filter(string_split(split_part({x}, '::', {n}), ':'), lambda g: g <> '')" for n in (1, 2))
    zeros = f"list_transform(range(8 - len({left}) - len({right})), lambda i: '0')"
    groups = f"list_concat(list_concat({left}, {zeros}), {right})"
    return f"array_to_string(list_transform({groups}, lambda g: lpad(lower(g), 4, '0')), '')"
