"""The laboratory's network: namespaces, the links and addresses between them, and how a command runs in one.

    clients  10.10.0.11-15  --+
                              +-- gw (10.10.0.1 | 10.20.0.1 | 203.0.113.1) -- srv   10.20.0.10-40
                              |                                            -- inet  203.0.113.10-66, 198.51.100.10-60

All stays inside the namespaces; nothing is routed to the outside. Several laboratories run beside each other under
different names.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLIENTS = tuple(f"c{i}" for i in range(1, 6))
ADDRESSES = {ns: f"10.10.0.{10 + i}" for i, ns in enumerate(CLIENTS, 1)}
HOSTS = (*CLIENTS, "srv", "inet")
NETNS = Path("/etc/netns")

SYSCTL_NO_V6 = "net.ipv6.conf.all.disable_ipv6={0} net.ipv6.conf.default.disable_ipv6={0}"
RESOLVER_V6 = (
    "dnsmasq -k --no-resolv --no-hosts --conf-file=/dev/null --local=/#/ --host-record=c2.test,fd00:203::50 "
    "--listen-address=fd00:203::11 --bind-interfaces --user=root --pid-file="
)
Process = subprocess.Popen[bytes]


def sh(command: str, *, check: bool = True) -> None:
    subprocess.run(command, shell=True, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stop(process: Process, sig: int = signal.SIGTERM) -> None:
    """Ends a process and its children; one that does not listen is left after 5 s."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, sig)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)


@dataclass
class Lab:
    """One laboratory: `name` starts the names of its namespaces, `work` is a folder while its services run."""

    name: str = "lab"
    work: Path = Path("/nonexistent")
    stages: list[dict[str, Any]] = field(default_factory=list)

    def inside(self, ns: str, command: str, *, check: bool = False) -> None:
        sh(f"ip netns exec {self.name}_{ns} {command}", check=check)

    def start(self, ns: str, command: str) -> Process:
        return subprocess.Popen(
            f"exec ip netns exec {self.name}_{ns} {command}",
            shell=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def up(self) -> None:
        self.down()
        for ns in (*HOSTS, "gw"):
            sh(f"ip netns add {self.name}_{ns}")
            self.inside(ns, "ip link set lo up")
            self.inside(ns, f"sysctl -qw {SYSCTL_NO_V6.format(1)}")
        self.inside("gw", "sysctl -qw net.ipv4.ip_forward=1")
        self.inside("gw", "ip link add lan type bridge")
        self.inside("gw", "ip addr add 10.10.0.1/24 dev lan")
        self.inside("gw", "ip link set lan up")
        for ns in CLIENTS:
            self.link(ns, "master lan up")
            self.inside(ns, f"ip addr add {ADDRESSES[ns]}/24 dev eth0")
        for ns, gateways, ranges in (
            ("srv", ("10.20.0.1",), (("10.20.0", 10, 40),)),
            ("inet", ("203.0.113.1", "198.51.100.1"), (("203.0.113", 10, 66), ("198.51.100", 10, 60))),
        ):
            self.link(ns, "up")
            for address in gateways:
                self.inside("gw", f"ip addr add {address}/24 dev v{ns}")
            for net, low, high in ranges:
                for last in range(low, high + 1):
                    self.inside(ns, f"ip addr add {net}.{last}/24 dev eth0")
        for ns in HOSTS:
            self.inside(ns, "ip link set eth0 up")
            self.inside(ns, "ethtool -K eth0 tso off gso off gro off tx off")
            gateway = {"srv": "10.20.0.1", "inet": "203.0.113.1"}.get(ns, "10.10.0.1")
            self.inside(ns, f"ip route add default via {gateway}")
        for ns in HOSTS:
            self.inside("gw", f"ethtool -K v{ns} tso off gso off gro off")

    def link(self, ns: str, how: str) -> None:
        """A cable from the gateway's v<ns> to the host's eth0."""
        sh(f"ip link add v{ns} netns {self.name}_gw type veth peer name eth0 netns {self.name}_{ns}")
        self.inside("gw", f"ip link set v{ns} {how}")

    def down(self) -> None:
        for ns in (*HOSTS, "gw"):
            sh(f"ip netns del {self.name}_{ns}", check=False)
            shutil.rmtree(NETNS / f"{self.name}_{ns}", ignore_errors=True)

    @contextlib.contextmanager
    def ipv6(self) -> Iterator[None]:
        """IPv6 while the block runs: fd00:10::11-15 clients, fd00:20::10 srv, fd00:203::11 (resolver), ::30, ::50."""
        addresses = {ns: f"fd00:10::{10 + i}" for i, ns in enumerate(CLIENTS, 1)}
        for ns in (*HOSTS, "gw"):
            self.inside(ns, f"sysctl -qw {SYSCTL_NO_V6.format(0)}")
        self.inside("gw", "sysctl -qw net.ipv6.conf.all.forwarding=1")
        for net, device in (("10", "lan"), ("20", "vsrv"), ("203", "vinet")):
            self.inside("gw", f"ip -6 addr add fd00:{net}::1/64 dev {device} nodad")
        addresses |= {"srv": "fd00:20::10", "inet": "fd00:203::11"}
        for last in (30, 50):
            self.inside("inet", f"ip -6 addr add fd00:203::{last}/64 dev eth0 nodad")
        for ns, address in addresses.items():
            self.inside(ns, f"ip -6 addr add {address}/64 dev eth0 nodad")
            self.inside(ns, f"ip -6 route add default via {address.split('::')[0]}::1")
        processes = [self.start("inet", RESOLVER_V6), self.start("srv", "nc -6 -lk fd00:20::10 80")]
        time.sleep(3)
        try:
            yield
        finally:
            for process in processes:
                stop(process)
            for ns in (*HOSTS, "gw"):
                self.inside(ns, f"sysctl -qw {SYSCTL_NO_V6.format(1)}")

    @contextlib.contextmanager
    def source(self, address: str) -> Iterator[None]:
        """Connections that inet opens to the clients leave from this address."""
        self.inside("inet", f"ip route replace 10.10.0.0/24 via 203.0.113.1 src {address}", check=True)
        try:
            yield
        finally:
            self.inside("inet", "ip route del 10.10.0.0/24")

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Keeps a stage's name, start and end (epoch seconds) for SCENARIO.stages.json."""
        began = time.time()
        yield
        self.stages.append({"stage": name, "start": round(began, 3), "end": round(time.time(), 3)})
