"""The driver `cf`: readers of the CF family, "UHF Prime", on a serial line or TCP.

The reader inventories by itself until it is stopped, and says so of every round without a tag. Silence beyond that is
looked into: the inventory is stopped, which a living reader confirms, and started again.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

from readers.codecs.cf import EPC_AREA, Command, Frame, Info, Parameters, Status, WorkMode, start_parameters
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import Condition, DeviceInfo, Rejected, Severity, Watching
from readers.rfid.cf.line import TRIES, Line, NoAnswerError, is_tag
from readers.rfid.cf.settings import CfSettings, Mode

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
        await session.identify()
        await session.configure()
        while True:
            await session.turn()


class _Session:
    """One conversation with one reader."""

    def __init__(self, settings: CfSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._line = Line(port, report, settings.address)
        self._parameters: Parameters | None = None
        self._listens = False
        self._watching = False
        self._conditions: set[tuple[str, str]] = set()
        self._silent_starts = 0
        self._refusals = 0
        self._final_ends = 0
        self._spoke_s = port.monotonic_s()

    async def identify(self) -> None:
        """Say who the reader is. An inventory of a former client is stopped first.

        Raises:
            LinkError: nobody answers.
        """
        answer = None
        for _ in range(TRIES):
            with contextlib.suppress(NoAnswerError):  # one that reports by itself may not know how to stop
                await self._line.ask(Command.STOP, tries=1)
            with contextlib.suppress(NoAnswerError):
                answer = await self._line.ask(Command.INFO, tries=1)
                break
        if answer is None:
            raise LinkError(self._nobody())
        if answer.status != Status.DONE:
            self._report(DeviceInfo("Chafon"))
            return
        info = Info.parse(answer.data)
        self._report(DeviceInfo("Chafon", info.hardware, info.firmware, info.serial))

    async def configure(self) -> None:
        """Set what differs, and read it back.

        Raises:
            DeviceRefusedError: the reader reports by itself or does not, and cannot be changed.
        """
        self._parameters = await self._read_parameters()
        mode = self._settings.mode
        if self._parameters is None:
            for key, value in self._wanted().items():
                self._condition("setting_unverified", key, f"{value} asked; the reader does not tell its parameters")
            self._listens = mode is Mode.ACTIVE
            return
        was = self._parameters.work_mode
        wanted_mode = WorkMode.ACTIVE if mode is Mode.ACTIVE else WorkMode.ANSWER
        wanted = self._parameters.changed(work_mode=wanted_mode, area=EPC_AREA, **self._wanted())
        if wanted != self._parameters:
            status = await self._write(wanted)
            self._compare(wanted, self._parameters, status)
        found = self._parameters.work_mode
        if found == wanted_mode != was:
            detail = f"the reader was in mode {was} and was set to {found}, which it keeps without power"
            self._condition("mode_changed", "mode", detail, Severity.INFO)
        if found != wanted_mode and mode is not Mode.AUTO:
            raise DeviceRefusedError(
                f"{self._port.description}: settings.mode = {mode}, but the reader stays in work mode {found} "
                "(0 answers, 1 reports by itself, 2 does so while triggered); set it with its maker's program"
            )
        self._listens = found != WorkMode.ANSWER
        if self._listens:
            self._condition("active_mode", "mode", "the reader reports by itself; its own settings decide how often")
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
        if ("rounds_unconfirmed", "") in self._conditions:
            self._conditions.remove(("rounds_unconfirmed", ""))
            self._report(Condition("rounds_unconfirmed", active=False))
        self._watch()

    def _inventory_silent(self) -> None:
        """The reader lives, but nothing shows that it reads."""
        self._silent_starts += 1
        if self._silent_starts >= SILENT_STARTS:
            self._condition("rounds_unconfirmed", "", "the reader answers, but reports neither tags nor empty rounds")
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
        if self._parameters is None:
            await self._line.ask(Command.INFO)
            self._unwatch()  # it lives, which is not to say that it reads
        else:
            parameters = await self._read_parameters()
            if parameters is None or parameters.work_mode == WorkMode.ANSWER:
                raise LinkError(f"{self._port.description}: the reader has stopped to report by itself; starting anew")
            if parameters.work_mode == WorkMode.ACTIVE:
                self._watch()
            else:
                self._condition("triggered_mode", "mode", "it reads only while its trigger input is on")
                self._unwatch()
        self._spoke_s = self._port.monotonic_s()

    def _wanted(self) -> dict[str, Any]:
        """What the settings ask of the parameters."""
        settings = self._settings
        wanted = {
            "antennas": settings.antennas,
            "power_dbm": settings.tx_power_dbm,
            "q": settings.q,
            "session": settings.session,
        }
        return {key: value for key, value in wanted.items() if value is not None}

    async def _read_parameters(self) -> Parameters | None:
        """What is in force, or None where the reader does not say."""
        try:
            answer = await self._line.ask(Command.GET_PARAMETERS)
        except NoAnswerError:
            return None
        return Parameters.parse(answer.data) if answer.status == Status.DONE else None

    async def _write(self, wanted: Parameters) -> int | None:
        """Set the power by its own command and the rest together; the first status that is no success."""
        assert self._parameters is not None
        now, statuses = self._parameters, []
        if wanted.power_dbm != now.power_dbm:
            answer = await self._line.ask(Command.SET_POWER, bytes([wanted.power_dbm, 0]))
            statuses.append(answer.status)
            if answer.status == Status.DONE:
                now = now.changed(power_dbm=wanted.power_dbm)
            else:  # it would spoil the rest
                wanted = wanted.changed(power_dbm=now.power_dbm)
        if wanted != now:
            statuses.append((await self._line.ask(Command.SET_PARAMETERS, wanted.raw)).status)
        self._parameters = await self._read_parameters() or self._parameters
        return next((status for status in statuses if status != Status.DONE), Status.DONE)

    def _compare(self, wanted: Parameters, found: Parameters, status: int | None) -> None:
        said = "" if status == Status.DONE else f"; the reader answered status {status:02X}"
        keys = {"antennas": "antennas", "power_dbm": "tx_power_dbm", "q": "q", "session": "session", "area": "area"}
        for name, key in keys.items():
            asked, in_force = getattr(wanted, name), getattr(found, name)
            if asked != in_force:
                self._condition("setting_differs", key, f"{asked} asked, {in_force} in force{said}")

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            ports = self._settings.antennas or (1,)
            if self._parameters is not None:
                in_use = self._parameters.antennas or (1,)
                ports = tuple(port for port in ports if port in in_use) if self._settings.antennas else in_use
            self._report(Watching(frozenset(ports)))

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._report(Watching())

    def _condition(self, name: str, key: str, detail: str, severity: Severity = Severity.WARNING) -> None:
        if (name, key) not in self._conditions:
            self._conditions.add((name, key))
            self._report(Condition(name, active=True, severity=severity, key=key, detail=detail))

    def _nobody(self) -> str:
        assert DRIVER.line is not None
        heard = self._line.heard_bytes
        what = (
            f"{heard} bytes came but no answer to 'get device information': another speed, address or protocol"
            if heard
            else "no byte came in answer to 'get device information': check power, wiring, address and name of the line"
        )
        factory = f"{DRIVER.line.baud} 8N1 and TCP port {DRIVER.tcp_port}"
        return f"{self._port.description}: {what}; these readers leave the factory with {factory}"


DRIVER: Final = DriverSpec(
    "cf",
    Kind.RFID,
    CfSettings,
    CfDriver,
    "UHF readers of the CF family, UHF Prime (CF591, CF661, H103), on a serial line or TCP",
    line=LineDefaults(baud=115_200),
    tcp_port=2022,
    models=("UHF Prime", "Chafon CF591", "CF600", "CF661", "CF-RL", "CF-M gate readers", "H103", "CP-202910"),
)
