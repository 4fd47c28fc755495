"""What kind of work each job does: by the model, or by a rule where the model cannot be used.

A job is judged once it has half an hour of telemetry, again whenever it has run twice as long as at
the last judgement, and once more when it has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.learn import features, framework, model
from analytics.learn.features import Features
from analytics.learn.settings import LearnSettings
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import JobClass
from gpuledger.errors import ConfigError
from gpuledger.store import Store

log = logging.getLogger(__name__)

RULE = "rule"
CLASSES = ("training", "inference", "notebook", "preparation", "science", "idle")
# Below this share of active time, a job that nobody called a service or interactive is idle.
RULE_IDLE_RATIO = 0.01
RULE_CONFIDENCE = 0.5


def learn(store: Store, now: datetime, settings: LearnSettings) -> None:
    """Judge the jobs that are due."""
    due = store.select(
        _DUE_SQL,
        now=now,
        since=now - features.WINDOW,
        least=settings.class_minutes,
        most=settings.class_most,
    )
    jobs = [row["job_id"] for row in due]
    found = features.of_jobs(store, jobs, now)
    frameworks = framework.of_jobs(store, jobs, now - timedelta(hours=1), now)
    names, shares, version = judge(found)
    store.insert_rows(
        [
            JobClass(
                job_id=job,
                work=work,
                confidence_ratio=float(share),
                framework=frameworks.get(job, ""),
                model=version,
                minutes=int(minutes),
                version=to_milliseconds(now),
            )
            for job, work, share, minutes in zip(
                found.jobs, names, shares, found.minutes, strict=True
            )
            if minutes >= settings.class_minutes
        ]
    )


def judge(found: Features) -> tuple[Sequence[str], npt.NDArray[np.float64], str]:
    """Class and confidence of each job, and by which model."""
    try:
        known = model.load()
    except ConfigError as e:
        log.error("jobs are classed by rule: %s", e)
        return rule(found), np.full(len(found.jobs), RULE_CONFIDENCE), RULE
    shares = known.shares(found.values)
    return [known.classes[i] for i in shares.argmax(axis=1)], shares.max(axis=1), known.version


def rule(found: Features) -> list[str]:
    """The simple baseline: what the scheduler calls it, else idle or training by its activity."""
    told = {"interactive": "notebook", "service": "inference"}
    active = found.values[:, features.NAMES.index("active")]
    return [
        told.get(kind, "idle" if share < RULE_IDLE_RATIO else "training")
        for kind, share in zip(found.kinds, active, strict=True)
    ]


_TIME = "DateTime64(3, 'UTC')"
# Minutes are GPU-minutes that a job could have by now, of the window that features look at; what is
# too much for one call is due at the next.
_DUE_SQL = f"""
WITH held AS (
    SELECT job_id, max(valid_to) AS ended, min(valid_from) AS began,
      sum(dateDiff('minute', greatest(valid_from, {{since:{_TIME}}}),
        least(valid_to, {{now:{_TIME}}}))) AS minutes
    FROM allocations FINAL WHERE valid_from < {{now:{_TIME}}} AND valid_to > {{since:{_TIME}}}
    GROUP BY job_id)
SELECT job_id FROM (
SELECT h.job_id AS job_id, h.minutes AS minutes,
  sum(h.minutes) OVER (ORDER BY k.job_id != '', h.minutes, h.job_id) AS read
FROM held AS h LEFT JOIN (SELECT * FROM job_classes FINAL) AS k ON k.job_id = h.job_id
WHERE h.minutes >= {{least:UInt32}} AND (k.job_id = '' OR toUnixTimestamp64Milli({{now:{_TIME}}})
    - toUnixTimestamp64Milli(h.began) >= 2 * (k.version - toUnixTimestamp64Milli(h.began))
  OR (h.ended <= {{now:{_TIME}}} AND k.version < toUnixTimestamp64Milli(h.ended)))
) WHERE read - minutes < {{most:UInt64}}
"""
