"""Foreign exporters: their pages, over HTTP or from text files, as rows of ours by a mapping."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator
from copy import copy
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from collector.missing import Missing, Reason
from collector.slots import slots
from collector.source import Context, Source, SourceKind
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.host import SourceRun
from gpuledger.catalogue.work import Gpu
from gpuledger.config import Settings
from gpuledger.errors import ConfigError, ReadError, Unavailable
from gpuledger.mapping import Place
from gpuledger.schema import UNSET_TIME, Row

if TYPE_CHECKING:
    from collector.scraping import Feed, Outcome

INVENTORY_S = 600.0
LOOK_S = 60.0
MAX_TARGETS = 512
MAX_UNKNOWN = 50
GRACE_S = 1.0
PAGE = "page"

Mode = Literal["primary", "supplement"]


class Target(Settings):
    """One exporter."""

    url: Annotated[str, "its page, http or https"]
    mapping: Annotated[str, "name of a shipped mapping, or path of a .yaml file"]
    mode: Annotated[Mode, "primary: its rows are the device's; supplement: they fill gaps"] = (
        "primary"
    )
    period_s: Annotated[float, "seconds between readings; 0 = as the source"] = 0.0
    timeout_s: Annotated[float, "longest wait for the whole page, seconds"] = 10.0
    stale_s: Annotated[float, "age of a sample, by its exporter's own stamp, that is too old"] = (
        300.0
    )
    labels: Annotated[dict[str, str], "labels to add to every series, over the exporter's"] = (
        msgspec.field(default_factory=dict)
    )
    node: Annotated[str, "node that it is about; empty = this one"] = ""
    node_label: Annotated[str, "label that names the node; empty = none does"] = ""
    ca: Annotated[str, "path of the certificates to trust; empty = the system's"] = ""
    token_file: Annotated[str, "path of a file with a bearer token; empty = none"] = ""

    def __post_init__(self) -> None:
        """ConfigError where the address, a time or the mapping cannot be used."""
        from gpuledger.mapping_load import load  # noqa: PLC0415 - only who scrapes needs YAML

        if not is_address(self.url):
            raise ConfigError(f"[scrape] url: '{self.url}' is no http or https address")
        if self.timeout_s <= 0 or self.period_s < 0:
            raise ConfigError(f"[scrape] {self.url}: timeout_s must be above 0, period_s not below")
        load(self.mapping)


class ScrapeSettings(Settings):
    """Section `[scrape]`."""

    period_s: Annotated[float, "seconds between readings"] = 15.0
    wait_s: Annotated[float, "longest a reading waits for pages; later ones join the next"] = 2.0
    targets: Annotated[
        list[Target],
        "exporters: url, mapping, mode (primary, supplement), period_s, timeout_s, stale_s, "
        "labels, node, node_label, ca, token_file",
    ] = msgspec.field(default_factory=list)
    textfile: Annotated[str, "folder of <mapping>[.anything].prom files; empty = none"] = ""

    def __post_init__(self) -> None:
        """ConfigError where periods or numbers make no sense."""
        if self.period_s <= 0 or self.wait_s < 0:
            raise ConfigError("[scrape]: period_s must be above 0, wait_s not below")
        if len(self.targets) > MAX_TARGETS:
            raise ConfigError(f"[scrape]: more than {MAX_TARGETS} targets; use several agents")
        urls = [target.url for target in self.targets]
        twice = next((url for url in urls if urls.count(url) > 1), "")
        if twice:
            raise ConfigError(f"[scrape]: {twice} is there twice; one page has one mapping")


class Scrape(Source):
    """Reads every page on its own thread; one that is late joins a later reading."""

    def __init__(self, settings: ScrapeSettings, context: Context) -> None:
        own = (target.period_s for target in settings.targets if target.period_s)
        self.period_s = min((settings.period_s, *own))
        self._settings = settings
        self._context = context
        self._missing = Missing("scrape")
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._feeds: dict[str, tuple[Feed, Place]] = {}
        self._looked = -inf
        self._inventory: dict[tuple[str, int, str], tuple[Gpu, float]] = {}
        self._warned: set[str] = set()

    def read(self) -> Iterable[Row]:
        """Rows of the pages that came. Unavailable without targets; ReadError if all failed."""
        if not self._settings.targets and not self._settings.textfile:
            raise Unavailable("[scrape] names no targets and no folder of text files")
        self._look()
        outcomes = []
        for outcome in self._outcomes(self._start()):
            outcomes.append(outcome)
            yield from self._rows(outcome)
        yield from self._missing.rows()
        failed = [o for o in outcomes if o.reason]
        if failed and len(failed) == len(outcomes):
            raise ReadError(f"{failed[0].feed.name}: {failed[0].said}")

    def close(self) -> None:
        """Close connections; threads that wait for an answer end by themselves."""
        for feed, _ in self._feeds.values():
            feed.close()

    def _look(self) -> None:
        """Find feeds and places: at the start, and every minute since files and cards come."""
        now = self._context.clock.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        here = slots(self._context.root)
        for target in self._settings.targets:
            local = not (target.node or target.node_label)
            place = Place(
                node=target.node,
                node_labels=(target.node_label,) if target.node_label else (),
                slots=here if local else {},
                supplement=target.mode == "supplement",
            )
            self._meet(target.url, place, target)
        if self._settings.textfile:
            for path in sorted(Path(self._settings.textfile).glob("*.prom")):
                self._meet(str(path), Place(slots=here), None)

    def _meet(self, name: str, place: Place, target: Target | None) -> None:
        """Keep a feed, or begin one. What has no mapping is missing, the others go on."""
        known = self._feeds.get(name)
        try:
            feed = known[0] if known else self._feed(name, target)
        except ConfigError as e:
            self._missing.note(name, PAGE, Reason.UNSUPPORTED, str(e))
        else:
            self._feeds[name] = (feed, place)

    def _feed(self, name: str, target: Target | None) -> Feed:
        """A feed of a target, or of the text file of that path, whose name tells the mapping."""
        from collector.scraping import Feed, FileSpring, HttpSpring  # noqa: PLC0415 - see above
        from gpuledger.mapping_load import load  # noqa: PLC0415 - see above

        clock, period_s = self._context.clock, self._settings.period_s
        if target is None:
            exporter = load(Path(name).name.partition(".")[0])
            return Feed(FileSpring(Path(name), clock.wall), exporter, {}, period_s)
        spring = HttpSpring(
            target.url,
            target.timeout_s,
            clock.monotonic,
            ca=target.ca,
            token_file=target.token_file,
        )
        return Feed(
            spring,
            load(target.mapping),
            target.labels,
            target.period_s or period_s,
            target.stale_s,
        )

    def _start(self) -> set[Feed]:
        """Begin what is due."""
        now, clock = self._context.clock.monotonic(), self._context.clock
        started = set()
        for feed, place in self._feeds.values():
            if feed.is_due(now, self.period_s):
                feed.start(place, clock, self._context.log, self._done.put)
                started.add(feed)
        return started

    def _outcomes(self, awaited: set[Feed]) -> Iterator[Outcome]:
        """What is done, those that were late before included, and then what is late now."""
        until = self._context.clock.monotonic() + self._settings.wait_s
        while True:
            left_s = max(0.0, until - self._context.clock.monotonic()) if awaited else 0.0
            try:
                outcome = self._done.get(timeout=left_s) if left_s else self._done.get_nowait()
            except queue.Empty:
                break
            awaited.discard(outcome.feed)
            outcome.feed.finish(outcome)
            yield outcome
        yield from self._late()

    def _late(self) -> Iterator[Outcome]:
        """Attempts that should have ended by themselves (a resolver hangs, a header drips)."""
        now = self._context.clock.monotonic()
        for feed, _ in self._feeds.values():
            waited_s = now - feed.began
            if feed.busy and not feed.late and waited_s > feed.timeout_s + GRACE_S:
                feed.late = True
                yield feed.failed(Reason.TIMEOUT, f"no end after {waited_s:.0f} s", waited_s)

    def _rows(self, outcome: Outcome) -> Iterator[Row]:
        feed, mapped = outcome.feed, outcome.mapped
        if outcome.reason:
            self._missing.note(feed.name, PAGE, outcome.reason, outcome.said)
        else:
            self._missing.found(feed.name, PAGE)
            self._doubt(outcome)
        count = 0
        for row in mapped.rows:
            if isinstance(row, Gpu) and self._is_told(row):
                continue
            if row.__dict__.get("ts") == UNSET_TIME:
                row.__dict__["ts"] = from_milliseconds(outcome.wall_ms)
            count += 1
            yield row
        yield SourceRun(
            source=f"scrape {feed.name}",
            runs=1,
            failures=int(outcome.reason is not None),
            rows=count,
            duration_seconds=outcome.took_s,
            reason=outcome.said,
        )

    def _doubt(self, outcome: Outcome) -> None:
        """Say which values of the page could not be used, and which can again."""
        feed, doubts = outcome.feed, set()
        for doubt in outcome.mapped.doubts:
            subject = f"{feed.name} {doubt.subject}".strip()
            self._missing.note(subject, doubt.reading, Reason.MALFORMED, doubt.said)
            doubts.add((subject, doubt.reading))
        unknown = sorted(outcome.mapped.unknown)
        for name in unknown[:MAX_UNKNOWN]:
            self._missing.note(feed.name, name, Reason.UNSUPPORTED, "the mapping lacks this name")
            doubts.add((feed.name, name))
        for subject, reading in feed.doubts - doubts:
            self._missing.found(subject, reading)
        feed.doubts = doubts
        if unknown and feed.name not in self._warned:
            self._warned.add(feed.name)
            self._context.log.warning(
                "scrape %s: the mapping lacks %d names: %s",
                feed.name,
                len(unknown),
                ", ".join(unknown[:5]),
            )

    def _is_told(self, gpu: Gpu) -> bool:
        """Whether the inventory was told ten minutes ago or later, and is as it was."""
        now = self._context.clock.monotonic()
        key = (gpu.node, int(gpu.slot), gpu.uuid)
        known = self._inventory.get(key)
        if known and known[0] == gpu and now - known[1] < INVENTORY_S:
            return True
        # The agent stamps the row that goes out: what is kept must stay as it was.
        self._inventory[key] = (copy(gpu), now)
        return False


def is_address(url: str) -> bool:
    """Whether it is an HTTP address with a host; the path may be empty."""
    try:
        parsed = urlsplit(url)
        return parsed.scheme in {"http", "https"} and bool(parsed.hostname) and parsed.port != 0
    except ValueError:
        return False


source = SourceKind(
    ScrapeSettings,
    Scrape,
    optional=True,
    privilege="none; whom it scrapes may ask for a token",
)
