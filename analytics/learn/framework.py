"""Which framework a job runs, as far as names tell.

Agents tell base names of executables, never arguments, environment or modules, so that most jobs
are `python` and no more. A program that is named after its framework tells it, and so does a word
in the job's own name; where two are named, or none, it is unknown.
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


def of(name: str, executables: Iterable[str]) -> str:
    """pytorch, tensorflow, jax, or empty where the names do not tell, or tell of several."""
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    found = {framework for framework, known in WORDS.items() if words & set(known)}
    found |= {EXECUTABLES[e] for e in executables if e in EXECUTABLES}
    return found.pop() if len(found) == 1 else ""


def of_jobs(store: Store, jobs: Sequence[str], since: datetime, until: datetime) -> dict[str, str]:
    """Framework of each of these jobs, from its name and from what ran on its GPUs meanwhile."""
    rows = store.select(_SQL, only=list(jobs), since=since, until=until) if jobs else []
    return {row["job_id"]: of(row["name"], row["executables"]) for row in rows}


_TIME = "DateTime64(3, 'UTC')"
_SQL = f"""
SELECT j.job_id AS job_id, j.name AS name, p.executables AS executables
FROM (SELECT job_id, name FROM jobs FINAL WHERE has({{only:Array(String)}}, job_id)) AS j
LEFT JOIN (
  SELECT l.job_id AS job_id, groupUniqArray(toString(s.executable)) AS executables
  FROM (SELECT gpu_id, ts, executable FROM process_samples
    WHERE ts > {{since:{_TIME}}} AND ts <= {{until:{_TIME}}}) AS s
  INNER JOIN (SELECT gpu_id, job_id, valid_from, valid_to FROM allocations FINAL
    WHERE has({{only:Array(String)}}, job_id)) AS l ON l.gpu_id = s.gpu_id
  WHERE s.ts > l.valid_from AND s.ts <= l.valid_to GROUP BY job_id) AS p
ON p.job_id = j.job_id
"""
