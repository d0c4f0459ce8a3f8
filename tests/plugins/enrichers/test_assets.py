"""Assets by address and network, and what is wrong in an assets.csv."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from aegis_enrich.enrich import Enrichment
from aegis_enrich.errors import ConfigError, Problems
from aegis_plugins.enrichers.assets import Assets, load

Rows = Callable[..., pa.Table]
SHIPPED = Path(__file__).parents[3] / "rules" / "assets.csv"


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    path = tmp_path / "assets.csv"
    path.write_text(
        """# the site
address,name,owner,criticality
10.20.0.10,"files, old",Storage team,high

10.20.0.0/16, servers , ,medium
fd00:20::10,files6,,
"""
    )
    return path


def test_the_longest_prefix_counts(rows: Rows, assets: Path) -> None:
    enrichment = Enrichment([Assets({"path": str(assets)})])
    batch = rows("conn", orig_h=["10.20.0.10", "10.20.0.11", "10.21.0.1"], resp_h=["fd00:20::10", None, "10.20.9.9"])
    enriched = enrichment.apply("conn", batch)
    assert not enrichment.failures
    assert enriched["orig_asset"].to_pylist() == ["files, old", "servers", None]
    assert enriched["orig_owner"].to_pylist() == ["Storage team", None, None]
    assert enriched["orig_criticality"].to_pylist() == ["high", "medium", None]
    assert enriched["resp_asset"].to_pylist() == ["files6", None, "servers"]
    assert enriched["resp_criticality"].to_pylist() == [None, None, "medium"]


def test_the_shipped_file_and_none_know_no_assets(rows: Rows) -> None:
    assert load(SHIPPED) == {}
    assert Assets({"path": str(SHIPPED)}).digest() == Assets({}).digest()
    enriched = Assets({}).enrich("dns", rows("dns", orig_h=["10.0.0.1"], resp_h=["10.0.0.2"]))
    assert {c.null_count for c in enriched.values()} == {1}


def test_every_problem_is_named_with_its_line(assets: Path) -> None:
    assets.write_text(
        """address,name,owner,criticality
10.0.0.1,a,b,urgent
10.0.0.2,a
10.0.0.0/33,a,b,low
10.0.0.3,a,b,low
10.0.0.3/32,c,d,high
"""
    )
    with pytest.raises(Problems) as caught:
        Assets({"path": str(assets)})
    assert str(caught.value).splitlines() == [
        f"{assets}:2: 'urgent' is no criticality; write one of low, medium, high, critical",
        f"{assets}:3: 2 fields; write 4: address, name, owner, criticality (the last three may be empty)",
        f"{assets}:4: '10.0.0.0/33' is no network; write an address or a CIDR such as 10.0.0.0/8 or fd00::/8",
        f"{assets}:6: 10.0.0.3/32 stands here twice; write it once",
    ]


@pytest.mark.parametrize(("data", "what"), [(b"ip,name\n", ":1: the header is 'ip,name'"), (b"\xff\xfe", "decode")])
def test_a_file_of_another_shape_is_refused(assets: Path, data: bytes, what: str) -> None:
    assets.write_bytes(data)
    with pytest.raises(ConfigError, match=what):
        Assets({"path": str(assets)})


def test_changes_are_taken_up_unless_they_do_not_check(rows: Rows, assets: Path) -> None:
    enricher, batch = Assets({"path": str(assets)}), rows("conn", orig_h=["10.20.0.11"], resp_h=["8.8.8.8"])
    before = enricher.digest()
    assert enricher.enrich("conn", batch)["orig_asset"].to_pylist() == ["servers"]
    assets.write_text("address,name\n")
    assert not enricher.refresh()
    assert enricher.enrich("conn", batch)["orig_asset"].to_pylist() == ["servers"]
    assets.write_text("address,name,owner,criticality\n10.20.0.11,new,,\n")
    assert enricher.refresh()
    assert enricher.enrich("conn", batch)["orig_asset"].to_pylist() == ["new"]
    assert enricher.digest() != before


def test_describe_and_a_missing_file(assets: Path, tmp_path: Path) -> None:
    described = Assets({"path": str(assets)}).describe("address", "10.20.0.11")
    assert described == {"asset.name": "servers", "asset.criticality": "medium"}
    assert Assets({"path": str(assets)}).describe("domain", "10.20.0.11") == {}
    missing = str(tmp_path / "none.csv")
    assert Assets({"path": missing}).describe("address", "10.20.0.11") == {}
    with pytest.raises(ConfigError, match="there is no such file"):
        Assets({"path": missing, "required": True})


def test_the_scan_log_has_a_source_only(rows: Rows, assets: Path) -> None:
    enriched = Enrichment([Assets({"path": str(assets)})]).apply("aegis_scan", rows("aegis_scan", orig_h=["10.0.0.5"]))
    assert (
        enriched["orig_owner"].to_pylist()
        == Assets({"path": str(assets)}).enrich("conn", rows("conn", orig_h=["10.0.0.5"]))["orig_owner"].to_pylist()
    )
    assert "resp_asset" not in enriched.schema.names


def test_only_a_line_of_one_address_names_a_machine(assets: Path) -> None:
    assets.write_text("address,name,owner,criticality\n10.0.0.5,laptop,,\nfd00::5,laptop,,\n10.1.0.0/16,farm,,\n")
    describe = Assets({"path": str(assets)}).describe
    assert [describe("address", a).get("asset.id") for a in ("10.0.0.5", "fd00::5", "10.1.2.3", "10.0.0.6")] == [
        "laptop",
        "laptop",
        None,
        None,
    ]
