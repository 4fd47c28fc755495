"""What exporters say becomes the same jobs and allocations as what schedulers say."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.facts import Facts
from collector.kubernetes_objects import Pod as ApiPod
from collector.kubernetes_objects import parse
from collector.kubernetes_rows import World, job_row
from collector.slurm_rows import Snapshot
from gpuledger.accelerators import GPU_RESOURCES
from gpuledger.batch import Batch, by_table, to_milliseconds
from gpuledger.catalogue.host import SourceRun
from gpuledger.catalogue.work import TRUST_BITS, Allocation, Gpu, Job
from gpuledger.identity import alloc_id, gpu_id
from gpuledger.mapping import Reading
from gpuledger.native import encode
from gpuledger.rows import changed
from gpuledger.schema import FOREVER
from tests.analytics.facts.pages import OTHER_UID, UID, Node, Pod, card, held, page
from tests.analytics.facts.world import CLUSTER, STEP, Book, scrape, times
from tests.fakes.site import Site

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
JOB = f"{CLUSTER}/vision/train-0@{UID[:8]}"


def at(minutes: float) -> datetime:
    """That many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def seconds(minutes: float) -> float:
    """The same as kube-state-metrics tells times."""
    return at(minutes).timestamp()


RUNNING = Pod(created=seconds(-2), scheduled=seconds(-1))


# One pod, as kube-state-metrics tells of it and as the API server does.
SERVING = replace(
    RUNNING,
    gpus=2,
    owner=("ReplicaSet", "serve-7d4b9c6f5b"),
    labels={
        "label_kueue_x_k8s_io_queue_name": "team-a",
        "label_pod_template_hash": "7d4b9c6f5b",
        "label_jobset_sigs_k8s_io_jobset_name": "big",
        "label_hub_jupyter_org_username": "ana",
    },
)
OBJECT = {
    "metadata": {
        "name": SERVING.name,
        "namespace": SERVING.namespace,
        "uid": SERVING.uid,
        "creationTimestamp": at(-2).isoformat(),
        "labels": {
            "kueue.x-k8s.io/queue-name": "team-a",
            "pod-template-hash": "7d4b9c6f5b",
            "jobset.sigs.k8s.io/jobset-name": "big",
            "hub.jupyter.org/username": "ana",
        },
        "ownerReferences": [{"kind": "ReplicaSet", "name": "serve-7d4b9c6f5b", "controller": True}],
    },
    "spec": {
        "nodeName": "n0",
        "priorityClassName": "high",
        "containers": [
            {"resources": {"requests": {"nvidia.com/gpu": "2", "cpu": "8", "memory": "64Gi"}}}
        ],
    },
    "status": {
        "phase": "Running",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "True",
                "lastTransitionTime": at(-1).isoformat(),
            }
        ],
    },
}


def say(book: Book, told: list[Reading], first: int, last: int) -> None:
    """The same page every minute."""
    for minute in range(first, last + 1):
        book.take(told, at(minute))


def only(found: list[Allocation]) -> Allocation:
    """The one allocation."""
    assert len(found) == 1, found
    return found[0]


def test_a_pod_is_the_same_job_as_by_the_api_server() -> None:
    world = World(Snapshot(CLUSTER, at(0)), GPU_RESOURCES, user_words=("hub.jupyter.org/username",))
    theirs = job_row(parse(msgspec.json.encode(OBJECT), ApiPod), world)
    book = Book()
    book.take(SERVING.page(), at(0))
    ours = book.of(Job)
    assert theirs is not None
    assert [changed(j, version=0, seen_at=at(0)) for j in ours] == [
        changed(theirs, version=0, seen_at=at(0))
    ]
    assert ours[0].version < theirs.version


def test_an_allocation_is_the_one_that_the_nodes_agent_would_tell() -> None:
    book = Book()
    book.take(page(RUNNING.page(), held(3, RUNNING)), at(0))
    row = only(book.of(Allocation))
    gpu = gpu_id(CLUSTER, "n0", 3)
    assert (row.gpu_id, row.alloc_id, row.job_id) == (gpu, alloc_id(JOB, 0, gpu), JOB)
    assert (row.node, row.share_milli, row.source) == ("n0", 1000, "dcgm-exporter")
    assert row.version >> TRUST_BITS == 2


def test_an_allocation_begins_when_the_pod_got_its_node() -> None:
    book = Book()
    book.take(page(RUNNING.page(), held(3, RUNNING)), at(5))
    assert only(book.of(Allocation)).valid_from == at(-1)


def test_an_allocation_ends_with_its_pod_though_the_label_stays() -> None:
    book = Book()
    say(book, page(RUNNING.page(), held(3, RUNNING)), 0, 10)
    done = replace(RUNNING, phase="Succeeded", completed=seconds(10.5))
    say(book, page(done.page(), held(3, RUNNING)), 11, 30)
    assert only(book.of(Allocation)).valid_to == at(10.5)
    (job,) = book.of(Job)
    assert (job.state, job.ended) == ("completed", at(10.5))


