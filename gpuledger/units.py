"""Units and steps: the only spellings of units in gpuledger."""

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True)
class Step:
    """The resolution in which a quantity is stored, as a fraction of its base unit."""

    name: str
    factor: Fraction


ONE = Step("one", Fraction(1))
CENTI = Step("centi", Fraction(1, 100))
MILLI = Step("milli", Fraction(1, 1_000))
BASIS_POINT = Step("basis point", Fraction(1, 10_000))
MICRO = Step("micro", Fraction(1, 1_000_000))
NANO = Step("nano", Fraction(1, 1_000_000_000))
MEGA = Step("mega", Fraction(1_000_000))
MEBI = Step("mebi", Fraction(1 << 20))


@dataclass(frozen=True)
class Unit:
    """A base unit: what people see in names, in UCUM and in Grafana, and its stored spellings."""

    suffix: str
    ucum: str
    grafana: str
    stored: dict[str, str] = field(default_factory=dict, hash=False)

    def stored_suffix(self, step: Step) -> str:
        """Suffix of the physical column, e.g. `mw` for watts stored in steps of a milliwatt."""
        return self.stored.get(step.name, self.suffix)


WATT = Unit("watts", "W", "watt", {"milli": "mw"})
JOULE = Unit("joules", "J", "joule", {"milli": "mj"})
BYTE = Unit("bytes", "By", "bytes", {"mebi": "mib"})
BYTE_PER_SECOND = Unit("bytes_per_second", "By/s", "Bps", {"mega": "mb_per_s"})
RATIO = Unit("ratio", "1", "percentunit", {"centi": "pct", "basis point": "bp"})
SECOND = Unit("seconds", "s", "s", {"milli": "ms", "micro": "us", "nano": "ns"})
CELSIUS = Unit("celsius", "Cel", "celsius")
HERTZ = Unit("hertz", "Hz", "hertz", {"mega": "mhz"})
COUNT = Unit("", "1", "short")
CURRENCY = Unit("", "1", "none")

SUFFIXES = {u.suffix for u in (WATT, JOULE, BYTE, BYTE_PER_SECOND, RATIO, SECOND, CELSIUS, HERTZ)}
