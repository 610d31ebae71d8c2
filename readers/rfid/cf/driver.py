"""The driver `cf`: readers of the CF family, "UHF Prime", on a serial line or TCP.

The reader inventories by itself until it is stopped, and says so of every round without a tag. Silence beyond that is
looked into: the inventory is stopped, which a living reader confirms, and started again.
"""

from __future__ import annotations

from typing import Final

from readers.codecs.cf import Command, Frame, Status, WorkMode, start_parameters
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import Rejected, Watching
from readers.rfid.cf.configuration import FACTORY_BAUD, FACTORY_TCP_PORT, Configuration
from readers.rfid.cf.line import Line, is_tag
from readers.rfid.cf.settings import CfSettings
from readers.rfid.cf.station import CfStation

ROUND_WITHIN_S: Final = 1.0  # several times the longest round
SILENT_STARTS: Final = 3  # starts of the inventory without any sign of a round
SHORTEST_S: Final = 0.02  # an inventory that ends at once is not started again at once
PROOF_EVERY_S: Final = 10.0  # a reader that reports by itself is asked for its mode when it was silent for so long
REFUSALS: Final = 3
FINAL_ENDS: Final = 2  # so often an end of round was followed by silence: this reader stops there


class CfDriver:
    """Identifies the reader, sets it, and inventories until cancelled."""

    def __init__(self, settings: CfSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: no answer, or the reader fell silent.
            DeviceRefusedError: it does not inventory, or reports by itself though it must not.
        """
        session = _Session(self._settings, port, report)
        await session.begin()
        while True:
            await session.turn()


class _Session:
    """One conversation with one reader."""

    def __init__(self, settings: CfSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._line = Line(port, report, settings.address)
        self._configuration = Configuration(settings, self._line, report)
        self._listens = False
        self._watching = False
        self._silent_starts = 0
        self._refusals = 0
        self._final_ends = 0
        self._spoke_s = port.monotonic_s()

    async def begin(self) -> None:
        """Say who the reader is, and set it.

        Raises:
            LinkError: nobody answers. DeviceRefusedError: it is not as the settings say, and cannot be changed.
        """
        await self._configuration.identify()
        self._listens = await self._configuration.configure()
        if self._listens and self._configuration.parameters is not None:
            detail = "the reader reports by itself; its own settings decide how often"
            self._configuration.begin("active_mode", "mode", detail)
            await self._prove()

    async def turn(self) -> None:
        """Inventory until it has to be started again, or listen for a while.

        Raises:
            LinkError: the reader fell silent. DeviceRefusedError: it cannot inventory.
        """
        if self._listens:
            await self._listen()
        else:
            await self._inventory()

    async def _inventory(self) -> None:
        began_s = last_sign_s = self._port.monotonic_s()
        await self._line.send(Command.START, start_parameters(self._settings.rounds))
        signs, at_end, is_over = 0, False, False
        while not is_over and self._port.monotonic_s() - last_sign_s < ROUND_WITHIN_S:
            for frame in await self._line.listen(ROUND_WITHIN_S):
                if frame.command != Command.START:
                    continue
                is_end = frame.status == Status.ROUND_END
                if is_end or is_tag(frame):
                    if at_end and self._final_ends < FINAL_ENDS:
                        self._final_ends = 0  # it went on
                    at_end = is_end
                    is_over = is_over or (is_end and self._ends_are_final())
                    signs += 1
                    last_sign_s = self._port.monotonic_s()
                    self._inventory_runs()
                elif frame.status != Status.DONE:
                    self._refused(frame)
        if not is_over:
            self._final_ends += at_end
            await self._restart(signs)
        rest_s = began_s + SHORTEST_S - self._port.monotonic_s()
        if rest_s > 0:
            await self._port.pause(rest_s)

    def _ends_are_final(self) -> bool:
        """Whether a status 12 ends the whole inventory, or just one of the rounds of an unlimited one."""
        return self._settings.rounds > 0 or self._final_ends >= FINAL_ENDS

    async def _restart(self, signs: int) -> None:
        """Nothing came for longer than a round takes."""
        if not signs:
            self._inventory_silent()
        answer = await self._line.ask(Command.STOP)  # raises when the reader is gone
        if answer.status not in (Status.DONE, Status.ROUND_END):
            self._report(Rejected(f"status_{answer.status:02x}"))

    def _refused(self, frame: Frame) -> None:
        status = "none" if frame.status is None else f"{frame.status:02x}"
        self._report(Rejected(f"status_{status}", sample=frame.body))
        self._refusals += frame.status == Status.PARAMETER
        if self._refusals >= REFUSALS:
            raise DeviceRefusedError(
                f"{self._port.description}: the reader refuses the inventory with status 01 (parameter); it may know "
                "no inventory by rounds: set settings.rounds = 0"
            )

    def _inventory_runs(self) -> None:
        self._silent_starts = self._refusals = 0
        self._configuration.end("rounds_unconfirmed")
        self._watch()

    def _inventory_silent(self) -> None:
        """The reader lives, but nothing shows that it reads."""
        self._silent_starts += 1
        if self._silent_starts >= SILENT_STARTS:
            detail = "the reader answers, but reports neither tags nor empty rounds"
            self._configuration.begin("rounds_unconfirmed", "", detail)
            self._unwatch()

    async def _listen(self) -> None:
        """The reader reports by itself."""
        frames = await self._line.listen(PROOF_EVERY_S)
        now_s = self._port.monotonic_s()
        if any(is_tag(frame) or frame.status == Status.ROUND_END for frame in frames):
            self._spoke_s = now_s
            self._watch()
        elif now_s - self._spoke_s >= PROOF_EVERY_S:
            await self._prove()

    async def _prove(self) -> None:
        """Ask whether it still reads.

        Raises:
            LinkError: it does not answer, or has stopped to report by itself.
        """
        if self._configuration.parameters is None:
            await self._line.ask(Command.INFO)
            self._unwatch()  # it lives, which is not to say that it reads
        else:
            parameters = await self._configuration.read_parameters()
            if parameters is None or parameters.work_mode == WorkMode.ANSWER:
                raise LinkError(f"{self._port.description}: the reader has stopped to report by itself; starting anew")
            if parameters.work_mode == WorkMode.ACTIVE:
                self._watch()
            else:
                self._configuration.begin("triggered_mode", "mode", "it reads only while its trigger input is on")
                self._unwatch()
        self._spoke_s = self._port.monotonic_s()

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            ports = self._settings.antennas or (1,)
            if self._configuration.parameters is not None:
                in_use = self._configuration.parameters.antennas or (1,)
                ports = tuple(port for port in ports if port in in_use) if self._settings.antennas else in_use
            self._report(Watching(frozenset(ports)))

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._report(Watching())


DRIVER: Final = DriverSpec(
    "cf",
    Kind.RFID,
    CfSettings,
    CfDriver,
    "UHF readers of the CF family, UHF Prime (CF591, CF661, H103), on a serial line or TCP",
    line=LineDefaults(baud=FACTORY_BAUD),
    tcp_port=FACTORY_TCP_PORT,
    station=CfStation,
    models=("UHF Prime", "Chafon CF591", "CF600", "CF661", "CF-RL", "CF-M gate readers", "H103", "CP-202910"),
)
