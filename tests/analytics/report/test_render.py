"""The page: what it says, what it escapes, and that the same value gives the same bytes."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pypdfium2 import PdfDocument

from analytics.report import weeks
from analytics.report.pdf import render_pdf
from analytics.report.render import render_html, render_markdown
from analytics.report.weekly import WeeklyReport, collect
from gpuledger.store import Store
from tests.analytics.report.build import HOUR, MONDAY, Fleet
from tests.analytics.report.sample import build

HOSTILE = """<script>alert("x")</script> 'q' & $\\frac{1}{ 🚀 """.ljust(300, "Ω")
RENDER = """
import hashlib, pickle, sys
from analytics.report.render import render_html, render_markdown
report = pickle.loads(open(sys.argv[1], "rb").read())
text = render_html(report) + render_markdown(report)
print(hashlib.sha256(text.encode()).hexdigest())
"""


class Page(HTMLParser):
    """Tags that open, ids, and all text outside style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.text += data


@pytest.fixture(scope="module")
def report(engine: Store) -> WeeklyReport:
    build(engine, 16)
    report = collect(engine, *weeks.bounds("2026-W47"))
    for name, columns in engine.existing().items():
        if columns and not name.startswith("v_") and not name.endswith("_mv"):
            engine.command(f"TRUNCATE TABLE `{name}`")
    return report


def test_the_page_says_what_the_value_says(report: WeeklyReport) -> None:
    text = " ".join(Page(render_html(report)).text.split())
    assert report.verdict in text
    for metric in report.metrics:
        assert metric.name in text
        assert metric.detail in text
    for row in report.ledger:
        assert f"{row.gpu_hours:,.0f}" in text
    assert len(report.decisions) == 3
    for decision in report.decisions:
        assert decision.title in text
        assert decision.because in text
        assert f"{decision.owner} Fri 27 Nov" in text
    assert "Three decisions by Fri 27 Nov" in text
    assert "closing error 0.000%" in text
    assert "1 more with a smaller gain" in text


def test_every_section_links_to_its_query(report: WeeklyReport) -> None:
    page = Page(html := render_html(report))
    sections = html.split('<section class="part"')[1:]
    assert len(sections) == 12
    assert all('<a href="#q-' in section for section in sections[:-1])
    links = set(re.findall(r'href="#([^"]+)"', html))
    assert links <= set(page.ids)
    assert {f"q-{query.name}" for query in report.queries} <= set(page.ids)


def test_a_query_runs_as_it_is_written(report: WeeklyReport, store: Store) -> None:
    for query in report.queries:
        for sql in query.sql:
            store.select(sql)


def test_boards_and_console_are_linked_where_they_are_configured(report: WeeklyReport) -> None:
    assert "/d/gpuledger-" not in render_html(report)
    html = render_html(
        replace(report, grafana="https://grafana.example", console="https://c.example")
    )
    assert (
        "https://grafana.example/d/gpuledger-queue?from=1794787200000&amp;to=1795392000000" in html
    )
    assert '<a href="https://c.example">' in html


def test_page_1_has_what_a_manager_decides_on(report: WeeklyReport) -> None:
    page1, _, appendix = render_html(report).partition("</section>")
    for heading in ("where", "metrics", "decisions", "before"):
        assert f'<h2 id="{heading}">' in page1
    assert "carried out and measured" in page1
    assert "declined: deadline, says owner" in page1
    assert "accepted, not carried out yet" in page1
    assert "#page1 { break-after: page; }" in page1
    assert 'id="ledger"' in appendix


def test_what_mail_clients_drop_is_not_needed(report: WeeklyReport) -> None:
    html = render_html(report)
    page1 = html.partition("</section>")[0]
    body = re.sub(r"<svg.*?</svg>", "", page1[page1.index("<body>") :], flags=re.DOTALL)
    assert f"{report.waterfall[0].gpu_hours:,.0f}" in body
    assert "var(--" not in html
    assert "display: flex" not in html


def test_the_page_needs_nothing_from_outside(report: WeeklyReport) -> None:
    html = render_html(report)
    assert not re.search(r'\b(src|href)="(?!#)', html)
    assert "@import" not in html
    assert "url(http" not in html
    assert Page(html).tags.count("script") == 0


def test_charts_whose_ids_never_meet(report: WeeklyReport) -> None:
    page = Page(html := render_html(report))
    assert page.tags.count("svg") == 2
    assert len(page.ids) == len(set(page.ids))
    used = set(re.findall(r'url\(#([^")]+)', html))
    assert used <= set(page.ids)
    assert html.count('role="img" aria-label="') == 2


def test_readable_by_machines_that_read_aloud(report: WeeklyReport) -> None:
    html = render_html(report)
    assert '<html lang="en">' in html
    assert html.count("<table") == html.count("<thead>") + html.count('role="presentation"')
    assert html.count('scope="row"') > len(report.ledger) + len(report.wastes) + len(report.waits)
    assert "@page" in html
    assert "width=device-width" in html


def test_same_value_same_bytes_also_from_many_threads(report: WeeklyReport) -> None:
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(render_html, [report] * 6))
    assert set(pages) == {render_html(report)}


