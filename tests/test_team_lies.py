"""Whatever users write on their jobs, pods and metrics, their hours stay their own team's.

One test for each door that tells of jobs. Own batches: tests/analytics/ingest/test_bound.py. Who
reports to the training hook: tests/collector/test_training.py. What /metrics of a node leaves out:
tests/collector/test_prometheus.py.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import replace

import pytest

from analytics.ingest import otlp
from analytics.ingest.targets import NAME
from collector.kubernetes_objects import Pod as ApiPod
from collector.kubernetes_objects import parse as parse_object
from collector.kubernetes_rows import World, job_row
from collector.progress_report import Report
from collector.progress_report import parse as parse_report
from collector.sacct import ending
from collector.slurm_rows import Snapshot
from collector.training_hook import Totals, payload
from gpuledger.accelerators import GPU_RESOURCES
from gpuledger.catalogue import INGESTED, Job, ProgressSample
from gpuledger.mapping import Reading
from gpuledger.schema import Samples
from tests.analytics.facts.pages import Pod, card, held, page
from tests.analytics.facts.test_facts import OBJECT, RUNNING, at, say
from tests.analytics.facts.world import Book
from tests.collector.slurm import Cluster, jobs

LIAR = "boss"
WORDS = ("team", "account", "namespace", "project", "owner", "cost_center", "department", "user")
LIES = dict.fromkeys(WORDS, LIAR) | {f"label_{word}": LIAR for word in WORDS}
LYING = replace(RUNNING, labels={f"label_{word}": LIAR for word in WORDS})


def hours(book: Book) -> set[str]:
    """Teams that have hours."""
    return {team for team, found in book.hours(at(20)).items() if found}


@pytest.mark.parametrize("pod", [RUNNING, LYING], ids=["honest", "lying"])
def test_remote_write_by_labels_of_a_pod(pod: Pod) -> None:
    book = Book()
    say(book, page(pod.page(), held(0, pod)), 0, 20)
    assert hours(book) == {"vision"}
    assert {(job.team, job.user) for job in book.of(Job)} == {("vision", "")}


def test_remote_write_by_labels_of_a_series() -> None:
    mine = {name: value for name, value in LIES.items() if name != "namespace"}
    told = [
        replace(reading, labels={**mine, **reading.labels})
        for reading in page(RUNNING.page(), held(0, RUNNING))
    ]
    book = Book()
    say(book, told, 0, 20)
    assert hours(book) == {"vision"}


def test_otlp_by_attributes_of_a_resource_and_of_points() -> None:
    book = Book()
    say(book, through_otlp(page(LYING.page(), held(0, LYING))), 0, 20)
    assert hours(book) == {"vision"}
    assert {(job.team, job.user) for job in book.of(Job)} == {("vision", "")}


def through_otlp(told: list[Reading]) -> list[Reading]:
    """The same readings as a collector sends them whose resource lies."""
    request = otlp.metrics_service_pb2.ExportMetricsServiceRequest()
    of = request.resource_metrics.add()
    for word in set(WORDS) - {"namespace"}:
        of.resource.attributes.add(key=word).value.string_value = LIAR
    scope = of.scope_metrics.add()
    for reading in told:
        point = scope.metrics.add(name=reading.name).gauge.data_points.add(
            time_unix_nano=1, as_double=reading.value
        )
        for name, value in reading.labels.items():
            point.attributes.add(key=name).value.string_value = value
    found = otlp.points(request, Counter())
    return [Reading(p.labels[NAME], p.labels, p.value or 0.0) for p in found]


def test_no_table_of_samples_has_a_place_for_a_team() -> None:
    """So neither remote-write nor OTLP can tell one, but through facts."""
    told = [t.name for t in INGESTED if isinstance(t.layout, Samples)]
    teams = {t.name for t in INGESTED if any(f.stored == "team" for f in t.fields)}
    assert "gpu_samples" in told
    assert teams == {"jobs", "quotas"}


def test_a_card_without_a_pod_belongs_to_nobody_whatever_its_labels_say() -> None:
    book = Book()
    lies = {word: LIAR for word in WORDS if word != "namespace"}
    say(book, page(card(0, **lies), card(1)), 0, 20)
    assert hours(book) == set()


def test_kubernetes_by_labels_and_annotations_of_a_pod() -> None:
    words = dict.fromkeys([*WORDS, "gpuledger.io/team", "hub.jupyter.org/user"], LIAR)
    pod = copy.deepcopy(OBJECT)
    pod["metadata"] |= {"labels": words, "annotations": words}
    found = parse_object(json.dumps(pod).encode(), ApiPod)
    row = job_row(found, World(Snapshot("c", at(0)), GPU_RESOURCES))
    assert row
    assert (row.team, row.user) == ("vision", "")


def test_slurm_by_comment_and_wckey() -> None:
    cluster = Cluster()
    before = {name: (job.team, job.user) for name, job in jobs(cluster.read()).items()}
    for told in cluster.jobs["jobs"]:
        told.update(dict.fromkeys(WRITTEN, f"account={LIAR} team={LIAR}"), wckey=LIAR)
    cluster.restart()
    after = {name: (job.team, job.user) for name, job in jobs(cluster.read()).items()}
    assert after == before
    assert {team for team, _ in after.values()} >= {"vision"}


# What users may set on their own jobs (sbatch(1)).
WRITTEN = ("comment", "extra", "licenses", "features", "container", "mcs_label", "network")


def test_slurm_accounting_by_comment_and_wckey() -> None:
    told = {
        "job_id": 7,
        "account": "vision",
        "user": "ana",
        "state": {"current": ["COMPLETED"]},
        "time": {"submission": 1_795_000_000, "start": 1_795_000_100, "end": 1_795_000_200},
        "comment": {"job": f"account={LIAR}", "administrator": LIAR},
        "wckey": {"wckey": LIAR, "flags": []},
        "extra": LIAR,
    }
    found = ending(told)
    assert found
    assert (found.team, found.user) == ("vision", "ana")


def test_the_training_hook_by_attributes_of_its_resource() -> None:
    told = payload(Totals(steps=3), "0", 1, 2)
    lies = [{"key": word, "value": {"stringValue": LIAR}} for word in (*WORDS, "job", "host.name")]
    told["resourceMetrics"][0]["resource"]["attributes"] += lies
    report = parse_report(json.dumps(told).encode())
    assert LIAR not in str(report)
    # Only its own figures: user, session and container are the kernel's word (SO_PEERCRED).
    assert not {"user", "team", "job", "container", "session"} & set(Report.__struct_fields__)
    assert not any(f.stored == "team" for f in ProgressSample.table.fields)
