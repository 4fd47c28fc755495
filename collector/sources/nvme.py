"""Health of NVMe controllers: state from /sys, wear and errors from their SMART log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from collector.files import Files, reason_of, whole
from collector.missing import Missing, Reason
from collector.nvme_log import SmartLog, ask, parse
from collector.source import Context, Source, SourceKind
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.storage import NvmeSample
from gpuledger.config import Settings
from gpuledger.errors import Unavailable

NVME = "sys/class/nvme"
CONTROLLER = re.compile(r"nvme\d+")
# Linux 5.5 hung the sensor under the PCI device, later ones under the controller.
SENSORS = ("", "device/hwmon/")
WELL = ("live", "")  # old kernels do not tell
MILLI = 1e-3
READING = "SMART log"
IDENTITY = {"model": "model", "serial": "serial", "firmware": "firmware_rev"}
# All that a row has from the log alone.
FROM_LOG = (
    *("critical_warning", "used_ratio", "spare_ratio", "spare_threshold_ratio", "media_errors"),
    *("error_log_entries", "unsafe_shutdowns", "read_bytes", "write_bytes"),
)

Ask = Callable[[Path], bytes]


class NvmeSettings(Settings):
    """Section `[nvme]`."""

    period_s: Annotated[float, "seconds between readings"] = 60.0
    smart: Annotated[bool, "also ask for the SMART log, where the agent has the right to"] = True


class Nvme(Source):
    """One row per controller. The log needs a right that few agents have: without it, /sys only."""

    def __init__(self, settings: NvmeSettings, context: Context, ask: Ask = ask) -> None:
        self.period_s = settings.period_s
        self._smart = settings.smart
        self._ask = ask
        self._context = context
        self._files = Files(context.root, context.clock.monotonic)
        self._missing = Missing("nvme")
        self._identities: dict[str, dict[str, str]] = {}
        self._denied: dict[str, str] = {}
        self._was_told = False
        self._gave_up = False

    def read(self) -> Iterator[NvmeSample | MissingValue]:
        """Every controller, dead ones too. Unavailable where there is none."""
        names = [name for name in self._files.names(NVME) if CONTROLLER.fullmatch(name)]
        for gone in self._identities.keys() - set(names):
            self._forget(gone)
        if not names:
            raise Unavailable(f"no NVMe controller in /{NVME}")
        for name in names:
            yield self._controller(name)
        self._tell_denied(names)
        yield from self._missing.rows()

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _controller(self, name: str) -> NvmeSample:
        state = (self._files.text(f"{NVME}/{name}/state") or "").strip()
        log = self._log(name, state)
        values: dict[str, Any] = {c: getattr(log, c, None) for c in FROM_LOG}
        temperature = self._temperature(name)
        if temperature is None and log:
            temperature = log.temperature_celsius
        values["temperature_celsius"] = temperature
        for column, value in values.items():
            if value is not None:
                self._missing.found(name, column)
            elif log:
                self._missing.note(name, column, Reason.MALFORMED)
        if temperature is None and not log:
            self._missing.note(name, "temperature_celsius", Reason.UNSUPPORTED, "no sensor")
        row = NvmeSample.known(device=name, state=state, **values, **self._identity(name))
        if state not in WELL:  # what comes back after a reset may have another firmware
            self._forget(name)
        return row

    def _identity(self, name: str) -> dict[str, str]:
        """Model, serial number and firmware; asked once, for they cost more than they change."""
        if name not in self._identities:
            self._identities[name] = {
                column: (self._files.text(f"{NVME}/{name}/{file}") or "").strip()
                for column, file in IDENTITY.items()
            }
        return self._identities[name]

    def _forget(self, name: str) -> None:
        self._identities.pop(name, None)
        self._denied.pop(name, None)
        self._files.forget(f"{NVME}/{name}")

    def _temperature(self, name: str) -> float | None:
        """Degrees of the kernel's own sensor of the controller."""
        for folder in SENSORS:
            below = f"{NVME}/{name}/{folder}"
            for sensor in self._files.names(below):
                if sensor.startswith("hwmon"):
                    told = whole(self._files.text(f"{below}{sensor}/temp1_input"))
                    return None if told is None else told * MILLI
        return None

    def _log(self, name: str, state: str) -> SmartLog | None:
        """The controller's own account, or None and a reason."""
        if not self._smart or self._gave_up or name in self._denied:
            return None
        if state not in WELL:  # a controller that is resetting or dead lets its askers wait
            self._missing.note(name, READING, Reason.LOST, state)
            return None
        try:
            log = parse(self._ask(self._context.root / "dev" / name))
        except PermissionError as e:
            self._denied[name] = e.strerror or ""
        except OSError as e:
            self._missing.note(name, READING, reason_of(e), e.strerror or "")
        except ValueError as e:
            self._missing.note(name, READING, Reason.MALFORMED, str(e))
        else:
            self._missing.found(name, READING)
            self._was_told = True
            return log
        return None

    def _tell_denied(self, names: list[str]) -> None:
        """Whose log is not for this agent; if nobody's ever was, say it once and ask no more."""
        if self._gave_up or not self._denied:
            return
        if self._was_told or self._denied.keys() != set(names):
            for name, said in self._denied.items():
                self._missing.note(name, READING, Reason.DENIED, said)
            return
        self._gave_up = True
        said = f"{self._denied[names[0]]}: needs CAP_SYS_ADMIN"
        self._missing.note("", READING, Reason.DENIED, said)
        self._context.log.info(
            "source nvme: no SMART logs without CAP_SYS_ADMIN and /dev/nvme*; state and "
            "temperature only"
        )


source = SourceKind(
    NvmeSettings,
    Nvme,
    privilege="CAP_SYS_ADMIN and /dev/nvme* for the SMART log; without it, state and temperature",
)
