"""What each form of a Sigma condition matches: texts, modifiers, types of columns, lists, `extra`, keywords."""

from __future__ import annotations

import pytest
from sigma.exceptions import SigmaError
from sigma_made import made_rule

from aegis_enrich.sigma.backend import DuckdbBackend
from aegis_enrich.sigma.compiled import compiled
from aegis_enrich.sigma.taxonomy import place

SSL = {"product": "zeek", "service": "ssl"}
SMB = {"product": "zeek", "service": "smb_files"}
CONN = {"product": "zeek", "service": "conn"}


def queries(*texts):
    return [{"query": text} for text in texts]


@pytest.mark.parametrize(
    ("item", "texts", "expected"),
    [
        ("query: Example.com", ["example.COM", "www.example.com", None], [0]),
        ("query: 'exa*.c?m'", ["example.com", "exa.com", "example.co", "xexample.com"], [0, 1]),
        ("query: 'a\\*b'", ["a*b", "axb"], [0]),
        ("query: ''", ["", "a", None], [0]),
        ("query: '*'", ["", "a", None], [0, 1]),
        ("query: [a.test, b.test]", ["A.test", "b.test", "c.test"], [0, 1]),
        ("query|contains: amp", ["example", "AMP", "exa"], [0, 1]),
        ("query|startswith: exa", ["example", "texa"], [0]),
        ("query|endswith: .com", ["a.COM", "a.com.", "com"], [0]),
        ("query|contains: '50%_'", ["x50%_y", "x50zzy"], [0]),
        ("query|contains|all: [ab, cd]", ["xabycd", "ab", "cd"], [0]),
        ("query|contains: É", ["café.test", "CAFÉ.test", "cafe.test"], [0, 1]),
        ("query|cased: Aa", ["Aa", "AA", "aa"], [0]),
        ("query|contains|cased: 'A?c'", ["xAbc", "xabc"], [0]),
        ("query|neq: a", ["a", "A", "b", None], [2, 3]),
        ("query|re: '^[a-z]{3}\\.te'", ["abc.test", "abcd.test", "ABC.test", "xabc.te"], [0]),
        ("query|re|i: '^ABC'", ["abc", "xabc"], [0]),
        ("query|re|s: 'a.b'", ["a\nb", "axb"], [0, 1]),
        ("query|re: 'a.b'", ["a\nb", "axb"], [1]),
        ("query|re|m: '^b'", ["a\nb", "ab"], [0]),
        ("query|re: 'a''b'", ["a'b", "ab"], [0]),
        ("query|exists: true", ["a", "", None], [0, 1]),
        ("query|exists: false", ["a", None], [1]),
        ("query: null", ["a", "", None], [2]),
        ("query|base64: foo", ["Zm9v", "zm9v", "foo"], [0, 1]),
        ("query|base64offset|contains: foobar", ["xxZm9vYmFyxx", "b29iYX", "foobar"], [0]),
        ("query|wide|base64offset|contains: ping", ["AHAAaQBuAGcA", "ping"], [0]),
        ("query|utf16|base64: a", ["//5hAA==", "a"], [0]),
        ("query|windash|contains: ' -x'", ["a /x", "a -x", "a –x", "ax"], [0, 1, 2]),
        ("query: 12", ["12", "012"], [0]),
        ("query|gt: 5", ["7", "5", "x", None], [0]),
    ],
)
def test_texts(matching, item, texts, expected) -> None:
    assert (
        matching(f"selection: {{{item}}}" if "[" not in item else f"selection:\n  {item}", *queries(*texts)) == expected
    )


