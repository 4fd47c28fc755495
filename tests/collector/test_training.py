"""The training hook against the real source, over a real unix socket."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collector import progress_door, training_hook
from collector.processes import Owners
from collector.progress_door import MOST_BYTES
from collector.sources.training import Training, TrainingSettings, source
from collector.training_hook import PATH, Progress, Totals, UnixConnection, payload
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.progress import ProgressSample
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import UNSET_TIME
from tests.collector.support import FakeClock, context

REPOSITORY = Path(__file__).parents[2]
ME = pwd.getpwuid(os.getuid()).pw_name
TOLD = Totals(7, 1.5, 0.5, 0.25, 1, 107, 1000.0)


class Node:
    """A source that listens in a folder, with this machine's processes."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "t.sock")
        self.clock = FakeClock()
        self.here = context(Path("/"), self.clock)
        self.source = self.restart()

    def restart(self, **settings: Any) -> Training:
        self.source = Training(TrainingSettings(socket=self.path, **settings), self.here)
        return self.source

    def read(self) -> list[ProgressSample]:
        return [r for r in self.source.read() if isinstance(r, ProgressSample)]

    def missing(self) -> dict[str, str]:
        return {
            r.subject: r.detail
            for r in self.source.read()
            if isinstance(r, MissingValue) and r.reason
        }

    def post(
        self, body: bytes, path: str = PATH, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = UnixConnection(self.path, 20.0)
        try:
            connection.request("POST", path, body, headers or {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setattr(progress_door, "LOOK_S", 0.01)
    here = Node(tmp_path)
    assert here.read() == []
    yield here
    here.source.close()


def body(told: Totals = TOLD, rank: str = "3", **more: Any) -> bytes:
    return json.dumps({**payload(told, rank, 1, 2), **more}).encode()


def test_a_report_becomes_a_row_of_the_process_that_sent_it(node: Node) -> None:
    assert node.post(body()) == (200, b"{}")
    (row,) = node.read()
    assert (row.pid, row.user, row.session) == (os.getpid(), ME, os.getsid(0))
    assert (row.rank, row.steps, row.last_step, row.checkpoints) == ("3", 7, 107, 1)
    assert (row.step_seconds, row.data_wait_seconds, row.checkpoint_seconds) == (1.5, 0.5, 0.25)
    assert row.last_checkpoint == datetime.fromtimestamp(1000, UTC)
    assert row.refused == 0


def test_the_hook_tells_the_source_what_it_counted(node: Node) -> None:
    progress = Progress(node.path, rank=5, period_s=60)
    for batch in progress.data([1, 2, 3]):
        with progress.step():
            assert batch
    with progress.checkpoint():
        pass
    progress.close()
    (row,) = node.read()
    assert (row.rank, row.steps, row.last_step, row.checkpoints) == ("5", 3, 3, 1)
    assert row.step_seconds == pytest.approx(progress.totals.step_s)
    assert row.last_checkpoint <= datetime.fromtimestamp(node.clock.wall_s, UTC)


def test_a_process_of_its_own_that_imports_nothing_else_is_known_by_its_credentials(
    node: Node,
) -> None:
    code = (
        "from training_hook import Progress\np = Progress()\n"
        "for _ in p.data(range(4)):\n    with p.step(): pass\n"
        "import sys; assert not any(n.startswith(('gpuledger', 'msgspec')) for n in sys.modules)"
    )
    environment = {"GPULEDGER_TRAINING_SOCKET": node.path, "RANK": "1", "SLURM_JOB_ID": "9"}
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY / "collector", env=environment
    )
    assert child.wait(60) == 0
    (row,) = node.read()
    assert (row.pid, row.user, row.rank, row.steps) == (child.pid, ME, "1", 4)


def test_what_a_report_says_of_user_job_and_process_is_ignored(node: Node) -> None:
    told = json.loads(body())
    resource = told["resourceMetrics"][0]["resource"]
    lies = {
        "user": "root",
        "service.name": "another",
        "slurm.job.id": "1",
        "process.pid": "1",
        "k8s.pod.uid": "x",
        "host.name": "elsewhere",
    }
    resource["attributes"] += [{"key": k, "value": {"stringValue": v}} for k, v in lies.items()]
    assert node.post(json.dumps(told).encode())[0] == 200
    (row,) = node.read()
    assert (row.pid, row.user, row.node) == (os.getpid(), ME, "")
    true = Owners(Path("/")).of(os.getpid())
    assert (row.runtime, row.container) == (true.runtime, true.container)


def test_a_broken_report_is_one_counted_refusal(node: Node) -> None:
    assert node.post(b"{")[0] == 400
    (row,) = node.read()
    assert (row.refused, row.steps, row.pid) == (1, None, os.getpid())
    assert [r.refused for r in node.read()] == [0]


def test_a_broken_report_leaves_the_one_before_as_it_was(node: Node) -> None:
    node.post(body())
    node.post(b"{")
    (row,) = node.read()
    assert (row.steps, row.refused) == (7, 1)


def test_refusals_are_told_once_with_their_reason_and_end(node: Node) -> None:
    node.post(b"{")
    assert node.missing() == {"malformed": "1 reports that could not be used"}
    ended = [r for r in node.source.read() if isinstance(r, MissingValue)]
    assert [(r.subject, r.reason) for r in ended] == [("malformed", "")]


@pytest.mark.parametrize(
    ("status", "path", "headers"),
    [
        (404, "/v1/traces", {"Content-Type": "application/json"}),
        (415, PATH, {"Content-Type": "application/x-protobuf"}),
        (415, PATH, {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
        (411, PATH, {"Content-Type": "application/json", "Content-Length": "x"}),
        (413, PATH, {"Content-Type": "application/json", "Content-Length": str(MOST_BYTES + 1)}),
    ],
)
def test_another_request_is_refused_as_otlp_wants_it(
    node: Node, status: int, path: str, headers: dict[str, str]
) -> None:
    assert node.post(b"", path, headers)[0] == status


def test_a_head_without_end_is_cut_off(node: Node) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(node.path)
        line.sendall(b"POST / HTTP/1.1\r\n")
        with pytest.raises(OSError):  # noqa: PT011 - broken pipe or reset, as the kernel likes
            line.sendall((b"X: " + b"x" * 4096 + b"\r\n") * 1000)


def test_who_sends_a_byte_now_and_then_does_not_keep_a_place(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_door, "WITHIN_S", 0.05)
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(node.path)
        line.sendall(b"POST")
        assert line.recv(1) == b""


def test_with_every_place_taken_the_next_is_told_so(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = node.source._door._server  # type: ignore[union-attr]
    assert server
    monkeypatch.setattr(server, "_places", threading.BoundedSemaphore(1))
    assert server._places.acquire(blocking=False)
    with pytest.raises(OSError):  # noqa: PT011 - the connection ends, in whichever way
        node.post(body())
    assert "busy" in node.missing()
    server._places.release()
    assert node.post(body())[0] == 200


def test_a_user_who_reports_too_often_is_refused_until_time_passes(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_door, "BURST", 2.0)
    assert [node.post(body())[0] for _ in range(3)] == [200, 200, 429]
    node.clock.pass_s(1)
    assert node.post(body())[0] == 200
    assert "rate" in node.missing()


def test_who_reports_no_more_has_no_rows(node: Node) -> None:
    node.post(body())
    node.clock.pass_s(29)
    assert len(node.read()) == 1
    node.clock.pass_s(2)
    assert node.read() == []


def test_every_user_may_write_to_the_socket_and_nobody_finds_it_afterwards(node: Node) -> None:
    assert Path(node.path).stat().st_mode & 0o777 == 0o666
    node.source.close()
    assert not Path(node.path).exists()


def test_a_socket_that_a_killed_agent_left_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "t.sock"))
    monkeypatch.setattr(progress_door, "LOOK_S", 0.01)
    node = Node(tmp_path)
    node.read()
    assert node.post(body())[0] == 200
    node.source.close()


def test_a_socket_on_which_another_agent_listens_is_left_alone(node: Node) -> None:
    other = Training(TrainingSettings(socket=node.path), node.here)
    with pytest.raises(ReadError, match="another agent"):
        list(other.read())
    other.close()
    assert node.post(body())[0] == 200


def test_the_folder_is_made_for_everybody_to_look_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_door, "LOOK_S", 0.01)
    before = os.umask(0o077)
    try:
        node = Node(tmp_path / "new")
        node.read()
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755
    node.source.close()


def test_a_folder_that_others_may_write_is_no_place_for_the_socket(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ReadError, match="writable by no other"):
        Node(tmp_path).read()


@pytest.mark.parametrize("where", ["nowhere/deeper", "x" * 120])
def test_without_a_place_for_the_socket_the_source_is_off(tmp_path: Path, where: str) -> None:
    with pytest.raises(Unavailable, match="no "):
        Node(tmp_path / where).read()


def test_a_checkpoint_of_tomorrow_was_made_now(node: Node) -> None:
    node.post(body(TOLD._replace(last_checkpoint_s=9e9)))
    node.post(body(TOLD._replace(last_checkpoint_s=9e9)))
    (row,) = node.read()
    assert row.last_checkpoint == datetime.fromtimestamp(node.clock.wall_s, UTC)


def test_a_process_without_a_checkpoint_has_none(node: Node) -> None:
    node.post(body(Totals(steps=1)))
    assert node.read()[0].last_checkpoint == UNSET_TIME


def test_where_it_is_off_nothing_of_it_is_loaded() -> None:
    """The agent looks at the settings of every source, and starts those that are asked for."""
    code = (
        "import sys, collector.run\nfrom collector.sources.training import source\n"
        "from collector.source import Context\n"
        "source.make(source.settings(), Context('c', 'n'))\n"
        "print(*(n for n in ('http.server', 'socketserver', 'collector.progress_door',"
        " 'collector.progress_report', 'collector.training_hook') if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_hook_and_source_meet_without_a_word_of_configuration() -> None:
    assert TrainingSettings().socket == training_hook.SOCKET


def test_nobody_gets_it_who_does_not_ask() -> None:
    assert source.optional
