"""What each class of question may take of the engine, and what the read-only door lets through."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from gpuledger.errors import StoreError

GIB = 1 << 30


@dataclass(frozen=True)
class QueryClass:
    """Limits of one class of questions; 0 is no limit of ours.

    `share` is the part of this machine's cores (at least one), `at_once` how many questions of the
    class a service answers at the same time. `nice` counts in the embedded engine alone, and where
    the process may set it (CAP_SYS_NICE).
    """

    name: str
    seconds: int
    memory_bytes: int
    rows: int = 0
    share: float = 1.0
    nice: int = 0
    at_once: int = 0

    def settings(self, *, embedded: bool) -> dict[str, int]:
        """The engine's settings of a question of this class."""
        out = {
            "max_execution_time": self.seconds,
            "max_memory_usage": self.memory_bytes,
            # Our conditions gain nothing by it, and planning a booking takes twice as long.
            "optimize_and_compare_chain": 0,
            # Times are constants of our questions: what is compiled for one serves no other.
            "compile_expressions": 0,
            "compile_aggregate_expressions": 0,
            "compile_sort_description": 0,
        }
        if self.rows:
            out["max_result_rows"] = self.rows
        if self.share < 1:
            out["max_threads"] = max(1, int((os.cpu_count() or 1) * self.share))
        if self.nice and embedded:
            out["os_threads_nice_value_query"] = self.nice
        return out


# Inserts have no class: they wait for nobody. The service's own analytics comes next; what people
# ask themselves leaves half of the cores to both.
BOOKING = QueryClass("booking", seconds=300, memory_bytes=8 * GIB)
BOARDS = QueryClass("boards", seconds=30, memory_bytes=2 * GIB)
AD_HOC = QueryClass(
    "ad-hoc", seconds=60, memory_bytes=4 * GIB, rows=1_000_000, share=0.5, nice=10, at_once=2
)
EXPORT = QueryClass("export", seconds=300, memory_bytes=4 * GIB, share=0.5, nice=10, at_once=1)
CLASSES = (BOOKING, BOARDS, AD_HOC, EXPORT)

# The engine's formatter drops comments, spells keywords alike and refuses a second statement.
PLAIN_SQL = "SELECT formatQuerySingleLine({sql:String})"
QUESTIONS = {"SELECT", "WITH", "EXPLAIN", "DESCRIBE", "SHOW"}
# A string, or (kept) an identifier in backticks.
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|(`(?:[^`\\]|\\.)*`)")


def check_question(plain: str) -> None:
    """Refuse what the engine's `readonly` lets through: its files, and all that is no question.

    `plain` is the answer to PLAIN_SQL. StoreError where it is refused.
    """
    words = re.findall(r"\w+", QUOTED.sub(r"\1", plain))
    if words[0] not in QUESTIONS or {"file", "OUTFILE"} & set(words):
        raise StoreError("only questions about tables are answered here, none about files")


def broken_limit(said: str, limits: QueryClass) -> str:
    """In words, the limit that the engine's error tells of; empty where it tells of none."""
    reasons = {
        "TIMEOUT_EXCEEDED": f"it took longer than {limits.seconds} s",
        "MEMORY_LIMIT_EXCEEDED": f"it needs more than {limits.memory_bytes / GIB:g} GiB",
        "TOO_MANY_ROWS": f"it has more than {limits.rows:,} rows",
        "QUERY_WAS_CANCELLED": "it was cancelled",
    }
    reason = next((words for code, words in reasons.items() if code in said), "")
    if not reason:
        return ""
    return (
        f"the question was ended: {reason}, the limit of {limits.name} questions;"
        " ask for less time, or a rollup (v_gpu_samples_1m, _1h, _1d)"
    )
