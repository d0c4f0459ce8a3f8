"""Ways in which a line of a log goes wrong: each takes a line's bytes and gives other bytes, deterministically."""

# ruff: noqa: E501

from __future__ import annotations

import json
import random
from collections.abc import Callable

from .corpus import TSV, Log

Rng = random.Random
Mutator = Callable[[Rng, bytes], bytes]

NUMBERS = [
    "0", "-0", "-1", "00", "01", "+1", "1.", ".5", "1.0", "5.000", "-5.0", "1e5", "1E400", "-1e400", "1e-400", "0x10", "1_000",
    "NaN", "nan", "-nan", "inf", "-inf", "Infinity", "INF", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "9" * 39, "9" * 400, "9" * 5000, "0." + "3" * 500, "1" + "0" * 308, "99999", "65536", "4294967296", "1e18",
    "9223372036854775807.0", "9223372036854.775807", "9223372036855", "1e12", "1e11", "99999999999.9", "3.2e9",
    "-62135596800", "-62135596801", "253402300799.999999", "253402300800", "253402300799.9999999", "1700000000,5",
    "\u0661\u0662", "\uff11", "1 ", " 1", "1\u00a0",
]  # fmt: skip
DATES = [
    "0000-00-00T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999999-01-01T00:00:00Z",
    "-0001-01-01T00:00:00+0000", "2023-02-30T00:00:00Z", "2023-11-14T25:61:61+0000", "2023-11-14T22:13:20.123456+9999",
    "2023-11-14T22:13:20.123456789Z", "2023-11-14 22:13:20", "2023-11-14T22:13:60Z", "infinity", "-infinity", "epoch",
    "290309-12-22T00:00:00Z", "294247-01-10T04:00:54.775807Z", "294248-01-01T00:00:00Z", "now", "today",
    "2023-11-14T22:13:20 (UTC)", "2023-11-14T22:13:20 Europe/Berlin",
]  # fmt: skip
TEXTS = [
    "", "-", "(empty)", " ", "T", "F", "true", "null", "None", ",", ",,,", "-,-", "(empty),-,(empty)", "a,-", "\\", "\\x",
    "\\x0", "\\x00", "\\xff", "\\x0a", "\\n", "\\\\x41", "\\u0000", '"', "'", "''", "`", "%s%n%x", "{}", "[]", "$window_start",
    "=1+1", "+1", "@SUM(1)", "-2+3", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "'; DROP TABLE rows; --", "../../etc/passwd",
    "\x1b[2J\x1b]0;x\x07", "\u202egpj.exe", "\u200b", "\ufeff", "\U0001f600", "\ue000", "\uffff", "e\u0301" * 40, "\u0130\u0131\u00df",
    "::", "::1", "1::2::3", "::ffff:192.0.2.1", "fe80::1%eth0", "192.0.2", "192.0.2.256", "192.0.2.01", "0x7f.1", "2130706433",
    "192.0.2.1/24", ":" * 50, "1:2:3:4:5:6:7:8:9", "xn--" + "a" * 60, "." * 300, "a." * 130, "a" * 64 + ".com", "\u3002.com", ".com", "..",
    "tcp\ttcp", "x" * 300, "x" * 20_000, "#fields", "conn", "1:AAAA", "1:" + "=" * 28,
]  # fmt: skip
BYTES = [
    b"\0", b"\r", b"\n", b"\r\n", b"\n\r", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xb0\x80",
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\xc2", b"\x1a", b"\x1b", b"\x1f", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8", b"\t",
    b"\t\t", b" ", b"\\", b'"', b"{", b"}", b"[", b"]", b",", b":", b"#", b"\x0b", b"\x0c", b"\x01\x02", b"//", b"/*", b"\\u", b"\\ud800",
]  # fmt: skip
JSONS = [
    "null", "true", "false", "[]", "{}", "[[]]", "[null]", '[""]', '[1,"a",null,{}]', '{"a":1}', '{"":""}', '"\\ud800"', '"\\udc00\\ud800"',
    '"\\ud83d\\ude00"', '"\\u0000"', '"a\\u0000b"', '"\\u001f"', '"\\x41"', '"\\q"', '"\\u12"', '"\t"', '"unclosed', "NaN", "-Infinity", "nan",
    "01", "+1", "1.", ".1", "1e", "1e5", "1e400", "-1e400", "0x1", "1e99999999999", "- 1", "undefined", "'a'", "tru", "nulll",
    '{"orig_h":"1.2.3.4"}', '{"orig_h":{"orig_h":1},"orig_p":[]}', '{"a":{"a":{"a":{"a":[1,2,{"b":null}]}}}}', "[1,]", '{"a":1,}', "{a:1}", "",
    "1700000000123", "1.7e12", '"1700000000.5"', '["1.2.3.4",5]', '[["a"],["b"]]', '{"name":[1,2]}', '"' + "x" * 20_000 + '"',
]  # fmt: skip
KEYS = [
    "", "id", "ts", "id.orig_h", "id_orig_h", "orig_h", "end_ts", "sensor", "source", "extra", "event", "event_type", "uid", "_path", "number", "line",
    "rest", "timestamp", "a.b.c", "$", "$.x", "a\"b", "a\\b", "\u0000", "\ud800", "ID.ORIG_H", "Ts", "x" * 5000, "\u202e", "answers", "dns", "flow", "alert",
]  # fmt: skip


