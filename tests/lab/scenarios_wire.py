"""What packets meet on their way: loss, delay, silence."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from .cable import Cable, far
from .people import naps, together
from .scenarios_benign import write_texts
from .services import PASSWORD, SSH, USER
from .tools import iperf
from .topology import Lab, stop
from .wire import drop, no_ids

SMALL = "--repeating-payload"  # compresses
V6 = "fd00:203::30"
IDLE = f"{sys.executable} {Path(__file__).with_name('idle.py')}"
FAR_NGINX = """pid {work}/far.pid; error_log {work}/e.log; worker_processes 1; events {{}}
http {{ access_log off; server {{ listen 80; root {work}/www/m; }}
 client_body_temp_path {work}/b; proxy_temp_path {work}/p;
 fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s; }}"""


def loss_0(lab: Lab) -> None:
    """c1 uploads 2 MB with no loss: the retransmission rate is 0."""
    iperf(lab, "c1", "2M")


def loss_5(lab: Lab) -> None:
    """c1 uploads 2 MB while the receiver drops 5 % of what arrives."""
    with drop(lab, "inet", 5):
        iperf(lab, "c1", "2M")


def loss_20(lab: Lab) -> None:
    """c2 uploads 500 KB while the receiver drops 20 % of what arrives."""
    with drop(lab, "inet", 20):
        iperf(lab, "c2", "500K")


def loss_download_20(lab: Lab) -> None:
    """c3 downloads 500 KB while it drops 20 % of what arrives: the loss is the responder's."""
    with drop(lab, "c3", 20):
        iperf(lab, "c3", "500K", "-R")


def loss_0_v6(lab: Lab) -> None:
    """c1 uploads 2 MB over IPv6 with no loss."""
    with lab.ipv6():
        iperf(lab, "c1", "2M", SMALL, V6)


def loss_5_v6(lab: Lab) -> None:
    """c1 uploads 2 MB over IPv6 while the receiver drops 5 % of what arrives."""
    with lab.ipv6(), drop(lab, "inet", 5):
        iperf(lab, "c1", "2M", SMALL, V6)


def loss_20_v6(lab: Lab) -> None:
    """c2 uploads 1 MB over IPv6 while the receiver drops 20 % of what arrives."""
    with lab.ipv6(), drop(lab, "inet", 20):
        iperf(lab, "c2", "1M", SMALL, V6)


def loss_download_20_v6(lab: Lab) -> None:
    """c3 downloads 500 KB over IPv6 and drops 20 % of what arrives."""
    with lab.ipv6(), drop(lab, "c3", 20):
        iperf(lab, "c3", "500K", f"-R {SMALL}", V6)


def loss_20_id0(lab: Lab) -> None:
    """c2 uploads 500 KB while the receiver drops 20 %; c2 sends every packet with IP-ID 0."""
    with no_ids(lab, "c2"), drop(lab, "inet", 20):
        iperf(lab, "c2", "500K", SMALL)


def latency(lab: Lab) -> None:
    """c1-c3 call 3 servers for 3 min: 192.0.2.11 is 20 ms away, then 80 in the last minute; .12 always 20, .13 60."""
    write_texts(lab.work / "www" / "m")
    (lab.work / "far.conf").write_text(FAR_NGINX.format(work=lab.work))
    with far(lab, {"192.0.2.11": 0.020, "192.0.2.12": 0.020, "192.0.2.13": 0.060}) as cable:
        server = lab.start("far", f"nginx -c {lab.work}/far.conf -g 'daemon off;'")
        time.sleep(1)
        with lab.stage("usual"):
            call_all(lab, cable, 120)
        cable.delays_s["192.0.2.11"] = 0.080
        with lab.stage("slow"):
            call_all(lab, cable, 60)
        stop(server)


def call_all(lab: Lab, cable: Cable, seconds: float) -> None:
    """Each of three clients calls each address at the cable's far end every 3 s or so."""

    def call(ns: str, address: str) -> None:
        for _ in naps(random.Random(f"{ns} {address}"), 3.0, seconds):
            lab.inside(ns, f"curl -s -m 5 -A updater/2.3 http://{address}/list.json -o /dev/null")

    together([(call, (ns, address)) for ns in ("c1", "c2", "c3") for address in cable.delays_s])


def keepalive(lab: Lab) -> None:
    """c1 holds an idle connection for 90 s, c2 waits 20 s at a closed window, c3 has an idle ssh: no loss."""
    for ns in ("c3", "srv"):
        lab.inside(ns, "sysctl -qw net.ipv4.tcp_keepalive_time=5 net.ipv4.tcp_keepalive_intvl=5")
    servers = [
        lab.start("inet", f"{IDLE} serve 203.0.113.45 4444 0"),
        lab.start("inet", f"{IDLE} serve 203.0.113.46 4445 20"),
    ]
    time.sleep(1)
    holders = [
        lab.start("c1", f"{IDLE} hold 203.0.113.45 4444 40 90"),
        lab.start("c2", f"{IDLE} hold 203.0.113.46 4445 200000 30"),
    ]
    lab.inside("c3", f"sshpass -p {PASSWORD} ssh {SSH} {USER}@10.20.0.10 'id; sleep 60; id'")
    for process in holders:
        process.wait(100)
    for process in servers:
        stop(process)
    for ns in ("c3", "srv"):
        lab.inside(ns, "sysctl -qw net.ipv4.tcp_keepalive_time=7200 net.ipv4.tcp_keepalive_intvl=75")


SCENARIOS = (
    loss_0,
    loss_5,
    loss_20,
    loss_download_20,
    loss_0_v6,
    loss_5_v6,
    loss_20_v6,
    loss_download_20_v6,
    loss_20_id0,
    latency,
    keepalive,
)
