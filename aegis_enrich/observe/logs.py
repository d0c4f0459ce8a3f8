"""How a line of the log looks: for a person, or one JSON object in ECS's names for a collector."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from .. import __version__
from ..visible import visible

ECS_VERSION = "8.17.0"
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")
CHATTY = ("elastic_transport", "elasticsearch", "opensearch", "opensearchpy", "watchdog", "urllib3")
_HANDLER = "aegis_enrich"


class TextFormatter(logging.Formatter):
    """`WARNING what happened`: on one line whatever is in it, but for a traceback of our own code."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname} {visible(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One object a line, ASCII only, so that nothing in a message can end the line or speak to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(line(record, self.formatException), ensure_ascii=True, default=str)


def line(record: logging.LogRecord, exception: Callable[[Any], str]) -> dict[str, Any]:
    """A record in ECS's names, the first three as the logging specification orders them."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found: dict[str, Any] = {
        "@timestamp": at,
        "log.level": record.levelname.lower(),
        "message": record.getMessage(),
        "ecs.version": ECS_VERSION,
        "event.dataset": "aegis.log",
        "service.name": "aegis-enrich",
        "service.version": __version__,
        "log.logger": record.name,
        "log.origin.file.name": record.filename,
        "log.origin.file.line": record.lineno,
        "process.pid": record.process,
        "process.thread.name": record.threadName,
    }
    if record.exc_info and record.exc_info[0]:
        found["error.type"] = record.exc_info[0].__name__
        found["error.message"] = str(record.exc_info[1])
        found["error.stack_trace"] = exception(record.exc_info)
    return found


def begin(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Sends the log to `stream` (standard error) in this format, from this level on; may be called again.

    Where a program that runs this as a part of it handles the log already, that is left to it.
    """
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    root = logging.getLogger()
    ours = [h for h in root.handlers if h.get_name() == _HANDLER]
    if stream is None and len(root.handlers) > len(ours):
        return
    for old in ours:
        root.removeHandler(old)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.set_name(_HANDLER)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(log_format == "json")
    sys.excepthook = _fell if log_format == "json" else sys.__excepthook__


def is_json() -> bool:
    """Whether programs read the log, so that nothing else may be said on standard error."""
    return any(isinstance(h.formatter, JsonFormatter) for h in logging.getLogger().handlers)


def _fell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger(__name__).critical("it ended by an error of its own", exc_info=(kind, error, trace))
