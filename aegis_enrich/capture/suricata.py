"""How Suricata is run over a capture: with the project's EVE configuration and rules, in one thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from ..config import shipped
from ..errors import CaptureError
from .sensors import Command, Sensor

CONFIGURATIONS = ("/etc/suricata/suricata.yaml", "/usr/local/etc/suricata/suricata.yaml")
EVE = "aegis.yaml"
RULES = "aegis.rules"


def command(sensor: Sensor, folder: Path, *, inside: Sequence[str], load: Sequence[str]) -> Command:
    """Suricata reading standard input and writing into `folder`.

    `inside`: the site's networks, its HOME_NET (none: that of suricata.yaml). `load`: more files of rules.
    Raises CaptureError where there is no suricata.yaml or a file of rules cannot be read.
    """
    ours = shipped("suricata", "plugins/suricata")
    include = folder / "capture.yaml"
    include.write_text(without_stats((ours / EVE).read_text(encoding="utf-8")), encoding="utf-8")
    rules = folder / "capture.rules"
    rules.write_bytes(b"\n".join(_read(p) for p in [*_own(ours / RULES), *map(Path, load)]))
    arguments = [str(sensor.path), "-c", str(configuration(sensor)), "--include", str(include), "-S", str(rules)]
    arguments += ["-r", "/dev/stdin", "-l", str(folder), "-k", "none", "--runmode", "single"]
    if inside:
        arguments += ["--set", f"vars.address-groups.HOME_NET=[{','.join(inside)}]"]
    return Command(arguments, dict(os.environ))


def without_stats(configuration: str) -> str:
    """An EVE configuration without stats, which bear the time of the run and not of the packets."""
    settings = yaml.safe_load(configuration)
    for output in settings["outputs"]:
        if "eve-log" in output:
            output["eve-log"]["types"] = [t for t in output["eve-log"]["types"] if "stats" not in t]
    return "%YAML 1.1\n---\n" + yaml.safe_dump(settings, sort_keys=False)


def configuration(sensor: Sensor) -> Path:
    """The installation's suricata.yaml; raises CaptureError where there is none."""
    beside = sensor.path.resolve().parent.parent / "etc" / "suricata" / "suricata.yaml"
    for path in (*map(Path, CONFIGURATIONS), beside):
        if path.is_file():
            return path
    where = " or ".join(CONFIGURATIONS)
    raise CaptureError(f"its suricata.yaml is not in {where}; install Suricata anew", where=str(sensor.path))


def _own(rules: Path) -> list[Path]:
    return [rules] if rules.is_file() else []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{error.strerror}; name a file of Suricata rules with --load", where=str(path)) from error
