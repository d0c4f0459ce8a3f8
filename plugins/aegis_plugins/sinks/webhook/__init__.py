"""Alerts and incidents to a URL: signed JSON, a message to Slack or Teams, or a template of the site."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from aegis_enrich.deliver.choice import EVENTS, SEVERITIES, Choice
from aegis_enrich.deliver.settings import read, setting
from aegis_enrich.errors import AegisError, ConfigError, Problems, SinkError
from aegis_enrich.plugin import Document, Outcome, Sink

if TYPE_CHECKING:
    from .posting import Answered

KINDS = ("alert", "incident")
AGAIN = (0, 408, 425, 429)  # and 5xx: the same request may go through later
ITS_FAULT = (400, 406, 413, 415, 422)  # the document's: it is kept as a dead letter
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Settings:
    """A webhook's; a text `env:NAME` is read from the environment."""

    url: str = setting("", "https://host/path; it is a secret where it holds a token: write it as env:NAME")
    format: str = setting("generic", "how the body looks", words=("generic", "slack", "teams", "template"))
    template: Any = setting(None, "the body where format is template: YAML with {field} in its texts")
    escape: str = setting("none", "how fields are escaped in a template's texts", words=("none", "slack"))
    secret: str = setting("", "signs requests (HMAC-SHA256); two with a comma while it is changed")
    headers: dict[str, list[str]] = setting({}, "more headers, such as Authorization: env:NAME")
    least_severity: str = setting("medium", "below it nothing is sent", words=tuple(SEVERITIES))
    when: list[str] = setting(["open", "severity"], f"what is sent: {', '.join(EVENTS)}")
    kinds: list[str] = setting(["alert"], f"of what: {', '.join(KINDS)}")
    earlier: bool = setting(False, "whether a new one is told of all that the state has already")
    timeout_s: float = setting(10.0, "how long an answer may take, in seconds", least=0.1, most=120)
    ca_certs: str = setting("", "a CA file in PEM, where the system's do not know the server's")
    allow_http: bool = setting(False, "whether a URL may be http://, which anybody on the way can read and change")


class Webhook(Sink):
    """A webhook: a POST of JSON for an alert that opens or gets worse; at least once, with id and revision.

    Settings: those of `Settings`, under `plugins` in the configuration.
    """

    name = "webhook"
    at_once = 10

    def __init__(self, settings: Mapping[str, Any], *, now_s: Callable[[], float] = time.time) -> None:
        """`now_s` gives the time that is signed. Raises Problems."""
        from .posting import Poster

        self._settings = chosen = _checked(settings)
        url = urlsplit(chosen.url)
        self.target = _target(url)
        self._poster = Poster(chosen.url, timeout_s=chosen.timeout_s, ca_certs=chosen.ca_certs, where=f"{self.name}")
        self.earlier = chosen.earlier
        self._choice = Choice(chosen.least_severity, chosen.when)
        self._secrets = [secret.strip() for secret in chosen.secret.split(",") if secret.strip()]
        self._now_s = now_s

    def takes(self) -> Sequence[str]:
        return self._settings.kinds

    def deliver(self, documents: Sequence[Document]) -> Sequence[tuple[Outcome, str]]:
        """One after the other; at the first that must be tried again, the rest waits with it."""
        outcomes: list[tuple[Outcome, str]] = []
        self.pause_s = 0.0
        for document in documents:
            try:
                outcome = self._one(document)
            except SinkError as error:
                if not outcomes:
                    raise
                outcome = ("retry", str(error))
            if outcome[0] == "retry":
                return outcomes + [outcome] * (len(documents) - len(outcomes))
            outcomes.append(outcome)
        return outcomes

    def mark(self) -> str:
        return self._choice.mark()

    def resume(self, mark: str) -> None:
        self._choice.resume(mark)

    @classmethod
    def check(cls, settings: Mapping[str, Any]) -> Sequence[str]:
        """What is wrong with the settings. Nothing is sent: a receiver has no way to be asked."""
        try:
            cls(settings).close()
        except AegisError as error:
            return [str(problem) for problem in error.problems]
        return ()

    def _one(self, document: Document) -> tuple[Outcome, str]:
        """What is not to be told counts as there; what was refused was not told, so that the next revision is new."""
        event = self._choice.event(document)
        outcome: tuple[Outcome, str] = ("there", "")
        if event is not None and self._choice.is_told(event):
            outcome = self._posted(document, event)
        if outcome[0] in ("stored", "there"):
            self._choice.note(document)
        return outcome

    def _posted(self, document: Document, event: str) -> tuple[Outcome, str]:
        from .signing import DELIVERY, signed

        body = _body(self._settings, document, event)
        if len(body) > MOST_BYTES:
            return "refused", f"{len(body):,} bytes are more than a webhook should get ({MOST_BYTES:,})"
        now_s = self._now_s()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "aegis-enrich",
            DELIVERY: f"{document.kind}-{document.id}-{document.revision}",
            **{name: values[0] for name, values in self._settings.headers.items()},
            **signed(body, self._secrets, now_s),
        }
        return self._meaning(self._poster.post(body, headers, now_s))

    def _meaning(self, answer: Answered) -> tuple[Outcome, str]:
        """Raises SinkError where no document would be taken."""
        status, said = answer.status, f" ({answer.said})" if answer.said else ""
        if 200 <= status < 300:
            return "stored", ""
        if status in AGAIN or status >= 500:
            self.pause_s = answer.retry_after_s
            return "retry", f"{self.target}: answers {status}{said}" if status else f"{self.target}: no answer{said}"
        if status in ITS_FAULT:
            return "refused", f"{status}{said}"
        advice = {
            401: "correct its credentials",
            403: "correct its credentials, or allow it there",
            404: "correct the URL",
            410: "it was taken away there; make a new one",
        }.get(status, "name the URL that it points to" if 300 <= status < 400 else "look at it there")
        raise SinkError(f"answers {status}{said}; {advice}", where=self.target)


