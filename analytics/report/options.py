"""What configuration adds to a report: time zone, a cloud's quote, and addresses to link to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo

from analytics.money.settings import PriceSettings
from analytics.report import weeks
from analytics.report.settings import ReportSettings
from gpuledger.config import Config
from gpuledger.states import LedgerSettings


@dataclass(frozen=True)
class Quote:
    """What a cloud asks for one GPU-hour: by model, and of any other; None where nobody said."""

    models: tuple[tuple[str, float], ...] = ()
    other: float | None = None
    currency: str = ""
    source: str = ""

    @property
    def known(self) -> bool:
        """Whether there is any figure."""
        return bool(self.models) or self.other is not None

    def of(self, model: str) -> float | None:
        """The quote for one GPU model."""
        return dict(self.models).get(model, self.other)


@dataclass(frozen=True)
class Options:
    """A report's options: the readers' time zone, and what it compares with and links to.

    Addresses are without a slash at their end, empty where there is none. `provisional_h`: how long
    late data may still change what is booked.
    """

    quote: Quote = Quote()
    grafana: str = ""
    console: str = ""
    zone: tzinfo = UTC
    provisional_h: float = LedgerSettings().provisional_h


def options_of(configuration: Config) -> Options:
    """The options of `[report]`, `[prices]` and `[ledger]`. ConfigError."""
    told = configuration.section("report", ReportSettings)
    prices = configuration.section("prices", PriceSettings)
    models = sorted(
        (name, model.cloud_quote)
        for name, model in prices.models.items()
        if model.cloud_quote is not None
    )
    quote = Quote(tuple(models), prices.cloud_quote, prices.currency, prices.cloud_quote_source)
    return Options(
        quote,
        told.grafana.rstrip("/"),
        told.console.rstrip("/"),
        weeks.zone_of(told.timezone),
        configuration.section("ledger", LedgerSettings).provisional_h,
    )
