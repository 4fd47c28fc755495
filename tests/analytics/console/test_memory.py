"""What is found out once and kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from analytics.console.memory import Memory


def test_what_was_found_out_is_at_hand_for_the_same_question_alone() -> None:
    memory = Memory()
    assert memory.at_hand(1) is None
    assert memory.of(1, lambda: "one") == "one"
    assert memory.at_hand(1) == "one"
    assert memory.at_hand(2) is None


def test_another_question_takes_the_place_of_the_last() -> None:
    memory = Memory()
    memory.of(1, lambda: "one")
    assert memory.of(2, lambda: "two") == "two"
    assert memory.at_hand(1) is None


def test_of_several_who_ask_at_once_only_one_works() -> None:
    memory, together, worked = Memory(), Barrier(4), []

    def ask() -> object:
        together.wait(10)
        return memory.of("all", lambda: worked.append(1) or "found")  # type: ignore[func-returns-value]

    with ThreadPoolExecutor(4) as pool:
        answers = [future.result(10) for future in [pool.submit(ask) for _ in range(4)]]
    assert answers == ["found"] * 4
    assert worked == [1]
