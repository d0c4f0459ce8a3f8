"""librdkafka's consumer as the source needs it: the only part that imports confluent_kafka, and only once used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import AegisError
from .claims import Frontier, read_frontier

log = logging.getLogger(__name__)

_OF_CLIENT = ("bootstrap.", "security.", "sasl.", "ssl.", "socket.", "broker.", "client.", "enable.ssl", "api.version")


class Part(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int


class Down(AegisError):
    """The brokers do not answer; it is tried again."""


class Refused(AegisError):
    """The group has given the partition to another member meanwhile; nothing was claimed."""


class _Library:
    """What librdkafka says, line for line of each try to connect, is for those who debug; what matters is an error."""

    def log(self, level: int, text: str, *arguments: Any) -> None:
        log.debug(text, *arguments)


@dataclass
class Fetched:
    """What came of one partition. `end`: the offset of its end, where that was reached; `gone`: the position is not
    there (any more)."""

    numbers: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    end: int | None = None
    gone: bool = False


class Client:
    """A member of a consumer group, or (without `join`) a reader of partitions that it names itself."""

    def __init__(self, settings: Mapping[str, Any], *, timeout_s: float = 10.0) -> None:
        """Raises ConfigError where a setting is none that librdkafka takes, or the client is not installed."""
        kafka = _library()
        self._kafka, self._timeout_s = kafka, timeout_s
        self._of_admin: dict[str, Any] = {k: v for k, v in settings.items() if k.startswith(_OF_CLIENT)}
        self._of_admin["error_cb"] = self._failed
        self._admin: Any = None
        self.down = ""  # why no broker answers, since the last answer
        self.fatal = ""
        self._tried = ""  # what the last try to connect ended with
        try:
            self._consumer = kafka.Consumer({**settings, "error_cb": self._failed}, logger=_Library())
        except (kafka.KafkaException, TypeError, ValueError) as error:
            raise _settings_error(error) from error

    def _failed(self, error: Any) -> None:
        codes, code = self._kafka.KafkaError, error.code()
        if error.fatal() or code == codes._FATAL:
            self.fatal = error.str()
        elif code in (codes._TRANSPORT, codes._SSL, codes._RESOLVE):
            self._tried = error.str()  # by one broker; others may answer
        elif code == codes._ALL_BROKERS_DOWN:
            self.down = self._tried or error.str()
        elif code in (codes._AUTHENTICATION, codes.GROUP_AUTHORIZATION_FAILED, codes.TOPIC_AUTHORIZATION_FAILED):
            self.down = self._tried = error.str()

    def topics(self, names: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Of each topic that is there, its id ("" where the broker gives none) and how many partitions it has."""
        if self._admin is None:
            from confluent_kafka.admin import AdminClient

            self._admin = AdminClient(self._of_admin, logger=_Library())
        asked = self._admin.describe_topics(self._kafka.TopicCollection(list(names)), request_timeout=self._timeout_s)
        found: dict[str, tuple[str, int]] = {}
        for name, answer in asked.items():
            try:
                told = answer.result(self._timeout_s + 1)
                found[name] = (str(told.topic_id), len(told.partitions))
            except self._kafka.KafkaException as error:
                if error.args[0].code() != self._kafka.KafkaError.UNKNOWN_TOPIC_OR_PART:
                    self._admin.poll(0)  # it says what its tries to connect ended with
                    raise Down(self.down or error.args[0].str(), where=name) from error
            except TimeoutError as error:
                raise Down("no broker answers", where=name) from error
        return found

    def join(self, topics: Sequence[str], given: Callable[[list[Part]], None], taken: Callable[[], None]) -> None:
        """Becomes a member; `given` and `taken` are called within `fetch`, and `read_from` is to follow `given`."""

        def on_assign(consumer: Any, parts: Sequence[Any]) -> None:
            consumer.assign([])  # until it is known where they begin
            given([Part(p.topic, p.partition) for p in parts])

        def on_revoke(consumer: Any, parts: Sequence[Any]) -> None:
            taken()

        self._consumer.subscribe(list(topics), on_assign=on_assign, on_revoke=on_revoke, on_lost=on_revoke)

    def member(self) -> str:
        """The id that the group knows it by; another one once it was put out of the group."""
        return str(self._consumer.memberid() or "")

    def read_from(self, offsets: Mapping[Part, int]) -> None:
        """Reads these partitions from there on, and no others. (From a position that is gone, none can be sought.)"""
        self._asked(lambda: self._consumer.assign([self._at(part, offset) for part, offset in offsets.items()]))

    def pause(self, parts: Sequence[Part]) -> None:
        self._asked(lambda: self._consumer.pause([self._at(p) for p in parts]))

    def resume(self, parts: Sequence[Part]) -> None:
        self._asked(lambda: self._consumer.resume([self._at(p) for p in parts]))

    def fetch(self, most: int, timeout_s: float) -> dict[Part, Fetched]:
        """Messages that have come, up to so many, waiting for the first one; raises Down where it cannot go on."""
        first = self._consumer.poll(timeout_s)
        if first is None:
            return {}
        found: dict[Part, Fetched] = {}
        gone = (self._kafka.KafkaError._AUTO_OFFSET_RESET, self._kafka.KafkaError.OFFSET_OUT_OF_RANGE)
        for message in (first, *self._consumer.consume(most, 0)):
            error = message.error()
            if error is not None and message.topic() is None:
                self._failed(error)
                continue
            one = found.setdefault(Part(message.topic(), message.partition()), Fetched())
            if error is None:
                one.numbers.append(message.offset())
                one.keys.append(message.key())
                one.values.append(message.value() or b"")
            elif error.code() == self._kafka.KafkaError._PARTITION_EOF:
                one.end = message.offset()
            elif error.code() in gone:
                one.gone = True
            else:
                log.info("kafka: %s", error.str())
                self.down = self.down or ("" if error.retriable() else error.str())
        found = {part: one for part, one in found.items() if one.numbers or one.end is not None or one.gone}
        self.down = "" if found else self.down
        return found

    def bounds(self, part: Part, *, cached: bool = False) -> tuple[int, int]:
        """The offsets of the first message that is there and of the next one to come; raises Down."""
        if cached:
            low, high = self._consumer.get_watermark_offsets(self._at(part), cached=True) or (-1, -1)
            return low, high
        found = self._asked(lambda: self._consumer.get_watermark_offsets(self._at(part), timeout=self._timeout_s))
        if found is None:
            raise Down("does not say which messages it holds", where=f"{part.topic}/{part.number}")
        self.down = ""
        return int(found[0]), int(found[1])

    def frontiers(self, parts: Sequence[Part]) -> dict[Part, Frontier]:
        """How far partitions are claimed; raises Down."""
        if not parts:
            return {}
        told = self._asked(lambda: self._consumer.committed([self._at(p) for p in parts], timeout=self._timeout_s))
        for one in told:
            if one.error is not None:
                raise Down(one.error.str(), where=f"{one.topic}/{one.partition}")
        return {Part(t.topic, t.partition): read_frontier(t.offset, t.metadata) for t in told}

    def claim(self, part: Part, frontier: Frontier) -> None:
        """Moves the group's offset on to this; raises Refused (it was not), or Down (nobody knows)."""
        kafka, one = self._kafka, self._at(part, frontier.offset or 0, frontier.metadata())
        try:
            told = self._consumer.commit(offsets=[one], asynchronous=False)
            error = told[0].error
        except kafka.KafkaException as raised:
            error = raised.args[0]
        if error is None:
            return
        no_member = (
            kafka.KafkaError.ILLEGAL_GENERATION,
            kafka.KafkaError.UNKNOWN_MEMBER_ID,
            kafka.KafkaError.REBALANCE_IN_PROGRESS,
            kafka.KafkaError.FENCED_INSTANCE_ID,
            kafka.KafkaError._STATE,
        )
        kind = Refused if error.code() in no_member else Down
        raise kind(error.str(), where=f"{part.topic}/{part.number}")

    def close(self) -> None:
        self._consumer.close()

    def _at(self, part: Part, offset: int = -1001, metadata: str | None = None) -> Any:
        if metadata is None:
            return self._kafka.TopicPartition(part.topic, part.number, offset)
        return self._kafka.TopicPartition(part.topic, part.number, offset, metadata=metadata)

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except self._kafka.KafkaException as error:
            raise Down(error.args[0].str()) from error


def _library() -> Any:
    try:
        import confluent_kafka
    except ImportError as error:
        what = "confluent-kafka is not installed; `pip install 'aegis-enrich[kafka]'`"
        raise AegisError(what, where="kafka") from error
    return confluent_kafka


def _settings_error(error: Exception) -> AegisError:
    from ..errors import ConfigError

    said = error.args[0] if error.args else error
    text = said.str() if hasattr(said, "str") else str(said)
    return ConfigError(f"{text}; librdkafka's CONFIGURATION.md lists what it takes", where="kafka.settings")
