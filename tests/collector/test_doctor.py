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
from collector.source import SourceKind
from gpuledger.catalogue.gpu import GpuSample
from gpuledger.catalogue.host import HostSample, MissingValue, SourceRun
from gpuledger.catalogue.work import Gpu
from gpuledger.checks import Check, Verdict
from gpuledger.config import Settings
from gpuledger.errors import StoreError
from gpuledger.schema import Row
from gpuledger.spool import Block, Spool
from tests.collector.support import Script


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
    for name in ("DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "[scrape] targets"):
        assert name in evidence.advice


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
        assert "in use" in check.found
    finally:
        spool.close()


def test_a_spool_that_is_none_is_said(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE other (a)")
    path.write_bytes(b"not a database, but long enough to look at" * 100)
    (check,) = doctor.spool_losses(path)
    assert check.verdict is Verdict.WRONG


@contextmanager
def answering(status: int) -> Iterator[str]:
    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            self.send_response(status)
            self.end_headers()

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
    with answering(200) as url:
        assert [c.verdict for c in doctor.service(url, "t")] == [Verdict.OK] * 3


def test_a_refused_token_says_which_variable_to_set() -> None:
    with answering(401) as url:
        *_, token = doctor.service(url, "wrong")
        assert token.verdict is Verdict.WRONG
        assert "GPULEDGER_TOKEN" in token.advice


def test_a_service_that_is_not_there_is_one_line() -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        list(doctor.service("http://127.0.0.1:9", "t"))
