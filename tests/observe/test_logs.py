"""Lines of the log: one object each whatever is in them, and one line each for people."""

from __future__ import annotations

import io
import json
import logging
import pickle

import pytest

from aegis_enrich.cli.said import like_here
from aegis_enrich.observe import logs

NASTY = 'end\n{"log.level": "error"}\r\x1b[31m\u202e\u2028"quoted"\udc80'


@pytest.fixture(autouse=True)
def log_as_it_was():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def said(log_format: str, level: str = "info") -> tuple[io.StringIO, logging.Logger]:
    stream = io.StringIO()
    logging.getLogger().handlers.clear()  # what pytest captures it sends on, and half a surrogate cannot be sent
    logs.begin(log_format, level, stream)
    return stream, logging.getLogger("aegis_enrich.some.part")


def test_a_line_is_an_object_in_ecs_names():
    stream, log = said("json")
    log.warning("%s waits", "conn")
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert list(found)[:4] == ["@timestamp", "log.level", "message", "ecs.version"]
    assert (found["log.level"], found["message"]) == ("warning", "conn waits")
    assert found["log.logger"] == "aegis_enrich.some.part"
    assert found["service.name"] == "aegis-enrich"
    assert found["@timestamp"].endswith("Z")


def test_nothing_in_a_message_makes_another_line_or_speaks_to_a_terminal():
    stream, log = said("json")
    log.error("a name: %s", NASTY)
    text = stream.getvalue()
    assert text.isascii() and text.count("\n") == 1 and text.endswith("\n")
    assert json.loads(text)["message"] == f"a name: {NASTY}"


def test_a_line_for_people_is_one_line_and_shows_everything():
    stream, log = said("text")
    log.warning("a name: %s", NASTY)
    text = stream.getvalue()
    assert text.startswith("WARNING a name: end {") and text.count("\n") == 1
    assert "\\u001b[31m\\u202e\\u2028" in text and "\x1b" not in text


def test_an_exception_is_in_its_line():
    stream, log = said("json")
    try:
        raise ValueError("odd\nname")
    except ValueError:
        log.exception("it failed")
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert (found["error.type"], found["error.message"]) == ("ValueError", "odd\nname")
    assert "Traceback" in found["error.stack_trace"]


@pytest.mark.parametrize("log_format", logs.FORMATS)
def test_below_the_level_nothing_is_said_and_a_second_begin_takes_the_place_of_the_first(log_format):
    first, log = said(log_format, "error")
    log.warning("no")
    second, log = said(log_format, "info")
    log.info("yes")
    assert (first.getvalue(), second.getvalue().count("\n")) == ("", 1)


def test_the_log_of_another_process_begins_as_it_is_here():
    said("json", "info")
    begin = pickle.loads(pickle.dumps(like_here()))
    assert begin.args == ("json", "info")
    said("text", "error")
    assert like_here().args == ("text", "error")


def test_every_line_of_a_watch_is_an_object(watch):
    """Also those that are no log: the greeting, where it listens, what SIGHUP is told, and its end."""
    running = watch(
        "--metrics", "127.0.0.1:0", "--sensor", "bad=" + str(watch.__name__), before=("--log-format", "json")
    )
    assert running.process.wait(60) == 1
    (line,) = running.said().splitlines()
    assert json.loads(line)["log.level"] == "error"
    running = watch("--duration", "soon", before=("--log-format", "json"))
    assert running.process.wait(60) == 2
    assert "write it like 90s" in json.loads(running.said())["message"]
    running = watch("--metrics", "127.0.0.1:0", config="log: {format: json, level: info}\n")
    running.until(lambda: "waiting for the sensor" in running.said(), "said that it waits")
    assert running.stop() == 0
    assert "ended: 0 rows read, 0 alerts told of" in running.said()
    lines = [json.loads(line) for line in running.said().splitlines()]
    assert any("metrics on http://127.0.0.1:" in line["message"] for line in lines)
    assert all({"@timestamp", "log.level", "message", "log.logger"} <= line.keys() for line in lines)
