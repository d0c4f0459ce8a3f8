"""A broker with TLS, passwords and rights: what the page on Kafka says is needed is enough, and less of it is told."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import kafka_server
import pytest
import yaml
from click.testing import CliRunner

from aegis_enrich.cli.watch import command
from aegis_enrich.kafka import member
from aegis_enrich.kafka.client import Client
from aegis_enrich.store import Store

ADMIN, READER = "admin", "aegis"
PASSWORDS = {ADMIN: "of-the-admin", READER: "of-the-reader"}
ROWS = 500


def client(broker: kafka_server.Secured, user: str) -> dict[str, str]:
    return {
        "bootstrap.servers": broker.address,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": kafka_server.MECHANISM,
        "sasl.username": user,
        "sasl.password": PASSWORDS[user],
        "ssl.ca.location": str(broker.certificate),
    }


@pytest.fixture(scope="module")
def broker(start: Callable[[AbstractContextManager[Any]], Any]) -> kafka_server.Secured:
    pytest.importorskip("confluent_kafka")
    made: kafka_server.Secured = start(kafka_server.secured(PASSWORDS))
    return made


@pytest.fixture
def topic(broker: kafka_server.Secured) -> str:
    """A topic with rows, which the reader may read in a group of its name."""
    from confluent_kafka import Producer, admin

    name = f"zeek-{uuid.uuid4().hex[:8]}"
    server = admin.AdminClient(client(broker, ADMIN))
    for made in server.create_topics([admin.NewTopic(name, 2, 1)]).values():
        made.result(60)

    rights = [("TOPIC", "READ"), ("TOPIC", "DESCRIBE"), ("GROUP", "READ")]
    allowed = [
        admin.AclBinding(
            admin.ResourceType[kind],
            name,
            admin.ResourcePatternType.LITERAL,
            f"User:{READER}",
            "*",
            admin.AclOperation[right],
            admin.AclPermissionType.ALLOW,
        )
        for kind, right in rights
    ]
    for given in server.create_acls(allowed).values():
        given.result(60)
    producer = Producer(client(broker, ADMIN))
    for n in range(ROWS):
        producer.produce(name, b'{"conn": {"ts":%d,"uid":"C%d"}}' % (1600000000 + n, n), key=b"lab", partition=n % 2)
    assert producer.flush(60) == 0
    return name


@pytest.fixture
def watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: kafka_server.Secured, topic: str
) -> Callable[..., Any]:
    """Runs `watch --once` as the page on Kafka says; settings and password may be others."""

    def run(password: str = PASSWORDS[READER], group: str = "", **settings: str) -> Any:
        monkeypatch.setenv("AEGIS_KAFKA_USERNAME", READER)
        monkeypatch.setenv("AEGIS_KAFKA_PASSWORD", password)
        monkeypatch.setattr(member, "JOIN_S", 4.0)
        monkeypatch.setitem(Client.__init__.__kwdefaults__ or {}, "timeout_s", 2.0)
        told = {"security.protocol": "SASL_SSL", "sasl.mechanism": kafka_server.MECHANISM}
        told |= {"ssl.ca.location": str(broker.certificate)} | settings
        config = tmp_path / "aegis-enrich.yaml"
        config.write_text(yaml.safe_dump({"kafka": {"group": group or topic, "settings": told}}))
        address = f"kafka://{broker.address}/{topic}"
        return CliRunner().invoke(
            command, ["--config", str(config), address, "--state", str(tmp_path / "state"), "--once"]
        )

    return run


def test_the_rights_that_are_named_suffice(watch: Callable[..., Any], tmp_path: Path) -> None:
    done = watch()
    assert done.exit_code == 0, done.output
    with closing(Store(tmp_path / "state", read_only=True)) as store:
        assert store.query("SELECT sensor, sum(rows) FROM segments WHERE derived = 0 GROUP BY sensor") == [
            ("lab", ROWS)
        ]
    assert "0 rows" in watch().output  # all of it is claimed


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "guessed"}, "Authentication failed"),
        ({"group": "another"}, "Group authorization failed"),
        ({"ssl.ca.location": "probe"}, "certificate verify failed"),
    ],
)
def test_what_is_refused_is_said(
    watch: Callable[..., Any], caplog: pytest.LogCaptureFixture, wrong: dict[str, str], said: str
) -> None:
    done = watch(**wrong)
    assert done.exit_code != 0
    assert said in str(done.exception)
    assert all(said in r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING)
