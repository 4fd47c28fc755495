"""Why GPUs stay free where the jobs of the last days speak instead of a queue."""

from __future__ import annotations

from analytics.placing.fleet import Trial
from analytics.placing.judge import Judge, Usual, Verdict
from analytics.placing.settings import PlacementSettings
from analytics.placing.shapes import Kind, Node, Shape, Wish
from tests.analytics.placing.world import fleet, node, queue


def judged(place: Node, *usual: tuple[Shape, int]) -> Verdict | None:
    """What holds of a node's free GPUs while nobody waits; None = surplus without more to say."""
    found = fleet(place)
    judge = Judge(found, [Usual(s, n) for s, n in usual], PlacementSettings(history_jobs=10))
    verdicts = set(judge.judge(Trial(found), queue(), {}).values())
    return verdicts.pop() if verdicts else None


def stranded(cause: str) -> Verdict:
    return Verdict("stranded", cause)


def test_where_less_than_half_of_the_usual_jobs_fit_gpus_are_stranded() -> None:
    assert judged(node(0, 1, of=8), (Shape(8), 6), (Shape(1), 5)) == stranded("gpu_count_on_node")


def test_where_half_of_the_usual_jobs_fit_gpus_are_surplus() -> None:
    assert judged(node(0, 1, of=8), (Shape(8), 5), (Shape(1), 5)) is None


def test_too_few_jobs_say_nothing_of_what_is_usual() -> None:
    assert judged(node(0, 1, of=8), (Shape(8), 9)) is None


def test_jobs_that_this_node_could_never_take_do_not_count_as_long_as_others_run_here() -> None:
    other = Shape(1, wish=Wish(gpu_model="A100"))
    assert judged(node(gpu_model="H100"), (other, 90), (Shape(1), 10)) is None


def test_a_node_that_no_usual_job_accepts_is_stranded_by_what_keeps_most_out() -> None:
    by_model, by_pool = Wish(gpu_model="A100"), Wish(pools=frozenset({"other"}))
    place = node(gpu_model="H100", pools=frozenset({"mine"}))
    usual = ((Shape(1, wish=by_model), 9), (Shape(1, wish=by_pool), 3))
    assert judged(place, *usual) == stranded("gpu_type")


def test_jobs_of_other_clusters_say_nothing() -> None:
    assert judged(node(), (Shape(1, wish=Wish(cluster="d")), 90)) is None


def test_memory_that_is_gone_strands_gpus_without_any_history() -> None:
    place = node(memory_mib=2048)
    place.memory_used = 1025
    assert judged(place) == stranded("cpu_ram")


def test_slices_that_nobody_asks_for_are_stranded_by_their_shape() -> None:
    kind = Kind(cluster="c", cut=1, parts=True)
    place = Node("c/n0", kind, slices={0: (429, 429)})
    assert judged(place, (Shape(1), 20)) == stranded("mig_shape")
    assert judged(place, (Shape(1, share_milli=429), 20)) is None
