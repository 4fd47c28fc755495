"""Who holds which GPU: what labels name, what is known besides, and what nobody knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.facts import Facts
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.work import Allocation, Job
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER
from tests.analytics.facts.pages import UID, Node, Pod, card, held, page
from tests.analytics.facts.test_facts import RUNNING, at, only, say, seconds
from tests.analytics.facts.world import CLUSTER, Book, scrape, times
from tests.fakes.site import SLURM, Site

EXPORTER = {"namespace": "gpu-operator", "pod": "nvidia-dcgm-exporter-x", "container": "exporter"}
OWN_POD = Pod(name=EXPORTER["pod"], namespace="gpu-operator", uid="eeee0000-x", gpus=0)


def relabelled(slot: int, pod: Pod) -> dict[str, str]:
    """Labels of a scrape that keeps its own `pod`, and calls the holder `exported_pod`."""
    del slot
    return {**EXPORTER, "exported_pod": pod.name, "exported_namespace": pod.namespace}


def slots(book: Book, node: str = "n0") -> dict[int, str]:
    """Slot and job of every open allocation of a node."""
    by_gpu = {gpu_id(CLUSTER, node, s): s for s in range(16)}
    found = (a for a in book.of(Allocation) if a.valid_to == FOREVER)
    return {by_gpu[a.gpu_id]: a.job_id.removeprefix(f"{CLUSTER}/") for a in found}


def test_the_exporters_own_pod_holds_nothing() -> None:
    book = Book()
    told = page(
        RUNNING.page(),
        OWN_POD.page(),
        card(0, **relabelled(0, RUNNING)),
        *(card(s, **EXPORTER) for s in range(1, 8)),
    )
    say(book, told, 0, 20)
    assert slots(book) == {0: f"vision/train-0@{UID[:8]}"}
    assert [j.job_id for j in book.of(Job)] == [f"{CLUSTER}/vision/train-0@{UID[:8]}"]


def test_without_kube_state_metrics_a_pod_holds_from_label_to_label() -> None:
    book = Book()
    say(book, page(held(3, RUNNING), held(4, RUNNING), card(5)), 0, 20)
    say(book, page(card(3), card(4), card(5)), 21, 30)
    found = book.of(Allocation)
    assert {(a.valid_from, a.valid_to) for a in found} == {(at(0), at(20))}
    (job,) = book.of(Job)
    assert (job.job_id, job.team, job.gpus_per_node) == (f"{CLUSTER}/vision/train-0", "vision", 2)
    assert (job.state, job.started, job.ended) == ("completed", at(0), at(20))


def test_without_kube_state_metrics_the_exporters_own_pod_holds_nothing_either() -> None:
    book = Book()
    told = page(card(0, **relabelled(0, RUNNING)), *(card(s, **EXPORTER) for s in range(1, 8)))
    say(book, told, 0, 20)
    assert slots(book) == {0: "vision/train-0"}
    alone = Book()
    say(alone, page(*(card(s, **EXPORTER) for s in range(8))), 0, 20)
    assert alone.of(Allocation) == []


def test_a_name_that_comes_back_without_kube_state_metrics_is_another_allocation() -> None:
    book = Book()
    say(book, page(held(3, RUNNING), card(5)), 0, 10)
    say(book, page(card(3), card(5)), 11, 30)
    say(book, page(held(3, RUNNING), card(5)), 31, 40)
    found = sorted(book.of(Allocation), key=lambda a: a.valid_from)
    assert [(a.valid_from, a.valid_to) for a in found] == [(at(0), at(10)), (at(31), FOREVER)]


def test_a_pod_that_was_known_by_its_label_only_becomes_itself() -> None:
    book = Book()
    say(book, held(3, RUNNING), 0, 20)
    say(book, page(RUNNING.page(), held(3, RUNNING)), 21, 30)
    held_now = [a for a in book.of(Allocation) if a.valid_to > a.valid_from]
    row = only(held_now)
    assert (row.job_id, row.valid_from) == (f"{CLUSTER}/vision/train-0@{UID[:8]}", at(-1))
    assert {j.job_id.partition("@")[2]: j.state for j in book.of(Job)} == {
        "": "cancelled",
        UID[:8]: "running",
    }


def test_the_uid_that_newer_exporters_tell_names_the_life() -> None:
    book = Book()
    say(book, held(3, RUNNING, pod_uid=UID), 0, 20)
    assert slots(book) == {3: f"vision/train-0@{UID[:8]}"}


def test_a_job_of_slurm_holds_from_label_to_label() -> None:
    book = Book()
    say(book, page(card(3, hpc_job="812"), card(4)), 5, 20)
    say(book, page(card(3), card(4)), 21, 40)
    row = only(book.of(Allocation))
    assert (row.job_id, row.valid_from, row.valid_to) == (f"{CLUSTER}/812", at(5), at(20))
    assert book.of(Job) == []


def test_times_of_accounting_outweigh_those_of_labels() -> None:
    site = Site(seed=1, scheduler=SLURM)
    book = Book()
    book.facts.learn(
        Job(
            job_id=f"{CLUSTER}/{w.number}",
            cluster=CLUSTER,
            user=w.user,
            team=w.team,
            state="completed",
            gpus_per_node=w.gpus,
            memory_bytes=None,
            submitted=w.submitted,
            started=w.started,
            ended=w.ended,
            seen_at=w.ended,
            version=1,
        )
        for w in site.work
    )
    team = {str(w.number): w.team for w in site.work}
    for now in times(site.start, site.end + timedelta(minutes=20), timedelta(minutes=4)):
        book.take(scrape(site, now), now)
    hours: dict[str, float] = {}
    for a in book.of(Allocation):
        name = team[a.job_id.removeprefix(f"{CLUSTER}/")]
        hours[name] = hours.get(name, 0) + (a.valid_to - a.valid_from) / timedelta(hours=1)
    assert hours == pytest.approx(dict(site.truth(site.start, site.end).teams))


def test_a_slice_is_given_with_its_share_under_a_name_of_its_own() -> None:
    pod = replace(RUNNING, gpus=2, resource="nvidia_com_mig_3g_40gb")
    cut = {"GPU_I_PROFILE": "3g.40gb"}
    book = Book()
    told = page(
        pod.page(), held(2, pod, GPU_I_ID="1", **cut), held(2, pod, GPU_I_ID="2", **cut), card(3)
    )
    say(book, told, 0, 2)
    found = book.of(Allocation)
    assert {a.slice for a in found} == {"MIG-GPU-n0-2/1/0", "MIG-GPU-n0-2/2/0"}
    assert {a.gpu_id for a in found} == {gpu_id(CLUSTER, "n0", 2)}
    assert [a.share_milli for a in found] == [429, 429]
    assert len({a.alloc_id for a in found}) == 2


def test_pods_that_take_turns_on_a_card_have_parts_of_it() -> None:
    labels = {"label_nvidia_com_gpu_replicas": "4"}
    one, other = RUNNING, replace(RUNNING, name="train-1", uid="bbbbbbbb-x")
    book = Book()
    kube = page(Node(gpus=32, labels=labels).page(), one.page(), other.page())
    for minute in range(30):
        # Without a label for each share the exporter names now one, now the other.
        book.take(page(kube, held(0, one if minute % 2 else other)), at(minute))
    found = book.of(Allocation)
    assert {a.job_id.rpartition("/")[2].partition("@")[0] for a in found} == {"train-0", "train-1"}
    assert [(a.share_milli, a.valid_to) for a in found] == [(250, FOREVER)] * 2


def test_a_pod_on_no_known_device_that_asked_for_a_whole_node_has_all_of_it() -> None:
    pod, node = replace(RUNNING, gpus=8), Node(gpus=8)
    book = Book()
    say(book, page(pod.page(), node.page(), *(card(s) for s in range(8))), 0, 20)
    assert slots(book) == dict.fromkeys(range(8), f"vision/train-0@{UID[:8]}")
    assert {a.valid_from for a in book.of(Allocation)} == {at(-1)}
    assert {a.source for a in book.of(Allocation)} == {"kube-state-metrics"}
    alone = Book()
    say(alone, page(pod.page(), node.page()), 0, 20)
    assert sorted(slots(alone)) == list(range(8))


def test_a_pod_on_no_known_device_has_none_and_that_is_said() -> None:
    pod = replace(RUNNING, gpus=4)
    book = Book()
    say(book, page(pod.page(), Node(gpus=8).page(), *(card(s) for s in range(8))), 0, 20)
    assert book.of(Allocation) == []
    assert [j.state for j in book.of(Job)] == ["running"]
    (missing,) = book.of(MissingValue)
    assert (missing.subject, missing.reading) == (f"vision/train-0@{UID[:8]}", "gpu")
    assert missing.detail.startswith("4 GPUs of n0; ")
    four = [held(s, pod) for s in range(4)]
    say(book, page(pod.page(), Node(gpus=8).page(), *four), 21, 25)
    assert [m.reason for m in book.of(MissingValue)] == [""]
    assert sorted(slots(book)) == [0, 1, 2, 3]


def test_a_node_of_which_some_cards_are_not_heard_is_not_shared_out() -> None:
    pod = replace(RUNNING, gpus=8)
    book = Book()
    say(book, page(pod.page(), Node(gpus=8).page(), *(card(s) for s in range(7))), 0, 20)
    assert book.of(Allocation) == []


def test_a_device_of_a_pod_that_asks_for_none_counts_where_only_the_exporter_can_say_so() -> None:
    pod = replace(RUNNING, gpus=0)
    book = Book()
    say(book, page(pod.page(), card(1, **relabelled(1, pod))), 0, 20)
    assert slots(book) == {1: f"vision/train-0@{UID[:8]}"}
    assert [j.gpus_per_node for j in book.of(Job)] == [1]
    plain = Book()
    say(plain, page(pod.page(), held(1, pod)), 0, 20)
    assert plain.of(Allocation) == []


def test_a_pod_that_began_while_kube_state_metrics_was_away_keeps_its_times() -> None:
    book = Book()
    say(book, page(Node().page(), card(3)), 0, 5)
    late = replace(RUNNING, created=seconds(6), scheduled=seconds(7))
    say(book, held(3, late), 7, 60)
    assert book.of(Allocation) == []
    say(book, page(Node().page(), late.page(), held(3, late)), 61, 62)
    assert only(book.of(Allocation)).valid_from == at(7)


def test_two_clusters_have_jobs_of_their_own() -> None:
    rows = [
        Facts(name).take(page(RUNNING.page(), held(3, RUNNING)), int(seconds(0) * 1000))
        for name in ("a", "b")
    ]
    jobs = [[r.job_id for r in told if isinstance(r, Job)] for told in rows]
    assert jobs == [[f"{c}/vision/train-0@{UID[:8]}"] for c in ("a", "b")]
