"""`networks.yml`: what is inside, and the names of networks; every problem at once, with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from aegis_enrich.errors import ConfigError, Problems
from aegis_enrich.prefixes import Network, parse_network
from aegis_enrich.yaml_text import compose, text_of

# Traffic that never leaves: part of "inside" whatever the file says, and named unless the file names it otherwise.
SPECIAL: dict[str, tuple[str, ...]] = {
    "unspecified": ("0.0.0.0/32", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "broadcast": ("255.255.255.255/32",),
}
# RFC 1918, RFC 6598 (carriers' shared space), RFC 4193. Not the documentation networks, which Zeek counts as private.
INTERNAL: tuple[str, ...] = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_KEYS = ("internal", "external", "networks")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


@dataclass(frozen=True)
class Site:
    """The networks of a site; the defaults where no file says otherwise."""

    internal: tuple[Network, ...] = tuple(parse_network(n) for n in INTERNAL)
    external: tuple[Network, ...] = ()
    networks: dict[Network, str] = field(default_factory=dict)

    def inside(self) -> list[tuple[Network, bool]]:
        """Networks and whether they are inside; the longest prefix counts."""
        special = [(parse_network(n), True) for networks in SPECIAL.values() for n in networks]
        return [*special, *((n, True) for n in self.internal), *((n, False) for n in self.external)]

    def cidrs(self) -> list[Network]:
        """What is inside as networks without exceptions, for those who know no longest prefix."""
        found: set[Network] = set()
        for network, inside in sorted(self.inside(), key=lambda entry: entry[0].prefixlen):
            if inside:
                found.add(network)
                continue
            for wider in [w for w in found if w.version == network.version and network.subnet_of(w)]:  # type: ignore[arg-type]
                found.remove(wider)
                found.update(wider.address_exclude(network))  # type: ignore[arg-type]
        return sorted(found, key=lambda n: (n.version, n))

    def named(self) -> list[tuple[Network, str]]:
        """Networks and their names; the longest prefix counts."""
        special = [(parse_network(n), name) for name, networks in SPECIAL.items() for n in networks]
        return [*special, *self.networks.items()]


def load(path: Path) -> Site:
    """The site that a file describes; raises Problems with every problem and its line."""
    try:
        root = compose(text_of(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{error}; write a file that can be read", where=str(path)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"not YAML: {getattr(error, 'problem', error)}", where=where) from error
    reader = _Reader(path)
    site = reader.site(root)
    if reader.problems:
        raise Problems(sorted(reader.problems, key=lambda p: int(p.where.rpartition(":")[2])))
    return site


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.problems: list[ConfigError] = []

    def site(self, root: yaml.Node | None) -> Site:
        if root is None:
            return Site()
        parts = dict[str, yaml.Node]()
        for key, node in self._items(root, "a mapping with internal, external and networks"):
            if key in _KEYS:
                parts[key] = node
            else:
                self._problem(node, f"unknown key {key!r}; known are {', '.join(_KEYS)}")
        internal = dict(self._list(parts["internal"])) if "internal" in parts else None
        external = dict(self._list(parts["external"])) if "external" in parts else {}
        for network in external:
            if internal and network in internal:
                self._problem(external[network], f"{network} is internal as well; write it once")
        names: dict[Network, str] = {}
        if "networks" in parts:
            for name, node in self._items(parts["networks"], "a mapping of names to networks"):
                if not _NAME.fullmatch(name):
                    self._problem(node, f"{name!r} is no name; take letters, digits, blanks and . _ -, up to 64")
                for network, at in self._list(node):
                    if names.setdefault(network, name) != name:
                        self._problem(at, f"{network} is {names[network]!r} already; give it one name")
        return Site(Site.internal if internal is None else tuple(internal), tuple(external), names)

    def _items(self, node: yaml.Node, expected: str) -> Iterator[tuple[str, yaml.Node]]:
        """The pairs of a mapping; an empty value is an empty one."""
        if _empty(node):
            return
        if not isinstance(node, yaml.MappingNode):
            self._problem(node, f"{expected} is expected")
            return
        seen = set[str]()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, "a key is a single word")
                continue
            if key.value in seen:
                self._problem(key, f"{key.value!r} stands here twice; write it once")
            seen.add(key.value)
            yield key.value, value

    def _list(self, node: yaml.Node) -> Iterator[tuple[Network, yaml.Node]]:
        """The networks of a list, or of a single one."""
        if _empty(node):
            return
        for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(item, yaml.ScalarNode):
                self._problem(item, "a list of networks is expected, such as [10.0.0.0/8, fd00::/8]")
                continue
            try:
                yield parse_network(item.value), item
            except ValueError as error:
                self._problem(item, str(error))

    def _problem(self, node: yaml.Node, what: str) -> None:
        self.problems.append(ConfigError(what, where=f"{self._path}:{node.start_mark.line + 1}"))


def _empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"
