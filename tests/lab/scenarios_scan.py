"""Those who look for what is there, who guess passwords, and who send more than a host can take."""

from __future__ import annotations

import random
import time

from .people import login
from .services import SSH, USER
from .tools import guess
from .topology import Lab, stop
from .wire import drop


def scan_vertical(lab: Lab) -> None:
    """c4 SYN-scans 1,000 TCP ports of 10.20.0.10 with nmap -sS; 22 and 80 are open."""
    lab.inside("c4", "nmap -n -Pn -sS -p1-1000 --max-retries 1 10.20.0.10")


def scan_vertical_v6(lab: Lab) -> None:
    """c4 SYN-scans 300 TCP ports of fd00:20::10 with nmap -6; 22 and 80 are open."""
    with lab.ipv6():
        lab.inside("c4", "nmap -6 -n -Pn -sS -p1-300 --max-retries 1 fd00:20::10")


def scan_horizontal(lab: Lab) -> None:
    """c4 SYN-scans port 22 of 31 hosts, then port 445 of the same with full connects."""
    lab.inside("c4", "nmap -n -Pn -sS -p22 10.20.0.10-40")
    lab.inside("c4", "nmap -n -Pn -sT -p445 10.20.0.10-40")


def scan_slow(lab: Lab) -> None:
    """c5 probes 40 ports of 10.20.0.10 one every 1.5 s: under any per-10-s threshold."""
    lab.inside("c5", "nmap -n -Pn -sS -p100-139 --scan-delay 1500ms --max-retries 0 10.20.0.10")


def scan_udp(lab: Lab) -> None:
    """c4 UDP-scans 60 ports of 10.20.0.12 (closed: ICMP port unreachable)."""
    lab.inside("c4", "nmap -n -Pn -sU -p1000-1059 --max-retries 0 --min-rate 20 10.20.0.12")


def icmp_sweep(lab: Lab) -> None:
    """c4 pings 10.20.0.1-80 with nmap -sn -PE; .1 and .10-40 answer, for some others the gateway: host unreachable."""
    lab.inside("c4", "nmap -n -sn -PE 10.20.0.1-80")
    time.sleep(4)


def ssh_bruteforce(lab: Lab) -> None:
    """c5 tries 60 passwords against sshd on 10.20.0.10 with hydra; none is right."""
    guess(lab, "c5", "10.20.0.10", [f"password{i}" for i in range(60)], "-t 4 -l admin")


def ssh_bruteforce_success(lab: Lab) -> None:
    """c5 guesses 119 wrong passwords on 10.20.0.10, one a connection; the 120th is right and runs commands for 10 s."""
    rng = random.Random(11)
    for i in range(119):
        lab.inside("c5", f"sshpass -p guess{i} ssh {SSH} {USER}@10.20.0.10 true")
        time.sleep(rng.uniform(0, 0.2))
    login(lab, "c5", "10.20.0.10", 10)


def syn_flood(lab: Lab) -> None:
    """c4 sends 5,000 SYNs with as many source ports to 10.20.0.20:80 in about 5 s; all are refused."""
    lab.inside("c4", "timeout 20 hping3 -S -p 80 -i u1000 -c 5000 10.20.0.20")


def syn_flood_drop(lab: Lab) -> None:
    """c4 sends 5,000 SYNs to 10.20.0.20:8080 in about 5 s; the port drops them all."""
    with drop(lab, "srv", port=8080):
        lab.inside("c4", "timeout 20 hping3 -S -p 8080 -i u1000 -c 5000 10.20.0.20")


def syn_flood_spoofed(lab: Lab) -> None:
    """c4 sends 5,000 SYNs to 10.20.0.20:8080, 50 from each of 10.10.0.101-200; the port drops them all."""
    with drop(lab, "srv", port=8080):
        floods = [
            lab.start("c4", f"hping3 -S -p 8080 -a 10.10.0.{i} -i u100000 -c 50 10.20.0.20") for i in range(101, 201)
        ]
        time.sleep(12)
        for process in floods:
            stop(process)


SCENARIOS = (
    scan_vertical,
    scan_vertical_v6,
    scan_horizontal,
    scan_slow,
    scan_udp,
    icmp_sweep,
    ssh_bruteforce,
    ssh_bruteforce_success,
    syn_flood,
    syn_flood_drop,
    syn_flood_spoofed,
)
