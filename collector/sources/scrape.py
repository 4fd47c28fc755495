"""Foreign exporters: their pages, over HTTP or from text files, as rows of ours by a mapping."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator
from copy import copy
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from collector.address import is_address
from collector.files import boot_id, unicode
from collector.missing import Missing, Reason
from collector.slots import slots
from collector.source import Context, Source, SourceKind
from collector.tally import Tally
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.host import SourceRun
from gpuledger.catalogue.work import Gpu
from gpuledger.config import Settings
from gpuledger.errors import ConfigError, ReadError, Unavailable
from gpuledger.identity import hash64
from gpuledger.mapping import Place, Sum
from gpuledger.schema import UNSET_TIME, Row

if TYPE_CHECKING:
    from collector.scraping import Desk, Feed, Outcome

INVENTORY_S = 600.0
LOOK_S = 60.0
MAX_TARGETS = 512
MAX_UNKNOWN = 50
# What a page may have for an agent on a node to stay below 100 MB.
PAGE_BYTES = 4 << 20
PAGE_SAMPLES = 50_000
PAGE_ROWS = 10_000
# Sums of counters that nobody told for so long are forgotten.
FORGOTTEN_S = 86_400.0
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
    max_page_bytes: Annotated[
        int, "largest page, unpacked; the agent needs some 4 times as much: more for a cluster's"
    ] = PAGE_BYTES
    max_samples: Annotated[int, "most samples in one page; more for a cluster's"] = PAGE_SAMPLES
    max_rows: Annotated[int, "most rows that one page may become, of some 3 KB"] = PAGE_ROWS
    threads: Annotated[int, "pages that are got at once; each may hold a whole page"] = 8
    textfile: Annotated[str, "folder of <mapping>[.anything].prom files; empty = none"] = ""

    def __post_init__(self) -> None:
        """ConfigError where periods or numbers make no sense."""
        if self.period_s <= 0 or self.wait_s < 0:
            raise ConfigError("[scrape]: period_s must be above 0, wait_s not below")
        limits = ("max_page_bytes", "max_samples", "max_rows", "threads")
        if min(getattr(self, name) for name in limits) <= 0:
            raise ConfigError(f"[scrape]: {', '.join(limits)} must be above 0")
        if len(self.targets) > MAX_TARGETS:
            raise ConfigError(f"[scrape]: more than {MAX_TARGETS} targets; use several agents")
        urls = [target.url for target in self.targets]
        twice = next((url for url in urls if urls.count(url) > 1), "")
        if twice:
            raise ConfigError(f"[scrape]: {twice} is there twice; one page has one mapping")


class Scrape(Source):
    """Reads pages side by side; one that is late joins a later reading."""

    def __init__(self, settings: ScrapeSettings, context: Context) -> None:
        own = (target.period_s for target in settings.targets if target.period_s)
        self.period_s = min((settings.period_s, *own))
        self._settings = settings
        self._context = context
        self._missing = Missing("scrape")
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._feeds: dict[str, tuple[Feed, Place]] = {}
        self._desk: Desk | None = None
        self._looked = -inf
        self._inventory: dict[tuple[str, int, str], tuple[Gpu, float]] = {}
        self._warned: set[str] = set()
        self._unmapped: set[str] = set()
        boot = boot_id(context.root)
        # Counters of this node begin again when it boots; those of others go on.
        self._sums = {
            True: Tally(context.memory, boot, "sum/here/"),
            False: Tally(context.memory, prefix="sum/there/"),
        }
        self._summed: dict[str, float] = {}

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
            first = min(failed, key=lambda outcome: outcome.feed.name)
            raise ReadError(f"{first.feed.name}: {first.said}")

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
                most_rows=self._settings.max_rows,
            )
            self._meet(target.url, place, target)
        if self._settings.textfile:
            paths = sorted(map(str, Path(self._settings.textfile).glob("*.prom")))
            for path in paths:
                self._meet(path, Place(slots=here, most_rows=self._settings.max_rows), None)
            self._part({*paths, *(target.url for target in self._settings.targets)})
        self._forget_sums(now)

    def _part(self, present: set[str]) -> None:
        """Let go of text files that are there no more; what they lacked is missing no more."""
        for name in self._unmapped - present:
            self._missing.found(unicode(name), PAGE)
            self._unmapped.discard(name)
        for name in self._feeds.keys() - present:
            feed, _ = self._feeds[name]
            if feed.busy:  # its outcome is still to come
                continue
            del self._feeds[name]
            feed.close()
            self._warned.discard(feed.name)
            for subject, reading in (*feed.doubts, (feed.name, PAGE)):
                self._missing.found(subject, reading)

    def _meet(self, name: str, place: Place, target: Target | None) -> None:
        """Keep a feed, or begin one. What has no mapping is missing, the others go on."""
        known = self._feeds.get(name)
        try:
            feed = known[0] if known else self._feed(name, target)
        except ConfigError as e:
            self._unmapped.add(name)
            self._missing.note(unicode(name), PAGE, Reason.UNSUPPORTED, str(e))
        else:
            self._feeds[name] = (feed, place)

    def _feed(self, name: str, target: Target | None) -> Feed:
        """A feed of a target, or of the text file of that path, whose name tells the mapping."""
        from collector.scraping import Desk, Feed  # noqa: PLC0415 - see above
        from collector.springs import FileSpring, HttpSpring  # noqa: PLC0415 - see above
        from gpuledger.mapping_load import load  # noqa: PLC0415 - see above

        clock, period_s = self._context.clock, self._settings.period_s
        most = self._settings.max_page_bytes
        if self._desk is None:
            self._desk = Desk(self._settings.threads, self._settings.max_samples)
        if target is None:
            exporter = load(unicode(Path(name).name.partition(".")[0]))
            spring = FileSpring(Path(name), clock.wall, most)
            return Feed(spring, exporter, {}, period_s, desk=self._desk)
        page = HttpSpring(
            target.url,
            target.timeout_s,
            clock.monotonic,
            ca=target.ca,
            token_file=target.token_file,
            max_bytes=most,
        )
        return Feed(
            page,
            load(target.mapping),
            target.labels,
            target.period_s or period_s,
            target.stale_s,
            self._desk,
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
        """Attempts that should have ended by themselves."""
        now = self._context.clock.monotonic()
        for feed, _ in self._feeds.values():
            outcome = feed.give_up(now, GRACE_S)
            if outcome:
                yield outcome

    def _rows(self, outcome: Outcome) -> Iterator[Row]:
        feed, mapped = outcome.feed, outcome.mapped
        if outcome.reason:
            self._missing.note(feed.name, PAGE, outcome.reason, outcome.said)
        else:
            self._missing.found(feed.name, PAGE)
            self._doubt(outcome)
        for told in mapped.sums:
            self._correct(feed, told)
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

    def _correct(self, feed: Feed, told: Sum) -> None:
        """Make a sum of counters one that never falls, whatever becomes of one of them."""
        values = told.row.__dict__
        names = (*told.row.table.layout.key, "cluster", "slot")
        identity = (feed.name, told.row.table.name, *(str(values.get(n)) for n in names))
        key = f"{hash64(repr((*identity, told.column))):x}"
        self._summed[key] = self._context.clock.monotonic()
        # A row that nobody gave a node is about this one.
        values[told.column] = self._sums[values.get("node") == ""].total(key, told.parts)

    def _forget_sums(self, now: float) -> None:
        """Forget sums of rows that came no more for a day: their users and pods are gone."""
        for tally in self._sums.values():
            tally.forget(lambda key: now - self._summed.setdefault(key, now) < FORGOTTEN_S)
        self._summed = {k: at for k, at in self._summed.items() if now - at < FORGOTTEN_S}

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


source = SourceKind(
    ScrapeSettings,
    Scrape,
    optional=True,
    privilege="none; whom it scrapes may ask for a token",
)
