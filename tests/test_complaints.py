"""The driver's and the server's words, as people are told them."""

from __future__ import annotations

import pytest

from gpuledger.address import Address
from gpuledger.complaints import translated, unwrapped

SERVER = "Received ClickHouse exception, code: 81, server response: Code: 81. DB::Exception: "
END = " (version 26.7.2.1 (official build)) (for url http://db:8123)"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"{SERVER}Database a does not\nexist. (X){END}", "Database a does not exist. (X)"),
        (
            "Code: 599. DB::Exception: Backup File('a') not found. (X),",
            "Backup File('a') not found. (X)",
        ),
        (
            "Code: 60. DB::Exception: Unknown table 'a'. In scope SELECT 1 FROM (SELECT 2). (X)",
            "Unknown table 'a'. (X)",
        ),
        (
            "Unknown identifier `a` in scope SELECT a. Maybe you meant: ['b']. (X)",
            "Unknown identifier `a`. Maybe you meant: ['b']. (X)",
        ),
        ("Syntax error: in scope of nothing", "Syntax error: in scope of nothing"),
    ],
)
def test_only_the_servers_own_words_are_told(said: str, told: str) -> None:
    assert unwrapped(said) == told


def test_a_right_that_is_missing_says_where_rights_are_named() -> None:
    error = RuntimeError(f"{SERVER}me: Not enough privileges. (ACCESS_DENIED){END}")
    told = str(translated(error, Address(host="db", user="me")))
    assert "me: Not enough privileges. (ACCESS_DENIED); docs/schema.md" in told
