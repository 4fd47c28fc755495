"""`gpuledger job` in words: a line for what is known, none for what is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gpuledger.cli.job import _lines

SAVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JOB: dict[str, Any] = {
    **dict.fromkeys(("work", "framework", "name", "pool", "kind", "submitted", "wait_seconds")),
    **dict.fromkeys(("started", "ended", "sm_active_ratio", "energy_kwh", "reason", "progress")),
    "job_id": "c/1",
    "user": "ana",
    "team": "vision",
    "nodes": 2,
    "gpus_per_node": 8,
    "gpus": 16,
    "on": ["n0", "n1"],
    "state": "failed",
}
PROGRESS = {
    "goodput_ratio": 0.614,
    "data_wait_ratio": 0.21,
    "checkpoint_ratio": None,
    "ranks": 16,
    "steps": 600,
    "last_step": 1600,
    "last_checkpoint": SAVED,
    "lost_gpu_seconds": 9000.0,
}


def test_a_job_without_a_training_hook_has_no_lines_of_it() -> None:
    assert _lines(JOB) == [
        "Job c/1       ana · vision",
        "asked for     2 × 8 GPUs",
        "got           16 GPUs on n0, n1",
        "state         failed",
    ]


def test_what_the_training_hook_told_is_shown_with_what_the_failure_cost() -> None:
    assert _lines({**JOB, "progress": PROGRESS})[4:] == [
        "goodput       61.4 %",
        "data wait     21.0 %",
        "last step     1,600",
        "last saved    2026-01-02 03:04:05 UTC",
        "lost work     2.5 GPU-hours",
    ]
