"""GPU samples of a fleet as Native bodies, made inside an engine: every field filled, seeded.

A GPU goes through phases of five minutes (training, inference, starved of data, idle); values are
whole steps of what NVML tells, twenty move and the rest hardly does. Rows come node by node, as
a relay puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpuledger.catalogue.gpu import GpuSample
from gpuledger.schema import Field, Kind
from gpuledger.store import Store

GPUS_PER_NODE = 8
PHASE_S = 300
# What counts as a value: everything that may be missing; keys and times come on top.
VALUES = sum(f.nullable for f in GpuSample.table.fields)


@dataclass(frozen=True)
class Shape:
    """How many GPUs send, and how long a block lasts at one row per second."""

    name: str
    gpus: int
    seconds: int

    @property
    def rows(self) -> int:
        """Rows of a block."""
        return self.gpus * self.seconds


FLEET = Shape("fleet-shaped", 10_000, 10)
DEEP = Shape("deep", 256, 390)


def body(store: Store, shape: Shape, since_s: int) -> bytes:
    """Rows that end in (since_s, since_s + seconds], seconds since 1970, as one Native body."""
    columns = ",\n".join(f"{_value(f)} AS `{f.stored}`" for f in GpuSample.table.fields)
    sql = (
        f"WITH number AS n, intDiv(n, {GPUS_PER_NODE * shape.seconds}) AS host,\n"
        f"n % {GPUS_PER_NODE} AS card, {since_s} + 1 + intDiv(n, {GPUS_PER_NODE})"
        f" % {shape.seconds} AS t,\nhost * {GPUS_PER_NODE} + card AS gpu,\n"
        f"cityHash64(gpu, intDiv(t, {PHASE_S})) % 100 AS phase,\n"
        "multiIf(phase < 61, 0.93, phase < 73, 0.4, phase < 80, 0.15, 0) AS level\n"
        f"SELECT {columns}\nFROM numbers({shape.rows})"
    )
    made: bytes = store._ask(lambda c: c.raw_query(sql, fmt="Native"))  # noqa: SLF001 - no product code asks for bytes
    return made


# What a column holds, before it is cast to the column's type; all others by kind, see below.
KEYS: Mapping[str, str] = {
    "ts": "fromUnixTimestamp64Milli(toInt64(t) * 1000, 'UTC')",
    "interval_ms": "999 + {noise} % 3",
    "cluster": "'fleet'",
    "node": "concat('gpu-', leftPad(toString(host), 5, '0'))",
    "epoch": "0",
    "slot": "card",
    "gpu_id": "cityHash64(gpu)",
    "uuid": "concat('GPU-', hex(cityHash64(gpu)), hex(cityHash64(gpu + 1)))",
    "source": "'nvml'",
    "active_ms": "if(level > 0, 1000, 0)",
    "lost_ms": "0",
    "memory_total_mib": "81559",
    "memory_used_mib": "if(level > 0, 61000 + gpu % 9000, 4)",
    "power_mw": "80000 + level * 560000 + {noise} % 24000",
    "power_limit_mw": "700000",
    "temperature_celsius": "28 + level * 40 + {noise} % 3",
    "memory_temperature_celsius": "36 + level * 48 + {noise} % 3",
    "sm_clock_mhz": "if(level > 0, 1980 - 15 * ({noise} % 8), 345)",
    "memory_clock_mhz": "if(level > 0, 2619, 1593)",
    "throttle_reasons": "if(level > 0, if({noise} % 5 = 0, 4, 0), 1)",
    "processes": "if(level > 0, 1, 0)",
    "encoder_pct": "0",
    "decoder_pct": "0",
    "fp64_active_bp": "0",
}


def _value(field: Field) -> str:
    # Noise differs from column to column; a max lies as far above its mean.
    noise = f"cityHash64(gpu, t, '{field.column.name}')"
    name = field.stored.removesuffix("_max")
    if name in KEYS:
        made = KEYS[name].format(noise=noise)
    elif field.column.kind is Kind.COUNTER:
        a_second = 650_000 if "mj" in name else 3 if "ms" in name else 4_000_000
        made = f"gpu * 1000003 + t * {a_second} + {noise} % {a_second}"
    elif field.column.bits == 8:
        made = f"least(100, level * 100 + {noise} % 4)"
    else:
        made = f"least(10000, level * (4000 + {len(name) * 200}) + if(level > 0, {noise} % 900, 0))"
    return f"CAST({made}, '{field.type}')" if name not in {"ts", "node"} else made
