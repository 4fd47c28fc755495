"""The doctor: every trouble of a node is one line that says what to do."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from collector import doctor
from collector.run import SOURCES, make
from collector.source import SourceKind
from gpuledger.catalogue.gpu import GpuSample
from gpuledger.catalogue.host import HostSample, MissingValue, SourceRun
from gpuledger.catalogue.work import Gpu
from gpuledger.checks import Check, Verdict
from gpuledger.config import Config, Settings
from gpuledger.errors import ConfigError, ReadError, StoreError, Unavailable
from gpuledger.mapping_load import load as load_mapping
from gpuledger.plugins import discover
from gpuledger.schema import Row
from gpuledger.spool import Block, Spool
from tests.collector.support import Script, context


def kind(privilege: str = "none") -> SourceKind:
    return SourceKind(Settings, lambda *_: Script([]), privilege=privilege)


def run(reason: str = "", rows: int = 3) -> SourceRun:
    return SourceRun(
        source="faults",
        runs=1,
        failures=int(bool(reason)),
        rows=rows,
        duration_seconds=0.002,
        reason=reason,
    )


def judged(*rows: Row, privilege: str = "none") -> Check:
    (check,) = doctor.sources(rows, {"faults": kind(privilege)})
    return check


def gpu(**values: Any) -> GpuSample:
    return GpuSample.known(**{"slot": 0, "uuid": "GPU-0", "lost_seconds": 0.0, **values})


def test_a_source_that_reads_is_fine() -> None:
    check = judged(run())
    assert (check.verdict, check.found) == (Verdict.OK, "3 rows in 2.0 ms")


def test_a_device_that_is_not_there_is_no_fault() -> None:
    assert judged(run("no /dev/kmsg here", rows=0)).verdict is Verdict.NOTE


def test_a_source_that_fails_names_the_right_it_needs() -> None:
    check = judged(run("permission denied", rows=0), privilege="kmsg")
    assert check.verdict is Verdict.WRONG
    assert check.advice == "it needs: kmsg"


def test_an_absent_device_needs_nothing() -> None:
    check = judged(run("no kubelet here: no /run/sock", rows=0), privilege="the kubelet's socket")
    assert check.advice == "nothing, unless this machine should have it"


def test_an_absent_device_that_was_asked_for_says_what_it_needs() -> None:
    optional = SourceKind(Settings, lambda *_: Script([]), optional=True, privilege="a prolog")
    (check,) = doctor.sources([run("no /run/hook", rows=0)], {"faults": optional})
    assert (check.verdict, check.advice) == (Verdict.NOTE, "it needs: a prolog")


def test_a_right_that_is_missing_is_no_absent_device() -> None:
    check = judged(run("no right to ask the kubelet", rows=0), privilege="its socket")
    assert (check.verdict, check.advice) == (Verdict.WRONG, "it needs: its socket")


def test_a_library_that_is_missing_is_an_extra_to_install() -> None:
    reason = "grpcio is not installed: pip install 'gpuledger[kubernetes]'"
    check = judged(run(reason, rows=0), privilege="the kubelet's socket")
    assert check.verdict is Verdict.NOTE
    assert check.advice == "pip install 'gpuledger[kubernetes]' where the agent is installed"


@pytest.mark.parametrize(
    ("configured", "advice"),
    [((), '[agent] without = ["slurm"]'), (("slurm",), "it needs: an operator")],
)
def test_slurm_that_nobody_set_up_is_set_up_or_left_out(
    configured: tuple[str, ...], advice: str
) -> None:
    failed = SourceRun(
        source="slurm", runs=1, failures=1, rows=0, duration_seconds=0.1, reason="squeue fails"
    )
    (check,) = doctor.sources([failed], {"slurm": kind("an operator")}, configured)
    assert advice in check.advice


def test_slurm_that_somebody_set_up_is_wrong_where_it_is_not() -> None:
    gone = SourceRun(
        source="slurm",
        runs=1,
        failures=1,
        rows=0,
        duration_seconds=0.1,
        reason="no squeue on this machine",
    )
    (check,) = doctor.sources([gone], {"slurm": kind("an operator")}, ["slurm"])
    assert check.verdict is Verdict.WRONG
    assert "operator" not in check.advice


@pytest.mark.parametrize("reason", ["", "HTTP 500"])
def test_a_feed_of_a_source_is_named(reason: str) -> None:
    feed = SourceRun(
        source="scrape http://n:9400/metrics",
        runs=1,
        failures=int(bool(reason)),
        rows=0,
        duration_seconds=0.1,
        reason=reason,
    )
    (check,) = doctor.sources([feed], {"scrape": kind("none; a token")}, ("scrape",))
    assert check.name == "source scrape http://n:9400/metrics"
    assert check.verdict is (Verdict.WRONG if reason else Verdict.OK)
    assert "none" not in check.advice


@pytest.mark.parametrize("name", sorted(discover(SOURCES, SourceKind)))
def test_no_source_that_is_absent_is_wrong(name: str, tmp_path: Path) -> None:
    kinds = discover(SOURCES, SourceKind)
    try:
        list(
            make(Config({"agent": {"isolate": False}}), name, kinds[name], context(tmp_path)).read()
        )
    except Unavailable as e:
        told = SourceRun(
            source=name, runs=1, failures=1, rows=0, duration_seconds=0.1, reason=str(e)
        )
        (check,) = doctor.sources([told], kinds)
        assert check.verdict is Verdict.NOTE, check
    except ReadError:
        assert name == "slurm"  # its commands may be on this machine


def test_a_section_that_nobody_reads_is_noted(tmp_path: Path) -> None:
    config = Config({"agent": {"sources": ["tcp"]}, "scrape": {"period_s": 5.0}})
    found = {c.name: c for c in doctor.examine(config, context(tmp_path), tmp_path / "spool.db")}
    assert found["source scrape"].advice == "add it to [agent] also"


def test_refused_readings_are_noted_beside_what_is_read() -> None:
    denied = MissingValue(source="faults", subject="a", reading="b", reason="denied")
    check = judged(run(), denied, privilege="root")
    assert check.verdict is Verdict.NOTE
    assert "1 readings refused" in check.found


def test_a_lost_gpu_is_named() -> None:
    found = {c.name: c for c in doctor.gpus([gpu(lost_seconds=1.0, slot=3)])}
    assert found["GPUs"].verdict is Verdict.OK
    assert any(c.found == "lost: 3" for c in doctor.gpus([gpu(lost_seconds=1.0, slot=3)]))


def test_gpus_without_gpm_are_told_which_counters_of_dcgm_exporter_to_switch_on() -> None:
    *_, evidence = doctor.gpus([gpu()])
    assert evidence.verdict is Verdict.NOTE
    for name in (
        *("DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"),
        *('[agent] also = ["scrape"]', "[[scrape.targets]]", 'mode = "supplement"'),
    ):
        assert name in evidence.advice
    assert evidence.advice.count('mapping = "dcgm-exporter"') == 1
    assert load_mapping("dcgm-exporter")


def test_a_gpu_of_which_an_exporter_tells_the_activity_is_not_blind() -> None:
    seen, evidence = doctor.gpus([gpu(), gpu(sm_active_ratio=0.5)])
    assert seen.found.startswith("1 seen")
    assert evidence.verdict is Verdict.OK


def test_gpus_with_gpm_have_evidence_of_grade_a() -> None:
    driver = Gpu(slot=0, uuid="GPU-0", memory_bytes=None, driver="550.1")
    seen, evidence = doctor.gpus([gpu(sm_active_ratio=0.5), driver])
    assert seen.found == "1 seen, driver 550.1"
    assert evidence.verdict is Verdict.OK


def test_a_clock_that_nobody_disciplines_is_wrong() -> None:
    (check,) = doctor.host_clock([HostSample.known(clock_synchronized=0)])
    assert check.verdict is Verdict.WRONG
    (check,) = doctor.host_clock([HostSample.known(clock_synchronized=1, clock_error_seconds=2e-3)])
    assert check.found == "synchronized, error 2.0 ms"


def test_what_a_spool_had_to_drop_is_said(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path, capacity_bytes=10).open()
    spool.put([("gpu_samples", [Block(7, b"x" * 20)])])
    spool.close()
    lost, waiting = doctor.spool_losses(path)
    assert lost.found == "7 rows of gpu_samples dropped"
    assert waiting.found.endswith("0 batches wait")


def test_a_spool_in_use_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path).open()
    try:
        (check,) = doctor.spool_losses(path)
        assert (check.verdict, check.found) == (
            Verdict.NOTE,
            f"{path}: a running agent holds it",
        )
        assert "[prometheus] port" in check.advice
    finally:
        spool.close()


def test_a_spool_that_is_none_is_said(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE other (a)")
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    (check,) = doctor.spool_losses(path)
    assert check.verdict is Verdict.WRONG


def test_looking_at_a_spool_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    Spool(path).open().close()
    (check,) = doctor.spool_losses(path)
    assert check.verdict is Verdict.OK
    assert list(tmp_path.iterdir()) == [path]


def test_a_spool_that_was_not_closed_is_looked_at_with_its_log(tmp_path: Path) -> None:
    path, copy = tmp_path / "spool.db", tmp_path / "copy.db"
    spool = Spool(path).open()
    spool.put([("gpu_samples", [Block(7, b"x" * 20)])])
    for end in ("", "-wal"):
        copy.with_name(f"copy.db{end}").write_bytes(path.with_name(f"spool.db{end}").read_bytes())
    spool.close()
    (check,) = doctor.spool_losses(copy)
    assert check.found.endswith("1 batches wait")


def test_a_folder_is_no_spool(tmp_path: Path) -> None:
    (check,) = doctor.spool_losses(tmp_path)
    assert (check.verdict, check.found) == (Verdict.WRONG, f"{tmp_path} is no file")


@pytest.mark.parametrize("name", ["stat", "access"])
def test_a_spool_that_may_not_be_read_is_not_in_use(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> Any:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "spool.db"
    path.touch()
    if name == "stat":
        monkeypatch.setattr(Path, "stat", refused)
    else:
        monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    (check,) = doctor.spool_losses(path)
    assert check.verdict is Verdict.NOTE
    assert "may not be read" in check.found
    assert "agent's user" in check.advice


PROBLEM = "application/problem+json"


@contextmanager
def answering(
    status: int, *, ready: int = 200, kind: str = PROBLEM, body: bytes = b'{"detail": "no rows"}'
) -> Iterator[str]:
    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(ready)

        def do_POST(self) -> None:
            self._answer(status)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_service_that_takes_the_token_is_fine() -> None:
    with answering(400) as url:
        assert [c.verdict for c in doctor.service(url, "t")] == [Verdict.OK] * 3


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, PROBLEM, b"{}"),
        (400, "text/html", b"<html>"),
        (400, PROBLEM, b"no JSON"),
        (404, PROBLEM, b'{"detail": "Not Found"}'),
        (501, "text/html", b""),
    ],
)
def test_whatever_else_answers_has_not_taken_the_token(status: int, kind: str, body: bytes) -> None:
    with answering(status, kind=kind, body=body) as url:
        *_, token = doctor.service(url, "t")
    assert token.verdict is Verdict.WRONG
    assert f"answers {status}: not gpuledger's address" in token.found


def test_an_address_that_is_not_ready_is_not_asked_about_the_token() -> None:
    with answering(400, ready=404) as url:
        (check,) = doctor.service(url, "t")
    assert check.verdict is Verdict.WRONG
    assert "answers 404: not gpuledger's address, or a proxy in between" in check.found


def test_a_service_that_says_why_it_is_not_ready_is_quoted() -> None:
    with answering(400, ready=503) as url:
        (check,) = doctor.service(url, "t")
    assert check.found.endswith("is not ready: no rows")


def test_without_a_token_nobody_is_asked_about_one() -> None:
    with answering(400) as url:
        assert [c.name for c in doctor.service(url, None)] == ["service", "service's clock"]


@pytest.mark.parametrize("url", ["localhost:8080", "n", "chdb:///tmp"])
def test_what_is_no_address_is_not_asked(url: str) -> None:
    with pytest.raises(ConfigError, match="write http"):
        list(doctor.service(url, "t"))


def test_a_refused_token_says_which_variable_to_set() -> None:
    with answering(401) as url:
        *_, token = doctor.service(url, "wrong")
        assert token.verdict is Verdict.WRONG
        assert "GPULEDGER_TOKEN" in token.advice


def test_a_service_that_is_not_there_is_one_line() -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        list(doctor.service("http://127.0.0.1:9", "t"))
