"""Whether to buy, in a sentence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from analytics.advisors.buy import BuySettings, advisor
from gpuledger.catalogue import Recommendation
from gpuledger.catalogue.demand import RecoverableMinute
from gpuledger.store import Store
from tests.analytics.advice.test_demand import hour
from tests.analytics.advisors.outlooks import Band, forecast
from tests.analytics.world import START, write

NOW = START + timedelta(days=4)
USABLE = (100.0, 100.0, 100.0)


def advise(store: Store, demand: Band, loose: float = 0.0) -> list[Recommendation]:
    """What is said where so many GPUs were loose on average."""
    hours = [START + timedelta(hours=h) for h in range(96)]
    write(store, map(hour, hours))
    write(store, [minute(h, loose) for h in hours])
    write(store, forecast(NOW, demand, USABLE, 28))
    return list(advisor.advise(store, BuySettings(), [], NOW))


def minute(at: object, loose: float) -> RecoverableMinute:
    """An hour's loose time, told in one minute."""
    return RecoverableMinute(
        cluster="c",
        pool="big",
        minute=at,
        loose_seconds=3600 * loose,
        unmet_seconds=0,
        met_millionths=0,
    )


def test_what_stays_lacking_when_loose_time_is_won_back_is_to_be_bought(store: Store) -> None:
    (told,) = advise(store, (104.0, 110.0, 120.0), loose=8.0)
    assert told.title == "Buy 6 GPUs (at most 16) for c"
    assert told.gain_gpu_hours == pytest.approx(6 * 28 * 24)
    assert (told.gain_low_gpu_hours, told.gain_high_gpu_hours) == (0, 6 * 28 * 24)
    assert "by 10 (4 to 20) GPUs" in told.because
    assert "4 GPUs of that first; 6 (0 to 16) GPUs would still be lacking" in told.because


def test_nothing_is_bought_while_as_much_stands_idle(store: Store) -> None:
    (told,) = advise(store, (104.0, 110.0, 120.0), loose=20.0)
    assert told.title == "Do not buy GPUs for c: win back what stands idle first"
    assert told.gain_gpu_hours == 0


def test_nobody_asks_where_even_the_upper_band_lacks_nothing(store: Store) -> None:
    assert advise(store, (50.0, 80.0, 100.5)) == []


def test_a_forecast_that_is_over_says_nothing(store: Store) -> None:
    write(store, forecast(NOW - timedelta(days=29), (200.0,) * 3, USABLE, 28))
    assert list(advisor.advise(store, BuySettings(), [], NOW)) == []


def test_pools_that_are_told_apart_speak_for_their_cluster(store: Store) -> None:
    write(store, forecast(NOW, (120.0,) * 3, USABLE, 28))
    write(store, forecast(NOW, (120.0,) * 3, USABLE, 28, pool="big"))
    told = list(advisor.advise(store, BuySettings(), [], NOW))
    assert [r.subject for r in told] == ["c/big"]


def test_an_empty_store_buys_nothing(store: Store) -> None:
    assert list(advisor.advise(store, BuySettings(), [], NOW)) == []
