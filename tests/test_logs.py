"""Log lines as text and as JSON."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from gpuledger.cli import cli
from gpuledger.logs import DOING, FIELDS, Doing, JsonLines, TextLines, request_id


def record(message: str = "rows wait: %s", *values: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("analytics.x", logging.WARNING, __file__, 1, message, values, None)
    made.__dict__.update(more)
    return made


@pytest.fixture
def doing() -> Iterator[None]:
    token = DOING.set(Doing("r-1", "t-1"))
    yield
    DOING.reset(token)


def test_a_json_line_has_the_fields_that_programs_look_for(doing: None) -> None:
    made = record("rows wait: %s", 3)
    made.created = 1_795_000_000.125
    line = JsonLines().format(made)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-18T11:06:40.125+00:00",
        "level": "warning",
        "logger": "analytics.x",
        "message": "rows wait: 3",
        "request_id": "r-1",
        "trace_id": "t-1",
    }


def test_fields_of_a_record_stand_beside_its_message() -> None:
    told = json.loads(JsonLines().format(record("done", **{FIELDS: {"status": 200}})))
    assert (told["message"], told["status"], told["request_id"]) == ("done", 200, "")


def test_a_line_break_in_a_message_makes_no_second_line() -> None:
    assert "\n" not in JsonLines().format(record('a\n{"level": "info"}'))


def test_a_traceback_stays_within_its_line() -> None:
    try:
        raise ValueError("of the test")
    except ValueError as e:
        line = JsonLines().format(record("failed", exc_info=(type(e), e, e.__traceback__)))
    assert "\n" not in line
    assert "ValueError: of the test" in json.loads(line)["exception"]


def test_a_line_for_people_is_its_message_and_the_request(doing: None) -> None:
    assert TextLines().format(record("rows wait: %s", 3)) == "rows wait: 3 [request r-1]"


def test_outside_of_a_request_a_line_for_people_is_its_message() -> None:
    assert TextLines().format(record("rows wait: %s", 3)) == "rows wait: 3"
    assert request_id() == ""


def test_lines_of_a_process_are_json_once_it_asks_for_that() -> None:
    code = (
        "import logging; from gpuledger import logs; logs.begin('json');"
        " logging.getLogger('a').info('one'); logging.getLogger('urllib3').warning('two')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    [line] = done.stderr.splitlines()
    assert (json.loads(line)["message"], json.loads(line)["level"]) == ("one", "info")


@pytest.mark.parametrize("command", ["serve", "relay", "up", "collect"])
def test_every_command_that_stays_can_log_for_programs(command: str) -> None:
    context = click.Context(cli)
    found = cli.get_command(context, command)
    assert found
    [option] = [p for p in found.params if p.name == "log_format"]
    assert option.default == "text"
    assert option.envvar == "GPULEDGER_LOG_FORMAT"
