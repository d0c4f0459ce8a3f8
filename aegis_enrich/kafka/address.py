"""Where messages are read: `kafka://BROKER[,BROKER]/TOPIC[,TOPIC…]`, and librdkafka's settings for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ..config import Kafka
from ..errors import ConfigError, Problems

SCHEME = "kafka://"
USERNAME = "AEGIS_KAFKA_USERNAME"
SECRETS = {  # environment variable -> librdkafka's setting, which no file is to hold
    "AEGIS_KAFKA_PASSWORD": "sasl.password",
    "AEGIS_KAFKA_KEY_PASSWORD": "ssl.key.password",
    "AEGIS_KAFKA_KEYSTORE_PASSWORD": "ssl.keystore.password",
    "AEGIS_KAFKA_OAUTH_SECRET": "sasl.oauthbearer.client.secret",
}
OWN = {  # settings on which it depends that no row is lost or doubled
    "bootstrap.servers": "name the brokers in kafka://BROKER/TOPIC",
    "metadata.broker.list": "name the brokers in kafka://BROKER/TOPIC",
    "group.id": "use kafka.group",
    "group.instance.id": "it is the state's own",
    "group.protocol": "classic is what is used",
    "session.timeout.ms": "use kafka.away_s",
    "max.poll.interval.ms": "it follows kafka.away_s",
    "enable.auto.commit": "positions are in the state",
    "enable.auto.offset.store": "positions are in the state",
    "auto.offset.reset": "a position that is gone is counted, never passed over",
    "enable.partition.eof": "it tells what is unread",
}
STRATEGIES = ("range", "roundrobin")
POLL_LEAST_MS = 1_800_000
ONCE_S = 10.0


@dataclass(frozen=True)
class Address:
    """Brokers and topics. `sensor`: whose all messages are; else `sensor_field` or their keys tell."""

    brokers: str
    topics: tuple[str, ...]
    group: str = "aegis-enrich"
    sensor: str = ""
    sensor_field: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.brokers}/{','.join(self.topics)}"


def is_address(text: str) -> bool:
    return text.startswith(SCHEME)


def parse(text: str, config: Kafka, *, sensor: str = "") -> Address:
    """The address, with `?group=` and `?sensor_field=` over the configuration; raises ConfigError."""
    url = urlsplit(text)
    topics = tuple(t for t in unquote(url.path).strip("/").split(",") if t)
    if "@" in url.netloc:
        raise ConfigError(
            f"user and password do not belong into the address; use {USERNAME} and AEGIS_KAFKA_PASSWORD", where=SCHEME
        )
    if not url.netloc or not topics or any("/" in t for t in topics):
        raise ConfigError("write it as kafka://BROKER:9092[,BROKER]/TOPIC[,TOPIC]", where=text)
    found = Address(url.netloc, topics, config.group, sensor, config.sensor_field)
    options = dict(parse_qsl(url.query))
    unknown = sorted(set(options) - {"group", "sensor_field"})
    if unknown:
        raise ConfigError(f"unknown option {unknown[0]}; known are group and sensor_field", where=text)
    return replace(
        found, group=options.get("group", found.group), sensor_field=options.get("sensor_field", found.sensor_field)
    )


def settings(address: Address, config: Kafka, *, instance: str, once: bool = False) -> dict[str, Any]:
    """librdkafka's settings; raises Problems that name those that are not for the operator to set.

    `once`: a run that ends with the input, whose group need not wait for it to come back.
    """
    given = dict(config.settings)
    problems = [
        ConfigError(f"{setting} cannot be set: {why}", where="kafka.settings")
        for setting, why in OWN.items()
        if setting in given
    ]
    problems += [
        ConfigError(f"{setting} is a secret; put it into {variable}", where="kafka.settings")
        for variable, setting in SECRETS.items()
        if setting in given
    ]
    strategy = given.setdefault("partition.assignment.strategy", "range")
    if strategy not in STRATEGIES:
        what = f"partition.assignment.strategy: {strategy!r} is none of {' and '.join(STRATEGIES)}"
        problems.append(ConfigError(what, where="kafka.settings"))
    if problems:
        raise Problems(problems)
    away_ms = int(min(config.away_s, ONCE_S if once else config.away_s) * 1000)
    return {
        "socket.timeout.ms": 10_000,
        "client.id": f"aegis-enrich-{instance}",
        **given,
        **_secrets(os.environ),
        "bootstrap.servers": address.brokers,
        "group.id": address.group,
        "group.instance.id": f"aegis-{instance}",
        "session.timeout.ms": away_ms,
        "max.poll.interval.ms": max(POLL_LEAST_MS, away_ms),
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
    }


def _secrets(environment: Mapping[str, str]) -> dict[str, str]:
    found = {USERNAME: "sasl.username", **SECRETS}
    return {setting: environment[name] for name, setting in found.items() if environment.get(name)}
