"""How findings and advice compare with the truth: precision, recall, delays, causes, harm."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.labelled.rules import CAUSE_WORDS, KINDS, PROFILED, RULES, is_open, is_right, must_find
from tests.labelled.truth import CAUSES, LABELS, Truth

STOPS = ("scancel", "kubectl delete", "kill ", "docker stop", "podman stop")
# Advice that rests on what was true some minutes ago is not wrong yet.
STALE = timedelta(minutes=3)


@dataclass(frozen=True)
class Found:
    """One finding, and the first tick at which anybody could read it."""

    kind: str
    subject: str
    since: datetime
    until: datetime
    cause: str = ""
    words: str = ""
    gpu_seconds: float = 0.0
    reported: datetime | None = None

    @property
    def known_as(self) -> str:
        """Its kind in the words of the rules."""
        return KINDS.get(self.kind, self.kind)


@dataclass(frozen=True)
class Advice:
    """One recommendation, and the ticks at which it was on the table."""

    kind: str
    subject: str
    command: str
    title: str
    ticks: tuple[datetime, ...]

    @property
    def stops(self) -> bool:
        """Whether following it ends somebody's job."""
        told = self.command.startswith(STOPS)
        return told or self.title.lower().startswith(("end ", "stop ", "cancel "))


@dataclass
class Score:
    """Figures of one kind of finding; they add up over scenarios.

    `delays_s`: from a turn of the truth to the first tick that told; `starts_s`: the same where the
    job was so from its start, when start-up must be waited for.
    """

    right: int = 0
    wrong: int = 0
    open: int = 0
    found: int = 0
    missed: int = 0
    delays_s: list[float] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float | None:
        """Share of findings that are right; None without any."""
        told = self.right + self.wrong
        return self.right / told if told else None

    @property
    def recall(self) -> float | None:
        """Share of what had to be found that was; None without any."""
        asked = self.found + self.missed
        return self.found / asked if asked else None

    def add(self, other: Score) -> None:
        """Take in the figures of another scenario."""
        for name in ("right", "wrong", "open", "found", "missed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.delays_s += other.delays_s
        self.starts_s += other.starts_s
        self.alarms += other.alarms
        self.misses += other.misses

    def delay(self, share: float) -> float | None:
        """Time to detection that this share of cases stayed under, seconds; None without any."""
        if not self.delays_s:
            return None
        ordered = sorted(self.delays_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @property
    def median_s(self) -> float | None:
        """Median time to detection, seconds."""
        return statistics.median(self.delays_s) if self.delays_s else None


class Judge:
    """Holds the truth of one scenario against what was found in it."""

    def __init__(self, cluster: str, truths: Sequence[Truth]) -> None:
        self._cluster = cluster
        self._truths = truths
        self._by_job: dict[str, list[Truth]] = {}
        self._by_gpu: dict[str, list[Truth]] = {}
        for truth in truths:
            if truth.job:
                self._by_job.setdefault(truth.job, []).append(truth)
            for place in truth.places:
                self._by_gpu.setdefault(f"{place.node}/{place.slot}", []).append(truth)

    def about(self, found: Found, rule_about: str = "job") -> list[Truth]:
        """The spans that a finding speaks of, by job, GPU, node or (a site's) by time."""
        if found.subject in self._by_job and rule_about != "gpu":
            return self._by_job[found.subject]
        if rule_about == "site":
            return [t for t in self._truths if not t.job and not t.places]
        return self._of_place(found)

    def _of_place(self, found: Found) -> list[Truth]:
        """By `cluster/node/slot`, UUID, GPU id or node, whatever the subject names."""
        told = found.subject.removeprefix(f"{self._cluster}/")
        if told in self._by_gpu:
            return self._by_gpu[told]
        names = set(found.subject.split("/"))
        spans = [
            t
            for t in self._truths
            if any(names & {p.uuid, str(p.gpu_id), p.node} for p in t.places)
        ]
        return spans or self._by_job.get(found.subject, [])

    def is_about(self, found: Found, truth: Truth, about: str) -> bool:
        """Whether it speaks of that span's job or place, at some of its time."""
        return truth.overlaps(found.since, found.until) and any(
            t is truth for t in self.about(found, about)
        )

    def verdict(self, found: Found) -> str:
        """right, open or wrong; empty for a kind without a rule."""
        kind = found.known_as
        rule = RULES.get(kind)
        if rule is None:
            return ""
        spans = self.about(found, rule.about)
        length = max((found.until - found.since).total_seconds(), 60)
        right = _covered(found, [t for t in spans if is_right(rule, kind, t)])
        allowed = _covered(
            found, [t for t in spans if is_right(rule, kind, t) or is_open(rule, kind, t)]
        )
        if right and right >= rule.overlap * length:
            return "right"
        return "open" if allowed and allowed >= rule.overlap * length else "wrong"

    def scores(
        self, findings: Sequence[Found], watched: tuple[datetime, datetime] | None = None
    ) -> dict[str, Score]:
        """Figures by kind; delays are those of truths that began while ticks were watched."""
        out = {kind: Score() for kind in RULES}
        for found in findings:
            self._count(found, out)
        for kind, rule in RULES.items():
            able = [f for f in findings if f.known_as in {kind, *rule.by}]
            for truth in self._truths:
                if must_find(rule, kind, truth):
                    self._look(truth, able, rule.about, out[kind], watched)
        return out

    def _count(self, found: Found, out: dict[str, Score]) -> None:
        verdict = self.verdict(found)
        if not verdict:
            return
        score = out[found.known_as]
        setattr(score, verdict, getattr(score, verdict) + 1)
        if verdict == "wrong":
            labels = {
                t.label
                for t in self.about(found, RULES[found.known_as].about)
                if t.overlaps(found.since, found.until)
            }
            when = f"{found.since:%H:%M}-{found.until:%H:%M}"
            score.alarms.append(f"{found.subject} {when} is {', '.join(sorted(labels))}")

    def _look(
        self,
        truth: Truth,
        able: Iterable[Found],
        about: str,
        score: Score,
        watched: tuple[datetime, datetime] | None,
    ) -> None:
        hits = [f for f in able if self.is_about(f, truth, about)]
        if not hits:
            score.missed += 1
            whose = truth.job or ", ".join(f"{p.node}/{p.slot}" for p in truth.places)
            when = f"{truth.since:%H:%M}-{truth.until:%H:%M}"
            evidence = f"grade {truth.grade}" + f", slice {truth.slice}" * bool(truth.slice)
            score.misses.append(f"{whose} {when} is {truth.label} ({evidence})")
            return
        score.found += 1
        told = [f.reported for f in hits if f.reported and f.reported > truth.since]
        if watched and told and watched[0] <= truth.since <= watched[1]:
            delays = score.starts_s if self._begins_job(truth) else score.delays_s
            delays.append((min(told) - truth.since).total_seconds())

    def _begins_job(self, truth: Truth) -> bool:
        spans = self._by_job.get(truth.job, [truth])
        return truth.since == min(t.since for t in spans)

    def harm(self, advices: Iterable[Advice]) -> list[str]:
        """Advice to end a job that works, or will again: the job, when, and what it did then."""
        out = []
        for advice in advices:
            if not advice.stops:
                continue
            spans = self._by_job.get(advice.subject, [])
            for tick in advice.ticks:
                now, before = _working(spans, tick), _working(spans, tick - STALE)
                if now and before:
                    out.append(f"{advice.subject} at {tick:%H:%M}: {', '.join(sorted(now))}")
                    break
        return out

    def causes(self, findings: Iterable[Found]) -> Counter[tuple[str, str]]:
        """How often each true cause was given each cause; '-' = no finding, '?' = none given."""
        best: dict[str, Found] = {}
        for found in findings:
            if found.known_as in {"underused", "low_efficiency", "overprovisioned", "serving"}:
                old = best.get(found.subject)
                if old is None or _weight(found) > _weight(old):
                    best[found.subject] = found
        told: Counter[tuple[str, str]] = Counter()
        for truth in self._truths:
            if truth.label in CAUSES and _is_asked(truth):
                told[truth.label, _word(best.get(truth.job), truth)] += 1
        return told


def _weight(found: Found) -> tuple[bool, float]:
    return found.known_as == "underused", found.gpu_seconds


def _is_asked(truth: Truth) -> bool:
    """Whether the book can call it underused for long enough, and telemetry can tell why."""
    long = truth.seen * truth.duration >= timedelta(minutes=40)
    told = truth.grade == "A" or (truth.grade == "B" and truth.label not in PROFILED)
    return long and told and truth.mean_sm < 0.22


def _word(found: Found | None, truth: Truth) -> str:
    if found is None:
        return "-"
    cause = CAUSE_WORDS.get(found.cause, found.cause)
    if found.known_as == "overprovisioned":
        cause = "over_provisioned"
    return truth.label if cause in truth.also else cause or "?"


def _working(spans: Iterable[Truth], at: datetime) -> set[str]:
    """Labels that hold for a job then, of which ending it would lose work."""
    return {t.label for t in spans if t.since <= at < t.until and LABELS[t.label].works}


def _covered(found: Found, spans: Iterable[Truth]) -> float:
    """Seconds of a finding that at least one span covers."""
    pieces = sorted(
        (max(t.since, found.since), min(t.until, found.until))
        for t in spans
        if t.overlaps(found.since, found.until)
    )
    total, upto = 0.0, found.since
    for since, until in pieces:
        if until > upto:
            total += (until - max(since, upto)).total_seconds()
            upto = until
    return total


def added(scores: Iterable[Mapping[str, Score]]) -> dict[str, Score]:
    """Figures of several scenarios together."""
    out = {kind: Score() for kind in RULES}
    for one in scores:
        for kind, score in one.items():
            out[kind].add(score)
    return out
