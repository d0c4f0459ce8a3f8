"""What is done to packets on the way, and how they are kept: loss, changed headers, a capture, a slow cable."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .topology import Lab, stop


@contextlib.contextmanager
def capture(lab: Lab, path: Path) -> Iterator[None]:
    """Keeps what passes the gateway's client side, as a sensor at a SPAN port would see it."""
    dump = lab.start("gw", f"tcpdump -U -B 65536 -i lan -w {path}")
    time.sleep(1.5)
    try:
        yield
        time.sleep(1.5)
    finally:
        stop(dump, signal.SIGINT)


@contextlib.contextmanager
def rules(lab: Lab, ns: str, family: str, hook: str, what: str) -> Iterator[None]:
    """One nftables statement at a hook of a host while the block runs."""
    table = f"table {family} lab {{\n chain x {{\n  type filter hook {hook} priority 0;\n  {what};\n }}\n}}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
        file.write(table)
        file.flush()
        lab.inside(ns, f"nft -f {file.name}", check=True)
        try:
            yield
        finally:
            lab.inside(ns, f"nft delete table {family} lab")


def drop(lab: Lab, ns: str, percent: int = 0, *, port: int = 0) -> contextlib.AbstractContextManager[None]:
    """Drops a share of the TCP segments that arrive, or all of them for one port."""
    if port:
        return rules(lab, ns, "inet", "input", f"tcp dport {port} drop")
    return rules(lab, ns, "inet", "input", f"meta l4proto tcp numgen random mod 1000 < {percent * 10} drop")


def no_ids(lab: Lab, ns: str) -> contextlib.AbstractContextManager[None]:
    """The host's packets reach the gateway with IP-ID 0, as some systems send them where fragmenting is forbidden.

    Not at the host itself: the kernel cuts segments, and numbers them, after its output hooks.
    """
    return rules(lab, "gw", "netdev", f"ingress device v{ns}", "ip id set 0")
