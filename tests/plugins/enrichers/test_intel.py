"""Intel: which indicators occur in which columns, and what happens when lists change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.enrich import Enrichment
from aegis_enrich.errors import ConfigError
from aegis_enrich.tables import TABLES
from aegis_plugins.enrichers.intel import Intel

Rows = Callable[..., pa.Table]
SHIPPED = Path(__file__).parents[3] / "rules" / "intel"
MD5, SHA1, SHA256 = "44d88612fea8a8f36de82e1278abb02f", "3395856ce81f2b7382dee72602f798b642f14140", "27" * 32
JA3, JA4 = "6734f37431670b3ab4292b8f60f29984", "t13d1516h2_8daaf6152771_e5627efa2ab1"
PLAIN = f"""# a list
203.0.113.66
198.51.100.0/24   # a network
2001:db8:bad::/48
bad.test
hxxp://worse[.]test:8080/gate.php?id=1#top
{MD5}
{SHA256.upper()}
{JA3}
{JA4}
"""
CSV = """indicator,kind,source,severity,description
203.0.113.66,address,feed,critical,"C2, seen in May"
very.bad.test,domain,,20,
ja3s.is.no.domain,ja3s,,,
bad.test,,other,low,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plain.txt").write_text(PLAIN)
    (tmp_path / "feed.csv").write_text(CSV)
    (tmp_path / "README.md").write_text("not a list: 192.0.2.1")
    return tmp_path


def hits(intel: Intel, batch: pa.Table, table: str) -> list[tuple[Any, ...] | None]:
    """Indicator, kind, source, severity and column of each row."""
    enrichment = Enrichment([intel])
    enriched = enrichment.apply(table, batch)
    assert not enrichment.failures
    assert enriched.schema == enrichment.schema(table)
    columns = [enriched[f"intel_{c}"].to_pylist() for c in ("indicator", "kind", "source", "severity", "column")]
    return [row if row[0] else None for row in zip(*columns, strict=True)]


def test_addresses_and_networks(rows: Rows, folder: Path) -> None:
    batch = rows(
        "conn",
        orig_h=["10.0.0.1", "203.0.113.66", "10.0.0.1", None, "10.0.0.1"],
        resp_h=["198.51.100.7", "198.51.100.7", "2001:db8:bad::1", "203.0.113.65", "8.8.8.8"],
    )
    assert hits(Intel({"paths": [str(folder)]}), batch, "conn") == [
        ("198.51.100.0/24", "cidr", "plain", 73, "resp_h"),
        ("203.0.113.66", "address", "feed", 99, "orig_h"),
        ("2001:db8:bad::/48", "cidr", "plain", 73, "resp_h"),
        None,
        None,
    ]


def test_domains_with_subdomains_and_answers(rows: Rows, folder: Path) -> None:
    batch = rows(
        "dns",
        query=["bad.test", "A.B.Bad.test.", "notbad.test", "very.bad.test", "good.test", "good.test", None, "test"],
        answers=[
            None,
            None,
            [],
            ["1.1.1.1"],
            ["1.1.1.1", "198.51.100.9", "203.0.113.66"],
            ["x.bad.test"],
            [None],
            None,
        ],
    )
    assert hits(Intel({"paths": [str(folder)]}), batch, "dns") == [
        ("bad.test", "domain", "plain", 73, "query"),
        ("bad.test", "domain", "plain", 73, "query"),
        None,
        ("very.bad.test", "domain", "feed", 20, "query"),
        ("198.51.100.0/24", "cidr", "plain", 73, "answers"),
        ("bad.test", "domain", "plain", 73, "answers"),
        None,
        None,
    ]


def test_urls_whatever_the_port_and_through_proxies(rows: Rows, folder: Path) -> None:
    gate, target = ("worse.test/gate.php?id=1", "url", "plain", 73, "uri"), "/gate.php?id=1"
    requests = [
        ("worse.test", target, "10.0.0.9", gate),
        ("WORSE.test:8080", target, "10.0.0.9", gate),
        ("worse.test", "/", "10.0.0.9", None),
        ("worse.test", f"http://worse.test:8080{target}", "10.0.0.9", gate),
        ("good.test", target, "10.0.0.9", None),
        ("worse.test", None, "10.0.0.9", None),
        (None, target, "10.0.0.9", None),
        (None, None, "203.0.113.66", ("203.0.113.66", "address", "feed", 99, "resp_h")),
    ]
    host, uri, resp_h, expected = (list(column) for column in zip(*requests, strict=True))
    batch = rows("http", host=host, uri=uri, resp_h=resp_h)
    assert hits(Intel({"paths": [str(folder)]}), batch, "http") == expected


