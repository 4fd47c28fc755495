"""What comes by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.advice.waiting import Waiting, by_itself
from analytics.repacking.instance import Instance
from gpuledger.errors import ConfigError
from tests.analytics.advice.fleets import EIGHT, NOW, after, node, pod, two_nodes


def test_the_first_known_end_that_brings_as_much_is_found() -> None:
    tasks = (
        pod("a", "n0", 0, ends_by=after(1)),
        pod("b", "n0", 1, ends_by=after(3)),
        pod("c", "n1", 0, ends_by=after(5)),
    )
    fleet = Instance((node("n0"), node("n1")), tasks, (EIGHT,))
    assert by_itself(fleet, "slots:8", 8, NOW) == Waiting(NOW + timedelta(hours=3), 3)
    assert by_itself(fleet, "slots:8", 16, NOW) == Waiting(NOW + timedelta(hours=5), 3)
    assert by_itself(fleet, "slots:8", 17, NOW).until is None


def test_without_known_ends_nothing_comes_by_itself() -> None:
    assert by_itself(two_nodes(), "slots:8", 8, NOW) == Waiting(None, 0)


def test_an_end_in_the_past_is_not_known_any_more() -> None:
    assert by_itself(two_nodes(ends_by=after(-1)), "slots:8", 8, NOW) == Waiting(None, 0)


def test_an_end_that_is_no_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="task a: ends_by soon is no RFC 3339 time"):
        by_itself(two_nodes(ends_by="soon"), "slots:8", 8, NOW)
