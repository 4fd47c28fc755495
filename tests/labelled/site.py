"""Cards, sites and seeds: two sites to tune on, two that no threshold was ever chosen on.

Where the figures come from (public documents; what they do not say is a stated assumption):
- power limits: NVIDIA's data sheets (A100 SXM 400 W, H100 SXM 700 W, B200 1000 W, L40S 350 W);
- what a card draws with a context and no work: 70-77 W of 400 W on A100 (pytorch/pytorch issue
  118369 shows `nvidia-smi` of a live job between steps); the other cards scale from it. Bare cards
  draw less, since without a client clocks fall (assumption: 75-85 % of the context's draw);
- shares of what people run and waste: idle jobs and their limits after Princeton's Job Defense
  Shield and Run:ai's dashboards, causes of low use after Gao et al. (ICSE 2024, 10.1145/3597503.
  3639232: 46 % data operations, 45 % model code), services and gangs after AcmeTrace (Seren and
  Kalos), mean use after Philly (0.50) and MIT SuperCloud (0.26-0.34).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

STEP_S = 10
"""Seconds of one step of every signal."""
STEPS_PER_MINUTE = 60 // STEP_S


@dataclass(frozen=True)
class Card:
    """One model of GPU: watts, bytes and bytes per second."""

    model: str
    memory: float
    limit: float
    bare: float
    context: float
    nvlink: float
    pcie: float
    sm_hertz: float
    celsius: float
    profiles: bool = True
    """Whether it has profiling counters (GPM: Hopper and later)."""
    links: int = 18


GIB = float(1 << 30)
A100 = Card(
    *("NVIDIA A100-SXM4-80GB", 80 * GIB, 400, 56, 70, 300e9, 25e9, 1410e6, 72),
    profiles=False,
    links=12,
)
H100 = Card("NVIDIA H100 80GB HBM3", 80 * GIB, 700, 72, 112, 450e9, 50e9, 1980e6, 68)
B200 = Card("NVIDIA B200", 180 * GIB, 1000, 142, 196, 900e9, 100e9, 1965e6, 62)
L40S = Card("NVIDIA L40S", 48 * GIB, 350, 34, 84, 0, 25e9, 2520e6, 76, profiles=False, links=0)


@dataclass(frozen=True)
class Variant:
    """One site: its machines, its habits and its noise. Rates are bytes per second."""

    name: str
    card: Card
    nodes: int
    slots: int = 8
    cores: int = 96
    memory: float = 1024 * GIB
    fabric: float = 50e9
    """One InfiniBand port of a node."""
    ethernet: float = 25e9
    storage: str = "lustre"
    storage_rate: float = 4e9
    """What one node reads at most from the shared filesystem."""
    scraped: int = 2
    """Nodes that only an exporter with utilization and memory tells of (grade C)."""
    mig: int = 1
    shared: int = 1
    """Nodes whose GPUs are cut into slices, and nodes whose GPUs are time-sliced."""
    power_spread: float = 0.05
    """How much floors differ from card to card."""
    noise: float = 0.015
    """Noise of power and activity, as a share."""
    startup_s: float = 150
    """Median time from a job's start to first activity; gangs take longer."""
    requests_s: float = 200
    """Median time between requests to a warm service."""
    skew_s: float = 6
    """Spread of the nodes' clocks; one node is ten times as far off."""
    gaps: float = 0.5
    """Mean number of telemetry gaps of one node in six hours."""
    lost_rows: float = 0.004
    """Share of minutes of a node that never arrive."""
    gang: int = 64
    """GPUs of the job that loses a peer."""
    deck: float = 1.0
    """How many of each kind of job there are before any is met again; at least one."""
    free: float = 0.12
    """Share of the time between jobs."""
    weights: dict[str, float] = field(default_factory=dict)
    """How much more (or less) of a kind of job than elsewhere."""


HOPPER = Variant("hopper", H100, nodes=50)
AMPERE = Variant(
    *("ampere", A100, 44),
    cores=128,
    fabric=25e9,
    ethernet=12.5e9,
    storage="nfs",
    storage_rate=1.1e9,
    scraped=4,
    startup_s=90,
    requests_s=90,
    gaps=0.8,
)
BLACKWELL = Variant(
    *("blackwell", B200, 50),
    cores=224,
    memory=2048 * GIB,
    fabric=100e9,
    ethernet=50e9,
    storage="lustre",
    storage_rate=9e9,
    power_spread=0.08,
    noise=0.03,
    startup_s=260,
    requests_s=420,
    skew_s=12,
    gaps=1.2,
    lost_rows=0.01,
    free=0.2,
    weights={"serving": 1.6, "train": 0.8},
)
ADA = Variant(
    *("ada", L40S, 64, 4),
    cores=64,
    memory=512 * GIB,
    fabric=12.5e9,
    ethernet=3.1e9,
    storage="nfs",
    storage_rate=0.6e9,
    scraped=6,
    mig=0,
    shared=2,
    noise=0.025,
    startup_s=60,
    requests_s=45,
    weights={"notebook": 1.8, "serving": 1.5, "hang": 0.7},
)

VARIANTS = {v.name: v for v in (HOPPER, AMPERE, BLACKWELL, ADA)}
TUNING = ("hopper", "ampere")
HELD_OUT = ("blackwell", "ada")
TUNING_SEEDS = (1, 2, 3, 4, 5, 6)
HELD_OUT_SEEDS = (101, 102, 103, 104)


def small(variant: Variant, nodes: int = 10) -> Variant:
    """The same site with few machines, and a gang of 16 GPUs instead of 64."""
    return replace(variant, nodes=nodes, gang=16, mig=0, scraped=1, shared=1, deck=0.16)
