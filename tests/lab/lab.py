"""A network laboratory in Linux network namespaces: real tools make real traffic, tcpdump keeps it.

    cd tests && python3 -m lab.lab run SCENARIO... [--out DIR] [--name NAME]   record each to DIR/SCENARIO.pcap
    cd tests && python3 -m lab.lab list                                        the scenarios, one a line

Needs root, nothing but Python's own library, and Debian's iproute2 tcpdump nftables dnsmasq-base openssh-server sshpass
hydra iodine hping3 nginx-light curl wget nmap iperf3 ethtool bind9-dnsutils netcat-openbsd openssl chrony ptunnel-ng
iputils-ping. Laboratories of different names run beside each other. LAB_SECONDS shortens benign_hour.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import scenarios_benign, scenarios_control, scenarios_scan, scenarios_wire
from .services import services
from .topology import Lab
from .wire import capture

MODULES = (scenarios_benign, scenarios_scan, scenarios_control, scenarios_wire)
SCENARIOS: dict[str, Callable[[Lab], None]] = {play.__name__: play for module in MODULES for play in module.SCENARIOS}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def record(lab: Lab, name: str, out: Path) -> None:
    """Plays a scenario; leaves NAME.pcap and, where it has stages, NAME.stages.json."""
    path = out.resolve() / f"{name}.pcap"
    began = time.time()
    lab.stages.clear()
    with capture(lab, path):
        SCENARIOS[name](lab)
    if lab.stages:
        path.with_suffix(".stages.json").write_text(json.dumps(lab.stages, indent=1))
    say(f"{name:22s} {path.stat().st_size:>10,d} bytes  {time.time() - began:5.0f} s")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    run = commands.add_parser("run")
    run.add_argument("names", nargs="+", choices=[*SCENARIOS, "all"], metavar="SCENARIO", help="or all")
    run.add_argument("--out", type=Path, default=Path("lab-out"))
    run.add_argument("--name", default="lab", help="starts the names of the namespaces (default: lab)")
    return parser.parse_args(given)


def main() -> None:
    args = arguments()
    if args.command == "list":
        for name, play in SCENARIOS.items():
            say(f"{name:22s} {play.__doc__}")
        return
    if os.geteuid():
        sys.exit("lab: run as root: it makes network namespaces")
    args.out.mkdir(parents=True, exist_ok=True)
    lab = Lab(args.name)
    lab.up()
    try:
        with services(lab):
            for name in SCENARIOS if "all" in args.names else args.names:
                record(lab, name, args.out)
    finally:
        lab.down()


if __name__ == "__main__":
    main()
