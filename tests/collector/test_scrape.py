"""Exporters that answer well, badly, late or never, over real HTTP, and text files."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from collector.missing import Reason
from collector.source import Clock
from collector.sources.scrape import PAGE_BYTES, Scrape, ScrapeSettings, Target
from collector.sources.scrape import source as kind
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Gpu, GpuSample, MissingValue, SourceRun
from gpuledger.config import Config
from gpuledger.errors import ConfigError, ReadError, Unavailable
from gpuledger.schema import Row
from tests.collector.support import FakeClock, Lines, context, tree
from tests.collector.test_slots import information

PAGE = (Path(__file__).parents[1] / "mappings" / "dcgm-exporter.prom").read_bytes()
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the path says."""

    protocol_version = "HTTP/1.1"
    server: Exporter

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        self.server.answers[self.path.partition("?")[0]](self)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def send(self, body: bytes, status: int = 200, length: int | None = None, **more: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class Exporter(ThreadingHTTPServer):
    """A server of pages, each an answer by path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, str]] = []
        self.released = threading.Event()
        self.answers: dict[str, Answer] = {
            "/good": lambda h: h.send(PAGE),
            "/gzip": lambda h: h.send(gzip.compress(PAGE), Content_Encoding="gzip"),
            "/500": lambda h: h.send(b"temp 1\n", status=500),
            "/denied": lambda h: h.send(b"", status=401),
            "/moved": lambda h: h.send(b"", status=302, Location="/good"),
            "/html": lambda h: h.send(b"<html><body>Exporter</body></html>\n"),
            "/latin1": lambda h: h.send(b'DCGM_FI_DEV_GPU_TEMP{gpu="\xe9"} 1\n'),
            "/empty": lambda h: h.send(b""),
            "/large": lambda h: h.send(b"# " + b"x" * (PAGE_BYTES + 1) + b"\n"),
            "/bomb": lambda h: h.send(gzip.compress(bytes(50 << 20)), Content_Encoding="gzip"),
            "/notgzip": lambda h: h.send(PAGE, Content_Encoding="gzip"),
            "/brotli": lambda h: h.send(PAGE, Content_Encoding="br"),
            "/hang": self.hang,
            "/drip": self.drip,
            "/cut": lambda h: self.cut(h, Content_Length=str(len(PAGE))),
            "/cutchunk": lambda h: self.cut(h, b"10000\r\n", Transfer_Encoding="chunked"),
            "/cutline": lambda h: self.cut(h, Connection="close"),
            "/cutgzip": lambda h: h.send(gzip.compress(PAGE)[:-9], Content_Encoding="gzip"),
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def hang(self, _: Handler) -> None:
        self.released.wait(20)

    def drip(self, handler: Handler) -> None:
        handler.send(b"", length=1000)
        while not self.released.wait(0.05):
            handler.wfile.write(b"#")
            handler.wfile.flush()

    def cut(self, handler: Handler, before: bytes = b"", **headers: str) -> None:
        """Hang up in the middle of a figure."""
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(before + PAGE[: PAGE.index(b"} 1410") + 4])
        handler.close_connection = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    server = Exporter()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def target(exporter: Exporter, path: str, **more: Any) -> Target:
    told = {"mapping": "dcgm-exporter", "timeout_s": 5.0, **more}
    return Target(url=f"{exporter.url}{path}", **told)


def scrape(
    *targets: Target, clock: FakeClock | None = None, lines: Lines | None = None, **more: Any
) -> Scrape:
    settings = ScrapeSettings(targets=list(targets), **{"wait_s": 10.0, **more})
    return Scrape(settings, context(clock=clock, lines=lines))


def read(source: Scrape) -> list[Row]:
    """Rows of one reading, whatever it says at its end."""
    rows: list[Row] = []
    with suppress(ReadError):
        rows.extend(source.read())
    return rows


def samples(rows: list[Row]) -> dict[int, GpuSample]:
    return {int(row.slot): row for row in rows if isinstance(row, GpuSample)}


def missing(rows: list[Row]) -> dict[tuple[str, str], str]:
    return {(r.subject, r.reading): r.reason for r in rows if isinstance(r, MissingValue)}


def runs(rows: list[Row]) -> dict[str, SourceRun]:
    return {r.source: r for r in rows if isinstance(r, SourceRun)}


@pytest.mark.parametrize("path", ["/good", "/gzip"])
def test_a_page_becomes_rows_with_the_time_of_its_reading(exporter: Exporter, path: str) -> None:
    clock = FakeClock()
    rows = read(scrape(target(exporter, path), clock=clock))
    assert sorted(samples(rows)) == [0, 1]
    row = samples(rows)[0]
    assert (row.power_watts, row.source) == (287.431, "dcgm-exporter")
    assert to_milliseconds(row.ts) == clock.wall_s * 1000
    account = runs(rows)[f"scrape {exporter.url}{path}"]
    assert (account.runs, account.failures, account.reason) == (1, 0, "")
    assert missing(rows) == {}


def test_the_inventory_is_told_once_and_again_after_ten_minutes(exporter: Exporter) -> None:
    clock = FakeClock()
    source = scrape(target(exporter, "/good"), clock=clock)
    counts = []
    for _ in range(3):
        counts.append(sum(isinstance(row, Gpu) for row in read(source)))
        clock.pass_s(300)
    assert counts == [2, 0, 2]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/500", Reason.UNREADABLE),
        ("/denied", Reason.DENIED),
        ("/moved", Reason.UNREADABLE),
        ("/html", Reason.MALFORMED),
        ("/latin1", Reason.MALFORMED),
        ("/large", Reason.MALFORMED),
        ("/bomb", Reason.MALFORMED),
        ("/notgzip", Reason.MALFORMED),
        ("/brotli", Reason.MALFORMED),
        ("/cut", Reason.UNREADABLE),
        ("/cutchunk", Reason.UNREADABLE),
        ("/cutgzip", Reason.MALFORMED),
        ("/cutline", Reason.MALFORMED),
        ("/hang", Reason.TIMEOUT),
        ("/drip", Reason.TIMEOUT),
    ],
)
def test_a_bad_answer_is_missing_with_its_reason_and_the_other_target_is_whole(
    exporter: Exporter, path: str, reason: Reason
) -> None:
    timeout_s = 0.4 if reason is Reason.TIMEOUT else 5.0
    bad = target(exporter, path, timeout_s=timeout_s, labels={"gpu": "9"})
    settings = ScrapeSettings(targets=[bad, target(exporter, "/good")], wait_s=10.0)
    # Deadlines run while bytes drip: this test needs a clock that goes.
    rows = list(Scrape(settings, replace(context(), clock=Clock())).read())
    assert missing(rows) == {(f"{exporter.url}{path}", "page"): reason}
    assert runs(rows)[f"scrape {exporter.url}{path}"].failures == 1
    assert sorted(samples(rows)) == [0, 1]


def test_a_target_that_hangs_delays_nobody_and_is_not_asked_twice(exporter: Exporter) -> None:
    clock = FakeClock()
    targets = target(exporter, "/hang", timeout_s=30.0), target(exporter, "/good")
    source = scrape(*targets, clock=clock, wait_s=0.2)
    assert sorted(samples(read(source))) == [0, 1]
    clock.pass_s(15)
    assert sorted(samples(read(source))) == [0, 1]
    clock.pass_s(20)
    rows = read(source)
    assert missing(rows) == {(f"{exporter.url}/hang", "page"): "timeout"}
    clock.pass_s(15)
    assert missing(read(source)) == {}
    assert len(exporter.asked) == 5  # four good ones and the one that hangs


def test_an_answer_that_is_late_joins_the_next_reading(exporter: Exporter) -> None:
    def late(handler: Handler) -> None:
        exporter.released.wait(20)
        handler.send(PAGE)

    exporter.answers["/late"] = late
    clock = FakeClock()
    source = scrape(target(exporter, "/late", timeout_s=30.0), clock=clock, wait_s=0.05)
    assert samples(read(source)) == {}
    exporter.released.set()
    source._settings.wait_s = 5.0
    [feed] = [f for f, _ in source._feeds.values()]
    rows = list(source._outcomes({feed}))
    assert [o.reason for o in rows] == [None]
    assert len(rows[0].mapped.rows) > 2


def test_a_target_that_is_back_is_missing_no_more(exporter: Exporter) -> None:
    clock = FakeClock()
    source = scrape(target(exporter, "/x"), clock=clock)
    url = f"{exporter.url}/x"
    exporter.answers["/x"] = exporter.answers["/500"]
    assert missing(read(source)) == {(url, "page"): "unreadable"}
    clock.pass_s(15)
    exporter.answers["/x"] = exporter.answers["/good"]
    assert missing(read(source)) == {(url, "page"): ""}


def test_a_value_that_is_no_number_is_missing_and_the_rest_of_its_row_stays(
    exporter: Exporter,
) -> None:
    page = b'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="G"} NaN\nDCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="G"} 5\n'
    exporter.answers["/nan"] = lambda h: h.send(page)
    rows = read(scrape(target(exporter, "/nan")))
    assert (samples(rows)[0].temperature_celsius, samples(rows)[0].utilization_ratio) == (
        None,
        0.05,
    )
    assert missing(rows) == {(f"{exporter.url}/nan slot=0", "temperature_celsius"): "malformed"}


def test_unknown_names_are_told_once_and_logged(exporter: Exporter) -> None:
    exporter.answers["/new"] = lambda h: h.send(PAGE + b"DCGM_FI_NEW 1\ngo_threads 3\n")
    clock, lines = FakeClock(), Lines()
    source = scrape(target(exporter, "/new"), clock=clock, lines=lines)
    assert missing(read(source)) == {(f"{exporter.url}/new", "DCGM_FI_NEW"): "unsupported"}
    clock.pass_s(15)
    assert missing(read(source)) == {}
    assert [line for line in lines.lines if "lacks" in line] == [
        f"scrape {exporter.url}/new: the mapping lacks 1 names: DCGM_FI_NEW"
    ]


def test_stale_samples_are_left_out(exporter: Exporter) -> None:
    clock = FakeClock()
    now = round(clock.wall_s * 1000)
    lines = [
        f'DCGM_FI_DEV_GPU_TEMP{{gpu="{n}",UUID="G{n}"}} 40 {at}'
        for n, at in enumerate((now - 1000, now - 400_000))
    ]
    exporter.answers["/old"] = lambda h: h.send("\n".join(lines).encode())
    assert list(samples(read(scrape(target(exporter, "/old"), clock=clock)))) == [0]


def test_rows_cover_the_time_since_the_page_before_but_no_long_silence(
    exporter: Exporter,
) -> None:
    clock, covered = FakeClock(), []
    source = scrape(target(exporter, "/good"), clock=clock)
    for pause_s in (15.0, 20.0, 300.0, 15.0):
        covered.append(samples(read(source))[0].interval_seconds)
        clock.pass_s(pause_s)
    assert covered == [0.0, 15.0, 20.0, 15.0]


def test_a_slower_target_is_read_on_its_own_period(exporter: Exporter) -> None:
    clock = FakeClock()
    fast, slow = target(exporter, "/good", period_s=5.0), target(exporter, "/gzip", period_s=20.0)
    source = scrape(fast, slow, clock=clock)
    assert source.period_s == 5.0
    read_of: list[int] = []
    for _ in range(5):
        read_of.append(len(runs(read(source))))
        clock.pass_s(5)
    assert read_of == [2, 1, 1, 1, 2]


def test_the_token_is_sent_and_shown_nowhere(exporter: Exporter, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    url = exporter.url.replace("//", "//user:pass@") + "/500?key=k3y"
    one = Target(url=url, mapping="dcgm-exporter", token_file=str(tmp_path / "token"))
    rows = read(scrape(one))
    assert exporter.asked[0]["Authorization"] == "Bearer s3cret"
    told = repr(rows)
    assert not any(secret in told for secret in ("s3cret", "pass@", "k3y"))


def test_a_token_file_that_is_gone_is_a_right_that_lacks(exporter: Exporter) -> None:
    rows = read(scrape(target(exporter, "/good", token_file="/nowhere/token")))
    assert list(missing(rows).values()) == ["denied"]
    assert exporter.asked == []


def test_added_labels_win_and_a_label_may_name_the_node(exporter: Exporter) -> None:
    source = scrape(
        target(exporter, "/good", labels={"gpu": "3"}, node_label="Hostname"),
        target(exporter, "/gzip", node="n9"),
    )
    nodes = {(r.node, int(r.slot)) for r in read(source) if isinstance(r, GpuSample)}
    assert nodes == {("node-7", 3), ("n9", 0), ("n9", 1)}


def test_the_slot_is_the_minor_number_that_this_node_shows(
    exporter: Exporter, tmp_path: Path
) -> None:
    tree(tmp_path, information("4", "0000:01:00.0"))
    settings = ScrapeSettings(targets=[target(exporter, "/good")], wait_s=10.0)
    assert sorted(samples(list(Scrape(settings, context(tmp_path)).read()))) == [1, 4]


def test_a_reading_of_which_nothing_came_has_failed(exporter: Exporter) -> None:
    with pytest.raises(ReadError, match="/500: answered 500"):
        list(scrape(target(exporter, "/500"), target(exporter, "/500?again")).read())


def test_nobody_listens(exporter: Exporter) -> None:
    url = "http://127.0.0.1:9/metrics"
    rows = read(scrape(Target(url=url, mapping="dcgm-exporter")))
    assert missing(rows) == {(url, "page"): "unreadable"}


def test_nothing_to_scrape_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        list(scrape().read())


def test_text_files_are_read_by_the_mapping_that_their_name_says(tmp_path: Path) -> None:
    clock = FakeClock()
    tree(tmp_path, {"dcgm-exporter.rack1.prom": PAGE.decode(), "nobody.prom": "x 1\n"})
    tree(tmp_path, {"habana-gaudi.prom": "x 1\n", "notes.txt": "hello"})
    for name, age_s in (("dcgm-exporter.rack1.prom", 5), ("habana-gaudi.prom", 3600)):
        os.utime(tmp_path / name, (clock.wall_s - age_s,) * 2)
    rows = read(scrape(clock=clock, textfile=str(tmp_path)))
    assert sorted(samples(rows)) == [0, 1]
    assert missing(rows) == {
        (str(tmp_path / "nobody.prom"), "page"): "unsupported",
        (str(tmp_path / "habana-gaudi.prom"), "page"): "lost",
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "file:///etc/passwd"}, "no http or https address"),
        ({"url": "http://h:70000/"}, "no http or https address"),
        ({"url": "http://"}, "no http or https address"),
        ({"mapping": "dcgm"}, "unknown mapping 'dcgm'"),
        ({"timeout_s": 0}, "timeout_s must be above 0"),
        ({"mode": "primry"}, "mode"),
        ({"tmeout_s": 1}, "tmeout_s"),
        ({"again": True}, "is there twice"),
    ],
)
def test_a_wrong_target_is_a_configuration_error(wrong: dict[str, Any], said: str) -> None:
    times = 2 if wrong.pop("again", False) else 1
    one = {"url": "http://h/metrics", "mapping": "dcgm-exporter", **wrong}
    with pytest.raises(ConfigError, match=said):
        Config({"scrape": {"targets": [one] * times}}).section("scrape", kind.settings)


def test_settings_are_read_as_written() -> None:
    told = {"targets": [{"url": "https://h:9400/metrics", "mapping": "dcgm-exporter"}]}
    settings = Config({"scrape": told}).section("scrape", kind.settings)
    assert settings.targets[0].mode == "primary"
