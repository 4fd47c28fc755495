"""The causes of low use, each a declared rule over features of an episode.

A signal speaks for its cause by degrees: not at all at `nothing`, fully at `full`, linearly
between. Signals of one group say the same thing in different words: the strongest counts. A group
that is `needed` must speak, or the cause is out of the question.

Thresholds: DCGM's profiling guide (SM activity of 0.8 is needed for good use, below 0.5 is likely
ineffective); Gao et al., ICSE 2024, for the kinds of causes; Linux PSI and I/O wait as shares of
time; what no document gives is chosen on labelled telemetry (docs/causes.md says which).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GIGA = 1e9


@dataclass(frozen=True)
class Signal:
    """A feature that speaks for a cause, and how people read it (`{}` = its value)."""

    feature: str
    nothing: float
    full: float
    says: str = ""
    scale: float = 1.0
    most: float = 1.0

    def strength(self, value: float) -> float:
        """From 0 (says nothing) to `most` (1 unless it cannot be sure by itself)."""
        told = (value - self.nothing) / (self.full - self.nothing)
        return self.most * min(1.0, max(0.0, told))

    def text(self, value: float) -> str:
        """The signal in words, with its number."""
        return self.says.format(value * self.scale)


@dataclass(frozen=True)
class Group:
    """Signals that say the same thing; `weight` is its part in the score of the cause.

    The strongest counts, or with `every` the weakest: then all that are known must hold. A group
    that says too little rules the cause out if it is `needed` or `refutes`; one that is needed
    does so too where nothing of it is known.
    """

    weight: float
    signals: tuple[Signal, ...]
    needed: bool = False
    refutes: bool = False
    every: bool = False


@dataclass(frozen=True)
class Cause:
    """One cause: its name, what it is in words, its groups, and what to do about it.

    `facts` are told beside the signals that spoke; they carry no weight. `by_framework` says what
    to do in the words of a job's framework.
    """

    name: str
    title: str
    action: str
    groups: tuple[Group, ...]
    facts: tuple[Signal, ...] = ()
    by_framework: Mapping[str, str] = field(default_factory=dict)

    def advice(self, framework: str) -> str:
        """What to do about it in a job of this framework; empty = unknown."""
        return self.by_framework.get(framework, self.action)


def _percent(feature: str, nothing: float, full: float, says: str = "") -> Signal:
    return Signal(feature, nothing, full, f"{says} {{:.0f}} %" if says else "", 100)


def _rate(feature: str, nothing: float, full: float, says: str) -> Signal:
    return Signal(feature, nothing * GIGA, full * GIGA, f"{says} {{:.2g}} GB/s", 1 / GIGA)


# Waits of a second and more show in `waiting` and `dip_ratio`, shorter ones only in utilization.
INTERMITTENT = Group(
    0.3,
    (
        _percent("waiting", 0.08, 0.35, "GPU without work"),
        _percent("dip_ratio", 0.08, 0.3, "dips"),
        _percent("gaps", 0.35, 0.65, "no kernel for"),
    ),
    needed=True,
)
STEADY = Group(0.2, (_percent("intermittent", 0.25, 0.08),), needed=True)
# What would explain low use better is not there, as far as anybody told.
QUIET_STORAGE = Group(
    0.15,
    (
        _percent("job_io_pressure", 0.3, 0.05),
        _percent("iowait", 0.08, 0.02),
        _percent("storage_link_ratio", 0.6, 0.2),
    ),
    refutes=True,
    every=True,
)
QUIET_PROCESSORS = Group(
    0.1,
    (
        _percent("job_cpu_pressure", 0.4, 0.1),
        _percent("cpus_used_ratio", 0.98, 0.8),
        _percent("cpu_busy", 0.95, 0.8),
    ),
    refutes=True,
    every=True,
)
QUIET_LINKS = Group(
    0.1,
    (
        _percent("pcie_ratio", 0.3, 0.1),
        _percent("nvlink_ratio", 0.4, 0.15),
        _percent("gang_ratio", 0.5, 0.3),
    ),
    refutes=True,
    every=True,
)
# A kernel that spins in a collective keeps multiprocessors resident and moves nothing.
COMPUTES = Group(0.05, (_percent("computing", 0.005, 0.03),), refutes=True)
READS = Group(0.1, (_percent("read_share", 0.3, 0.6),), refutes=True)

CAUSES: tuple[Cause, ...] = (
    Cause(
        "input_bound",
        "waits for data",
        "read ahead with more loader workers, pack small files into shards, or copy the data to"
        " local disks before the run",
        (
            Group(
                0.6,
                (
                    _percent("job_io_pressure", 0.12, 0.4, "tasks of the job wait for I/O"),
                    _percent("iowait", 0.04, 0.15, "I/O wait"),
                    _percent("io_pressure", 0.2, 0.5, "tasks wait for I/O"),
                    _percent("storage_link_ratio", 0.35, 0.75, "link to storage"),
                    Signal("node_link_ratio", 0.7, 0.95, "its node's link {:.0f} %", 100, 0.7),
                    _percent("disk_busy", 0.6, 0.9, "disks busy"),
                    Signal("netfs_latency", 0.02, 0.06, "{:.0f} ms a read", 1e3),
                    Signal("netfs_metadata", 1000, 4000, "{:,.0f} metadata operations/s"),
                ),
                needed=True,
            ),
            INTERMITTENT,
            READS,
            Group(0.05, (Signal("write_match", 0.5, 0.2),), refutes=True),
        ),
        (_rate("read", 0, 1, "its nodes read"),),
    ),
    Cause(
        "cpu_bound",
        "waits for its processors",
        "ask for more processors per GPU, use more loader workers, or decode and augment on the"
        " GPU (e.g. DALI)",
        (
            Group(
                0.6,
                (
                    _percent("cpus_used_ratio", 0.75, 0.9, "of its processors used"),
                    _percent("throttled", 0.05, 0.3, "held back by its quota"),
                    _percent("job_cpu_pressure", 0.15, 0.5, "tasks of the job wait for processors"),
                    _percent("cpu_busy", 0.75, 0.92, "processors busy"),
                    _percent("cpu_pressure", 0.3, 0.6, "tasks wait for processors"),
                ),
                needed=True,
            ),
            INTERMITTENT,
            Group(
                0.1,
                (_percent("job_io_pressure", 0.4, 0.1), _percent("iowait", 0.12, 0.03)),
                every=True,
            ),
        ),
    ),
    Cause(
        "communication_bound",
        "waits for other GPUs",
        "overlap communication with computing (bucketing, gradient accumulation), use fewer and"
        " fuller GPUs or nodes, or keep the job within one NVLink domain",
        (
            Group(
                0.6,
                (
                    Signal("nvlink_ratio", 0.15, 0.4, "NVLink at {:.0f} %", 100),
                    Signal("gang_ratio", 0.3, 0.6, "fabric at {:.0f} %", 100),
                ),
                needed=True,
            ),
            Group(0.2, (_percent("utilization", 0.5, 0.9, "utilization"),)),
            Group(0.2, (_percent("sm", 0.6, 0.45, "SM"),)),
        ),
    ),
    Cause(
        "small_batch",
        "gives the GPU too little work at a time",
        "raise the batch size (memory is free), fuse kernels (torch.compile, CUDA graphs), or use a"
        " MIG slice or a smaller GPU",
        (
            STEADY,
            Group(
                0.3,
                (_percent("occupancy", 0.3, 0.15, "occupancy"), _percent("sm", 0.4, 0.25, "SM")),
                needed=True,
                every=True,
            ),
            Group(0.2, (_percent("memory_ratio", 0.75, 0.4, "memory"),), refutes=True),
            QUIET_STORAGE,
            QUIET_PROCESSORS,
            QUIET_LINKS,
            COMPUTES,
        ),
    ),
    Cause(
        "memory_hoarding",
        "holds memory and computes little",
        "let go of memory that is not used (TF_FORCE_GPU_ALLOW_GROWTH=true,"
        " XLA_PYTHON_CLIENT_PREALLOCATE=false, torch.cuda.empty_cache), or load the model on"
        " demand; then a slice or a share would do",
        (
            Group(0.4, (_percent("memory_ratio", 0.78, 0.9, "memory"),), needed=True),
            Group(
                0.2,
                (
                    _percent("dram", 0.2, 0.08, "memory bandwidth"),
                    _percent("memory_utilization", 0.2, 0.08, "memory traffic"),
                ),
                refutes=True,
            ),
            Group(0.1, (_percent("use", 0.35, 0.2, "activity"),), needed=True),
            QUIET_STORAGE,
            QUIET_PROCESSORS,
            QUIET_LINKS,
            COMPUTES,
        ),
    ),
    Cause(
        "no_tensor",
        "computes in single precision without tensor cores",
        "turn on mixed precision (torch.autocast with bfloat16), or at least TF32"
        " (torch.set_float32_matmul_precision('high'))",
        (
            Group(0.4, (_percent("tensor", 0.02, 0.003, "tensor cores"),), needed=True),
            Group(0.4, (_percent("fp32_share", 0.25, 0.5),), needed=True),
            Group(0.1, (_percent("fp32", 0.02, 0.1, "FP32 pipe"),), needed=True),
            Group(0.1, (_percent("fp64", 0.1, 0.02),), refutes=True),
        ),
        (_percent("sm", 0, 1, "SM"),),
        # Both compute in TF32 on cards that can, unless they are told not to.
        {
            "tensorflow": "turn on mixed precision"
            " (tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')), or at least leave"
            " TF32 on (tf.config.experimental.enable_tensor_float_32_execution)",
            "jax": "compute in bfloat16 (dtype=jnp.bfloat16), or at least allow TF32"
            " (jax_default_matmul_precision='tensorfloat32')",
        },
    ),
    Cause(
        "checkpoint_bound",
        "pauses to write checkpoints",
        "save less often, asynchronously (torch.distributed.checkpoint.async_save), or to local"
        " disks first",
        (
            Group(0.4, (Signal("write_match", 0.3, 0.6),), needed=True),
            Group(0.3, (_rate("pause_write", 0.05, 0.3, "writing in pauses"),), needed=True),
            Group(0.3, (_percent("pause_ratio", 0.08, 0.3, "of the time in pauses"),), needed=True),
        ),
        (Signal("pauses_per_h", 0, 1, "{:.0f} pauses an hour"),),
    ),
    Cause(
        "host_device_copies",
        "moves data between host and GPU",
        "pin memory and copy asynchronously (pin_memory, non_blocking=True), keep tensors on the"
        " GPU between steps, and move preprocessing there",
        (
            Group(0.7, (_percent("pcie_ratio", 0.15, 0.35, "PCIe at"),), needed=True),
            Group(0.2, (_percent("use", 0.6, 0.45, "activity"),), refutes=True),
            QUIET_STORAGE,
        ),
    ),
)
