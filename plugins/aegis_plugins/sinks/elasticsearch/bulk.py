"""Bulk requests: documents to lines, lines to requests of a bearable size, answers to an outcome per document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aegis_enrich.errors import AegisError, SinkError
from aegis_enrich.plugin import Outcome

MAX_BYTES = 5_000_000
MAX_ACTIONS = 1_000
LEAST_BYTES = 65_536  # that a request may always have
REASON_CHARACTERS = 500


class Later(Exception):
    """The server cannot take the request now; the same one may go through later, after `pause_s` where it asked so."""

    def __init__(self, why: str, pause_s: float = 0.0) -> None:
        super().__init__(why)
        self.pause_s = pause_s


class TooLarge(Exception):
    """The server (or a proxy before it) refuses the request for its size."""


@dataclass(frozen=True)
class Action:
    """One document of a bulk request, as its two lines."""

    head: bytes
    body: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.head) + len(self.body) + 2


Post = Callable[[Sequence[bytes]], Sequence[Mapping[str, Any]]]  # lines to the answer's items; raises Later, TooLarge


def action(operation: str, target: Mapping[str, Any], body: Mapping[str, Any]) -> Action:
    """`operation` (index, create) of `body`; `target` has `_index`, `_id` and what else the operation takes."""
    return Action(_json({operation: target}), _json(body))


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


class Pace:
    """How large a request may be: half as many documents while requests fail as a whole, more once they do not.

    It may be their size that a proxy answers with a closed connection. What was said to be too large stays so.
    `pause_s`: how long the server wanted to be left alone when it last pushed back.
    """

    def __init__(self) -> None:
        self.actions, self.bytes = MAX_ACTIONS, MAX_BYTES
        self.pause_s = 0.0
        self._failed = False

    def failed(self, sent: int, pause_s: float) -> None:
        """A request of so many documents got no answer that tells of them; from the second on, fewer are tried."""
        self.pause_s = pause_s
        if self._failed:
            self.actions = max(1, sent // 2)
        self._failed = True

    def too_large(self, size_bytes: int) -> None:
        self.bytes = max(LEAST_BYTES, size_bytes // 2)

    def succeeded(self) -> None:
        self.actions, self.pause_s, self._failed = min(MAX_ACTIONS, self.actions * 2), 0.0, False


def take(actions: Sequence[Action], start: int, most: int, most_bytes: int) -> Sequence[Action]:
    """The actions from `start` on that go into one request; one that is larger than it may be goes by itself."""
    size_bytes = 0
    for number, each in enumerate(islice(actions, start, start + most), start):
        size_bytes += each.size_bytes
        if size_bytes > most_bytes and number > start:
            return actions[start:number]
    return actions[start : start + most]


def send(post: Post, actions: Sequence[Action], where: str = "", pace: Pace | None = None) -> list[tuple[Outcome, str]]:
    """An outcome and its reason per action, in order; raises SinkError where nothing can be delivered at all.

    Once the server pushes back, the rest is not sent: what it did not take is to be tried again, and only that.
    """
    pace = pace or Pace()
    outcomes: list[tuple[Outcome, str]] = []
    most = MAX_ACTIONS
    stopped: SinkError | None = None
    while len(outcomes) < len(actions):
        chunk = take(actions, len(outcomes), min(most, pace.actions), pace.bytes)
        try:
            found, stopped = _outcomes(_posted(post, chunk, where), where)
        except TooLarge as error:
            if len(chunk) == 1:
                outcomes.append(("refused", str(error)))
            else:
                most = len(chunk) // 2
                pace.too_large(sum(each.size_bytes for each in chunk))
            continue
        except Later as error:
            pace.failed(len(chunk), error.pause_s)
            return outcomes + _rest(actions, outcomes, str(error))
        except AegisError as error:
            stopped = _as_sink_error(error, where)
            break
        pace.succeeded()
        outcomes += found
        if stopped or any(result == "retry" for result, _ in found):
            break
    again = str(stopped) if stopped else next((why for result, why in outcomes if result == "retry"), "")
    outcomes += _rest(actions, outcomes, again)
    if stopped and all(result == "retry" for result, _ in outcomes):
        raise stopped
    return outcomes


def _as_sink_error(error: AegisError, where: str) -> SinkError:
    """404 and the like of the whole request: no document is at fault."""
    if isinstance(error, SinkError):
        return error
    return SinkError(f"takes no bulk requests ({error.what}); correct the URL, or the proxy before it", where=where)


def _posted(post: Post, chunk: Sequence[Action], where: str) -> Sequence[Mapping[str, Any]]:
    """The answer's items, one for each action; raises Later where the answer is none, since all may be as before."""
    try:
        items = post([line for each in chunk for line in (each.head, each.body)])
        whole = len(items) == len(chunk) and all(_is_item(item) for item in items)
    except (KeyError, TypeError, AttributeError) as error:
        raise Later(f"{where}: the answer is none to a bulk request") from error
    if not whole:
        raise Later(f"{where}: the answer does not tell of each document")
    return items


def _is_item(item: Mapping[str, Any]) -> bool:
    return len(item) == 1 and all(isinstance(answer.get("status"), int) for answer in item.values())


def _outcomes(items: Sequence[Mapping[str, Any]], where: str) -> tuple[list[tuple[Outcome, str]], SinkError | None]:
    """What became of each; beside it, what keeps some from being delivered until somebody acts: these wait."""
    found: list[tuple[Outcome, str]] = []
    stopped: SinkError | None = None
    for item in items:
        try:
            found.append(outcome(item, where))
        except SinkError as error:
            stopped = stopped or error
            found.append(("retry", str(error)))
    return found, stopped


def _rest(actions: Sequence[Action], outcomes: Sequence[object], reason: str) -> list[tuple[Outcome, str]]:
    return [("retry", reason)] * (len(actions) - len(outcomes))


def outcome(item: Mapping[str, Any], where: str = "") -> tuple[Outcome, str]:
    """What became of one document; raises SinkError where it says that no document can be delivered."""
    (answer,) = item.values()
    status, error = int(answer["status"]), answer.get("error") or {}
    kind, reason = error.get("type", ""), _reason(error)
    if answer.get("failure_store") == "used":
        return "refused", "the data stream's failure store took it, its index did not; look at the ::failures of it"
    if status in (200, 201):
        return "stored", ""
    if status == 409:
        return "there", ""
    if status == 429 or status >= 500 or kind == "cluster_block_exception":
        return "retry", f"{where}: answers {status} ({reason})"
    if status in (401, 403):
        raise SinkError(f"{reason}; give the user the privileges in the sink's README", where=where)
    if kind == "index_not_found_exception":
        raise SinkError(f"{reason}; allow it to be made (action.auto_create_index of the cluster)", where=where)
    if "pipeline with id [" in reason:
        raise SinkError(f"{reason}; make it, or leave `pipeline` empty", where=where)
    return "refused", f"{status} {reason}"


def _reason(error: Mapping[str, Any]) -> str:
    """An error and its causes in one line."""
    told = []
    cause: Any = error
    while isinstance(cause, Mapping) and cause.get("reason"):
        told.append(str(cause["reason"]))
        cause = cause.get("caused_by")
    text = f"{error.get('type', 'no error')}: {': '.join(dict.fromkeys(told))}"
    return " ".join(text.split())[:REASON_CHARACTERS]
