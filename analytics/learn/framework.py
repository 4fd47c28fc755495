"""Which framework a job runs: by the libraries that its processes mapped, else by names.

Agents that may look tell the framework of each process. Elsewhere there are base names of
executables, of which most are `python`: a program that is named after its framework tells it, and
so does a word in the job's own name. Where two are told, or none, it is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gpuledger.store import Store

# Words of job names: the frameworks themselves, and libraries that run on one of them alone.
WORDS: Mapping[str, tuple[str, ...]] = {
    "pytorch": (
        *("pytorch", "torch", "torchrun", "lightning", "deepspeed", "fsdp", "ddp", "megatron"),
        *("torchtitan", "torchtune", "fairseq", "vllm", "sglang", "unsloth", "axolotl"),
    ),
    "tensorflow": ("tensorflow", "tf", "tf2", "keras", "tfx", "tfjob"),
    "jax": ("jax", "flax", "maxtext", "t5x", "paxml", "levanter"),
}
EXECUTABLES: Mapping[str, str] = {
    "tensorflow_model_server": "tensorflow",
    "torchrun": "pytorch",
    "torchserve": "pytorch",
    "pt_main_thread": "pytorch",
    "vllm": "pytorch",
}


def of(name: str, executables: Iterable[str], mapped: Iterable[str] = ()) -> str:
    """pytorch, tensorflow, jax, or empty where nothing tells, or several are told.

    What processes mapped outweighs every name, and names decide where processes differ.
    """
    sure = set(mapped)
    if len(sure) == 1:
        return sure.pop()
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    found = {framework for framework, known in WORDS.items() if words & set(known)}
    found |= {EXECUTABLES[e] for e in executables if e in EXECUTABLES}
    return found.pop() if len(found) == 1 else ""


def of_jobs(store: Store, jobs: Sequence[str], since: datetime, until: datetime) -> dict[str, str]:
    """Framework of each of these jobs, from what ran on its GPUs meanwhile and from its name."""
    rows = store.select(_SQL, only=list(jobs), since=since, until=until) if jobs else []
    return {row["job_id"]: of(row["name"], row["executables"], row["mapped"]) for row in rows}


def judged(store: Store, jobs: Sequence[str]) -> dict[str, str]:
    """Framework of each of these jobs as last judged; without those of which none is known."""
    rows = store.select(_JUDGED_SQL, only=list(jobs)) if jobs else []
    return {row["job_id"]: row["framework"] for row in rows}


_JUDGED_SQL = """
SELECT job_id, toString(framework) AS framework FROM job_classes FINAL
WHERE has({only:Array(String)}, job_id) AND framework != ''
"""
_TIME = "DateTime64(3, 'UTC')"
_SQL = f"""
SELECT j.job_id AS job_id, j.name AS name, p.executables AS executables, p.mapped AS mapped
FROM (SELECT job_id, name FROM jobs FINAL WHERE has({{only:Array(String)}}, job_id)) AS j
LEFT JOIN (
  SELECT l.job_id AS job_id, groupUniqArray(toString(s.executable)) AS executables,
    groupUniqArrayIf(toString(s.framework), s.framework != '') AS mapped
  FROM (SELECT gpu_id, ts, executable, framework FROM process_samples
    WHERE ts > {{since:{_TIME}}} AND ts <= {{until:{_TIME}}}) AS s
  INNER JOIN (SELECT gpu_id, job_id, valid_from, valid_to FROM allocations FINAL
    WHERE has({{only:Array(String)}}, job_id)) AS l ON l.gpu_id = s.gpu_id
  WHERE s.ts > l.valid_from AND s.ts <= l.valid_to GROUP BY job_id) AS p
ON p.job_id = j.job_id
"""
