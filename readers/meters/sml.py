"""The driver `sml`: electricity meters that push SML files, as the optical heads of German meters read them.

The meter sends by itself, every one to four seconds; nothing is ever sent to it.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from readers.codecs.sml import Decoder, File
from readers.codecs.sml_values import ShortPower, said, serial_of
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import SHOWN_FRAME_BYTES
from readers.observations import DeviceInfo, Rejected, Severity
from readers.pushing import LOOK_S, PushedMeter, PushingSettings

GAP_S: Final = 2.0  # longer than any pause in a file, behind any network
_DOUBT: Final = (
    "16.7.0 is negative, which some meters of DZG (DVS74) say of a power that they draw, and others (DWSB20) mean: "
    'compare with the display, then set short_power = "unsigned" or "signed"'
)


class SmlSettings(PushingSettings):
    """Settings of driver `sml`."""

    short_power: ShortPower = Field(
        default=ShortPower.DOUBTED,
        description="what a negative power of 1 to 3 bytes of an old DZG meter is: called suspect, as signed, or "
        "unsigned in truth",
    )


class SmlDriver:
    """Listens until cancelled."""

    def __init__(self, settings: SmlSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Listen until cancelled. A meter that is silent is a condition, not an error.

        Raises:
            LinkError: the line is gone.
        """
        listener = _Listener(self._settings, port, report)
        while True:
            await listener.listen()


class _Listener:
    """One link to one meter."""

    def __init__(self, settings: SmlSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._decoder = Decoder()
        self._meter = PushedMeter(settings, port, report, "SML file with a list of values")
        self._report = report
        self._quiet_since_s = port.monotonic_s()

    async def listen(self) -> None:
        """Take what comes next."""
        data = await self._port.receive(LOOK_S)
        now_s = self._port.monotonic_s()
        files: list[File] = []
        if data:
            self._quiet_since_s = now_s
            self._meter.received(data)
            files = self._decoder.feed(data)
        elif now_s - self._quiet_since_s >= GAP_S:
            files = self._decoder.gap()
        self._meter.rejects(self._decoder)
        for file in files:
            self._take(file)
        self._meter.look()

    def _take(self, file: File) -> None:
        found = said(file, self._settings.short_power)
        if not found.has_list:
            reasons = [fault.reason for fault in found.faults] or ["no_list"]
            for reason in reasons:
                self._report(Rejected(f"data_{reason}", reads_lost=1, sample=file.data[:SHOWN_FRAME_BYTES]))
            return
        self._meter.heard(DeviceInfo(found.maker, "", found.firmware, serial_of(found.server_id)))
        self._meter.faults(found.faults)
        self._meter.has_unknown(found.unknown)
        if found.doubts_sign:
            self._meter.condition("power_sign_doubtful", _DOUBT, severity=Severity.WARNING)
        self._meter.tell(found.readings)


DRIVER: Final = DriverSpec(
    "sml",
    Kind.METER,
    SmlSettings,
    SmlDriver,
    "electricity meters that push SML files (German eHZ, mMe and EDL meters)",
    line=LineDefaults(baud=9_600),
    models=(
        "EMH eHZ and mME40",
        "EMH ED300L",
        "DZG DVS74 and DWSB20",
        "Holley DTZ541",
        "eBZ DD3",
        "Iskra MT175, MT631",
    ),
)
