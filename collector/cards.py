"""Cards: a GPU keeps its name and its place while it is lost."""

from __future__ import annotations

from collector.nvml import Device, Identity, Lost, Nvml, Readings


class Card:
    """The GPU at one index of the driver's count."""

    def __init__(self, index: int) -> None:
        self.identity = Identity(slot=index)
        self.lost_because: Lost | None = None
        self._index = index
        self._device: Device | None = None

    def read(self, nvml: Nvml) -> Readings:
        """What it says now; nothing at all while it is lost, then `lost_because` says why."""
        try:
            device = self._device or self._attach(nvml)
            readings = device.readings()
        except Lost as e:
            self.lost_because = e
            self.close()
            return Readings()
        self.lost_because = None
        return readings

    def close(self) -> None:
        """Let go of the handle; the next reading asks for a new one."""
        if self._device:
            self._device.close()
        self._device = None

    def _attach(self, nvml: Nvml) -> Device:
        device = nvml.device(self._index)
        self.identity = device.identity(self._index)
        self._device = device
        return device
