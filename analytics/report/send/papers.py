"""What is sent: the report as page, PDF, short text and numbers, each made once."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import cached_property

from analytics.report import document, markdown, pdf, render, team_page
from analytics.report.teams import TeamReport
from analytics.report.value import WeeklyReport
from gpuledger.errors import ConfigError

log = logging.getLogger(__name__)


@dataclass
class Papers:
    """One report in every form; the same report gives the same bytes."""

    report: WeeklyReport | TeamReport

    @property
    def subject(self) -> str:
        """The line that people see in a list of mails."""
        report = self.report
        if isinstance(report, TeamReport):
            return f"GPU report for team {report.team}, {report.week}"
        again = report.edition.corrects if report.edition else ""
        where = ", ".join(report.clusters)
        return f"GPU report {report.week}{', corrected' if again else ''}" + (
            f" ({where})" if where else ""
        )

    @property
    def name(self) -> str:
        """A file's name, without its ending."""
        team = self.report.team if isinstance(self.report, TeamReport) else ""
        named = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{self.report.week}-{team}"[:80]).strip("-.")
        return f"gpu-report-{named}"

    @cached_property
    def html(self) -> str:
        """The page."""
        if isinstance(self.report, TeamReport):
            return team_page.render_html(self.report)
        return render.render_html(self.report)

    @cached_property
    def markdown(self) -> str:
        """The short text."""
        if isinstance(self.report, TeamReport):
            return team_page.render_markdown(self.report)
        return markdown.render_markdown(self.report)

    @cached_property
    def json(self) -> str:
        """The numbers."""
        return document.to_json(self.report)

    @cached_property
    def pdf(self) -> bytes | None:
        """The page as PDF; None, and a line in the log, where this machine cannot make one."""
        try:
            return pdf.render_pdf(self.html)
        except ConfigError as e:
            log.warning("report without PDF: %s", e)
            return None
