"""The servers of the laboratory: DNS, web, ssh, a clock; and each host's own users and resolver."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .topology import HOSTS, NETNS, Lab, Process, sh, stop

USER, PASSWORD = "ops", "correct-horse-7"
RESOLVER = "203.0.113.10"  # refuses names that it does not know; 203.0.113.11, that of resolv.conf, says NXDOMAIN
SSH = (
    "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o NumberOfPasswordPrompts=1 "
    "-o PubkeyAuthentication=no"
)
# name: the address that serves it and whether it has an IPv6 address too
SITES = {
    "www.shop.test": ("203.0.113.21", True),
    "img.shop.test": ("203.0.113.21", False),
    "api.shop.test": ("203.0.113.21", False),
    "www.news.test": ("203.0.113.22", True),
    "cdn.news.test": ("203.0.113.22", False),
    "mail.corp.test": ("198.51.100.21", False),
    "wiki.corp.test": ("198.51.100.21", False),
    "files.corp.test": ("198.51.100.21", False),
    "www.bank.test": ("198.51.100.22", False),
    "updates.vendor.test": ("198.51.100.23", True),
}
DNSMASQ = "dnsmasq -k --no-resolv --no-hosts --conf-file=/dev/null --bind-interfaces --user=root --pid-file="
OTHER_NAMES = {
    "example.test": "203.0.113.20",
    "site1.test": "198.51.100.11",
    "site2.test": "198.51.100.12",
    "site3.test": "198.51.100.13",
    "c2.test": "203.0.113.50",
}
NGINX = """pid {work}/nginx.pid; error_log {work}/e.log; worker_processes 1; events {{}}
http {{ access_log off; client_max_body_size 100m; client_body_temp_path {work}/b; proxy_temp_path {work}/p;
 fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
 server {{ listen 80; listen [::]:80; root {work}/www;
   location /up {{ return 200 "ok"; }} location /task {{ return 200 "none"; }} }}
 server {{ listen 443 ssl; ssl_certificate {work}/good.crt; ssl_certificate_key {work}/good.key; root {work}/www;
   location /up {{ return 200 "ok"; }} }}
 server {{ listen 8443 ssl; ssl_protocols TLSv1.2; ssl_certificate {work}/bad.crt; ssl_certificate_key {work}/bad.key;
   root {work}/www; location /task {{ return 200 "none"; }} }}
{sites} }}"""


def random_names() -> list[tuple[str, bool]]:
    """154 names as malware makes them, and whether each resolves; the same at every call."""
    rng = random.Random(19)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [
        (
            "".join(rng.choice(letters) for _ in range(rng.randint(9, 17)))
            + rng.choice([".com", ".net", ".biz", ".info", ".org"]),
            i in (40, 77, 118, 153),
        )
        for i in range(154)
    ]


def own_files(lab: Lab, ns: str, work: Path) -> None:
    """The host's own users and resolver, seen only by what runs in its namespace: the machine's are left alone."""
    folder = NETNS / f"{lab.name}_{ns}"
    folder.mkdir(parents=True, exist_ok=True)
    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout
    for name, mode, text in (
        ("passwd", 0o644, Path("/etc/passwd").read_text() + f"{USER}:x:54321:54321::{work}:/bin/bash\n"),
        ("shadow", 0o600, Path("/etc/shadow").read_text() + f"{USER}:{hashed.strip()}:19000:0:99999:7:::\n"),
        ("resolv.conf", 0o644, "nameserver 203.0.113.11\n"),
    ):
        (folder / name).touch(mode)
        (folder / name).write_text(text)


def sshd(lab: Lab, ns: str, work: Path) -> Process:
    return lab.start(
        ns,
        f"/usr/sbin/sshd -D -h {work}/hostkey -o UsePAM=no -o PasswordAuthentication=yes "
        f"-o PermitRootLogin=no -o MaxStartups=200 -o PidFile={work}/sshd-{ns}.pid",
    )


def clock(lab: Lab, ns: str, options: str) -> Process:
    """chronyd that measures and leaves the machine's clock alone."""
    own = f"'cmdport 0' 'bindcmdaddress /' 'user root' 'pidfile {lab.work}/chrony-{ns}.pid'"
    return lab.start(ns, f"chronyd -x -d {options} {own}")


