"""Alerts and incidents to a syslog receiver: RFC 5424 with structured data, or CEF, over UDP, TCP or TLS."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_enrich.deliver.choice import EVENTS, SEVERITIES, Choice
from aegis_enrich.deliver.settings import read, setting
from aegis_enrich.errors import AegisError, ConfigError, Problems
from aegis_enrich.plugin import Document, Outcome, Sink

from .rfc5424 import FACILITIES, Header, cut, message, name, old_message
from .transport import Stream, Transport, Udp, context, untrusted

KINDS = ("alert", "incident")
PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
MOST_BYTES = {"udp": 1_400, "tcp": 8_192, "tls": 8_192}  # a datagram stays within a packet
LEAST_MESSAGE = 100  # bytes of a message that its structured data leaves room for
APP = "aegis-enrich"
_TAKEN: tuple[Outcome, str] = ("stored", "")
_NOT_TOLD: tuple[Outcome, str] = ("there", "")


@dataclass(frozen=True)
class Settings:
    """A receiver's; a text `env:NAME` is read from the environment."""

    host: str = setting("", "the receiver's name or address")
    port: int = setting(0, "its port (default: 514 for udp, 601 for tcp, 6514 for tls)", least=0, most=65_535)
    transport: str = setting("tcp", "udp, tcp or tls; udp loses messages and nobody knows", words=tuple(PORTS))
    framing: str = setting(
        "octets", "how messages are told apart over tcp and tls: octets (RFC 6587, RFC 5425) or lines",
        words=("octets", "lines"),
    )  # fmt: skip
    format: str = setting("rfc5424", "rfc5424, or cef with the header of RFC 3164", words=("rfc5424", "cef"))
    body: str = setting(
        "text", "what an rfc5424 message says: text, or the whole document as json", words=("text", "json")
    )
    facility: str = setting("local0", f"one of {', '.join(FACILITIES)}", words=tuple(FACILITIES))
    hostname: str = setting("", "this machine's name in the messages (default: as the system has it)")
    sd_id: str = setting("aegis@32473", "name of the structured data; 32473 is the number for examples (RFC 5612)")
    max_bytes: int = setting(0, "of a message, which is cut (default: 1400 for udp, else 8192)", least=480, most=65_000)
    least_severity: str = setting("low", "below it nothing is sent", words=tuple(SEVERITIES))
    when: list[str] = setting(list(EVENTS), f"what is sent: {', '.join(EVENTS)}")
    kinds: list[str] = setting(["alert"], f"of what: {', '.join(KINDS)}")
    earlier: bool = setting(False, "whether a new one is told of all that the state has already")
    timeout_s: float = setting(10.0, "how long connecting and sending may take, in seconds", least=0.1, most=120)
    ca_certs: str = setting("", "of tls: a CA file in PEM, where the system's do not know the receiver's")
    certificate: str = setting("", "of tls: this machine's certificate in PEM, where the receiver wants one")
    key: str = setting("", "of tls: its key, where it is not in the same file")


