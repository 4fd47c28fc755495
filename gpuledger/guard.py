"""What may be asked through the read-only door of the embedded engine."""

from __future__ import annotations

import re

from gpuledger.errors import StoreError

# Seconds, rows of the answer, bytes of memory.
LIMITS = {"max_execution_time": 60, "max_result_rows": 1_000_000, "max_memory_usage": 4 << 30}
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
