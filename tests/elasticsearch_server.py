"""A real Elasticsearch for tests: a minimal distribution from Maven Central, run as an ordinary user, always stopped.

Needs Maven (to fetch it once; it stays in the cache folder) and a JDK: 17 to 24 for 8.19, 21 or newer for 9.2.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from maven import Unavailable, fetched
from server_parts import certificate, run

from aegis_enrich.config import Elasticsearch

ARTIFACT = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:{}:zip"
JDKS = {"8.19.3": range(17, 25), "9.2.0": range(21, 99)}  # versions of Elasticsearch and of the JDKs that run them
START_S = 180.0
STOP_S = 30.0
PASSWORD = "only-for-tests"  # of every user
STORE_PASSWORD = "only-for-tests"

SETTINGS = {
    "discovery.type": "single-node",
    "http.host": "127.0.0.1",
    "http.port": "0",
    "transport.host": "127.0.0.1",
    "transport.port": "0",
    "node.portsfile": "true",
    "node.store.allow_mmap": "false",
    "cluster.routing.allocation.disk.threshold_enabled": "false",
    "xpack.security.autoconfiguration.enabled": "false",
}
OPEN = {"xpack.security.enabled": "false"}
SECURED = {
    "xpack.security.enabled": "true",
    "xpack.security.transport.ssl.enabled": "false",
    "xpack.security.http.ssl.enabled": "true",
    "xpack.security.http.ssl.keystore.path": "http.p12",
    "xpack.security.http.ssl.keystore.password": STORE_PASSWORD,
}


class NoJdk(Unavailable):
    """No JDK of a version that runs it."""


@dataclass(frozen=True)
class Server:
    """A server that answers: its URL, whose users (name to roles) it knows, the certificate of its HTTPS."""

    url: str
    users: Mapping[str, str] = field(default_factory=dict)
    ca_certs: Path | None = None

    def settings(self, user: str = "", **others: Any) -> dict[str, Any]:
        """The configuration's section for this server, as `user`."""
        secured = {"username": user, "password": PASSWORD} if user else {}
        trusted = {"ca_certs": str(self.ca_certs)} if self.ca_certs else {}
        return asdict(Elasticsearch(url=self.url, **secured, **trusted, **others))

    def call(self, method: str, path: str, body: Any = None, *, user: str = "") -> Any:
        """The answer to a request, as JSON; None where it is 404. By default as the first user."""
        given = urlsplit(self.url)
        who = (user, PASSWORD) if user else (given.username or next(iter(self.users), ""), given.password or PASSWORD)
        url = given._replace(netloc=given.netloc.rpartition("@")[2]).geturl()
        request = urllib.request.Request(f"{url}{path}", method=method)
        if who[0]:
            request.add_header("Authorization", "Basic " + b64encode(":".join(who).encode()).decode())
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        context = ssl.create_default_context(cafile=str(self.ca_certs)) if self.ca_certs else None
        try:
            with urllib.request.urlopen(request, timeout=60, context=context) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()[:1000]}") from error

    def documents(self, index: str, **query: Any) -> list[dict[str, Any]]:
        """All hits of a query, after a refresh; none where there is no such index."""
        self.call("POST", f"/{index}/_refresh")
        asked = {"size": 10_000, "sort": ["_doc"], "query": query or {"match_all": {}}}
        page = self.call("POST", f"/{index}/_search?version=true&scroll=1m", asked)
        found: list[dict[str, Any]] = []
        while page and page["hits"]["hits"]:
            found += page["hits"]["hits"]
            page = self.call("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]})
        if page:
            self.call("DELETE", "/_search/scroll", {"scroll_id": page["_scroll_id"]})
        return found

    def count(self, index: str, **query: Any) -> int:
        self.call("POST", f"/{index}/_refresh")
        found = self.call("POST", f"/{index}/_count", {"query": query or {"match_all": {}}})
        return int(found["count"]) if found else 0

    def forget_alerts(self) -> None:
        """Deletes the indices of alerts and incidents. (Data streams stay: this distribution cannot delete them.)"""
        for index in self.call("GET", "/_cat/indices/aegis-alerts-*,aegis-incidents-*?format=json&h=index") or ():
            self.call("DELETE", f"/{index['index']}")


@dataclass
class Installed:
    """A server's files, and where its data lie; it may be started again and again, on the same data."""

    home: Path
    folder: Path
    jdk: Path
    users: Mapping[str, str]
    certificate: Path | None

    @contextlib.contextmanager
    def started(self) -> Iterator[tuple[Server, int]]:
        """A server that answers, and its process group."""
        (self.home / "logs" / "http.ports").unlink(missing_ok=True)
        with _process(self.home, self.folder, self.jdk) as process:
            port = _port(self.home, self.folder, process)
            server = Server(f"http{'s' * bool(self.users)}://127.0.0.1:{port}", dict(self.users), self.certificate)
            _await_answer(server, process, self.folder)
            yield server, process.pid


@contextlib.contextmanager
def running(version: str, *, roles: str = "", users: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server; with `users` (name to role) over HTTPS and with these `roles` (roles.yml). Raises Unavailable."""
    with installed(version, roles=roles, users=users) as files, files.started() as (server, _):
        yield server


@contextlib.contextmanager
def installed(version: str, *, roles: str = "", users: Mapping[str, str] | None = None) -> Iterator[Installed]:
    """Its files, as `running` has them, until they are removed. Raises Unavailable."""
    jdk = find_jdk(JDKS[version])
    archive = fetch(version)
    folder = Path(tempfile.mkdtemp(prefix="aegis-elasticsearch-"))
    try:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        (folder / "tmp").mkdir()
        home = next(folder.glob("elasticsearch-*"))
        for program in (home / "bin").iterdir():
            program.chmod(0o755)
        certificate = _secure(home, jdk, roles, users) if users else None
        settings = SETTINGS | (SECURED if users else OPEN) | {"path.data": str(folder / "data")}
        (home / "config" / "elasticsearch.yml").write_text("".join(f"{k}: {v}\n" for k, v in settings.items()))
        _give_away(folder)
        yield Installed(home, folder, jdk, dict(users or {}), certificate)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_jdk(majors: range) -> Path:
    """The oldest JDK of these major versions; raises NoJdk."""
    named = [value for name, value in os.environ.items() if re.fullmatch(r"(ES_)?JAVA\d*_HOME", name)]
    on_path = [str(Path(java).resolve().parent.parent)] if (java := shutil.which("java")) else []
    installed = sorted(Path("/usr/lib/jvm").glob("*"))
    found: dict[int, Path] = {}
    for home in (*named, *on_path, *installed):
        release = Path(home) / "release"
        text = release.read_text() if release.is_file() else ""
        if (match := re.search(r'JAVA_VERSION="(\d+)', text)) and (Path(home) / "bin" / "java").exists():
            found.setdefault(int(match[1]), Path(home))
    for major in sorted(found):
        if major in majors:
            return found[major]
    raise NoJdk(f"no JDK from {majors.start} to {majors.stop - 1} (found: {sorted(found) or 'none'})")


def fetch(version: str) -> Path:
    """The distribution's archive, from the cache folder or by Maven; raises Unavailable."""
    name = f"elasticsearch-{version}.zip"
    goal = ["org.apache.maven.plugins:maven-dependency-plugin:copy", f"-Dartifact={ARTIFACT.format(version)}"]
    return fetched(f"elasticsearch/{name}", [*goal, "-DoutputDirectory=."], name)


def _secure(home: Path, jdk: Path, roles: str, users: Mapping[str, str]) -> Path:
    """Roles, users and a certificate for HTTPS; the certificate's file in PEM."""
    config = home / "config"
    pem = certificate(config, "http", STORE_PASSWORD, keytool=str(jdk / "bin" / "keytool"))
    with (config / "roles.yml").open("a") as file:
        file.write(roles)
    first = next(iter(users))
    adding = [str(home / "bin" / "elasticsearch-users"), "useradd", first, "-p", PASSWORD, "-r", users[first]]
    run(adding, ES_JAVA_HOME=str(jdk))
    passwords = config / "users"
    secret = passwords.read_text().strip().partition(":")[2]  # the others have the same password: one start of a JVM
    passwords.write_text("".join(f"{name}:{secret}\n" for name in users))
    (config / "users_roles").write_text("".join(f"{role}:{name}\n" for name, role in users.items()))
    return pem


def _ordinary_user() -> pwd.struct_passwd | None:
    """Whom the server runs as where the tests run as root, whom it refuses."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _give_away(folder: Path) -> None:
    user = _ordinary_user()
    for path in (folder, *folder.rglob("*")) if user else ():
        os.chown(path, user.pw_uid, user.pw_gid)


@contextlib.contextmanager
def _process(home: Path, folder: Path, jdk: Path) -> Iterator[subprocess.Popen[bytes]]:
    user = _ordinary_user()
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    environment = {
        **{k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL")},
        "HOME": str(folder / "tmp"),  # apart from the server's own files, to which it refuses itself access
        "ES_JAVA_HOME": str(jdk),
        "ES_JAVA_OPTS": "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1",
        "ES_TMPDIR": str(folder / "tmp"),
    }
    # A server whose tests were killed ends with them, where the system has a way to say so.
    with_parent = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*with_parent, str(home / "bin" / "elasticsearch")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
            **who,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a server and what it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
            return


def _port(home: Path, folder: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that the server chose."""
    ports = home / "logs" / "http.ports"
    deadline_s = time.monotonic() + START_S
    while not ports.exists() or not ports.read_text().strip():
        _alive(process, folder, deadline_s)
        time.sleep(0.1)
    return int(ports.read_text().split()[0].rpartition(":")[2])


def _await_answer(server: Server, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            server.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=30s")
        except (OSError, AssertionError) as error:
            _alive(process, folder, deadline_s, str(error))
            time.sleep(0.2)
        else:
            return


def _alive(process: subprocess.Popen[bytes], folder: Path, deadline_s: float, why: str = "") -> None:
    if process.poll() is not None or time.monotonic() > deadline_s:
        said = (folder / "output").read_text(errors="replace")[-3000:]
        raise AssertionError(f"Elasticsearch does not answer ({why}); it said:\n{said}")
