"""What each version of Slurm answers for one small cluster, built from the documented shapes.

22.05 says plain numbers and words; 23.02 wrapped what may be unset or infinite in {set, infinite,
number} and put a partition's words below headings; 23.11 made states lists and spelled requests
`gres/gpu`; 24.05 and later have a job's nodes in `job_resources.nodes` as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

VERSIONS = ("22.05", "23.02", "23.11", "24.05", "24.11", "25.05")
REST = {
    "22.05": "0.0.38",
    "23.02": "0.0.39",
    "23.11": "0.0.40",
    "24.05": "0.0.41",
    "24.11": "0.0.42",
    "25.05": "0.0.43",
}
SUBMIT, START, END = 1_795_320_000, 1_795_320_060, 1_795_323_600


class Told:
    """The same facts in the words of one version."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.wraps = version >= "23.02"
        self.lists = version >= "23.11"

    def number(self, value: int | None) -> Any:
        if not self.wraps:
            return value
        return {"set": value is not None, "infinite": False, "number": value or 0}

    def state(self, *words: str) -> Any:
        return list(words) if self.lists else words[0]

    def request(self, gres: str) -> str:
        return f"gres/{gres}" if self.lists else f"gres:{gres}"

    def job(self, native: int, *state: str, **more: Any) -> dict[str, Any]:
        held = "RUNNING" in state
        told = {
            "job_id": native,
            "name": "train",
            "user_name": "ada",
            "account": "vision",
            "partition": "gpu",
            "qos": "normal",
            "job_state": self.state(*state),
            "state_reason": "Resources" if "PENDING" in state else "None",
            "batch_flag": True,
            "features": "ib",
            "resv_name": "",
            "restart_cnt": 0,
            "priority": self.number(100),
            "node_count": self.number(1),
            "cpus": self.number(8),
            "tasks": self.number(1),
            "array_job_id": self.number(0),
            "array_task_id": self.number(None),
            "array_task_string": "",
            "het_job_id": self.number(0),
            "tres_per_node": self.request("gpu:h100:2"),
            "tres_req_str": "cpu=8,mem=64G,node=1,gres/gpu=2",
            "nodes": "n1" if held else "",
            "gres_detail": ["gpu:h100:2(IDX:0-1)"] if held else [],
            "submit_time": self.number(SUBMIT),
            "eligible_time": self.number(SUBMIT),
            "start_time": self.number(START if "PENDING" not in state else 0),
            "end_time": self.number(END),
            "time_limit": self.number(60),
        }
        if self.version >= "24.05":
            told["job_resources"] = {"nodes": {"count": 1, "list": "n1", "allocation": []}}
        return {**told, **more}

    def node(self, **more: Any) -> dict[str, Any]:
        both = "ib,gen5"
        told = {
            "name": "n1",
            "state": self.state("MIXED"),
            "reason": "",
            "gres": "gpu:h100:2,shard:h100:8",
            "cpus": 64,
            "real_memory": 64000,
            "features": both.split(",") if self.lists else both,
            "active_features": both.split(",") if self.lists else both,
            "partitions": ["gpu"],
            "reason_changed_at": self.number(0),
        }
        return {**told, **more}

    def partition(self) -> dict[str, Any]:
        if not self.wraps:
            return {
                "name": "gpu",
                "nodes": "n[1-2]",
                "state": "UP",
                "preemption_mode": ["requeue"],
                "priority_tier": 3,
                "max_time_limit": 120,
            }
        return {
            "name": "gpu",
            "nodes": {"configured": "n[1-2]", "total": 2, "allowed_allocation": ""},
            "partition": {"state": ["UP"]},
            "priority": {"tier": 3, "job_factor": 1},
            "maximums": {"time": self.number(120)},
        }

    def reservation(self) -> dict[str, Any]:
        return {
            "name": "fix",
            "node_list": "n[1-2]",
            "users": "ada,bob",
            "accounts": "",
            "partition": "",
            "flags": ["MAINT", "SPEC_NODES"],
            "start_time": self.number(START),
            "end_time": self.number(END),
        }

    def ended(self, native: int = 7, *, start: int = START, end: int = END) -> dict[str, Any]:
        return {
            "job_id": native,
            "name": "train",
            "user": "ada",
            "account": "vision",
            "partition": "gpu",
            "qos": "normal",
            "allocation_nodes": 1,
            "state": {"current": self.state("TIMEOUT"), "reason": "None"},
            "time": {"submission": SUBMIT, "start": start, "end": end},
            "tres": {
                "allocated": [
                    {"type": "cpu", "name": None if not self.lists else "", "count": 8},
                    {"type": "gres", "name": "gpu", "count": 2},
                    {"type": "gres", "name": "gpu:h100", "count": 2},
                ]
            },
        }

    def rest(self, path: str) -> tuple[int, bytes]:
        """What slurmrestd of that version answers."""
        version = REST[self.version]
        if path == "/openapi/v3":
            older = {"/slurm/v0.0.36/jobs": {}, "/slurm/v0.0.38/job/{job_id}": {}}
            return 200, encode({"paths": {**older, f"/slurm/v{version}/jobs/": {}}})
        answers = {
            f"/slurm/v{version}/jobs": {"jobs": [self.job(7, "RUNNING"), self.job(8, "PENDING")]},
            f"/slurm/v{version}/nodes": {"nodes": [self.node()]},
            f"/slurm/v{version}/partitions": {"partitions": [self.partition()]},
            f"/slurm/v{version}/reservations": {"reservations": [self.reservation()]},
            f"/slurmdb/v{version}/jobs": {"jobs": [self.ended()]},
        }
        found = answers.get(path.partition("?")[0])
        return (200, encode({**found, "errors": []})) if found else (404, b"not found")


def encode(told: Mapping[str, Any]) -> bytes:
    # Slurm's own writer escapes slashes.
    return json.dumps(told).replace("/", "\\/").encode()
