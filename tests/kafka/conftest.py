"""The modules beside the tests here, and a broker for those that need one."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import kafka_server
import pytest

sys.path.insert(0, str(Path(__file__).parent))

IN_CI = bool(os.environ.get("CI") or os.environ.get("AEGIS_CI"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need the broker run in one worker, so that there is one broker."""
    for item in items:
        if "start" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("kafka"))


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[[AbstractContextManager[Any]], Any]]:
    """Starts a broker, which is always stopped. Where none can be had, CI fails and others skip."""
    with contextlib.ExitStack() as stack:

        def started(made: AbstractContextManager[Any]) -> Any:
            try:
                return stack.enter_context(made)
            except kafka_server.Unavailable as error:
                (pytest.fail if IN_CI else pytest.skip)(f"no Kafka: {error}")

        yield started


@pytest.fixture(scope="session")
def broker(start: Callable[[AbstractContextManager[Any]], Any]) -> str:
    """The address of a broker."""
    pytest.importorskip("confluent_kafka")
    address: str = start(kafka_server.running())
    return address


@pytest.fixture
def topic(broker: str) -> Callable[..., str]:
    """Makes a topic of its own."""
    from confluent_kafka.admin import AdminClient, NewTopic

    def made(partitions: int = 1, prefix: str = "zeek", **config: str) -> str:
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        admin = AdminClient({"bootstrap.servers": broker})
        for future in admin.create_topics([NewTopic(name, partitions, 1, config=config)]).values():
            future.result(30)
        return name

    return made


@pytest.fixture
def send(broker: str) -> Callable[..., None]:
    """Sends (partition, key, value) to a topic, and waits until all are there."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker, "linger.ms": 20})

    def sent(topic: str, messages: Iterator[tuple[int, bytes | None, bytes]]) -> None:
        for partition, key, value in messages:
            producer.produce(topic, value, key=key, partition=partition)
            producer.poll(0)
        assert producer.flush(60) == 0

    return sent