def test_a_pod_that_is_no_longer_listed_ended_when_it_was_last_seen() -> None:
    book = Book()
    say(book, page(RUNNING.page(), Node().page(), held(3, RUNNING)), 0, 10)
    say(book, page(Node().page(), card(3)), 11, 20)
    assert only(book.of(Allocation)).valid_to == at(10)
    (job,) = book.of(Job)
    assert (job.state, job.ended, job.reason) == (
        "completed",
        at(10),
        "no longer listed by the scheduler",
    )


def test_a_pod_that_waited_and_is_no_longer_listed_was_cancelled() -> None:
    book = Book()
    say(book, page(replace(RUNNING, phase="Pending", node="", scheduled=None).page()), 0, 5)
    say(book, Node().page(), 6, 20)
    (job,) = book.of(Job)
    assert (job.state, job.ended, job.started) == ("cancelled", at(5), FOREVER)


@pytest.mark.parametrize("missed", [1, 4, 90])
def test_neither_a_missed_scrape_nor_an_outage_ends_anything(missed: int) -> None:
    book = Book()
    told = page(RUNNING.page(), Node().page(), held(3, RUNNING))
    say(book, told, 0, 10)
    say(book, told, 11 + missed, 20 + missed)
    assert only(book.of(Allocation)).valid_to == FOREVER
    assert [r.valid_to for r in book.rows if isinstance(r, Allocation)].count(FOREVER) == sum(
        isinstance(r, Allocation) for r in book.rows
    )


def test_pages_that_came_in_part_end_nothing() -> None:
    book, rng = Book(), random.Random(1)
    told = page(RUNNING.page(), Node().page(), held(3, RUNNING))
    for minute in range(60):
        book.take(rng.sample(told, len(told) // 3), at(minute))
    assert only(book.of(Allocation)).valid_to == FOREVER
    assert {j.state for j in book.rows if isinstance(j, Job)} == {"running"}


def test_what_was_said_to_be_gone_and_is_there_again_goes_on() -> None:
    book = Book()
    told = page(RUNNING.page(), Node().page(), held(3, RUNNING))
    say(book, told, 0, 5)
    say(book, page(Node().page(), card(3)), 6, 20)
    say(book, told, 21, 25)
    assert only(book.of(Allocation)).valid_to == FOREVER
    assert [(j.state, j.ended) for j in book.of(Job)] == [("running", FOREVER)]


def test_a_pod_that_comes_back_under_its_name_is_another_job() -> None:
    book = Book()
    done = replace(RUNNING, phase="Failed", completed=seconds(10.25))
    say(book, page(RUNNING.page(), held(3, RUNNING)), 0, 10)
    book.take(page(done.page(), held(3, RUNNING)), at(11))
    again = replace(RUNNING, uid=OTHER_UID, created=seconds(11.5), scheduled=seconds(11.5))
    # dcgm-exporter is scraped first: the pod that it names is not the one that was known.
    book.take(held(5, again), at(12))
    say(book, page(again.page(), held(5, again), card(3)), 13, 20)
    jobs = {j.job_id.partition("@")[2]: j for j in book.of(Job)}
    assert {uid: (j.state, j.started) for uid, j in jobs.items()} == {
        UID[:8]: ("failed", at(-1)),
        OTHER_UID[:8]: ("running", at(11.5)),
    }
    found = {(a.job_id.partition("@")[2], a.gpu_id): a.valid_to for a in book.of(Allocation)}
    assert found == {
        (UID[:8], gpu_id(CLUSTER, "n0", 3)): at(10.25),
        (OTHER_UID[:8], gpu_id(CLUSTER, "n0", 5)): FOREVER,
    }


def test_an_open_allocation_is_named_again_every_ten_minutes() -> None:
    book = Book()
    say(book, page(RUNNING.page(), held(3, RUNNING)), 0, 60)
    seen = [r.seen_at for r in book.rows if isinstance(r, Allocation)]
    assert seen == [at(m) for m in range(0, 61, 10)]


def test_every_exporter_that_was_heard_has_a_run_each_minute() -> None:
    book = Book()
    say(book, page(RUNNING.page(), held(3, RUNNING), card(1, "n1")), 0, 9)
    runs = [(r.source, r.node) for r in book.rows if isinstance(r, SourceRun)]
    assert runs.count(("dcgm-exporter", "n0")) == 10
    assert runs.count(("dcgm-exporter", "n1")) == 10
    assert runs.count(("kube-state-metrics", "kube-state-metrics")) == 10


def test_cards_are_told_once_and_each_hour() -> None:
    book = Book()
    say(book, card(3), 0, 119)
    told = [r for r in book.rows if isinstance(r, Gpu)]
    assert [(r.uuid, r.slot, r.model) for r in told] == [
        ("GPU-n0-3", 3, "NVIDIA H100 80GB HBM3")
    ] * 2
    assert told[0].memory_bytes == 81559 * (1 << 20)


def test_a_slot_that_is_known_better_wins_over_the_exporters_index() -> None:
    book = Book(Facts(CLUSTER, slots={"gpu-n0-3": 6}))
    book.take(page(RUNNING.page(), held(3, RUNNING)), at(0))
    assert only(book.of(Allocation)).gpu_id == gpu_id(CLUSTER, "n0", 6)


def test_readings_from_the_future_and_those_that_are_no_numbers_are_left_out() -> None:
    book = Book()
    told = page(RUNNING.page(), held(3, RUNNING))
    say(book, told, 0, 5)
    ahead = to_milliseconds(at(600))
    book.take([replace_time(r, ahead) for r in Node().page()], at(6))
    book.take([Reading(r.name, r.labels, float("nan")) for r in told], at(7))
    assert book.facts.ignored == len(Node().page()) + len(told)
    say(book, told, 8, 20)
    assert only(book.of(Allocation)).valid_to == FOREVER


def replace_time(reading: Reading, at_ms: int) -> Reading:
    """The reading at another time."""
    return Reading(reading.name, reading.labels, reading.value, at_ms)


def test_label_explosions_are_counted_and_end_at_a_limit() -> None:
    book = Book(Facts(CLUSTER, most=10))
    pods = [replace(RUNNING, name=f"p{i}", uid=f"{i:08d}-x") for i in range(50)]
    book.take(page(*(p.page() for p in pods)), at(0))
    assert len(book.of(Job)) == 10
    assert book.facts.refused >= 40


def test_only_metrics_that_say_something_are_wanted() -> None:
    facts = Facts(CLUSTER)
    wanted = ("kube_pod_info", "kube_node_labels", "kube_resourcequota", "DCGM_FI_DEV_GPU_UTIL")
    assert all(map(facts.feeds, wanted))
    others = ("kube_pod_status_ready", "DCGM_FI_DEV_XID_ERRORS", "node_load1", "")
    assert not any(map(facts.feeds, others))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 32))
