"""Checks: what `gpuledger doctor` asks, each with what was found and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import packages_distributions

from gpuledger.errors import GpuledgerError

OURS = "gpuledger"
PACKAGES = ("gpuledger", "collector", "analytics", "dashboards", "alerts")
CLOCKS_APART_S = 1.0


class Verdict(StrEnum):
    """How it stands."""

    OK = "ok"
    NOTE = "note"  # works, with less than there could be
    WRONG = "wrong"


@dataclass(frozen=True)
class Check:
    """One line: what was asked, how it stands, what was found, what to do."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name, Verdict.OK, found)


def note(name: str, found: str, advice: str) -> Check:
    """It works; this would make it better."""
    return Check(name, Verdict.NOTE, found, advice)


def wrong(name: str, found: str, advice: str) -> Check:
    """Something is lost until this is done."""
    return Check(name, Verdict.WRONG, found, advice)


def foreign_packages(
    owners: Callable[[], Mapping[str, Sequence[str]]] = packages_distributions,
) -> Iterator[Check]:
    """Whether another distribution owns one of our rather plain top-level names."""
    known = owners()
    foreign = {n: sorted({*known.get(n, ())} - {OURS}) for n in PACKAGES}
    named = [f"{name} from {', '.join(others)}" for name, others in foreign.items() if others]
    if named:
        yield wrong(
            "packages",
            f"foreign packages of our names: {'; '.join(named)}",
            "install gpuledger in an environment of its own: pipx install gpuledger",
        )
    else:
        yield ok("packages", "no foreign package has one of our names")


def asked(name: str, question: Callable[[], Iterable[Check]], advice: str) -> Iterator[Check]:
    """The checks of a question; one of our errors is a check that went wrong."""
    try:
        yield from question()
    except GpuledgerError as e:
        yield wrong(name, str(e), advice)


def clock(name: str, apart_s: float) -> Check:
    """How far this machine's clock is from another's."""
    if abs(apart_s) < CLOCKS_APART_S:
        return ok(name, f"{apart_s:+.2f} s from this machine's")
    return wrong(
        name,
        f"{apart_s:+.1f} s from this machine's: minutes will be booked to the wrong time",
        "run chrony or another NTP client on both",
    )