# Of the bytes of a line


def _at(rng: Rng, line: bytes) -> int:
    return rng.randint(0, len(line))


def flip(rng: Rng, line: bytes) -> bytes:
    changed = bytearray(line)
    for _ in range(rng.choice([1, 1, 2, 8])):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def byte(rng: Rng, line: bytes) -> bytes:
    changed = bytearray(line)
    for _ in range(rng.choice([1, 1, 3])):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def drop(rng: Rng, line: bytes) -> bytes:
    start = _at(rng, line)
    return line[:start] + line[start + rng.choice([1, 2, 10, 100]) :]


def double(rng: Rng, line: bytes) -> bytes:
    start = _at(rng, line)
    piece = line[start : start + rng.choice([1, 2, 10, 100])]
    return line[:start] + piece * rng.choice([2, 3, 50]) + line[start + len(piece) :]


def insert(rng: Rng, line: bytes) -> bytes:
    start = _at(rng, line)
    return line[:start] + rng.choice(BYTES) + line[start:]


def begin(rng: Rng, line: bytes) -> bytes:
    return rng.choice(BYTES) + line


def end(rng: Rng, line: bytes) -> bytes:
    return line + rng.choice([*BYTES, b"\r", b"\r", line])


def cut(rng: Rng, line: bytes) -> bytes:
    return line[: _at(rng, line)]


def wide(rng: Rng, line: bytes) -> bytes:
    """UTF-16, as an editor saves it."""
    return line.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-7"]))


def shuffled(rng: Rng, line: bytes) -> bytes:
    parts = [line[i : i + 16] for i in range(0, len(line), 16)]
    rng.shuffle(parts)
    return b"".join(parts)


def noise(rng: Rng, line: bytes) -> bytes:
    return rng.randbytes(rng.choice([1, 10, 200]))


def long(rng: Rng, line: bytes) -> bytes:
    start = _at(rng, line)
    return (
        line[:start] + bytes([rng.choice(b'ax9.,\\-[{"\t \xc3')]) * rng.choice([3_000, 3_000, 100_000]) + line[start:]
    )


# Of fields


def _fields(change: Callable[[Rng, list[bytes]], None]) -> Mutator:
    def mutator(rng: Rng, line: bytes) -> bytes:
        fields = line.split(b"\t")
        for _ in range(rng.choice([1, 1, 1, 4])):
            change(rng, fields)
        return b"\t".join(fields)

    return mutator


def _replace(rng: Rng, fields: list[bytes]) -> None:
    if fields:
        fields[rng.randrange(len(fields))] = encoded(rng.choice(rng.choice([NUMBERS, DATES, TEXTS])))


