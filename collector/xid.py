"""What NVIDIA's XID codes mean, whose fault they tell of, and what helps.

Source of codes and of the first thing to do: NVIDIA's Xid catalogue,
https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html (Ampere and newer). The class
is ours: an error that restarting the program cures and that its work can cause is the
application's, what asks for a reset, a repair or a spare part is the hardware's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HARDWARE, APPLICATION, INFORMATION = "hardware", "application", "information"
RESTART, RESET, REBOOT, SUPPORT = "restart application", "reset GPU", "reboot node", "call support"
NONE, FOLLOW, DRAIN = "none", "follow the XIDs beside it", "drain and reset"
# nvmlDeviceGpuRecoveryAction_t, also what XID 154 tells.
ACTIONS = (
    *(NONE, RESET, REBOOT, "drain peers", DRAIN, "recover IMEX domain"),
    *("reset bus", "reboot system"),
)


@dataclass(frozen=True)
class Meaning:
    """Class, meaning and what to do first; empty where nothing is known."""

    cause: str = ""
    text: str = ""
    recovery: str = ""


UNKNOWN = Meaning()


def _each(cause: str, recovery: str, texts: dict[int, str]) -> Iterable[tuple[int, Meaning]]:
    return ((code, Meaning(cause, text, recovery)) for code, text in texts.items())


def _engines(name: str, codes: Iterable[int], first: int = 0) -> Iterable[tuple[int, Meaning]]:
    """Errors of numbered engines, in the order of their numbers."""
    named = enumerate(codes, first)
    return ((code, Meaning(APPLICATION, f"{name}{i} error", RESTART)) for i, code in named)


XIDS: dict[int, Meaning] = dict(
    (
        *_each(
            APPLICATION,
            RESTART,
            {
                8: "GPU stopped processing",
                11: "invalid push buffer",
                13: "graphics engine exception",
                25: "illegal push buffer",
                31: "GPU memory page fault",
                32: "corrupted push buffer",
                60: "video processor exception",
                69: "graphics engine class error",
                80: "corrupted data sent to the GPU",
            },
        ),
        *_each(
            APPLICATION,
            NONE,
            {
                37: "driver firmware error",
                43: "GPU stopped processing for one application",
                44: "fault during a context switch",
                66: "illegal access by the driver",
                67: "illegal access by the driver",
                137: "NVLink privilege error",
                141: "CUDA fast path error",
                160: "channel retired",
                161: "channel could not be retired",
            },
        ),
        *_engines("copy engine ", (39, 40, 41, 70, 71, 72, 75, 76, 77, 85)),
        *_engines("copy engine ", range(126, 136), first=10),
        *_engines("video decoder ", (68, 83, 84, 88, 89, 96, 97, 98)),
        *_engines("JPEG decoder ", (82, *range(99, 106))),
        *_engines("optical flow ", (86, 139)),
        *_each(APPLICATION, SUPPORT, {142: "video encoder 3 error"}),
        *_each(
            HARDWARE,
            RESET,
            {
                46: "GPU stopped processing",
                48: "double-bit ECC error",
                62: "internal micro-controller halt",
                64: "row remapping or page retirement failed",
                95: "uncontained memory error",
                109: "context switch timeout",
                110: "security fault",
                119: "GSP RPC timeout",
                120: "GSP error",
                136: "link training failed",
                140: "unrecovered ECC error",
                143: "GPU initialization error",
                155: "NVLink error defined by software",
                156: "resource retired",
                158: "fatal GPU timeout",
            },
        ),
        *_each(HARDWARE, RESTART, {94: "contained memory error"}),
        *_each(HARDWARE, REBOOT, {79: "GPU has fallen off the bus"}),
        *_each(HARDWARE, "check power cable", {54: "auxiliary power is not connected"}),
        *_each(HARDWARE, "NVIDIA's NVLink workflow", {74: "NVLink error"}),
        *_each(
            HARDWARE,
            "NVIDIA's NVLink 5 workflow",
            {
                144: "NVLink SAW error",
                145: "NVLink RLW error",
                146: "NVLink TLW error",
                147: "NVLink TREX error",
                148: "NVLink NVLPW_CTRL error",
                149: "NVLink NETIR error",
                150: "NVLink MSE error",
            },
        ),
        *_each(
            HARDWARE,
            "",
            {
                167: "fatal PCIe timeout",
                168: "reduced GPU memory capacity",
                169: "internal micro-controller halt",
                171: "uncorrectable DRAM error, beside XID 48",
                172: "uncorrectable SRAM error, beside XID 48",
            },
        ),
        *_each(
            HARDWARE,
            NONE,
            {
                38: "driver firmware error",
                121: "C2C error",
                152: "DLA SMMU error",
                153: "DLA timeout",
                157: "resource could not be retired",
            },
        ),
        *_each(
            INFORMATION,
            NONE,
            {
                14: "unused",
                63: "row remapped or page retired",
                92: "high rate of single-bit ECC errors",
                93: "InfoROM wear limit exceeded",
                106: "SMBPBI test message",
                107: "silent SMBPBI test message",
            },
        ),
        *_each(INFORMATION, FOLLOW, {45: "preemptive cleanup after earlier errors"}),
        *_each(INFORMATION, "", {154: "recovery action changed"}),
        *_each(
            INFORMATION,
            "",
            {
                162: "power smoothing engaged again",
                163: "power smoothing disengaged",
                164: "power smoothing near the end of its life",
                165: "power smoothing at the end of its life",
            },
        ),
        *_each("", "update driver or firmware", {78: "vGPU start error"}),
        *_each("", "restart VM", {151: "key rotation error"}),
        *_each("", "", {159: "CHI non-data error", 166: "NVLink encryption error"}),
        *_each("", "", {170: "NVLink interrupt in confidential mode"}),
    )
)


def meaning(code: int) -> Meaning:
    """What an XID means; UNKNOWN for one that the catalogue does not explain."""
    return XIDS.get(code, UNKNOWN)


def action(code: int) -> str:
    """The driver's recovery action in words; its number where it is a new one."""
    return ACTIONS[code] if 0 <= code < len(ACTIONS) else f"action {code}"


def switch_meaning(severity: str) -> Meaning:
    """What an SXid means by the severity that the driver logs with it, `Fatal` or `Non-fatal`.

    A fatal one ends the programs on the switch's GPUs, and the fabric is to be reset; one that is
    not fatal was corrected or is told again as an XID of the GPU (Fabric Manager User Guide, D).
    """
    if severity == "Fatal":
        return Meaning(HARDWARE, "fatal NVSwitch error", "reset GPUs and NVSwitches")
    if severity == "Non-fatal":
        return Meaning(INFORMATION, "NVSwitch error", NONE)
    return UNKNOWN
