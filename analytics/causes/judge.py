"""Which cause the features of an episode speak for: the best by a margin, else none."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.causes.features import Features
from analytics.causes.rules import CAUSES, Cause, Group, Signal

# What a group that can refute must say at least, in shares of its full strength.
SPEAKS = 0.25


@dataclass(frozen=True)
class Score:
    """How much speaks for a cause (0-1), and what was known of what could speak (0-1).

    `signals` are those that spoke, strongest first, with their values.
    """

    cause: Cause
    score: float
    known: float
    signals: tuple[tuple[Signal, float], ...] = ()

    @property
    def words(self) -> str:
        """The signals in words."""
        said = [signal.text(value) for signal, value in self.signals if signal.says]
        return ", ".join(dict.fromkeys(said))


@dataclass(frozen=True)
class Verdict:
    """The cause, if one is clear, and the runner-up (or the first of those that are not clear)."""

    best: Score | None
    next: Score | None


def judge(features: Features, least: float, margin: float) -> Verdict:
    """The best cause if it scores `least` and beats every other by `margin`."""
    scores = sorted(
        (score(cause, features) for cause in CAUSES), key=lambda s: (-s.score, s.cause.name)
    )
    first, second = scores[:2]
    if first.score >= least and first.score - second.score >= margin:
        return Verdict(first, second if second.score > 0 else None)
    return Verdict(None, first if first.score > 0 else None)


def score(cause: Cause, features: Features) -> Score:
    """The weighted strengths of the cause's groups; what is not known counts as nothing."""
    whole = sum(group.weight for group in cause.groups)
    total = known = 0.0
    spoke: list[tuple[float, Signal, float]] = []
    for group in cause.groups:
        said = _said(group, features)
        if group.needed and said is None:
            return Score(cause, 0.0, known / whole)
        if (group.needed or group.refutes) and said and said[0] < SPEAKS:
            return Score(cause, 0.0, known / whole)
        if said:
            known += group.weight
            total += group.weight * said[0]
            spoke.append((group.weight * said[0], said[1], said[2]))
    spoke.sort(key=lambda s: -s[0])
    facts = [(s, v) for s in cause.facts if (v := features.get(s.feature)) is not None]
    signals = (*((s, v) for strength, s, v in spoke if strength > 0), *facts)
    return Score(cause, total / whole, known / whole, signals)


def _said(group: Group, features: Features) -> tuple[float, Signal, float] | None:
    """Strength, signal and value of what counts in the group; None where nothing is known."""
    told = [(s, features.get(s.feature)) for s in group.signals]
    known = [(s.strength(v), s, v) for s, v in told if v is not None]
    choose = min if group.every else max
    return choose(known, key=lambda k: k[0], default=None)
