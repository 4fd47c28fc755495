"""What XIDs mean: the ones that decide what people do."""

from __future__ import annotations

import pytest

from collector.xid import ACTIONS, UNKNOWN, XIDS, Meaning, action, meaning, switch_meaning
from gpuledger.catalogue.gpu import GpuEvent


@pytest.mark.parametrize("code", [48, 62, 64, 74, 79, 95, 119, 120, 140, 144, 150])
def test_codes_of_broken_hardware_are_the_hardwares(code: int) -> None:
    assert meaning(code).cause == "hardware"
    assert meaning(code).recovery not in {"", "none"}


@pytest.mark.parametrize("code", [8, 13, 31, 43, 69, 134])
def test_codes_of_broken_programs_are_the_applications(code: int) -> None:
    assert meaning(code).cause == "application"


@pytest.mark.parametrize("code", [45, 63, 92, 154])
def test_codes_that_only_inform_say_so(code: int) -> None:
    assert meaning(code).cause == "information"


def test_a_code_that_nobody_explains_has_no_class() -> None:
    assert meaning(999) == UNKNOWN == Meaning("", "", "")


def test_a_numbered_engine_has_its_number() -> None:
    assert meaning(40).text == "copy engine 1 error"
    assert meaning(85).text == "copy engine 9 error"
    assert meaning(126).text == "copy engine 10 error"
    assert meaning(88).text == "video decoder 3 error"
    assert meaning(105).text == "JPEG decoder 7 error"


def test_every_explained_code_has_a_text_and_a_class_that_the_catalogue_knows() -> None:
    classes = {known.cause for known in XIDS.values()} - {""}
    assert all(known.text for known in XIDS.values())
    assert all(name in GpuEvent.cause.help for name in classes)
    assert set(XIDS) <= set(range(1, 200))


def test_recovery_actions_are_words_and_a_new_one_is_its_number() -> None:
    assert [action(code) for code in (0, 1, 2, 4, 7)] == [ACTIONS[i] for i in (0, 1, 2, 4, 7)]
    assert action(1) == "reset GPU"
    assert action(12) == "action 12"
    assert action(-1) == "action -1"


def test_the_drivers_word_decides_whether_a_switchs_error_is_fatal() -> None:
    assert switch_meaning("Fatal").cause == "hardware"
    assert switch_meaning("Non-fatal").cause == "information"
    assert switch_meaning("") == UNKNOWN
