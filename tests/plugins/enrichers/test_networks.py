"""Named networks and direction, and what is wrong in a networks.yml."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import pyarrow as pa
import pytest

from aegis_enrich.enrich import Enrichment
from aegis_enrich.errors import ConfigError, Problems
from aegis_plugins.enrichers.networks import Networks
from aegis_plugins.enrichers.networks.site import INTERNAL, load

Rows = Callable[..., pa.Table]
SHIPPED = Path(__file__).parents[3] / "rules" / "networks.yml"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "networks.yml"
    path.write_text(
        """
internal: [10.0.0.0/8, "fd00::/8"]
external:
  - 10.99.0.0/16
networks:
  servers: [10.20.0.0/16, "fd00:20::/48"]
  dns: 10.20.0.53
  everywhere: [0.0.0.0/0]
  mdns: [224.0.0.251]
"""
    )
    return path


@pytest.mark.parametrize(
    ("orig", "resp", "direction"),
    [
        ("10.0.0.1", "192.168.3.4", "internal"),
        ("172.31.255.255", "8.8.8.8", "outbound"),
        ("172.32.0.0", "172.16.0.1", "inbound"),
        ("8.8.8.8", "1.1.1.1", "external"),
        ("fe80::1", "ff02::fb", "internal"),
        ("fd00::1", "2001:db8::1", "outbound"),
        ("2001:db8::1", "::1", "inbound"),
        ("0.0.0.0", "255.255.255.255", "internal"),
        ("100.64.0.1", "239.255.255.250", "internal"),
        ("10.0.0.1", "203.0.113.1", "outbound"),
        ("10.0.0.1", "198.51.100.1", "outbound"),
        ("192.0.2.1", "10.0.0.1", "inbound"),
        ("10.0.0.1", None, None),
        (None, None, None),
        ("fe80:x", "10.0.0.1", None),
    ],
)
@pytest.mark.parametrize("settings", [{}, {"path": str(SHIPPED)}])
def test_direction_by_default(rows: Rows, settings: dict, orig: str, resp: str, direction: str | None) -> None:
    enriched = Networks(settings).enrich("conn", rows("conn", orig_h=[orig], resp_h=[resp]))
    assert enriched["direction"].to_pylist() == [direction]


def test_the_shipped_file_says_the_defaults() -> None:
    assert [str(n) for n in load(SHIPPED).internal] == list(INTERNAL)
    assert Networks({"path": str(SHIPPED)}).digest() == Networks({}).digest()


def test_the_longest_prefix_names(rows: Rows, site: Path) -> None:
    enrichment = Enrichment([Networks({"path": str(site)})])
    batch = rows(
        "conn",
        orig_h=["10.20.1.1", "10.20.0.53", "10.99.0.1", "fd00:20::1", None],
        resp_h=["8.8.8.8", "192.168.1.1", "224.0.0.251", "fd00:21::1", "ff02::1"],
    )
    enriched = enrichment.apply("conn", batch)
    assert not enrichment.failures
    assert enriched["orig_net"].to_pylist() == ["servers", "dns", "everywhere", "servers", None]
    assert enriched["resp_net"].to_pylist() == ["everywhere", "everywhere", "mdns", None, "multicast"]
    assert enriched["orig_internal"].to_pylist() == [True, True, False, True, None]
    assert enriched["resp_internal"].to_pylist() == [False, False, True, True, True]
    assert enriched["direction"].to_pylist() == ["outbound", "outbound", "inbound", "internal", None]


def test_special_networks_have_names_without_a_file(rows: Rows) -> None:
    batch = rows("dns", orig_h=["127.0.0.1", "fe80::1", "::"], resp_h=["224.0.0.251", "ff02::1", "255.255.255.255"])
    enriched = Networks({}).enrich("dns", batch)
    assert enriched["orig_net"].to_pylist() == ["loopback", "link-local", "unspecified"]
    assert enriched["resp_net"].to_pylist() == ["multicast", "multicast", "broadcast"]


def test_what_is_inside_as_networks_without_exceptions(site: Path, tmp_path: Path) -> None:
    """As a sensor wants it that knows no longest prefix; every address is on the same side as by the longest one."""
    assert {"10.0.0.0/8", "192.168.0.0/16", "fc00::/7", "127.0.0.0/8", "ff00::/8"} <= set(Networks({}).inside())
    inside = [ip_network(n) for n in Networks({"path": str(site)}).inside()]
    nested = tmp_path / "nested.yml"
    nested.write_text("internal: [10.0.0.0/8, 10.99.7.0/24]\nexternal: [10.99.0.0/16, 10.99.7.128/25]\n")
    again = [ip_network(n) for n in Networks({"path": str(nested)}).inside()]

    def held(address: str, networks: list) -> bool:
        return any(ip_address(address) in n for n in networks)

    assert [held(a, inside) for a in ("10.98.0.1", "10.99.0.1", "fd00::1", "fc00::1")] == [True, False, True, False]
    said = [held(a, again) for a in ("10.1.1.1", "10.99.1.1", "10.99.7.1", "10.99.7.200", "10.100.0.1")]
    assert said == [True, False, True, False, True]


def test_every_problem_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "networks.yml"
    path.write_text(
        """internal: [10.0.0.1/8]
