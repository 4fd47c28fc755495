"""Who may report, by the word of the kernel, and how many."""

from __future__ import annotations

import json
import os
import pwd
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.processes import Owner, Owners
from collector.progress_door import Peer, Refused, Senders, peer_of
from collector.source import Context
from collector.training_hook import Totals, payload
from tests.collector.support import FakeClock, context

ME = pwd.getpwuid(os.getuid()).pw_name
SLURM = "0::/system.slice/slurmstepd.scope/job_42/step_0/user/task_0\n"
BODY = json.dumps(payload(Totals(7), "3", 1, 2)).encode()


def test_the_job_is_the_one_of_the_control_group(tmp_path: Path) -> None:
    """Whatever the environment and the report say."""
    folder = tmp_path / "proc/42"
    folder.mkdir(parents=True)
    (tmp_path / "proc/stat").write_text("cpu 1\nbtime 1700000000\n")
    (folder / "stat").write_text("42 (x) S 1 40 40 " + "0 " * 15 + "5000 1 1")
    (folder / "cgroup").write_text(SLURM)
    (folder / "environ").write_bytes(b"SLURM_JOB_ID=7\0")
    senders = Senders(Context("c", "n1", root=tmp_path, clock=FakeClock().clock), 8)
    senders.take(Peer(42, os.getuid(), 0), BODY)
    told, _ = senders.told()
    assert (told[42].owner.runtime, told[42].owner.container) == ("slurm", "42")
    assert told[42].user == ME


def test_a_process_id_that_is_used_again_is_another_sender(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    senders = Senders(context(Path("/")), 8)
    peer = Peer(os.getpid(), os.getuid(), 0)
    senders.take(peer, BODY)
    other = Owner(started=datetime(2026, 1, 1, tzinfo=UTC), runtime="slurm", container="8")
    monkeypatch.setattr(Owners, "look", lambda _self, _pid: other)
    with pytest.raises(Refused):
        senders.take(peer, b"")
    sender = senders.told()[0][peer.pid]
    assert (sender.report, sender.owner) == (None, other)


def test_a_process_that_the_agent_cannot_see_is_refused() -> None:
    senders = Senders(context(Path("/")), 8)
    with pytest.raises(Refused, match="cannot see"):
        senders.take(Peer(0, 0, 0), BODY)
    with pytest.raises(Refused, match="cannot see"):
        senders.take(Peer(1 << 30, 0, 0), BODY)


def test_the_kernel_names_the_other_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_of(ours) == Peer(os.getpid(), os.getuid(), os.getgid())


def test_one_user_leaves_places_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    senders = Senders(context(Path("/"), clock), 4)
    monkeypatch.setattr(
        Owners, "look", lambda _self, pid: Owner(started=datetime.fromtimestamp(pid, UTC))
    )
    senders.take(Peer(1, 7, 7), BODY)
    senders.take(Peer(2, 7, 7), BODY)
    with pytest.raises(Refused, match="too many"):
        senders.take(Peer(3, 7, 7), BODY)
    senders.take(Peer(4, 8, 8), BODY)
    clock.pass_s(31)
    senders.take(Peer(3, 7, 7), BODY)