def test_same_value_same_bytes_in_another_process(report: WeeklyReport, tmp_path: Path) -> None:
    value = tmp_path / "report.pickle"
    value.write_bytes(pickle.dumps(report))
    digests = {
        subprocess.run(
            [sys.executable, "-c", RENDER, value],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Kolkata"))
    }
    assert len(digests) == 1


def test_hostile_names_are_shown_and_do_nothing(store: Store) -> None:
    fleet = Fleet(store, cluster="<b>alpha</b>")
    fleet.gpus(1)
    fleet.job("<i>/1", team=HOSTILE, name=HOSTILE, started=MONDAY)
    fleet.hours(0, "alloc_idle", MONDAY, 24, "<i>/1", cause="<u>")
    fleet.recommend(HOSTILE, 5.0, team=HOSTILE, because=HOSTILE, command=HOSTILE)
    fleet.write()
    report = collect(store, *weeks.bounds("2026-W47"))
    page = Page(html := render_html(report))
    assert {"script", "i", "u"}.isdisjoint(page.tags)
    assert "<b>alpha" not in html
    assert page.text.count(HOSTILE) >= 5
    markdown = render_markdown(report)
    assert "<script>" not in markdown
    assert r"\<script\>" in markdown


def test_page_1_is_one_page_whatever_names_are_like(report: WeeklyReport) -> None:
    long = "long_name " * 30
    decisions = [replace(d, title=long, because=long, owner=long) for d in report.decisions]
    before = [replace(b, title=long, team=long, said=long) for b in report.last_decisions]
    told = replace(report, decisions=tuple(decisions), last_decisions=tuple(before))
    for each in (report, told):
        pages = PdfDocument(render_pdf(render_html(each)))
        first, second = (pages[i].get_textpage().get_text_bounded() for i in range(2))
        pages.close()
        assert "What became of the decisions before" in first
        assert second.lstrip().startswith("Appendix")


def test_no_gpu_is_a_short_page(store: Store) -> None:
    page = Page(render_html(collect(store, *weeks.bounds("2026-W47"))))
    assert "No GPU owned" in page.text
    assert "Four measures" not in page.text
    assert "Nothing is booked yet" in page.text
    assert page.tags.count("svg") == page.tags.count("table") == 0


def test_gpus_without_a_booked_hour_are_a_page(store: Store) -> None:
    fleet = Fleet(store)
    fleet.gpus(1)
    fleet.write()
    page = Page(render_html(collect(store, *weeks.bounds("2026-W47"))))
    assert "Not enough data: 1 GPU owned" in page.text
    assert "not shown: no hour of this period is booked" in page.text


def test_no_price_is_written_in_every_money_column(store: Store) -> None:
    fleet = Fleet(store)
    fleet.gpus(1)
    fleet.job("alpha/1", started=MONDAY)
    fleet.hours(0, "alloc_idle", MONDAY, 24, "alpha/1")
    fleet.recommend("End it", 5.0, gain_capacity_value=None, currency="")
    fleet.write()
    html = render_html(collect(store, *weeks.bounds("2026-W47")))
    # Row and sum of the ledger, the waste, the decision, the costs, and the note.
    assert html.count("no price configured") == 6
    assert "EUR" not in html


def test_a_fleet_of_thousands_keeps_its_separators(report: WeeklyReport) -> None:
    steps = tuple(replace(s, gpu_hours=s.gpu_hours * 1000) for s in report.waterfall)
    html = render_html(replace(report, waterfall=steps))
    assert "2,688,000" in html


def test_markdown_is_short_and_says_the_same(report: WeeklyReport) -> None:
    text = render_markdown(report)
    assert text.startswith("**GPU report, 2026-W47** (16 Nov 2026 to 22 Nov 2026, UTC)")
    assert report.verdict.split("(")[0] in text
    assert len(text.splitlines()) < 32
    assert text.count("\n- ") == 4


def test_markdown_without_price_and_baseline(store: Store) -> None:
    fleet = Fleet(store)
    fleet.gpus(1)
    fleet.job("alpha/1", started=MONDAY + HOUR)
    fleet.hours(0, "alloc_idle", MONDAY, 24, "alpha/1")
    fleet.write()
    text = render_markdown(collect(store, *weeks.bounds("2026-W47")))
    assert "(no price configured, evidence A)" in text
    assert "change not shown: first week, no baseline yet" in text


def test_a_gain_is_told_with_its_interval(store: Store) -> None:
    fleet = Fleet(store)
    fleet.gpus(1)
    fleet.hours(0, "free_surplus", MONDAY, 24)
    fleet.recommend("wide", 247.0, gain_low_gpu_hours=0.0, gain_high_gpu_hours=1344.0)
    fleet.write()
    report = collect(store, *weeks.bounds("2026-W47"))
    assert "costs 247 GPU-hours (0 to 1,344), EUR 494 (0 to 2,688)" in render_markdown(report)
    assert "<small>0 to 1,344</small>" in render_html(report)