external: [10.0.0.0/33]
network: {}
networks:
  "": [10.0.0.0/8]
  a: [10.1.0.0/16, office]
  b:
    - 10.1.0.0/16
    - {}
  a: 10.2.0.0/16
"""
    )
    with pytest.raises(Problems) as caught:
        Networks({"path": str(path)})
    assert str(caught.value).splitlines() == [
        f"{path}:1: '10.0.0.1/8' has bits set after its prefix; write 10.0.0.0/8, or the address alone",
        f"{path}:2: '10.0.0.0/33' is no network; write an address or a CIDR such as 10.0.0.0/8 or fd00::/8",
        f"{path}:3: unknown key 'network'; known are internal, external, networks",
        f"{path}:5: '' is no name; take letters, digits, blanks and . _ -, up to 64",
        f"{path}:6: 'office' is no network; write an address or a CIDR such as 10.0.0.0/8 or fd00::/8",
        f"{path}:8: 10.1.0.0/16 is 'a' already; give it one name",
        f"{path}:9: a list of networks is expected, such as [10.0.0.0/8, fd00::/8]",
        f"{path}:10: 'a' stands here twice; write it once",
    ]


@pytest.mark.parametrize("text", ["internal: [", "- 10.0.0.0/8", "just text", "internal:\n  10.0.0.0/8: office"])
def test_files_of_another_shape_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "networks.yml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"networks\.yml:[12]: "):
        Networks({"path": str(path)})


@pytest.mark.parametrize("text", ["", "# nothing\n", "internal:\nexternal:\nnetworks:\n"])
def test_empty_files_and_keys_are_fine(tmp_path: Path, text: str) -> None:
    path = tmp_path / "networks.yml"
    path.write_text(text)
    networks = Networks({"path": str(path)})
    inside = networks.describe("address", "10.0.0.1")["locality"]
    assert inside == ("external" if "internal" in text else "internal")


def test_internal_and_external_cannot_be_the_same(tmp_path: Path) -> None:
    path = tmp_path / "networks.yml"
    path.write_text("internal: [10.0.0.0/8]\nexternal: [10.0.0.0/8]\n")
    with pytest.raises(ConfigError, match=r"yml:2: 10\.0\.0\.0/8 is internal as well"):
        Networks({"path": str(path)})


def test_changes_are_taken_up_unless_they_do_not_check(rows: Rows, site: Path) -> None:
    networks, batch = Networks({"path": str(site)}), rows("conn", orig_h=["10.20.0.1"], resp_h=["8.8.8.8"])
    before = networks.digest()
    assert networks.enrich("conn", batch)["orig_net"].to_pylist() == ["servers"]
    assert not networks.refresh()
    site.write_text("networks: {office: 10.20.0.0/16, x: y}")
    assert not networks.refresh()
    assert networks.enrich("conn", batch)["orig_net"].to_pylist() == ["servers"]
    assert networks.digest() == before
    site.write_text("networks: {office: 10.20.0.0/16}")
    assert networks.refresh()
    assert networks.enrich("conn", batch)["orig_net"].to_pylist() == ["office"]
    assert networks.digest() != before


def test_the_digest_is_by_meaning(tmp_path: Path) -> None:
    digests = set()
    for name, text in (
        ("a", "networks: {x: [10.0.0.0/8, 11.0.0.0/8]}"),
        ("b", "networks:\n x: [11.0.0.0/8, 10.0.0.0/8]"),
    ):
        (tmp_path / name).write_text(text)
        digests.add(Networks({"path": str(tmp_path / name)}).digest())
    assert len(digests) == 1


def test_a_missing_file_is_fine_unless_it_was_asked_for(tmp_path: Path) -> None:
    path = str(tmp_path / "networks.yml")
    assert Networks({"path": path}).describe("address", "10.0.0.1") == {"locality": "internal"}
    with pytest.raises(ConfigError, match="there is no such file"):
        Networks({"path": path, "required": True})


def test_describe(site: Path) -> None:
    networks = Networks({"path": str(site)})
    assert networks.describe("address", "fd00:20::1") == {"locality": "internal", "network.name": "servers"}
    assert networks.describe("address", "2001:db8::1") == {"locality": "external"}
    assert networks.describe("address", "nothing") == networks.describe("domain", "10.0.0.1") == {}


def test_the_scan_log_has_a_source_only(rows) -> None:
    scans = rows("aegis_scan", orig_h=["10.0.0.1", "198.51.100.9", None])
    enriched = Enrichment([Networks({})]).apply("aegis_scan", scans)
    assert enriched["orig_internal"].to_pylist() == [True, False, None]
    assert not {"resp_net", "resp_internal", "direction"} & set(enriched.schema.names)
