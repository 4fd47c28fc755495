"""Figures of a real GPU: what nvidia-smi shows, what a process costs, and a page of it all."""

from __future__ import annotations

import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def nvidia_smi(queries: list[str]) -> dict[str, str]:
    """What it shows of the first GPU; a query that it does not know is left out."""
    shown = {}
    for query in queries:
        done = subprocess.run(
            ["nvidia-smi", "-i", "0", f"--query-gpu={query}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        shown[query] = done.stdout.strip() if done.returncode == 0 else "[N/A]"
    return shown


def number(shown: str) -> float | None:
    """A number, or None for [N/A] and the like."""
    try:
        return float(shown)
    except ValueError:
        return None


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> dict[str, float]:
    """Resident and proportional megabytes."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in {"Rss", "Pss"}:
            found[f"{name.lower()}_mb"] = int(rest.split()[0]) / 1024
    return found


def markdown(figures: Figures) -> str:
    """The same for people."""
    lines = ["# Measured on a real GPU", "", f"Driver {figures.get('driver', 'unknown')}.", ""]
    if agent := figures.get("agent"):
        lines += [
            f"Agent over {agent['seconds']:.0f} s: {agent['cpu_percent']:.2f} % of a core,",
            f"RSS {agent['rss_mb']:.1f} MB, PSS {agent['pss_mb']:.1f} MB.",
            "",
        ]
    if calls := figures.get("call_us"):
        lines += ["| NVML call | calls | median µs | max µs |", "| --- | --- | --- | --- |"]
        lines += [f"| {n} | {c['calls']} | {c['median']} | {c['max']} |" for n, c in calls.items()]
        lines.append("")
    if same := figures.get("nvidia-smi"):
        lines += ["| nvidia-smi | shows | column | ours |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {q} | {c['nvidia-smi']} | {c['column']} | {c['ours']} |" for q, c in same.items()
        ]
        lines.append("")
    for name in ("gpm under load", "gpm idle"):
        if told := figures.get(name):
            lines += [f"{name}, median:", ""]
            lines += [f"- {n}: {median(values)}" for n, values in told.items()]
            lines.append("")
    return "\n".join(lines)


def median(values: list[float | None]) -> str:
    known = [v for v in values if v is not None]
    return f"{statistics.median(known):.4f}" if known else "missing"
