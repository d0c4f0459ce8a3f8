"""Bulk requests: documents to lines, lines to requests of a bearable size, answers to an outcome per document."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis_enrich.errors import SinkError
from aegis_enrich.plugin import Outcome

MAX_BYTES = 5_000_000
MAX_ACTIONS = 1_000
REASON_CHARACTERS = 500


class Later(Exception):
    """The server cannot take the request now; the same one may go through later."""


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


def chunks(actions: Iterable[Action]) -> Iterator[list[Action]]:
    """Actions in order, at most MAX_ACTIONS and MAX_BYTES together; one that is larger goes by itself."""
    chunk: list[Action] = []
    size_bytes = 0
    for each in actions:
        if chunk and (len(chunk) >= MAX_ACTIONS or size_bytes + each.size_bytes > MAX_BYTES):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(each)
        size_bytes += each.size_bytes
    if chunk:
        yield chunk


def send(post: Post, actions: Sequence[Action], where: str = "") -> list[tuple[Outcome, str]]:
    """An outcome and its reason per action, in order; raises SinkError where nothing can be delivered at all.

    Once the server pushes back, the rest is not sent: all of it is to be tried again.
    """
    outcomes: list[tuple[Outcome, str]] = []
    waiting = deque(chunks(actions))
    while waiting:
        chunk = waiting.popleft()
        try:
            items = post([line for each in chunk for line in (each.head, each.body)])
        except TooLarge as error:
            half = len(chunk) // 2
            if half:
                waiting.extendleft((chunk[half:], chunk[:half]))
            else:
                outcomes.append(("refused", str(error)))
            continue
        except Later as error:
            return outcomes + _rest(actions, outcomes, str(error))
        found = [outcome(item, where) for item in items]
        outcomes += found
        if again := next((reason for result, reason in found if result == "retry"), ""):
            return outcomes + _rest(actions, outcomes, again)
    return outcomes


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
