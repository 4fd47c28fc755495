"""What a GPU-hour of a pool is worth, by the book of the last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gpuledger.measures import SITE_KWH
from gpuledger.service import Reader

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Price:
    """Worth of one GPU-hour, and of one kilowatt-hour of its GPUs; None = nobody said."""

    gpu_hour: float | None = None
    kilowatt_hour: float | None = None
    currency: str = ""

    def worth(self, gpu_hours: float | None) -> float | None:
        """What so many GPU-hours are worth."""
        return _product(self.gpu_hour, gpu_hours)

    def energy(self, kilowatt_hours: float | None) -> float | None:
        """What so many kilowatt-hours of the GPUs cost the site."""
        return _product(self.kilowatt_hour, kilowatt_hours)


def _product(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


def price(reader: Reader, now: datetime, cluster: str, pool: str = "") -> Price:
    """The mean price of a pool, or of a whole cluster (empty pool)."""
    rows = reader.select(_SQL, since=now - DAY, until=now, cluster=cluster, pool=pool)
    if not rows:
        return Price()
    return Price(rows[0]["gpu_hour"], rows[0]["kilowatt_hour"], rows[0]["currency"])


_SQL = f"""
SELECT sum(gpu_seconds * price) / nullIf(sumIf(gpu_seconds, price IS NOT NULL), 0) AS gpu_hour,
  sum({SITE_KWH} * energy_price)
    / nullIf(sumIf(energy_joules, energy_price IS NOT NULL) / 3.6e6, 0) AS kilowatt_hour,
  max(currency) AS currency
FROM v_book_1h
WHERE hour >= toStartOfHour({{since:DateTime64(3, 'UTC')}})
  AND hour < {{until:DateTime64(3, 'UTC')}}
  AND cluster = {{cluster:String}} AND ({{pool:String}} = '' OR pool = {{pool:String}})
HAVING count() > 0"""
