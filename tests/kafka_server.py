"""A real Kafka broker for tests: jars from Maven Central, one KRaft process on loopback, always stopped.

Needs Maven (to fetch them once; they stay in the cache folder) and Java 11 or newer.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maven import Unavailable, jars
from server_parts import certificate, run

VERSION = "3.9.1"
START_S = 120.0
STOP_S = 30.0
JARS = f"org.apache.kafka:kafka_2.13:{VERSION}"
LOG4J = "log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
LOG4J += (
    "log4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=%p %m%n\n"
)
CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAA"
MECHANISM = "SCRAM-SHA-512"
STORE_PASSWORD = "of-the-keystore"


@dataclass(frozen=True)
class Secured:
    """A broker that speaks TLS only, and with those who say who they are. `certificate`: a file in PEM."""

    address: str
    certificate: Path


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A broker; its address. Raises Unavailable."""
    with _home() as (folder, java):
        port, controller = _free_ports(2)
        with _broker(java, folder, _settings(folder, port, controller, "PLAINTEXT"), port):
            yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def secured(passwords: Mapping[str, str]) -> Iterator[Secured]:
    """With TLS and SCRAM for these users, the first of whom may do all, the others nothing. Raises Unavailable."""
    with _home() as (folder, java):
        port, controller = _free_ports(2)
        pem = certificate(folder, "broker", STORE_PASSWORD)
        settings = _settings(folder, port, controller, "SASL_SSL") | {
            "sasl.enabled.mechanisms": MECHANISM,
            "sasl.mechanism.inter.broker.protocol": MECHANISM,
            f"listener.name.sasl_ssl.{MECHANISM.lower()}.sasl.jaas.config": _login(next(iter(passwords.items()))),
            "ssl.keystore.location": str(folder / "broker.p12"),
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.password": STORE_PASSWORD,
            "ssl.truststore.location": str(pem),
            "ssl.truststore.type": "PEM",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{next(iter(passwords))};User:ANONYMOUS",  # the controller's, which is on loopback too
        }
        users = [f"{MECHANISM}=[name={name},password={password}]" for name, password in passwords.items()]
        with _broker(java, folder, settings, port, [a for user in users for a in ("--add-scram", user)]):
            yield Secured(f"127.0.0.1:{port}", pem)


def _login(user: tuple[str, str]) -> str:
    name, password = user
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    return f'{module} required username="{name}" password="{password}";'


@contextlib.contextmanager
def _home() -> Iterator[tuple[Path, list[str]]]:
    """A folder for a broker, and how Java is begun with its jars; raises Unavailable."""
    java = shutil.which("java")
    if not java:
        raise Unavailable("no Java to run it with")
    libraries = jars(f"kafka/{VERSION}", JARS)
    folder = Path(tempfile.mkdtemp(prefix="aegis-kafka-"))
    try:
        (folder / "log4j.properties").write_text(LOG4J)
        begun = [java, "-Xmx384m", "-XX:TieredStopAtLevel=1", f"-Dlog4j.configuration=file:{folder}/log4j.properties"]
        yield folder, [*begun, "-cp", f"{libraries}/*"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _broker(
    java: list[str], folder: Path, settings: Mapping[str, str], port: int, format_: Sequence[str] = ()
) -> Iterator[None]:
    properties = folder / "server.properties"
    properties.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    run([*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties), *format_])
    with _process([*java, "kafka.Kafka", str(properties)], folder) as process:
        _await_port(port, process, folder)
        yield


def _settings(folder: Path, port: int, controller: int, protocol: str) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"{protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"{protocol}://127.0.0.1:{port}",
        "inter.broker.listener.name": protocol,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,{protocol}:{protocol}",
        "log.dirs": str(folder / "data"),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "500",
        "group.min.session.timeout.ms": "500",
        "log.retention.check.interval.ms": "500",
        "auto.create.topics.enable": "false",
    }


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def _process(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    # A broker whose tests were killed ends with them, where the system has a way to say so.
    with_parent = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*with_parent, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder
        )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
                break


def _await_port(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > deadline_s:
            said = (folder / "output").read_text(errors="replace")[-3000:]
            raise AssertionError(f"Kafka does not answer; it said:\n{said}")
        time.sleep(0.1)
