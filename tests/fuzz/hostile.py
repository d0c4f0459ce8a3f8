"""A folder of files that no sensor would write, and what must become of each."""

from __future__ import annotations

import gzip
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HEADER = (
    b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    b"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\n"
    b"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\n"
)
ANY = -1  # rows, where only the archive's own compression tells
START_S = 1_700_000_000


def row(n: int) -> bytes:
    return b"%d.5\tC%d\t192.0.2.7\t%d\t198.51.100.9\t443\ttcp\n" % (START_S + n, n, 1024 + n % 60_000)


def as_json(n: int, **more: object) -> bytes:
    values = {"ts": START_S + n + 0.5, "uid": f"C{n}", "id.orig_h": "192.0.2.7", "id.resp_h": "198.51.100.9"}
    return json.dumps(values | more).encode() + b"\n"


@dataclass(frozen=True)
class Expected:
    """What is read of one file: rows, dead letters, and whether it is named as unreadable."""

    rows: int = 0
    bad: int = 0
    told: bool = False


Made = tuple[bytes, bytes, Expected]  # name, contents, what is read of it


def contents() -> list[Made]:
    """Files by their bytes; each begins differently, so that none is taken for a copy of another."""
    good = [row(n) for n in range(40)]
    header, deep = HEADER, 100_000

    def named(name: str, data: bytes, rows: int = 0, bad: int = 0, *, told: bool = False) -> Made:
        return name.encode(), data, Expected(rows, bad, told)

    packed = gzip.compress(header + b"".join(row(n) for n in range(5_000, 9_000)), 1)
    return [
        named("conn.good.log", header + b"".join(good), 40),
        named("conn.nul.log", header + row(101).replace(b"tcp", b"t\0p") + b"\0" * 5_000 + b"\n" + row(102), 2, 1),
        named("conn.utf16.log", "\ufeff".encode("utf-16-le") + (header + row(103)).decode().encode("utf-16-le"), 0, 9),
        named("conn.latin1.log", header + row(104).replace(b"tcp", b"t\xe9\xff"), 1),
        named("conn.deep.log", as_json(105) + b'{"ts":1,"a":' + b"[" * deep + b"]" * deep + b"}\n" + as_json(106), 3),
        named("conn.deeper.log", b'{"ts":106,"a":' * deep + b"1" + b"}" * deep + b"\n" + as_json(107), 2),
        named("conn.truncated.log.gz", packed[: len(packed) // 2], ANY, ANY, told=True),
        named("conn.garbage.log.gz", gzip.compress(header + row(108)) + b"garbage" * 99, 1, 0, told=True),
        named("conn.damaged.log.gz", packed[:200] + b"\xff" * 30 + packed[230:], 0, 0, told=True),
        named("conn.members.log.gz", b"".join(gzip.compress(x) for x in (header, row(109), b"", row(110))), 2),
        named("conn.zeros.log.gz", gzip.compress(header + row(111)) + b"\0" * 512, 1),
        named("conn.magic.log.gz", b"\x1f\x8b", 0, 0, told=True),
        named("conn.plain.log.gz", header + row(112), 1),
        named("conn.packed.log", gzip.compress(header + row(113)), 1),
        named("conn.noend.log", header + row(114) + row(115).rstrip(b"\n"), 2),
        named("conn.empty.log", b""),
        named("conn.header.log", header.replace(b"conn", b"conn2")),
        named("conn.crlf.log", (header + row(116) + row(117)).replace(b"\n", b"\r\n"), 2),
        named("conn.cr.log", header + row(118).replace(b"\n", b"\r") + row(119), 0, 1),
        named("conn.twice.log", header.replace(b"\tproto", b"\tuid") + row(120), 1),
        named("conn.types.log", header.replace(b"#types\ttime", b"#types\tset[addr]\tbool\ttime") + row(121), 0, 1),
        named("conn.separator.log", b"#separator \\xff\xff\n#fields\tts\tuid\n#types\ttime\tstring\n" + row(122), 0, 1),
        named("conn.columns.log", _columns(10_000), 1),
        named("conn.past.log", header + row(124).replace(b"%d" % (START_S + 124), b"-62104060799"), 1),
        named("conn.future.log", header + row(125).replace(b"%d" % (START_S + 125), b"253370764798"), 1),
        named("conn.never.log", header + row(126).replace(b"%d" % (START_S + 126), b"99999999999999999999"), 0, 1),
        named("conn.binary.log", bytes(range(256)) * 64, 0, 65),
        named("conn.bom.log", b"\xef\xbb\xbf" + header + row(127) + b"\xef\xbb\xbf" + row(128), 2),
        named("conn.wrong.log", b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" * 9 + b"\n", 0, 3),
        named("eve.json", b'{"event_type":"flow"}\n{"event_type":7}\n{"event_type":["dns"]}\n[]\nnull\n\n', 0, 3),
        named("dns.log", b"#fields\n#types\n#separator\n#\n\t\n" + row(130), 0, 1),
        named("http.log", header.replace(b"\tuid", b"\t") + row(131), 1),
        (b"conn.new\nline\x1b[31m.log", header + row(132), Expected(1)),
        (b"conn.invalid-\xff\xfe.log", header + row(133), Expected(told=True)),
        (b"conn." + b"n" * 246 + b".log", header + row(134), Expected(1)),
        (b"conn.=cmd|' calc'!A0.log", header + row(135), Expected(1)),
        (b"conn-[bold]x[bold].log", header + row(136), Expected(1)),
    ]


def _columns(count: int) -> bytes:
    names = "\t".join(["ts", *(f"c{i}" for i in range(count))])
    return f"#fields\t{names}\n".encode() + b"1700000123.5" + b"\tx" * count + b"\n"


SPECIAL: dict[str, Callable[[Path], object]] = {
    "conn.loop.log": lambda path: path.symlink_to(path.name),
    "conn.\x1b[31m\nred.log": lambda path: path.symlink_to(path.name),
    "conn.dangling.log": lambda path: path.symlink_to("nowhere"),
    "conn.fifo.log": lambda path: os.mkfifo(path),
    "conn.socket.log": lambda path: _socket(path),
    "conn.zero.log": lambda path: path.symlink_to("/dev/zero"),
    "conn.folder.log": lambda path: path.mkdir(),
    "conn.xz.log.xz": lambda path: path.write_bytes(b"\xfd7zXZ\0"),
    "round": lambda path: path.symlink_to("."),
    "up": lambda path: path.symlink_to(".."),
}


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def make(folder: Path) -> dict[str, Expected]:
    """Writes them all; by path, what must be read of each."""
    folder.mkdir(parents=True)
    found: dict[str, Expected] = {}
    for name, data, expected in contents():
        path = os.path.join(os.fsencode(folder), name)  # noqa: PTH118 (names that are no text)
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(data)
        found[os.fsdecode(path)] = expected
    for name, special in SPECIAL.items():
        special(folder / name)
    return found
