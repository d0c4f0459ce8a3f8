"""How Zeek is run over a capture: with the package's scripts, and without the site's local.zeek."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path

from ..config import shipped
from .sensors import Command, Sensor

SEEDS = 21  # numbers that ZEEK_SEED_VALUES holds
_SITE = """redef Site::private_address_space_is_local = F;
redef Site::local_nets += {{ {networks} }};
"""


def command(sensor: Sensor, folder: Path, *, inside: Sequence[str], load: Sequence[str], head: bytes) -> Command:
    """Zeek reading standard input and writing into `folder`.

    `inside`: the site's networks (none: Zeek's own notion). `load`: more scripts, by path, by the name of one of the
    package's, or as Zeek finds them. `head`: the capture's first bytes; uids depend on them, and so are the same in
    every run over it and others in another capture.
    """
    scripts = [str(shipped("zeek_scripts") / "__load__.zeek"), str(Path(__file__).with_name("capture.zeek"))]
    if inside:
        site = folder / "site.zeek"
        networks = ", ".join(f"[{a}]/{n}" if ":" in a else f"{a}/{n}" for a, n in (i.split("/") for i in inside))
        site.write_text(_SITE.format(networks=networks), encoding="utf-8")
        scripts.append(str(site))
    kept = {k: v for k, v in os.environ.items() if k not in ("ZEEK_LOG_SUFFIX", "ZEEK_SEED_FILE")}
    env = {**kept, "ZEEK_SEED_VALUES": seeds(head), "ZEEK_DISABLE_ZEEKYGEN": "1"}
    return Command([str(sensor.path), "-C", "-r", "-", *scripts, *map(script, load)], env)


def script(name: str) -> str:
    """The path of a script that is here or in the package, else the name itself, for Zeek to find."""
    package = shipped("zeek_scripts")
    for path in (Path(name), package / name, package / f"{name}.zeek"):
        if path.exists():
            return str(path.absolute())
    return name


def seeds(head: bytes) -> str:
    """Seeds for Zeek's hashes, as ZEEK_SEED_VALUES wants them."""
    data = b"".join(hashlib.sha256(bytes([i]) + head).digest() for i in range(3))
    return " ".join(map(str, struct.unpack_from(f"<{SEEDS}I", data)))
