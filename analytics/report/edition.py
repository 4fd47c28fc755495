"""Which version of a week a report is, in words, and the remarks of leads in it."""

from __future__ import annotations

from analytics.report.snapshot import DRAFT
from analytics.report.value import WeeklyReport
from analytics.report.weeks import zone_of
from analytics.report.words import escaped


def edition_line(report: WeeklyReport) -> str:
    """`Edition 1, released 24 Nov 2026, 08:00 UTC; snapshot 1a2b…`, or what else it is."""
    edition = report.edition
    if edition is None:
        return "Not frozen: the book as it is now."
    at = edition.at.astimezone(zone_of(report.timezone))
    when = f"{at.day} {at:%b %Y, %H:%M} {report.timezone}; snapshot {edition.snapshot_id}"
    again = (
        f" Corrects edition {edition.version - 1}: {edition.corrects}" if edition.corrects else ""
    )
    if edition.state == DRAFT:
        return f"Draft for remarks of team leads, {when}.{again}"
    return f"Edition {edition.version}, released {when}.{again}"


def edition_lines(report: WeeklyReport) -> list[str]:
    """The same for Markdown, with the remarks; foreign texts cannot format anything."""
    lines = [f"_{escaped(edition_line(report))}_"]
    if report.lead_notes:
        remarks = [f"- {escaped(note.team)}: {escaped(note.text)}" for note in report.lead_notes]
        lines = ["**Remarks of team leads**", *remarks, "", *lines]
    return lines