@pytest.mark.parametrize(
    ("item", "column", "values", "expected"),
    [
        ("id.resp_p: 53", "resp_p", [53, 54, None], [0]),
        ("id.resp_p: '53'", "resp_p", [53, 54], [0]),
        ("id.resp_p|lt: 54", "resp_p", [53, 54], [0]),
        ("id.resp_p|lte: 54", "resp_p", [53, 54, 55], [0, 1]),
        ("id.resp_p|gt: 53", "resp_p", [53, 54], [1]),
        ("id.resp_p|gte: 53", "resp_p", [52, 53], [1]),
        ("id.resp_p|neq: 53", "resp_p", [53, 54, None], [1, 2]),
        ("id.resp_p|startswith: '5'", "resp_p", [53, 153, 5353], [0, 2]),
        ("rtt|gt: 0.5", "rtt", [0.4, 0.6, None], [1]),
        ("rejected: 'true'", "rejected", [True, False, None], [0]),
        ("rejected: false", "rejected", [True, False, None], [1]),
        ("rejected: T", "rejected", [True, False], [0]),
        ("AA: 1", "AA", [True, False], [0]),
        ("z: 0", "Z", [0, 1, None], [0]),
        ("answers: 127.0.0.1", "answers", [["10.0.0.1", "127.0.0.1"], ["127.0.0.11"], [], None], [0]),
        ("answers|endswith: .test", "answers", [["a.TEST", "b"], ["test"]], [0]),
        ("answer|contains: aa", "answers", [["baab"], None], [0]),
        ("answers: null", "answers", [["a"], [], None], [1, 2]),
        ("answers|exists: true", "answers", [["a"], [], None], [0]),
        ("TTLs|lt: 5", "TTLs", [[1.0, 9.0], [9.0], None], [0]),
        ("ts|hour: 5", "ts", [5 * 3_600_000_000, 6 * 3_600_000_000], [0]),
        ("ts|gte: 20000", "ts", [5 * 3_600_000_000, 6 * 3_600_000_000], [1]),
    ],
)
def test_types_of_columns(matching, item, column, values, expected) -> None:
    assert matching(f"selection: {{{item}}}", *({column: v} for v in values)) == expected


@pytest.mark.parametrize(
    ("network", "addresses", "expected"),
    [
        ("10.0.0.0/8", ["10.1.2.3", "110.1.2.3", "11.0.0.1", "::a00:1", None], [0]),
        ("172.16.0.0/12", ["172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"], [1, 2]),
        ("192.0.2.7/32", ["192.0.2.7", "192.0.2.70"], [0]),
        ("0.0.0.0/0", ["1.2.3.4", "2001:db8::1"], [0]),
        ("192.0.2.128/25", ["192.0.2.127", "192.0.2.128"], [1]),
        ("fe80::/10", ["fe80::1", "febf:ffff::", "fec0::1", "10.0.0.1", None], [0, 1]),
        ("2001:db8:80::/41", ["2001:db8:80::1", "2001:db8:ff:ffff::", "2001:db8:100::", "2001:db8::80"], [0, 1]),
        ("::1/128", ["::1", "::2", "1::1", "::1:1"], [0]),
        ("::/0", ["::", "ffff::1", "1.2.3.4"], [0, 1]),
    ],
)
def test_networks(matching, network, addresses, expected) -> None:
    assert matching(f"selection: {{id.orig_h|cidr: '{network}'}}", *({"orig_h": a} for a in addresses)) == expected


def test_addresses_are_compared_as_the_tables_write_them(matching) -> None:
    rows = [{"orig_h": "2001:db8::1"}, {"orig_h": "2001:db8::2"}]
    assert matching("selection: {src_ip: '2001:0DB8:0::1'}", *rows) == [0]


def test_a_field_that_is_not_there_makes_its_condition_false_and_its_negation_true(matching) -> None:
    rows = [{"query": "a.test"}, {"query": "a.test", "qtype_name": "NS"}, {"query": "a.test", "qtype_name": "A"}]
    assert matching(
        "{selection: {query: a.test}, filter: {qtype_name: ns}, condition: selection and not filter}", *rows
    ) == [
        0,
        2,
    ]
    assert matching("{selection: {qtype_name: ns}, condition: not selection}", *rows) == [0, 2]
    assert matching("{a: {qtype_name: ns}, b: {query: a.test}, condition: not (a and b)}", *rows) == [0, 2]


def test_lists_of_maps_and_quantifiers(matching) -> None:
    rows = queries("a", "b", "ab", "c")
    assert matching("selection: [{query|contains: a}, {query|contains: b}]", *rows) == [0, 1, 2]
    pair = "s_a: {query|contains: a}, s_b: {query|contains: b}"
    assert matching(f"{{{pair}, condition: all of s_*}}", *rows) == [2]
    assert matching(f"{{{pair}, condition: 1 of them}}", *rows) == [0, 1, 2]
    assert matching(f"{{{pair}, condition: [s_a, s_b]}}", *rows) == [0, 1, 2]


def test_fields_are_compared_with_fields(matching) -> None:
    rows = [{"subject": "CN=A", "issuer": "cn=a"}, {"subject": "CN=A", "issuer": "CN=AB"}, {"subject": "CN=A"}]
    assert matching("selection: {subject|fieldref: issuer}", *rows, **SSL) == [0]
    assert matching("selection: {issuer|fieldref|startswith: subject}", *rows, **SSL) == [0, 1]
    ports = [{"orig_p": 53, "resp_p": 53}, {"orig_p": 5353, "resp_p": 53}]
    assert matching("selection: {id.orig_p|fieldref: id.resp_p}", *ports, **CONN) == [0]
    names = [{"query": "a", "answers": ["b", "A"]}, {"query": "a", "answers": ["b"]}]
    assert matching("selection: {answers|fieldref: query}", *names) == [0]
    assert matching("selection: {query|fieldref: answers}", *names) == [0]


