"""What is free now, and what will be asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from analytics.learn import forecast
from analytics.placing import free
from analytics.routes.answers import TheAsk
from analytics.routes.described import (
    AT,
    COMMON,
    LONGEST_NAME,
    UNCHANGED,
    Answer,
    Cluster,
    Pool,
    filters,
    listing,
    route_id,
    shown,
)
from analytics.routes.paging import WHOLE, Key

router = APIRouter(
    prefix="/v1", tags=["capacity"], responses=COMMON, generate_unique_id_function=route_id
)
FREE_KEYS = (Key("cluster"), Key("model"))
FORECAST_KEYS = (Key("cluster"), Key("pool"), Key("horizon_days", WHOLE), Key("measure"))


class Free(Answer):
    """GPUs of one model in the last booked minute."""

    cluster: str = shown("c1")
    model: str | None = shown("NVIDIA H100 80GB HBM3")
    owned_gpus: int = shown(256)
    used_gpus: int = shown(231)
    free_gpus: int = shown(14)
    blocks_1: int = shown(14, "requests of 1 GPU that fit now")
    blocks_2: int = shown(6)
    blocks_4: int = shown(2)
    blocks_8: int = shown(1)
    not_usable: dict[str, int] = shown({"stranded cpu_ram": 11}, "why others are not free")
    next_free: datetime | None = shown(AT, "by the time limits of the jobs that run")
    next_free_gpus: int | None = shown(8)


class ForecastStep(Answer):
    """One step of a forecast."""

    at: datetime = shown(AT)
    low: float = shown(180.0)
    expected: float = shown(212.0)
    high: float = shown(240.0)


class Forecast(Answer):
    """What will be asked for or usable, in GPUs, with a band of 80 %."""

    cluster: str = shown("c1")
    pool: str | None = shown("h100")
    measure: str = shown("demand")
    horizon_days: int = shown(7)
    made: datetime = shown(AT)
    step_seconds: int = shown(3600)
    method: str | None = shown("seasonal")
    error_ratio: float | None = shown(0.09, "misses of past forecasts, of what came")
    naive_error_ratio: float | None = shown(0.14, "that of the same week again")
    cover_ratio: float | None = shown(0.81)
    origins: int | None = shown(12)
    history_days: int | None = shown(56)
    low: float = shown(180.0)
    expected: float = shown(212.0)
    high: float = shown(240.0)
    steps: list[ForecastStep]


@router.get("/free", **listing(Free, UNCHANGED))
def get_free(
    ask: TheAsk,
    cluster: Cluster = "",
    model: Annotated[
        str, Query(max_length=LONGEST_NAME, description="only models with it in their name")
    ] = "",
) -> Response:
    """What is free now in blocks on one node, why others are not, and when the next come.

    Counts of the whole fleet, whoever asks: what is free depends on what others hold.
    """

    def rows() -> list[dict[str, Any]]:
        _, found = free.free(ask.service.boards, model)
        return [r for r in found if cluster in {"", r["cluster"]}]

    return ask.held(Free, FREE_KEYS, rows, rests_on=("booked_hours",))


@router.get("/forecast", **listing(Forecast, UNCHANGED))
def get_forecast(ask: TheAsk, cluster: Cluster = "", pool: Pool = "") -> Response:
    """Demand and usable GPUs of the next 7 and 28 days, with bands and past errors.

    Empty while the book has less than 14 whole days.
    """
    given = filters(cluster=cluster, pool=pool)

    def rows() -> list[dict[str, Any]]:
        found = forecast.current(ask.store)
        return [r for r in found if all(r[name] == value for name, value in given.items())]

    return ask.held(Forecast, FORECAST_KEYS, rows, rests_on=("forecasts",))
