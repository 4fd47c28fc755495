"""Where a request fits, and what keeps it out where it does not."""

from __future__ import annotations

import pytest

from analytics.placing.shapes import Kind, Node, Shape, Wish, fits, obstacle, pieces, share, take
from tests.analytics.placing.world import node


def words(*names: str) -> frozenset[str]:
    return frozenset(names)


@pytest.mark.parametrize(
    ("known", "asked", "cause"),
    [
        ({}, Shape(4), ""),
        ({}, Shape(5), "gpu_count_on_node"),
        ({"gpu_model": "NVIDIA H100 80GB HBM3"}, Shape(1, wish=Wish(gpu_model="h100")), ""),
        ({"gpu_model": "NVIDIA A100"}, Shape(1, wish=Wish(gpu_model="h100")), "gpu_type"),
        ({"pools": words("a", "b")}, Shape(1, wish=Wish(pools=words("b"))), ""),
        ({"pools": words("a")}, Shape(1, wish=Wish(pools=words("b"))), "taint_partition"),
        ({"pools": words("b", "c")}, Shape(1, wish=Wish(pools=words("a", "b"))), ""),
        ({"pools": words("a")}, Shape(1), ""),
        ({}, Shape(1, wish=Wish(pools=words("any"))), ""),
        ({"cpu_milli": 8000}, Shape(1, cpu_milli=8000), ""),
        ({"cpu_milli": 8000}, Shape(1, cpu_milli=8001), "cpu_ram"),
        ({"memory_mib": 100}, Shape(1, memory_mib=101), "cpu_ram"),
        ({}, Shape(1, cpu_milli=10**9, memory_mib=10**9), ""),
        ({"tainted": True}, Shape(1), "taint_partition"),
        (
            {"labels": words("ib"), "known_words": words("ib")},
            Shape(1, wish=Wish(words=words("ib"))),
            "",
        ),
        ({"known_words": words("ib")}, Shape(1, wish=Wish(words=words("ib"))), "taint_partition"),
        ({}, Shape(1, wish=Wish(words=words("ib"))), ""),
        ({"name": "n0"}, Shape(1, wish=Wish(on=words("n0"))), ""),
        ({"name": "n0"}, Shape(1, wish=Wish(on=words("n1"))), "data_locality"),
        ({"name": "n0"}, Shape(1, wish=Wish(off=words("n0"))), "data_locality"),
        ({}, Shape(1, wish=Wish(cluster="other")), "taint_partition"),
        ({}, Shape(1, share_milli=143), "mig_shape"),
    ],
)
def test_a_request_fits_where_everything_it_asks_for_is_left(
    known: dict[str, object], asked: Shape, cause: str
) -> None:
    assert obstacle(node(**known), asked) == cause  # type: ignore[arg-type]
    assert fits(node(**known), asked) is (cause == "")  # type: ignore[arg-type]


def test_what_others_hold_of_processors_and_memory_is_not_left() -> None:
    place = node(cpu_milli=8000, memory_mib=100)
    place.cpu_used, place.memory_used = 4000, 50
    assert fits(place, Shape(1, cpu_milli=4000, memory_mib=50))
    assert obstacle(place, Shape(1, cpu_milli=4001)) == "cpu_ram"
    assert obstacle(place, Shape(1, memory_mib=51)) == "cpu_ram"


@pytest.mark.parametrize("closed", ["down", "reserved"])
def test_nothing_fits_on_a_closed_node(closed: str) -> None:
    place = node()
    setattr(place, closed, 1)
    assert not fits(place, Shape(1))


def test_an_exclusive_job_wants_a_whole_node_and_takes_it() -> None:
    assert not fits(node(free=3, of=4), Shape(1, exclusive=True))
    assert take(node(free=4), Shape(1, exclusive=True)) == [0, 1, 2, 3]


def cut(*sizes: int) -> Node:
    """A node with one card, cut into slices."""
    kind = Kind(cluster="c", cut=1, parts=True)
    return Node("c/n0", kind, slices={0: sizes})


def test_a_slice_fits_only_where_one_of_its_size_is_free() -> None:
    assert fits(cut(143, 429), Shape(1, share_milli=143))
    assert obstacle(cut(429, 429), Shape(1, share_milli=143)) == "mig_shape"
    assert obstacle(cut(143), Shape(2, share_milli=143)) == "mig_shape"


def test_a_whole_gpu_is_not_to_be_had_of_a_cut_card() -> None:
    assert obstacle(cut(429, 429), Shape(1)) == "mig_shape"


def test_a_slice_that_was_taken_is_gone() -> None:
    place = cut(143, 143, 429)
    assert take(place, Shape(2, share_milli=143)) == [0, 0]
    assert place.slices == {0: (429,)}


def shared(free: int = 2) -> Node:
    """A node whose GPUs may be shared."""
    return Node(
        "c/n0",
        Kind(cluster="c", gpus=free, parts=True),
        free=set(range(free)),
        shared=dict.fromkeys(range(free), 1000),
    )


def test_shares_fill_the_fullest_gpu_first() -> None:
    place = shared()
    assert take(place, Shape(1, share_milli=500)) == [0]
    assert take(place, Shape(1, share_milli=500)) == [0]
    assert place.free == {1}
    assert place.shared == {1: 1000}


def test_a_gpu_of_which_a_share_is_held_is_not_whole() -> None:
    place = shared(1)
    share(place, 0, 500)
    assert not fits(place, Shape(1))
    assert pieces(place, 250) == 2
    share(place, 0, 1000)
    assert fits(place, Shape(1))


def test_a_whole_gpu_that_was_taken_has_no_shares_left() -> None:
    place = shared(1)
    take(place, Shape(1))
    assert pieces(place, 100) == 0