def test_a_url_on_an_address_without_a_host_header(rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("http://203.0.113.9:81/Mozi.m\nhttp://[2001:db8::9]/bin.sh\n203.0.113.9/x.sh\n")
    batch = rows(
        "http",
        host=[None, "[2001:db8::9]:80", "203.0.113.9:81", "203.0.113.9"],
        uri=["/Mozi.m", "/bin.sh", "/mozi.m", "/x.sh"],
        resp_h=["203.0.113.9", "2001:db8::9", "203.0.113.9", "203.0.113.9"],
    )
    found = hits(Intel({"paths": [str(tmp_path)]}), batch, "http")
    assert [hit and hit[0] for hit in found] == ["203.0.113.9/Mozi.m", "2001:db8::9/bin.sh", None, "203.0.113.9/x.sh"]


def test_tls_fingerprints_and_certificates(rows: Rows, folder: Path) -> None:
    colons = ":".join(SHA256[i : i + 2] for i in range(0, 64, 2)).upper()
    batch = rows(
        "ssl",
        server_name=["a.bad.test", None, None, None],
        ja3=[None, JA3, None, None],
        ja4=[None, JA4, None, JA4],
        cert_chain_fps=[None, None, ["aa", SHA256], [colons]],
    )
    assert hits(Intel({"paths": [str(folder)]}), batch, "ssl") == [
        ("bad.test", "domain", "plain", 73, "server_name"),
        (JA4, "ja4", "plain", 73, "ja4"),
        (SHA256, "hash", "plain", 73, "cert_chain_fps"),
        (SHA256, "hash", "plain", 73, "cert_chain_fps"),
    ]


def test_hashes_of_files_and_certificates(rows: Rows, folder: Path) -> None:
    intel = Intel({"paths": [str(folder)]})
    files = rows("files", md5=[MD5, None, JA3], sha256=[None, SHA256, None])
    assert [hit and hit[::4] for hit in hits(intel, files, "files")] == [(MD5, "md5"), (SHA256, "sha256"), (JA3, "md5")]
    x509 = rows("x509", fingerprint=[SHA256, None], san_dns=[None, ["good.test", "*.bad.test"]])
    assert [hit and hit[::4] for hit in hits(intel, x509, "x509")] == [(SHA256, "fingerprint"), ("bad.test", "san_dns")]


def test_equal_severities_go_by_column(rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("bad.test\n203.0.113.1\n")
    batch = rows("quic", server_name=["bad.test"], resp_h=["203.0.113.1"])
    assert hits(Intel({"paths": [str(tmp_path)]}), batch, "quic") == [("bad.test", "domain", "a", 73, "server_name")]
    (tmp_path / "b.csv").write_text("indicator,severity\n203.0.113.1,74\n")
    assert hits(Intel({"paths": [str(tmp_path)]}), batch, "quic") == [("203.0.113.1", "address", "b", 74, "resp_h")]


@pytest.mark.parametrize("paths", [[], [str(SHIPPED)], ["nowhere"]])
def test_without_indicators_all_is_null(rows: Rows, paths: list[str]) -> None:
    intel = Intel({"paths": paths})
    for table in Intel.reads:
        assert hits(intel, rows(table, uid=["C1"]), table) == [None]
        assert hits(intel, TABLES[table].schema.empty_table(), table) == []
    assert not intel.refresh()


def test_lists_are_taken_up_when_they_change(rows: Rows, folder: Path) -> None:
    intel = Intel({"paths": [str(folder)]})
    batch = rows("conn", orig_h=["10.0.0.1"], resp_h=["192.0.2.77"])
    before = intel.digest()
    assert hits(intel, batch, "conn") == [None]
    assert not intel.refresh()
    (folder / "new.list").write_text("192.0.2.77")
    assert intel.refresh()
    assert hits(intel, batch, "conn") == [("192.0.2.77", "address", "new", 73, "resp_h")]
    assert intel.digest() != before
    (folder / "new.list").unlink()
    assert intel.refresh()
    assert hits(intel, batch, "conn") == [None]
    assert intel.digest() == before


def test_a_list_that_cannot_be_read_keeps_its_old_content(
    rows: Rows, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    intel = Intel({"paths": [str(folder)]})
    batch = rows("conn", orig_h=["203.0.113.66"], resp_h=["10.0.0.1"])
    before = intel.digest()
    (folder / "feed.csv").write_text("indicator,colour\n1.2.3.4,red\n")
    (folder / "broken.txt").write_bytes(b"\xff\xfe\x00")
    for _ in range(3):
        assert not intel.refresh()
    assert hits(intel, batch, "conn") == [("203.0.113.66", "address", "feed", 99, "orig_h")]
    assert intel.digest() == before
    assert [r.levelno for r in caplog.records if r.levelno > logging.WARNING] == [logging.ERROR] * 2
    (folder / "broken.txt").write_text("192.0.2.1")
    assert intel.refresh()


def test_a_list_named_by_itself_stays_when_it_is_gone(rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "indicators"
    path.write_text("192.0.2.77")
    intel = Intel({"paths": str(path)})
    batch = rows("conn", orig_h=["10.0.0.1"], resp_h=["192.0.2.77"])
    path.unlink()
    assert not intel.refresh()
    assert hits(intel, batch, "conn") == [("192.0.2.77", "address", "indicators", 73, "resp_h")]


def test_the_start_is_strict_but_for_bad_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match="there is no such list"):
        Intel({"paths": [str(tmp_path / "none.txt")]})
    with pytest.raises(ConfigError, match="0 to 100"):
        Intel({"paths": [], "severity": 101})
    (tmp_path / "a.txt").write_text("\n".join(["com", "0.0.0.0/0", *["?"] * 20, "bad.test"]))
    assert Intel({"paths": [str(tmp_path)]}).bad_lines == 22
    assert f"{tmp_path}/a.txt:1: 'com' is no indicator" in caplog.text
    assert f"{tmp_path}/a.txt: 12 more lines are no indicators and skipped" in caplog.text
