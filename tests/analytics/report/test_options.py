"""Options of a report from the configuration."""

from __future__ import annotations

from pathlib import Path

from analytics.report.notes import Span, _provisional
from analytics.report.options import Options, options_of
from gpuledger.config import load
from tests.analytics.report.build import HOUR, MONDAY

TEXT = """
[report]
timezone = "Europe/Berlin"
grafana = "https://grafana.example/"
[ledger]
provisional_h = 48
[prices]
currency = "EUR"
cloud_quote = 3.0
cloud_quote_source = "a cloud"
models = { "H100" = { cloud_quote = 4.5 } }
"""


def test_quotes_addresses_zone_and_provisional_hours(tmp_path: Path) -> None:
    path = tmp_path / "gpuledger.toml"
    path.write_text(TEXT)
    options = options_of(load(path, {}))
    assert (str(options.zone), options.grafana) == ("Europe/Berlin", "https://grafana.example")
    assert options.provisional_h == 48
    quote = options.quote
    assert (quote.of("H100"), quote.of("L4"), quote.source) == (4.5, 3.0, "a cloud")


def test_nothing_configured_is_nothing_known() -> None:
    assert options_of(load(None, {})) == Options()
    assert not Options().quote.known


def test_how_long_late_data_may_change_the_numbers_is_as_configured() -> None:
    assert _provisional(Span(MONDAY, 168, MONDAY + 24 * HOUR, 24.0)) == ""
    told = _provisional(Span(MONDAY, 168, MONDAY + 24 * HOUR, 48.0))
    assert told.startswith("The last 48 hours are provisional")
