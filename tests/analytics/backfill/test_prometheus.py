"""Asking a real Prometheus for its past, and what is said where that does not work."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.backfill.prometheus import Prometheus, TooMuch, address
from analytics.backfill.settings import BackfillSettings
from gpuledger.errors import ConfigError, ReadError
from tests.components.fixtures import or_skip
from tests.components.process import free_port
from tests.components.prometheus_history import History, door

START = 1_772_445_600  # 2026-03-02 10:00 UTC
TOKEN = "long-and-secret"


def at(seconds: float) -> int:
    return round((START + seconds) * 1000)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """An hour of two series of one metric, at odd times, one of them with a gap."""
    told = [
        ("power", {"gpu": gpu}, 100.5 + n, START + 30 * n + 0.25 * gpu)
        for gpu in (1, 2)
        for n in range(120)
        if gpu == 1 or not 40 <= n < 80
    ]
    with or_skip(History(tmp_path_factory.mktemp("prometheus"), told)) as started:
        yield started


def asking(url: str, **settings: Any) -> Prometheus:
    return Prometheus(url, BackfillSettings(**settings), sleep=lambda _: None)


class Scripted:
    """A server that gives these answers, one after another, the last one for ever."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __enter__(self) -> str:
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                script.asked.append(self.rfile.read(size).decode())
                status, body = script.answers[0]
                if len(script.answers) > 1:
                    script.answers.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def matrix(*values: tuple[float, str]) -> str:
    found = [{"metric": {"__name__": "power"}, "values": [list(v) for v in values]}]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": found}})


def error(text: str) -> str:
    return json.dumps({"status": "error", "errorType": "execution", "error": text})


def test_samples_come_with_their_own_times_and_gaps_stay_gaps(history: History) -> None:
    first, second = asking(history.url).samples("power", at(-1), at(3600))
    assert (first.labels["gpu"], len(first.at_ms), len(second.at_ms)) == ("1", 120, 80)
    assert first.at_ms[:2].tolist() == [at(0.25), at(30.25)]
    assert first.values[:2].tolist() == [100.5, 101.5]
    assert max(np.diff(second.at_ms)) == 41 * 30_000


def test_a_span_begins_after_its_first_instant_and_ends_with_its_last(history: History) -> None:
    (first, *_) = asking(history.url).samples("power", at(0.25), at(60.25), 'gpu="1"')
    assert first.at_ms.tolist() == [at(30.25), at(60.25)]


def test_spans_side_by_side_have_every_sample_once(history: History) -> None:
    prometheus, found = asking(history.url), []
    for since in range(-10, 3600, 7 * 60):
        for series in prometheus.samples("power", at(since), at(since + 7 * 60)):
            found += [(series.labels["gpu"], t) for t in series.at_ms.tolist()]
    assert len(found) == len(set(found)) == 200


def test_names_and_labels_of_a_span(history: History) -> None:
    prometheus = asking(history.url)
    assert prometheus.names(at(0), at(3600)) == ["power"]
    assert [told["gpu"] for told in prometheus.labels("power", at(0), at(3600))] == ["1", "2"]
    assert prometheus.labels("power", at(0), at(3600), 'gpu="9"') == []


def test_matchers_of_the_configuration_belong_to_every_question(history: History) -> None:
    prometheus = asking(history.url, matchers='gpu="2"')
    assert [s.labels["gpu"] for s in prometheus.samples("power", at(0), at(3600))] == ["2"]
    assert prometheus.series_at("power", at(60)) == 1


def test_how_much_there_is(history: History) -> None:
    prometheus = asking(history.url)
    assert prometheus.series_at("power|other", at(60)) == 2
    assert prometheus.samples_of_one("power", at(600), 600_000) == pytest.approx(20, abs=1)
    assert prometheus.series_at("power", at(-10_000)) == 0


