"""The sensors that are installed here."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CaptureError

# Where their packages put them, should PATH not lead there; the order is that of preference.
PLACES = {
    "zeek": ("/opt/zeek/bin", "/usr/local/zeek/bin", "/usr/local/bin", "/usr/bin"),
    "suricata": ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/suricata/bin"),
}
TITLES = {"zeek": "Zeek", "suricata": "Suricata"}
HOW = {
    "zeek": "install Zeek 7.0 or newer (https://docs.zeek.org/en/lts/install.html)",
    "suricata": "install Suricata 7 or newer (Debian and Ubuntu: apt install suricata)",
}
_VERSION = re.compile(r"version (\S+)")
VERSION_S = 20.0


@dataclass(frozen=True)
class Sensor:
    """`name` is `zeek` or `suricata`."""

    name: str
    path: Path

    @property
    def title(self) -> str:
        return TITLES[self.name]

    def version(self) -> str:
        """As it says itself; "" where it does not run."""
        option = {"zeek": "--version", "suricata": "-V"}[self.name]
        try:
            ran = subprocess.run([self.path, option], capture_output=True, text=True, timeout=VERSION_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = _VERSION.search(ran.stdout + ran.stderr) if ran.returncode == 0 else None
        return found[1] if found else ""


@dataclass(frozen=True)
class Command:
    """What is run to read a capture from standard input, in the folder that it writes into."""

    arguments: Sequence[str]
    env: Mapping[str, str]


def installed() -> list[Sensor]:
    """Those on PATH or where their packages put them, Zeek first."""
    found = []
    for name, places in PLACES.items():
        path = shutil.which(name) or next(filter(None, (shutil.which(name, path=p) for p in places)), None)
        if path:
            found.append(Sensor(name, Path(path)))
    return found


def choose(wanted: str | None) -> Sensor:
    """The one that is wanted, else Zeek, else Suricata; raises CaptureError that says what to install."""
    there = {s.name: s for s in installed()}
    if wanted is None and there:
        return next(iter(there.values()))
    if wanted in there:
        return there[wanted]
    if wanted:
        others = f", or take --with {', '.join(there)}" if there else ""
        raise CaptureError(f"{TITLES[wanted]} is not installed here; {HOW[wanted]}, put it on PATH{others}")
    what = f"neither Zeek nor Suricata is installed here; {HOW['zeek']} or {HOW['suricata']}, and put it on PATH"
    raise CaptureError(what)
