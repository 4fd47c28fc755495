"""The hook in training code: what it counts, and that it neither waits nor fails."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from collector import training_hook
from collector.progress_report import parse
from collector.training_hook import Progress, Totals, payload, rank_of

STEPS = 2000


class Ticks:
    """A counter of seconds that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_800_000_000.0 + self.now

    def time_ns(self) -> int:
        return 1

    def fail(self, after_s: float, error: Exception) -> None:
        self.now += after_s
        raise error


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    made = Ticks()
    monkeypatch.setattr(training_hook, "time", made)
    return made


@pytest.fixture
def progress(tmp_path: Path, ticks: Ticks) -> Progress:
    return Progress(str(tmp_path / "nobody.sock"))


def test_phases_are_counted_apart(progress: Progress, ticks: Ticks) -> None:
    def loader() -> Any:
        for number in range(3):
            ticks.now += 2
            yield number

    for _ in progress.data(loader()):
        with progress.step():
            ticks.now += 5
    with progress.checkpoint():
        ticks.now += 7
    assert progress.totals == Totals(3, 15.0, 6.0, 7.0, 1, 3, ticks.time())


def test_what_lies_within_a_step_is_no_step_time(progress: Progress, ticks: Ticks) -> None:
    with progress.step():
        ticks.now += 1
        with progress.data_wait():
            ticks.now += 10
        with progress.checkpoint():
            ticks.now += 100
        ticks.now += 1
    told = progress.totals
    assert (told.step_s, told.data_wait_s, told.checkpoint_s) == (2, 10, 100)


def test_a_step_that_fails_is_none_and_its_error_goes_on(progress: Progress, ticks: Ticks) -> None:
    with pytest.raises(KeyError), progress.step():
        ticks.fail(1, KeyError())
    assert (progress.totals.steps, progress.totals.step_s) == (0, 0)


def test_a_checkpoint_that_fails_took_its_time_and_is_none(
    progress: Progress, ticks: Ticks
) -> None:
    with pytest.raises(OSError, match="full"), progress.checkpoint():
        ticks.fail(3, OSError("full"))
    told = progress.totals
    assert (told.checkpoints, told.checkpoint_s, told.last_checkpoint_s) == (0, 3, 0)


def test_steps_may_be_numbered_by_the_code(progress: Progress) -> None:
    with progress.step(500):
        pass
    with progress.step():
        pass
    assert (progress.totals.steps, progress.totals.last_step) == (2, 501)


def test_without_a_listener_a_step_costs_less_than_a_millisecond_and_nothing_is_raised(
    tmp_path: Path,
) -> None:
    """Also while it tries to tell: it does so all the time here."""
    progress = Progress(str(tmp_path / "nobody.sock"), period_s=0.001)
    took: list[float] = []
    for _ in range(STEPS):
        began = time.thread_time()
        with progress.step():
            pass
        took.append(time.thread_time() - began)
    progress.close()
    assert progress.totals.steps == STEPS
    assert sum(took) / STEPS < 1e-3


def test_a_listener_that_never_answers_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_hook, "END_S", 0.05)
    monkeypatch.setattr(training_hook, "ANSWER_S", 0.2)
    path = str(tmp_path / "t.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        progress = Progress(path, period_s=60)
        with progress.step():
            pass
        progress.close()
        assert progress.totals.steps == 1
        thread = progress._thread
    assert thread
    thread.join(20)
    assert not thread.is_alive()


def test_nonsense_for_an_answer_harms_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "t.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        progress = Progress(path, period_s=60)
        with progress.step():
            pass
        ender = threading.Thread(target=progress.close)
        ender.start()
        line, _ = listener.accept()
        with line:
            line.sendall(b"nonsense\r\n\r\n")
        ender.join(20)
    assert progress._thread
    assert not progress._thread.is_alive()


def test_a_process_that_may_have_no_more_threads_trains_all_the_same(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with progress.step():
        pass
    progress.close()
    assert progress.totals.steps == 1


def test_a_child_that_is_forked_off_counts_for_itself(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress.step():
        pass
    progress.close()
    monkeypatch.setattr(os, "getpid", lambda: 1 << 30)
    progress.close()
    with progress.step():
        pass
    progress.close()
    assert progress.totals.steps == 1


def test_the_rank_is_what_the_launcher_says() -> None:
    assert rank_of({"SLURM_PROCID": "4", "RANK": "2"}) == "2"
    assert rank_of({"RANK": "", "SLURM_PROCID": "4"}) == "4"
    assert rank_of({}) == ""


def test_the_payload_is_read_as_it_was_meant() -> None:
    told = Totals(3, 1.5, 0.25, 2.0, 1, 9, 1_800_000_000.5)
    report = parse(json.dumps(payload(told, "2", 1, 2)).encode())
    assert {"rank": "2", **told._asdict()} == {
        f: getattr(report, f) for f in report.__struct_fields__
    }


def test_the_payload_is_otlp_by_its_published_definition() -> None:
    from google.protobuf import json_format
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

    request = metrics_service_pb2.ExportMetricsServiceRequest()
    json_format.Parse(json.dumps(payload(Totals(steps=3), "1", 1, 2)), request)
    metrics = request.resource_metrics[0].scope_metrics[0].metrics
    assert metrics[0].name == "gpuledger.training.steps"
    assert metrics[0].sum.data_points[0].as_int == 3
    text = json_format.MessageToJson(request, use_integers_for_enums=True)  # as OTLP has it
    assert parse(text.encode()).steps == 3


def test_a_report_is_small_beside_what_the_door_takes() -> None:
    from collector.progress_door import MOST_BYTES

    assert 4 * len(json.dumps(payload(Totals(), "1", 1, 2))) < MOST_BYTES