def certificates(work: Path) -> None:
    """Two that sign themselves; a CA, and of it one certificate per server address with the names that live there."""
    for name, cn, days in (("good", "www.example.test", 365), ("bad", "localhost", 3650)):
        sh(
            f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {work}/{name}.key -out {work}/{name}.crt "
            f"-days {days} -subj /CN={cn}"
        )
    sh(
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {work}/ca.key -out {work}/ca.crt -days 3650 "
        "-subj '/C=XX/O=Lab Trust/CN=Lab Trust Root R1' -addext keyUsage=critical,keyCertSign,cRLSign"
    )
    for ip in {ip for ip, _ in SITES.values()}:
        names = [name for name, (at, _) in SITES.items() if at == ip]
        alternatives = ",".join(f"DNS:{name}" for name in names)
        (work / f"{ip}.ext").write_text(f"subjectAltName={alternatives}\nextendedKeyUsage=serverAuth\n")
        sh(
            f"openssl req -newkey rsa:2048 -nodes -keyout {work}/{ip}.key -out {work}/{ip}.csr -subj /CN={names[0]} && "
            f"openssl x509 -req -in {work}/{ip}.csr -CA {work}/ca.crt -CAkey {work}/ca.key -CAcreateserial -days 90 "
            f"-extfile {work}/{ip}.ext -out {work}/{ip}.leaf && cat {work}/{ip}.leaf {work}/ca.crt > {work}/{ip}.crt"
        )


def sites(work: Path) -> str:
    """The sites' part of nginx.conf: 203.* speak HTTP/2 and TLS 1.3, 198.51.* HTTP/1.1 and TLS 1.2 (certificates in
    the clear)."""
    return "\n".join(
        f" server {{ listen {ip}:443 ssl{' http2' if ip.startswith('203') else ''};"
        f" server_name {' '.join(name for name, (at, _) in SITES.items() if at == ip)};"
        f" ssl_certificate {work}/{ip}.crt; ssl_certificate_key {work}/{ip}.key; root {work}/www;"
        f" ssl_protocols TLSv1.2{' TLSv1.3' if ip.startswith('203') else ''}; location /poll {{ return 204; }} }}"
        for ip in sorted({ip for ip, _ in SITES.values()})
    )


def web_root(www: Path) -> None:
    """Objects of random bytes: NAME and size in KB."""
    www.mkdir()
    for name, kb in (("1k.bin", 1), ("20k.bin", 20), ("200k.bin", 200), ("index.html", 2), ("app.js", 5)):
        (www / name).write_bytes(os.urandom(kb * 1024))
    for name, kb in (("style.css", 2), ("a.png", 4), ("b.png", 7), ("setup.bin", 1000)):
        (www / name).write_bytes(os.urandom(kb * 1024))


def resolvers() -> list[str]:
    """The commands of both resolvers."""
    known = " ".join(f"--address=/{name}/{ip}" for name, ip in OTHER_NAMES.items())
    records = [
        f"--host-record={name},{ip}" + (f",fd00:203::{ip.rsplit('.')[-1]}" if six else "")
        for name, (ip, six) in SITES.items()
    ]
    records += [f"--host-record={name},203.0.113.50" for name, answered in random_names() if answered]
    return [
        f"{DNSMASQ} {known} --listen-address={RESOLVER}",
        f"{DNSMASQ} --local=/#/ --local-ttl=60 {' '.join(records)} --listen-address=203.0.113.11",
    ]


@contextlib.contextmanager
def services(lab: Lab) -> Iterator[None]:
    """Everything that answers, while the block runs; `lab.work` is its folder."""
    work = lab.work = Path(tempfile.mkdtemp(prefix="lab-"))
    work.chmod(0o755)
    for ns in HOSTS:
        own_files(lab, ns, work)
    processes: list[Process] = []
    try:
        certificates(work)
        web_root(work / "www")
        (work / "nginx.conf").write_text(NGINX.format(work=work, sites=sites(work)))
        processes.append(lab.start("inet", f"nginx -c {work}/nginx.conf -g 'daemon off;'"))
        processes += [lab.start("inet", command) for command in resolvers()]
        processes.append(clock(lab, "inet", "'local stratum 3' 'allow' 'bindaddress 203.0.113.12'"))
        sh(f"ssh-keygen -q -t ed25519 -N '' -f {work}/hostkey")
        Path("/run/sshd").mkdir(exist_ok=True)
        processes.append(sshd(lab, "srv", work))
        processes.append(lab.start("srv", "nc -lk 10.20.0.10 80"))
        time.sleep(1)
        yield
    finally:
        for process in processes:
            stop(process)
        shutil.rmtree(work, ignore_errors=True)
