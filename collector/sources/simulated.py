"""A small cluster that does not exist, for trying things out: no device is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from collector.source import Context, Role, Source, SourceKind
from gpuledger.config import Settings
from gpuledger.errors import Unavailable
from gpuledger.schema import Row

if TYPE_CHECKING:
    from collector.simulation.feed import Feed

READ_UNTIL = "simulated_read_until"


class SimulatedSettings(Settings):
    """Section `[simulated]`."""

    seed: Annotated[int, "chooses the cluster's history"] = 1
    nodes: Annotated[int, "nodes with eight GPUs each"] = 4
    period_s: Annotated[float, "seconds between readings"] = 10.0
    history_h: Annotated[float, "hours of the past that the first reading brings"] = 24.0
    world_days: Annotated[int, "days after which another history begins"] = 14


@dataclass
class SimulatedSource(Source):
    """Tells for a whole cluster what its agents and its scheduler would tell."""

    settings: SimulatedSettings
    context: Context
    period_s: float
    _feed: Feed | None = field(default=None, init=False)

    def read(self) -> Iterable[Row]:
        """Rows that came about since the last reading. Unavailable without numpy."""
        feed = self._feed = self._feed or self._new_feed()
        since, until = self._interval()
        yield from feed.rows(since, until)
        self.context.memory[READ_UNTIL] = until.isoformat()

    def _new_feed(self) -> Feed:
        try:
            from collector.simulation.feed import Feed  # noqa: PLC0415 - nodes have no numpy
        except ImportError as e:
            raise Unavailable(f"simulated: {e}; install gpuledger[server]") from None
        settings = self.settings
        return Feed(self.context.cluster, settings.seed, settings.nodes, settings.world_days)

    def _interval(self) -> tuple[datetime, datetime]:
        """From the last reading, of this process or an earlier one, to now."""
        from collector.simulation.feed import RECENT_S, ROW_S, floor  # noqa: PLC0415 - see above

        now = datetime.fromtimestamp(self.context.clock.wall(), UTC)
        oldest = now - timedelta(hours=self.settings.history_h)
        read = self.context.memory.get(READ_UNTIL)
        since = max(oldest, datetime.fromisoformat(read)) if read else oldest
        far = (now - since).total_seconds() > RECENT_S
        step_s = 60 if far else ROW_S
        return floor(since, step_s), floor(now, step_s)


def _make(settings: SimulatedSettings, context: Context) -> SimulatedSource:
    return SimulatedSource(settings, context, settings.period_s)


source = SourceKind(SimulatedSettings, _make, role=Role.CLUSTER, optional=True)