def test_a_token_is_sent_and_never_shown(history: History, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with door(history.url, TOKEN) as (url, _):
        asking(url, token_file=str(file)).check()
        file.write_text("wrong-token")
        with pytest.raises(ReadError, match=r"refused us \(401\): set \[backfill\]") as refusal:
            asking(url, token_file=str(file)).check()
    assert "wrong" not in str(refusal.value)


def test_a_file_without_a_secret_is_named(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(ConfigError, match=r"token_file .*token: No such file"):
        asking("http://127.0.0.1:1", token_file=str(file)).check()
    file.write_text("two\nlines")
    with pytest.raises(ConfigError, match="it holds no secret") as refusal:
        asking("http://127.0.0.1:1", token_file=str(file)).check()
    assert "two" not in str(refusal.value)


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ReadError, match=rf"^{url} cannot be reached: .*refused"):
        asking(url).check()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, "<html>not found</html>"), "is no Prometheus API (answered 404)"),
        ((200, "<html>hello</html>"), "is no Prometheus API (answered 200)"),
        ((400, error("bad_data: unknown")), "does not take our question (400): bad_data: unknown"),
        ((302, ""), "sends us on to"),
    ],
)
def test_what_asking_again_cannot_mend(answer: tuple[int, str], said: str) -> None:
    with Scripted(answer) as url, pytest.raises(ConfigError, match=re.escape(said)):
        asking(url).check()


def test_a_server_that_is_tired_is_asked_again() -> None:
    script = Scripted((502, "bad gateway"), (429, error("slow down")), (200, matrix((1.0, "2"))))
    with script as url:
        (series,) = asking(url).samples("power", 0, 60_000)
    assert (series.at_ms.tolist(), series.values.tolist()) == ([1000], [2.0])
    assert len(script.asked) == 3


def test_one_that_stays_tired_ends_with_its_words() -> None:
    script = Scripted((502, "bad gateway"))
    with script as url, pytest.raises(ReadError, match=r"502: bad gateway \(3 tries\)"):
        asking(url, attempts=3).samples("power", 0, 60_000)
    assert len(script.asked) == 3


def test_what_is_too_much_at_once_is_asked_for_in_halves() -> None:
    script = Scripted(
        (422, error("query processing would load too many samples into memory")),
        (200, matrix((30.0, "1"))),
        (200, matrix((200.0, "2"))),
    )
    with script as url:
        (series,) = asking(url).samples("power", 0, 240_000)
    assert series.at_ms.tolist() == [30_000, 200_000]
    assert ["120s" in asked for asked in script.asked] == [False, True, True]


def test_what_is_too_much_even_in_a_minute_says_which_limit_to_raise() -> None:
    script = Scripted((422, error("exceeded limit")))
    with script as url, pytest.raises(TooMuch, match=r"lower \[backfill\] samples, or raise"):
        asking(url).samples("power", 0, 60_000)


def test_values_that_are_no_numbers_are_read_as_such() -> None:
    told = matrix((1.5, "NaN"), (2.0, "+Inf"), (3.0, "-Inf"), (4.0, "1e-07"))
    with Scripted((200, told)) as url:
        (series,) = asking(url).samples("power", 0, 60_000)
    assert series.at_ms.tolist() == [1500, 2000, 3000, 4000]
    assert [str(v) for v in series.values] == ["nan", "inf", "-inf", "1e-07"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://p:9090/", "http://p:9090"),
        ("https://p/prometheus/api/v1", "https://p/prometheus"),
        ("http://user@p:9090?token=secret", "http://p:9090"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, name: str) -> None:
    assert address(url) == name


@pytest.mark.parametrize("url", ["p:9090", "ftp://p", "http://", "http://p:port"])
def test_what_is_no_address_says_how_one_looks(url: str) -> None:
    with pytest.raises(ConfigError, match="--prometheus: write http"):
        address(url)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="no password in the address") as refusal:
        address("http://user:hush@p:9090")
    assert "hush" not in str(refusal.value)
