"""A smaller request, in words and as findings hold it."""

from __future__ import annotations

import pytest

from analytics.less import Less, read, text

REQUESTS = [
    (Less(gpus=2), "2 GPUs"),
    (Less(gpus=1), "1 GPU"),
    (Less(gpus=1, size=1), "one 1g slice"),
    (Less(gpus=4, size=3), "4 3g slices"),
    (Less(model="NVIDIA A30"), "NVIDIA A30"),
    (Less(cpus=16), "16 processors"),
    (Less(memory_gib=143), "143 GiB of memory"),
    (Less(cpus=8, memory_gib=32), "8 processors and 32 GiB of memory"),
]


@pytest.mark.parametrize(("less", "words"), REQUESTS)
def test_a_request_has_words(less: Less, words: str) -> None:
    assert less.words == words


@pytest.mark.parametrize("less", [less for less, _ in REQUESTS])
def test_a_request_is_read_as_it_was_written(less: Less) -> None:
    assert read(text(less)) == less


def test_no_smaller_request_is_an_empty_text() -> None:
    assert text(Less()) == ""
    assert read("") == Less()
