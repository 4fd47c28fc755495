"""The past of a simulated site, as its Prometheus kept it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.components.prometheus_history import Sample
from tests.fakes.site import KUBERNETES, Site

STEP_S = 30
LINE = re.compile(r"(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)")
LABEL = re.compile(r'(\w+)="([^"]*)"')


def past(
    site: Site, *, silent: tuple[float, float] = (0.0, 0.0), names_jobs: bool = True
) -> Iterator[Sample]:
    """Every page of the site twice a minute; in the hours `silent` Prometheus did not run.

    Each node is scraped at a second of its own, as by Prometheus. With `names_jobs` the labels say
    which job of Slurm has the GPU.
    """
    first, last = (site.start + timedelta(hours=h) for h in silent)
    for n in range(60 * 60 * site.hours // STEP_S):
        at = site.start + timedelta(seconds=n * STEP_S)
        if first <= at < last:
            continue
        for node in range(site.nodes):
            when = at + timedelta(seconds=7.3 * (node + 1) % STEP_S)
            instance = f"{site.node_name(node)}:9400"
            for name, labels, value, seconds in _samples(
                site.dcgm_page(node, when), when, instance, "dcgm"
            ):
                told = {k: v for k, v in labels.items() if names_jobs or k != "hpc_job"}
                yield name, told, value, seconds
        if site.scheduler == KUBERNETES and n % 2 == 0:
            yield from _samples(site.kube_page(at), at, "10.0.0.9:8080", "kube-state-metrics")


def _samples(page: str, at: datetime, instance: str, job: str) -> Iterator[Sample]:
    for line in page.splitlines():
        if found := LINE.fullmatch(line):
            labels = {"instance": instance, "job": job, **dict(LABEL.findall(found["labels"]))}
            yield found["name"], labels, float(found["value"]), at.timestamp()