def _body(settings: Settings, document: Document, event: str) -> bytes:
    from .formats import FORMATS, escaped_for_slack, filled

    if settings.format == "template":
        body = filled(settings.template, document, event, escaped_for_slack if settings.escape == "slack" else str)
    else:
        body = FORMATS[settings.format](document, event)
    return json.dumps(body, ensure_ascii=True, sort_keys=False, default=str).encode()


def _target(url: SplitResult) -> str:
    """The URL without what may be a secret in it, and a few characters that tell it from others."""
    return f"{url.scheme}://{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}/{_hash(url)}"


def _hash(url: SplitResult) -> str:
    return hashlib.sha256(url.geturl().encode()).hexdigest()[:8]


def _checked(section: Mapping[str, Any]) -> Settings:
    """The settings; raises Problems."""
    settings = read(Settings, section, Webhook.name)
    problems = [ConfigError(what, where=f"{Webhook.name}.{setting}") for setting, what in _wrong(settings)]
    if problems:
        raise Problems(problems)
    return settings


def _wrong(settings: Settings) -> list[tuple[str, str]]:
    """What is wrong, by setting; the URL is not repeated, since it may be a secret."""
    wrong = []
    try:
        url = urlsplit(settings.url)
        right = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and settings.url.isprintable()
        right = right and " " not in settings.url and "@" not in url.netloc
    except ValueError:  # a port that is no number
        right = False
    if not right:
        wrong.append(
            ("url", "is no URL; write it like https://host/path, or env:NAME; a password belongs into headers")
        )
    elif url.scheme == "http" and not settings.allow_http:
        wrong.append(("url", "is http, which anybody on the way can read and change; use https, or set allow_http"))
    for name, given, known in (("when", settings.when, EVENTS), ("kinds", settings.kinds, KINDS)):
        if odd := [each for each in given if each not in known]:
            wrong.append((name, f"{', '.join(odd)}: known are {', '.join(known)}"))
    for name, values in settings.headers.items():
        if len(values) != 1 or not name.isascii() or not all(v.isprintable() and v.isascii() for v in (name, *values)):
            wrong.append(("headers", f"{name!r} is no header; write a name and one text in ASCII"))
    if (settings.format == "template") != (settings.template is not None):
        wrong.append(("template", "belongs to format: template; write both or neither"))
    return wrong
