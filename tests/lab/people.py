"""What harmless people and their programs do: pages, logins, polls, at times of their own."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .services import PASSWORD, RESOLVER, SITES, SSH, USER
from .topology import Lab

TYPOS = ("ww.shop.test", "www.shpo.test", "wwww.news.test", "www.newss.test", "www.bnak.test", "wikki.corp.test")
# page: where it has its pictures
PAGES = {
    "www.shop.test": "img.shop.test",
    "www.news.test": "cdn.news.test",
    "wiki.corp.test": "files.corp.test",
    "mail.corp.test": "mail.corp.test",
    "www.bank.test": "www.bank.test",
}
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
)
OLD_SITES = (
    ("www.example.test", "203.0.113.20"),
    ("site1.test", "198.51.100.11"),
    ("site2.test", "198.51.100.12"),
    ("site3.test", "198.51.100.13"),
)


def together(jobs: Sequence[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
    """Runs all at the same time and waits for the last."""
    threads = [threading.Thread(target=job, args=args) for job, args in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def fetch(lab: Lab, ns: str, agent: str, urls: Sequence[str]) -> None:
    """A browser's requests, over connections kept alive; c3 has wget, the others curl."""
    ca = f"{lab.work}/ca.crt"
    if ns == "c3":
        lab.inside(ns, f"wget -q -T 5 -t 1 --ca-certificate={ca} -U '{agent}' -O /dev/null {' '.join(urls)}")
    else:
        outs = " ".join(f"-o /dev/null {url}" for url in urls)
        lab.inside(ns, f"curl -s -m 20 --cacert {ca} -A '{agent}' {outs}")


def surf(lab: Lab, ns: str, rng: random.Random, over: threading.Event, mean_s: float = 5.0) -> None:
    """Loads pages with their objects by https until the event comes; a name mistyped now and then."""
    agent = rng.choice([AGENTS[0], AGENTS[1]])
    while not over.is_set():
        site = rng.choice(list(PAGES))
        inner = [f"https://{site}/{name}" for name in ("index.html", "style.css", "app.js")]
        outer = rng.sample(["a.png", "b.png", "app.js"], rng.randint(1, 3))
        fetch(lab, ns, agent, inner + [f"https://{PAGES[site]}/{name}" for name in outer])
        if rng.random() < 0.08:
            lab.inside(ns, f"getent ahosts {rng.choice(TYPOS)}")
        if rng.random() < 0.08:
            lab.inside(ns, f"dig +tries=1 -x {rng.choice([SITES[site][0], '198.51.100.40', '10.20.0.10'])}")
        time.sleep(min(rng.expovariate(1 / mean_s) + 0.5, 25))


@contextlib.contextmanager
def surfers(lab: Lab, clients: Sequence[str] = ("c1", "c2", "c3"), mean_s: float = 5.0) -> Iterator[None]:
    """These clients browse as long as the block runs."""
    over = threading.Event()
    threads = [
        threading.Thread(target=surf, args=(lab, client, random.Random(client), over, mean_s)) for client in clients
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def browse(lab: Lab, ns: str, seconds: float, rng: random.Random, mean_s: float = 1.2) -> None:
    """Fetches single objects by http and https, each after a question to the first resolver."""
    end = time.time() + seconds
    while time.time() < end:
        site, ip = rng.choice(OLD_SITES)
        lab.inside(ns, f"dig +tries=1 +time=1 @{RESOLVER} {site} A")
        scheme, port = rng.choice([("http", 80), ("https", 443)])
        lab.inside(
            ns,
            f"curl -sk -m 5 -A 'Mozilla/5.0 (X11; Linux x86_64)' --resolve {site}:{port}:{ip} "
            f"{scheme}://{site}/{rng.choice([1, 20, 200])}k.bin -o /dev/null",
        )
        time.sleep(rng.expovariate(1 / mean_s))


def login(lab: Lab, ns: str, target: str, seconds: float) -> None:
    """A shell session with the right password: a command every now and then."""
    commands = 'id "uname -a" "ls -la /etc" w "cat /etc/services" exit'
    lab.inside(
        ns,
        f'sh -c \'(sleep 1; for c in {commands}; do echo "$c"; sleep {seconds / 6}; done) '
        f"| sshpass -p {PASSWORD} ssh -tt {SSH} {USER}@{target}'",
    )


def naps(rng: random.Random, mean_s: float, seconds: float) -> Iterator[None]:
    """Yields after exponential times of at least 1 s, as long as the seconds last."""
    end = time.time() + seconds
    time.sleep(min(rng.uniform(1, mean_s), seconds))
    while time.time() < end:
        yield
        time.sleep(max(1.0, min(rng.expovariate(1 / mean_s), end - time.time())))


def ticks(every_s: float, seconds: float, first_s: float) -> Iterator[None]:
    """Yields at a fixed interval as long as the seconds last."""
    end, due = time.time() + seconds, time.time() + first_s
    while due < end:
        time.sleep(max(0.0, due - time.time()))
        yield
        due += every_s


def read_pages(lab: Lab, ns: str, rng: random.Random, seconds: float, mean_s: float) -> None:
    """A person at a browser: pages of text by http and https, what they embed, a name mistyped now and then."""
    agent = rng.choice(AGENTS)
    for _ in naps(rng, mean_s, seconds):
        site = rng.choice(list(PAGES))
        scheme = "https" if rng.random() < 0.35 else "http"
        names = rng.sample(["index.html", "story.html", "style.css", "app.js"], rng.randint(1, 4))
        urls = [f"{scheme}://{site}/m/{name}" for name in names]
        if rng.random() < 0.4:
            urls.append(f"{scheme}://{PAGES[site]}/m/s.svg")
        if rng.random() < 0.15:
            lab.inside(ns, f"getent ahosts {rng.choice(TYPOS)}")
            time.sleep(rng.uniform(2, 5))
        fetch(lab, ns, agent, urls)


def poll(lab: Lab, ns: str, rng: random.Random, seconds: float, every_s: float, url: str, agent: str) -> None:
    """A program that asks at a fixed interval, as mail readers and updaters do."""
    for _ in ticks(every_s, seconds, rng.uniform(5, every_s)):
        lab.inside(ns, f"curl -s -m 20 --cacert {lab.work}/ca.crt -A '{agent}' {url} -o /dev/null")
