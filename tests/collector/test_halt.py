"""The service can have a whole fleet of agents read nothing, without a login anywhere."""

from __future__ import annotations

import pytest

from collector.halt import LONGEST_S, Halt
from collector.runner import PAUSED, Runner
from collector.stamp import Stamp
from gpuledger.catalogue.host import SourceRun
from gpuledger.schema import Row
from tests.collector.support import FakeClock, Lines, Script, context, host_row


@pytest.fixture
def halt() -> Halt:
    return Halt()


def test_nothing_holds_before_a_word(halt: Halt) -> None:
    assert not halt.holds(0.0)


def test_a_word_holds_as_long_as_it_says(halt: Halt) -> None:
    halt.hear("900", 200, 100.0)
    assert halt.holds(999.0)
    assert not halt.holds(1001.0)


def test_a_door_that_is_well_and_says_nothing_ends_it(halt: Halt) -> None:
    halt.hear("900", 200, 100.0)
    halt.hear(None, 200, 110.0)
    assert not halt.holds(110.0)


def test_a_proxy_that_fails_ends_nothing(halt: Halt) -> None:
    halt.hear("900", 503, 100.0)
    halt.hear(None, 502, 110.0)
    assert halt.holds(110.0)


@pytest.mark.parametrize("value", ["999999999", "soon", "-1", "", "²"])
def test_an_odd_word_holds_no_longer_than_the_bound(halt: Halt, value: str) -> None:
    halt.hear(value, 200, 0.0)
    assert halt.holds(LONGEST_S - 1)
    assert not halt.holds(LONGEST_S)


def test_a_paused_source_is_not_asked_and_says_why() -> None:
    clock, log, delivered = FakeClock(), Lines(), list[Row]()
    here = context(clock=clock, lines=log)
    source = Script([host_row()], [host_row()])
    runner = Runner(
        "test", source, here, Stamp(here, epoch=7), lambda rows, _: delivered.extend(rows)
    )
    here.halt.hear("900", 200, here.clock.monotonic())
    clock.pass_s(1.0)
    (run,) = runner.read_once()
    assert isinstance(run, SourceRun)
    assert (run.reason, run.rows) == (PAUSED, 0)
    here.halt.hear(None, 200, here.clock.monotonic())
    clock.pass_s(1.0)
    assert len(runner.read_once()) == 2


def test_the_agent_goes_on_telling_of_itself() -> None:
    clock = FakeClock()
    here = context(clock=clock, lines=Lines())
    source = Script([host_row()])
    source.pauses = False  # type: ignore[misc] # as the account declares for its class
    runner = Runner("agent", source, here, Stamp(here, epoch=7), lambda *_: None)
    here.halt.hear("900", 200, here.clock.monotonic())
    clock.pass_s(1.0)
    assert len(runner.read_once()) == 2