def test_late_repeated_and_mixed_readings_make_the_same_hours(seed: int) -> None:
    site, rng = Site(seed=4, nodes=1, gpus=4, hours=2), random.Random(seed)
    book, kept = Book(), list[Reading]()
    until = site.end + timedelta(minutes=20)
    for now in times(site.start, until):
        fresh = scrape(site, now)
        # A part of it comes a few minutes later, some twice; at the end everything has come.
        late = [r for r in fresh if rng.random() < 0.3]
        chosen = {id(r) for r in late}
        book.take([r for r in fresh if id(r) not in chosen] + rng.sample(fresh, 20), now)
        kept += late
        if rng.random() < 0.4 or now == until:
            rng.shuffle(kept)
            book.take(kept, now)
            kept = []
    truth = site.truth(site.start, site.end).teams
    assert book.hours(site.end) == pytest.approx({t: h for t, h in truth.items() if h})


WORDS = st.sampled_from(("", "n0", "vision", "train-0", UID, "Running", "nvidia_com_gpu", "a" * 99))
LABELS = """pod namespace uid node phase resource container gpu UUID Hostname exported_pod hpc_job
GPU_I_ID condition status type"""
TOLD = """kube_pod_info kube_pod_status_phase kube_pod_created kube_pod_status_scheduled_time
kube_pod_completion_time kube_pod_container_resource_requests kube_node_status_capacity
kube_node_status_condition kube_resourcequota DCGM_FI_DEV_FB_TOTAL"""
NAMES, METRICS = st.sampled_from(LABELS.split()), st.sampled_from(TOLD.split())
VALUES = st.one_of(st.floats(), st.sampled_from([0.0, 1.0, -1.0, 1e18, 1e308]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(Reading, METRICS, st.dictionaries(NAMES, WORDS), VALUES, st.integers(0, 1 << 42)),
        max_size=30,
    ),
    st.integers(0, 1 << 41),
)
def test_garbage_becomes_nothing_or_rows_that_fit(told: list[Reading], now_ms: int) -> None:
    facts = Facts(CLUSTER)
    told += page(RUNNING.page(), Node().page(), held(3, RUNNING))
    rows = [*facts.take(told, now_ms), *facts.take(told, now_ms + 60_000)]
    for batch in by_table(rows):
        assert isinstance(batch, Batch)
        assert encode(batch)


def test_steps_of_an_hour_do_as_well() -> None:
    site = Site(seed=1, hours=24)
    book = Book(Facts(CLUSTER, interval_s=600))
    book.hear(site, site.start, site.end + timedelta(hours=1), 10 * STEP)
    truth = site.truth(site.start, site.end).teams
    assert book.hours(site.end) == pytest.approx({t: h for t, h in truth.items() if h})
