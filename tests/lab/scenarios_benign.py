"""Traffic in which nothing is wrong: an alert over it is a false one."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from .people import browse, login, poll, read_pages, surfers, together
from .services import SSH, USER, clock
from .topology import CLIENTS, Lab, stop

TEXT = "the of a network page which and was for report news price order table week more late open house from"
WORDS = TEXT.split()
TEXTS = {"index.html": 2600, "story.html": 3900, "style.css": 700, "app.js": 1200, "s.svg": 500, "list.json": 900}


def benign(lab: Lab) -> None:
    """Three clients browse for 90 s at random intervals; nothing in it is an attack."""
    together([(browse, (lab, c, 90, random.Random(i))) for i, c in enumerate(["c1", "c2", "c3"])])


def benign_tls(lab: Lab) -> None:
    """Five clients load pages of 10 names on 5 addresses, poll the clock, an ssh login, a 1 MB download; no attack."""
    clocks = [clock(lab, c, "'server 203.0.113.12 iburst minpoll 4 maxpoll 5'") for c in CLIENTS]
    ca = f"{lab.work}/ca.crt"
    try:
        with surfers(lab, CLIENTS, 6.0):
            time.sleep(20)
            polls = " ".join(["-o /dev/null https://api.shop.test/poll"] * 6)
            lab.inside("c5", f"curl -s -m 60 --rate 20/m --cacert {ca} {polls}")
            login(lab, "c2", "10.20.0.10", 30)
            lab.inside(
                "c4",
                f"curl -s -m 60 --limit-rate 300K --cacert {ca} -o /dev/null https://updates.vendor.test/setup.bin",
            )
            time.sleep(55)
    finally:
        for process in clocks:
            stop(process)


def text(rng: random.Random, size: int) -> str:
    """A page of about so many bytes that compresses as pages do."""
    page = "<html><body><p>"
    while len(page) < size:
        page += rng.choice(WORDS) + rng.choice([" "] * 9 + [".</p>\n<p>"])
    return page + "</p></body></html>\n"


def write_texts(folder: Path) -> None:
    rng = random.Random(31)
    folder.mkdir(exist_ok=True)
    for name, size in TEXTS.items():
        (folder / name).write_text(text(rng, size))


def errands(lab: Lab, rng: random.Random, seconds: float) -> None:
    """What happens once or a few times: other look-ups, pings, a printer that is off, a download, logins."""
    ca = f"{lab.work}/ca.crt"

    def look_up(ns: str, *questions: str) -> None:
        for question in questions:
            lab.inside(ns, f"dig +tries=1 {question}")

    def again(ns: str, command: str) -> None:
        for _ in range(3):
            lab.inside(ns, command)

    jobs: list[Callable[[], None]] = [
        lambda: lab.inside("c4", "ping -c 5 10.20.0.10"),
        lambda: login(lab, "c2", "10.20.0.10", 40),
        lambda: look_up("c5", "mail.corp.test MX", "shop.test TXT", "www.bank.test AAAA", "-x 203.0.113.21"),
        lambda: again("c1", "nc -w 3 10.20.0.55 9100"),
        lambda: lab.inside(
            "c4",
            f"curl -s -m 90 --limit-rate 40K --cacert {ca} -o /dev/null https://updates.vendor.test/200k.bin",
        ),
        lambda: lab.inside("c1", "ping -c 4 www.news.test"),
        lambda: lab.inside("c3", f"sshpass -p mistyped ssh {SSH} {USER}@10.20.0.10 true"),
        lambda: login(lab, "c3", "10.20.0.10", 60),
        lambda: again("c5", "curl -s -m 3 http://10.20.0.30:8080/ -o /dev/null"),
        lambda: lab.inside("c5", "ping -c 3 10.10.0.1"),
        lambda: login(lab, "c5", "10.20.0.12", 25),
        lambda: look_up("c2", "-x 10.20.0.10", "-x 198.51.100.21"),
    ]
    part = seconds / len(jobs)
    for job in jobs:
        due = time.time() + part
        time.sleep(rng.uniform(0.02, 0.4) * part)
        job()
        time.sleep(max(0.0, due - time.time()))


def benign_hour(lab: Lab) -> None:
    """Five clients for an hour: pages, mail polls, an updater, clocks, look-ups, logins, pings, a download."""
    seconds = float(os.environ.get("LAB_SECONDS", "3600"))
    write_texts(lab.work / "www" / "m")
    mail, updates = "https://mail.corp.test/poll", "http://updates.vendor.test/m/list.json"
    clocks = [clock(lab, c, "'server 203.0.113.12 iburst minpoll 6 maxpoll 7'") for c in CLIENTS]
    readers = zip(CLIENTS, (60, 75, 75, 150, 120), strict=True)
    try:
        together(
            [
                *((read_pages, (lab, c, random.Random(f"hour-{c}"), seconds, mean)) for c, mean in readers),
                (poll, (lab, "c3", random.Random(32), seconds, 300, mail, "mail/1.0")),
                (poll, (lab, "c1", random.Random(33), seconds, 300, mail, "mail/1.0")),
                (poll, (lab, "c4", random.Random(34), seconds, 600, updates, "updater/2.3")),
                (errands, (lab, random.Random(35), seconds)),
            ]
        )
    finally:
        for process in clocks:
            stop(process)


SCENARIOS = (benign, benign_tls, benign_hour)