class Syslog(Sink):
    """A syslog receiver: RFC 5424 or CEF over UDP, TCP or TLS; at least once over TCP and TLS, with id and revision.

    Settings: those of `Settings`, under `plugins` in the configuration.
    """

    name = "syslog"
    at_once = 50

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Connects with the first message. Raises Problems."""
        self._settings = chosen = _checked(settings)
        port = chosen.port or PORTS[chosen.transport]
        self.target = f"{chosen.transport}://{chosen.host}:{port}"
        self._transport = _transport(chosen, port)
        self._most = chosen.max_bytes or MOST_BYTES[chosen.transport]
        self._hostname = chosen.hostname or socket.gethostname()
        self.earlier = chosen.earlier
        self._choice = Choice(chosen.least_severity, chosen.when)

    def takes(self) -> Sequence[str]:
        return self._settings.kinds

    def deliver(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        """All in one go; where that fails, nobody knows how far they came, and they go again."""
        before = self._choice.mark()
        messages: list[bytes] = []
        outcomes = []
        for document in documents:
            event = self._choice.event(document)
            told = event is not None and self._choice.is_told(event)
            if event is not None and told:
                messages.append(self._message(document, event))
            outcomes.append(_TAKEN if told else _NOT_TOLD)
            self._choice.note(document)
        try:
            if messages:
                self._transport.send(messages)
        except OSError as error:
            self._choice.resume(before)
            if wrong := untrusted(error, self.target):
                raise wrong from error
            return [("retry", f"{self.target}: does not take messages ({error})")] * len(documents)
        return outcomes

    def mark(self) -> str:
        return self._choice.mark()

    def resume(self, mark: str) -> None:
        self._choice.resume(mark)

    def close(self) -> None:
        self._transport.close()

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> Sequence[str]:
        """What is wrong with the settings, and whether the receiver can be reached (over UDP that cannot be told)."""
        try:
            sink = cls(settings)
        except AegisError as error:
            return [str(problem) for problem in error.problems]
        try:
            sink._transport.send([])
        except OSError as error:
            return [str(untrusted(error, sink.target) or f"{sink.target}: cannot be reached ({error}); is it running?")]
        finally:
            sink.close()
        return ()

    def _message(self, document: Document, event: str) -> bytes:
        from aegis_enrich.deliver.texts import derived, text, value

        known, chosen = derived(document, event), self._settings
        header = Header(
            facility=chosen.facility,
            severity=value(document.body, "event.severity") or 0,
            time=text(document.body, "aegis.last_seen") or text(document.body, "@timestamp"),
            hostname=self._hostname,
            app=APP,
            message_id=document.kind,
        )
        if chosen.format == "cef":
            from .cef import cef

            return cut(old_message(header, cef(document, event)), self._most)
        data = {chosen.sd_id: _parameters(document, known)}
        if len(message(header, data, "")) > self._most - LEAST_MESSAGE:
            data = {chosen.sd_id: {key: known[key][:64] for key in ("id", "revision", "severity")}}
        if chosen.body == "json":
            whole = message(header, data, _json(document.body))
            if len(whole) <= self._most:
                return whole
        said = f"{known['title']}: {known['reason']}" if known["reason"] else known["title"]
        return cut(message(header, data, said), self._most)


def _json(body: Mapping[str, Any]) -> str:
    """In ASCII, so that no character of it can be taken for another."""
    return json.dumps(body, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=str)


def _parameters(document: Document, known: Mapping[str, str]) -> dict[str, str]:
    """Of the structured data; cut so that they leave room for the message."""
    from aegis_enrich.deliver.texts import text

    fields = {
        "src": "source.ip",
        "spt": "source.port",
        "dst": "destination.ip",
        "dpt": "destination.port",
        "dhost": "destination.domain",
        "proto": "network.transport",
        "rule": "rule.id",
        "incident": "aegis.incident.id",
        "count": "aegis.count",
    }
    own = ("id", "revision", "change", "status", "severity", "risk", "techniques", "sensors")
    return {key: known[key][:100] for key in own} | {
        key: text(document.body, dotted)[:100] for key, dotted in fields.items()
    }


def _transport(settings: Settings, port: int) -> Transport:
    if settings.transport == "udp":
        return Udp(settings.host, port)
    tls = None
    if settings.transport == "tls":
        tls = context(settings.ca_certs, settings.certificate, settings.key, Syslog.name)
    counted = settings.framing == "octets"
    return Stream(settings.host, port, timeout_s=settings.timeout_s, counted=counted, tls=tls)


def _checked(section: Mapping[str, Any]) -> Settings:
    """The settings; raises Problems."""
    settings = read(Settings, section, Syslog.name)
    wrong = [] if settings.host else [("host", "is missing; name the receiver")]
    if name(settings.sd_id, 32) != settings.sd_id or any(c in settings.sd_id for c in '=]"'):
        wrong.append(("sd_id", f"{settings.sd_id!r} is no name; write it like aegis@32473"))
    for field, given, known in (("when", settings.when, EVENTS), ("kinds", settings.kinds, KINDS)):
        if odd := [each for each in given if each not in known]:
            wrong.append((field, f"{', '.join(odd)}: known are {', '.join(known)}"))
    if wrong:
        raise Problems([ConfigError(what, where=f"{Syslog.name}.{field}") for field, what in wrong])
    return settings
