"""Lists of indicators: what each kind of line means, and which lines are bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_enrich.errors import ConfigError
from aegis_plugins.enrichers.intel.indicators import Index, Indicator, kinds_of, normal
from aegis_plugins.enrichers.intel.lists import load

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("203.0.113.1", ("address",)),
        ("2001:db8::1", ("address",)),
        ("203.0.113.0/24", ("cidr",)),
        ("2001:db8::/32", ("cidr",)),
        ("bad.test", ("domain",)),
        ("*.bad.test", ("domain",)),
        ("http://bad.test/", ("url",)),
        ("bad.test/x", ("url",)),
        ("203.0.113.1/x.sh", ("url",)),
        (MD5, ("hash", "ja3")),
        (MD5 + "01234567", ("hash",)),
        (MD5 * 2, ("hash",)),
        ("q13d0310h3_55b375c5d22e_cd85d2d88918", ("ja4",)),
        ("com", ()),
        ("", ()),
    ],
)
def test_kinds_of_plain_indicators(text: str, kinds: tuple[str, ...]) -> None:
    assert kinds_of(text) == kinds


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("2001:DB8:0::1", "address", "2001:db8::1"),
        ("203.0.113.7/32", "cidr", "203.0.113.7"),
        ("*.Bad.Test.", "domain", "bad.test"),
        ("bücher.test", "domain", "xn--bcher-kva.test"),
        ("https://User:pw@Bad.Test:8443/A?b=c#d", "url", "bad.test/A?b=c"),
        ("http://bad.test", "url", "bad.test/"),
        ("http://bad.test?x=1", "url", "bad.test/?x=1"),
        ("http://[2001:db8::1]:80/x", "url", "2001:db8::1/x"),
        (MD5.upper(), "hash", MD5),
    ],
)
def test_normal_form(text: str, kind: str, expected: str) -> None:
    assert normal(text, kind) == expected


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("203.0.113.1/24", "cidr", "write 203.0.113.0/24"),
        ("203.0.113.0/24", "address", "its kind is cidr"),
        ("0.0.0.0/0", "cidr", "holds too much"),
        ("2000::/3", "cidr", "holds too much"),
        ("127.0.0.1", "address", "no one's address"),
        ("224.0.0.251", "address", "no one's address"),
        ("com", "domain", "no domain"),
        ("-.bad.test", "domain", "no domain"),
        ("203.0.113.1", "domain", "no domain"),
        ("http:///x", "url", "no URL"),
        (MD5, "ja4", "no ja4"),
        (MD5 + "00", "hash", "no hash"),
    ],
)
def test_what_is_no_indicator_is_said(text: str, kind: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        normal(text, kind)


def test_plain_and_csv_files(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("\ufeff; comment\n\n1.10.16.0/20 ; SBL256894\nhttp://bad.test/#x # why\n198.51.100[.]7\n???\n")
    read = load(plain, severity=50)
    assert [i.indicator for i in read.indicators] == ["1.10.16.0/20", "bad.test/", "198.51.100.7"]
    assert {(i.source, i.severity) for i in read.indicators} == {("plain", 50)}
    assert [line.partition(": ")[0] for line in read.bad] == [f"{plain}:6"]
    table = tmp_path / "table.csv"
    table.write_text(
        """# exported
severity,indicator,description
High,bad.test,"one, two"
101,worse.test,
7,worst.test,,more
,fine.test
"""
    )
    read = load(table, severity=50)
    assert read.indicators == (
        Indicator("bad.test", "domain", "table", 73, "one, two"),
        Indicator("fine.test", "domain", "table", 50),
    )
    assert [line.removeprefix(str(table)) for line in read.bad] == [
        ":4: '101' is no severity; write 0 to 100 or one of low, medium, high, critical",
        ":5: 'more' is a field too many; quote fields with commas",
    ]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"indicator,colour\n", "csv:1: the header is 'indicator,colour'"),
        (b"indicator,indicator\n", "csv:1: the header"),
        (b"\xff\xff", "decode"),
    ],
)
def test_files_of_another_shape_are_refused(tmp_path: Path, data: bytes, what: str) -> None:
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(ConfigError, match=what):
        load(tmp_path / "x.csv", severity=73)


def test_an_empty_file_is_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("")
    assert load(tmp_path / "x.csv", severity=73).indicators == ()


def test_of_equal_indicators_the_most_severe_counts_in_any_order() -> None:
    same = [Indicator("bad.test", "domain", source, severity) for source, severity in (("b", 50), ("a", 50), ("c", 20))]
    for order in (same, same[::-1]):
        assert Index(order).domain("x.bad.test") == Indicator("bad.test", "domain", "a", 50)