def test_keywords_are_looked_for_in_every_text(matching) -> None:
    rows = [{"path": r"\\h\IPC$", "name": "spoolss"}, {"path": r"\\h\SPOOLSS"}, {"orig_h": "10.0.0.1"}, {}]
    assert matching("selection: [spoolss, zzzz]", *rows, **SMB) == [0, 1]
    assert (
        matching("{selection: {path|endswith: 'IPC$'}, f: [spoolss], condition: selection and not f}", *rows, **SMB)
        == []
    )
    assert matching("selection: {'|all': [spool, ipc]}", *rows, **SMB) == [0]
    assert matching("selection: {'|re': 'SPOOL.*'}", *rows, **SMB) == [1]
    answers = [{"answers": ["v=spf1"]}, {"query": "v=spf1"}, {"query": "x"}]
    assert matching("selection: ['v=spf']", *answers) == [0, 1]
    assert matching("selection: [445]", {"query": "a445b"}, {"query": "a44"}) == [0]


def test_what_is_no_column_is_looked_for_in_extra(matching) -> None:
    extra = ['{"vlan_name":"Guest","n":7}', '{"vlan_name":["a","GUEST"]}', '{"o":{"p":"guest"}}', "{}", None]
    rows = [{"extra": e} for e in extra]
    assert matching("selection: {vlan_name: guest}", *rows) == [0, 1]
    assert matching("selection: {n|gt: 5}", *rows) == [0]
    assert matching("selection: {o.p: guest}", *rows) == [2]
    assert matching("selection: {vlan_name|exists: false}", *rows) == [2, 3, 4]


def test_urls_of_proxies_are_paths_and_whole(matching) -> None:
    row = {"host": "evil.test", "uri": "/a/b.EXE?x=1"}
    for item, met in [
        ("c-uri: http://evil.test/a/b.exe?x=1", True),
        ("c-uri|startswith: /a/", True),
        ("c-uri|contains: '://evil.test/a'", True),
        ("c-uri-extension: exe", True),
        ("c-uri-query|contains: b.exe", True),
        ("cs-uri-query|startswith: x=", True),
        ("cs-uri-stem|endswith: .exe", True),
        ("c-uri-stem|contains: x=1", False),
        ("r-dns: evil.test", True),
    ]:
        assert matching(
            f"selection: {{'{item.split(': ')[0]}': '{item.split(': ', 1)[1].strip(chr(39))}'}}",
            row,
            {},
            category="proxy",
        ) == ([0] if met else []), item


def test_a_firewall_let_through_what_was_taken_up(matching) -> None:
    rows = [{"proto": "tcp", "conn_state": s, "resp_p": 23} for s in ("SF", "S0", "REJ")] + [
        {"proto": "udp", "resp_p": 23}
    ]
    assert matching("selection: {dst_port: 23, action: [accept, 2]}", *rows, category="firewall") == [0]
    assert matching("selection: {blocked: 'false'}", *rows, category="firewall") == [0]


def test_placeholders_take_their_values(matching) -> None:
    given = {"servers": ["a.test", "b*"]}
    assert matching("selection: {query|expand: '%servers%'}", *queries("a.test", "bcd", "c"), placeholders=given) == [
        0,
        1,
    ]
    with pytest.raises(SigmaError, match="placeholder"):
        compiled(made_rule("selection: {query|expand: '%servers%'}"), {})


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("id.resp_p: abc", "'abc' is no number"),
        ("rejected: maybe", "neither true nor false"),
        ("rejected|gt: 1", "true or false"),
        ("id.resp_p|cidr: 10.0.0.0/8", "holds no addresses"),
        ("query|hour: 5", "holds no times"),
        ("answers|fieldref: TTLs", "both hold lists"),
    ],
)
def test_what_makes_no_sense_is_refused(item, told) -> None:
    rule = made_rule(f"selection: {{{item}}}")
    with pytest.raises(SigmaError, match=told):
        DuckdbBackend(place(rule.logsource)).predicate(rule)


def test_quotes_in_a_rule_stay_in_their_literal(matching) -> None:
    assert matching('selection: {query: "x\'); DROP TABLE rows_; --"}', *queries("x'); DROP TABLE rows_; --", "x")) == [
        0
    ]
    assert matching('selection: {query|contains: "\'"}', *queries("it's", "its")) == [0]