def _swap(rng: Rng, fields: list[bytes]) -> None:
    if fields:
        a, b = rng.randrange(len(fields)), rng.randrange(len(fields))
        fields[a], fields[b] = fields[b], fields[a]


def _lose(rng: Rng, fields: list[bytes]) -> None:
    if fields:
        fields.pop(rng.randrange(len(fields)))


def _gain(rng: Rng, fields: list[bytes]) -> None:
    fields.insert(rng.randint(0, len(fields)), rng.choice(fields) if fields else b"")


def _inside(rng: Rng, fields: list[bytes]) -> None:
    if fields:
        chosen = rng.randrange(len(fields))
        fields[chosen] = rng.choice([flip, byte, drop, double, insert, cut])(rng, fields[chosen])


# Of JSON


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def member(rng: Rng, line: bytes) -> bytes:
    """Some values given others, keys renamed, dropped, doubled or added; written by hand, so that it may be no JSON."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return insert(rng, line)
    if not isinstance(found, dict):
        return line
    members = [[json.dumps(k), json.dumps(v)] for k, v in found.items()]
    for _ in range(rng.choice([1, 1, 2, 5])):
        _change_member(rng, members, found)
    space = rng.choice(["", "", " ", "\t", "\r"])
    return encoded("{" + ",".join(f"{k}:{space}{v}" for k, v in members) + "}")


def _change_member(rng: Rng, members: list[list[str]], found: dict[str, object]) -> None:
    at = rng.randrange(len(members)) if members else 0
    what = rng.randrange(7)
    inner = found.get(json.loads(members[at][0])) if members else None
    if isinstance(inner, dict) and inner and rng.random() < 0.7:
        members[at][1] = _inside_of(rng, inner)
    elif what == 0 or not members:
        members.insert(at, [json.dumps(rng.choice(KEYS)), value(rng)])
    elif what == 1:
        members.append([members[at][0], value(rng)])  # twice the same key
    elif what == 2:
        members[at][0] = json.dumps(rng.choice(KEYS))
    elif what == 3:
        members.pop(at)
    elif what == 4:
        members[at][1] = f"[{members[at][1]},{value(rng)}]"
    else:
        members[at][1] = value(rng)


def _inside_of(rng: Rng, inner: dict[str, object]) -> str:
    """The object with one of its values, however deep, given another."""
    chosen = rng.choice(list(inner))
    deeper = inner[chosen]
    new = _inside_of(rng, deeper) if isinstance(deeper, dict) and deeper and rng.random() < 0.7 else value(rng)
    members = [(json.dumps(k), new if k == chosen else json.dumps(v)) for k, v in inner.items()]
    return "{" + ",".join(f"{k}:{v}" for k, v in members) + "}"


def value(rng: Rng) -> str:
    """A JSON value, or what looks like one."""
    which = rng.randrange(5)
    if which == 0:
        return json.dumps(rng.choice(rng.choice([NUMBERS, DATES, TEXTS])), ensure_ascii=rng.random() < 0.5)
    if which == 1:
        return rng.choice(NUMBERS)
    if which == 2 and rng.random() < 0.2:
        return deep(rng)
    return rng.choice(JSONS)


def deep(rng: Rng) -> str:
    levels = rng.choice([10, 100, 900, 1_100, 5_000, 100_000])
    opening, closing = rng.choice([("[", "]"), ('{"a":', "}"), ('[{"b":', "}]")])
    return opening * levels + rng.choice(["", "1"]) + closing * rng.choice([levels, levels, levels - 1, 0])


def whole(rng: Rng, line: bytes) -> bytes:
    """No object, or more than one."""
    return rng.choice(
        [
            b"[" + line + b"]",
            line + line,
            line + b" " + line,
            b"null",
            b"1",
            b'"x"',
            b"{}",
            b"{",
            b"[]",
            line + b"x",
            b" " + line,
        ]
    )


def many_keys(rng: Rng, line: bytes) -> bytes:
    more = ",".join(f'"k{rng.randrange(10**6)}":{i}' for i in range(rng.choice([100, 3_000])))
    return line[:1] + more.encode() + b"," + line[1:]


ANY: list[Mutator] = [flip, flip, byte, byte, drop, double, insert, insert, begin, end, cut, wide, shuffled, noise]
OF_TSV: list[Mutator] = [
    *ANY,
    *([_fields(_replace)] * 12),
    *map(_fields, [_swap, _swap, _lose, _gain, _inside, _inside]),
]
OF_JSON: list[Mutator] = [*ANY, *([member] * 18), whole]
SELDOM: list[Mutator] = [long, many_keys]


# Of the header


def headers(rng: Rng, log: Log) -> bytes:
    """Header lines that are wrong, and lines below them."""
    fields = next((line for line in log.header.splitlines() if line.startswith(b"#fields")), b"#fields\tts\tuid")
    types = next((line for line in log.header.splitlines() if line.startswith(b"#types")), b"#types\ttime\tstring")
    names = fields.split(b"\t")
    twice, lost = [*names, rng.choice(names[1:])], [n for n in names if n != b"ts"]
    rng.shuffle(shuffled_names := names[1:])
    wrong = [
        b"\t".join(twice),
        b"\t".join(lost),
        b"\t".join([b"#fields", *shuffled_names]),
        b"\t".join([b"#fields", *(b"c%d" % i for i in range(rng.choice([0, 1, 2_000])))]),
        b"#fields",
        b"#fields\t",
        b"#fields\t\t\t",
        b"#fields " + b" ".join(names[1:]),
        types.replace(b"string", rng.choice([b"set[string]", b"vector[count]", b"table[addr]", b"", b"set[", b"bool", b"any"])),
        b"#types\t" + b"\t".join(rng.choice([b"time", b"count", b"addr", b"bool", b"set[interval]"]) for _ in names[1:]),
        b"#types",
        flip(rng, fields),
        byte(rng, types),
        cut(rng, fields),
        *(b"#separator " + s for s in (b"\\x20", b"\\x", b"", b"ab", b"\\x0a", b"\\x00", b"\\x7c", b"\xff", b"\\xff", b",", b"\\x09\\x09", b"\xe2\x82\xac", b'"', b"\\", b"\\x1f", b"\\x0d")),
        *(b"#set_separator\t" + s for s in (b"", b"\t", b"\\x", b"a", b"::", b"\xff", b"-", b"(empty)", b"\\x00")),
        *(b"#unset_field\t" + s for s in (b"", b"(empty)", b"T", b"\xff", b"\t", b"\\x2d", b"-" * 5000)),
        *(b"#empty_field\t" + s for s in (b"", b"-", b",", b"\xff")),
        b"ts\tuid\tuid",
        b"ts",
        b"#",
        b"#\t\t\t",
        b"#close\t2023",
        b"\xef\xbb\xbf" + fields,
    ]  # fmt: skip
    below = [log.marked(rng.randrange(len(log.lines)), "dirty") for _ in range(rng.choice([0, 1, 3]))]
    if rng.random() < 0.3:
        below = [line.replace(b"\t", rng.choice([b"|", b" ", b",", b"ab", b"\x1f"])) for line in below]
    return b"\n".join([*rng.sample(wrong, rng.choice([1, 1, 2])), *below])


def mutated(rng: Rng, log: Log, line: bytes) -> bytes:
    """The line gone wrong in one to three ways; what stood in a header's place is followed by the header anew."""
    if log.form == TSV and rng.random() < 0.03:
        return headers(rng, log) + b"\n" + log.header.rstrip(b"\n")
    chosen = OF_TSV if log.form == TSV else OF_JSON
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        line = rng.choice(SELDOM if rng.random() < 0.002 else chosen)(rng, line)
    pieces = line.split(b"\n")
    if any(p.replace(b"\xef\xbb\xbf", b"").lstrip().startswith((b"#", b"ts")) for p in pieces):
        return line + b"\n" + log.header.rstrip(b"\n") if log.header else line
    return line
