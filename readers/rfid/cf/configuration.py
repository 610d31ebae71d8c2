"""Who a CF reader is, and how it is set: what differs is set, all at once, and read back, because it goes to flash."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from readers.codecs.cf import EPC_AREA, Command, Info, Parameters, Status, WorkMode
from readers.codecs.cf_band import BANDS
from readers.driver import Report
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import Condition, DeviceInfo, InForce, Severity
from readers.rfid.cf.line import TRIES, Line, NoAnswerError
from readers.rfid.cf.settings import CfSettings, Mode

FACTORY_BAUD: Final = 115_200
FACTORY_TCP_PORT: Final = 2022
_KEYS: Final = {
    "antennas": "antennas",
    "power_dbm": "tx_power_dbm",
    "q": "q",
    "session": "session",
    "area": "area",
    "band": "region",
}


class Configuration:
    """Sets one reader, and says each condition of it once.

    Attributes:
        parameters: what is in force; None where the reader does not say.
    """

    def __init__(self, settings: CfSettings, line: Line, report: Report) -> None:
        self.parameters: Parameters | None = None
        self._settings = settings
        self._line = line
        self._report = report
        self._conditions: set[tuple[str, str]] = set()

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

    async def configure(self) -> bool:
        """Set what differs, and read it back; whether the reader reports by itself then.

        Raises:
            DeviceRefusedError: the reader reports by itself or does not, and cannot be changed; or it does not take the
                region, so that reading might break the law.
        """
        self.parameters = await self.read_parameters()
        mode = self._settings.mode
        if self.parameters is None:
            for name, value in self._wanted().items():
                detail = f"{value} asked; the reader does not tell its parameters"
                self.begin("setting_unverified", _KEYS[name], detail)
            return mode is Mode.ACTIVE
        was = self.parameters.work_mode
        wanted_mode = WorkMode.ACTIVE if mode is Mode.ACTIVE else WorkMode.ANSWER
        wanted = self.parameters.changed(work_mode=wanted_mode, area=EPC_AREA, **self._wanted())
        if wanted != self.parameters:
            status = await self._write(wanted)
            self._compare(wanted, self.parameters, status)
        self._report(InForce(_in_force(self.parameters)))
        self._require_region(self.parameters)
        found = self.parameters.work_mode
        if found == wanted_mode != was:
            detail = f"the reader was in mode {was} and was set to {found}, which it keeps without power"
            self.begin("mode_changed", "mode", detail, Severity.INFO)
        if found != wanted_mode and mode is not Mode.AUTO:
            raise DeviceRefusedError(
                f"{self._line.port.description}: settings.mode = {mode}, but the reader stays in work mode {found} "
                "(0 answers, 1 reports by itself, 2 does so while triggered); set it with its maker's program"
            )
        return found != WorkMode.ANSWER

    async def read_parameters(self) -> Parameters | None:
        """What is in force, or None where the reader does not say."""
        try:
            answer = await self._line.ask(Command.GET_PARAMETERS)
        except NoAnswerError:
            return None
        return Parameters.parse(answer.data) if answer.status == Status.DONE else None

    def begin(self, name: str, key: str, detail: str, severity: Severity = Severity.WARNING) -> None:
        """A condition holds."""
        if (name, key) not in self._conditions:
            self._conditions.add((name, key))
            self._report(Condition(name, active=True, severity=severity, key=key, detail=detail))

    def end(self, name: str, key: str = "") -> None:
        """It does not."""
        if (name, key) in self._conditions:
            self._conditions.remove((name, key))
            self._report(Condition(name, active=False, key=key))

    def _wanted(self) -> dict[str, Any]:
        """What the settings ask of the parameters."""
        settings = self._settings
        wanted = {
            "antennas": settings.antennas,
            "power_dbm": settings.tx_power_dbm,
            "band": None if settings.region is None else BANDS[settings.region],
            "q": settings.q,
            "session": settings.session,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    async def _write(self, wanted: Parameters) -> int | None:
        """Set the power by its own command and the rest together; the first status that is no success."""
        assert self.parameters is not None
        now, statuses = self.parameters, []
        if wanted.power_dbm != now.power_dbm:
            answer = await self._line.ask(Command.SET_POWER, bytes([wanted.power_dbm, 0]))
            statuses.append(answer.status)
            if answer.status == Status.DONE:
                now = now.changed(power_dbm=wanted.power_dbm)
            else:  # it would spoil the rest
                wanted = wanted.changed(power_dbm=now.power_dbm)
        if wanted != now:
            statuses.append((await self._line.ask(Command.SET_PARAMETERS, wanted.raw)).status)
        self.parameters = await self.read_parameters() or self.parameters
        return next((status for status in statuses if status != Status.DONE), Status.DONE)

    def _compare(self, wanted: Parameters, found: Parameters, status: int | None) -> None:
        said = "" if status == Status.DONE else f"; the reader answered status {status:02X}"
        for name, key in _KEYS.items():
            asked, in_force = getattr(wanted, name), getattr(found, name)
            if asked != in_force:
                self.begin("setting_differs", key, f"{asked} asked, {in_force} in force{said}")

    def _require_region(self, found: Parameters) -> None:
        region = self._settings.region
        if region is not None and found.band != BANDS[region]:
            raise DeviceRefusedError(
                f"{self._line.port.description}: settings.region = {region} was asked; the reader keeps {found.band}; "
                "choose the region that its antenna and licence are for, or leave the key out"
            )

    def _nobody(self) -> str:
        heard = self._line.heard_bytes
        what = (
            f"{heard} bytes came but no answer to 'get device information': another speed, address or protocol"
            if heard
            else "no byte came in answer to 'get device information': check power, wiring, address and name of the line"
        )
        factory = f"{FACTORY_BAUD} 8N1 and TCP port {FACTORY_TCP_PORT}"
        return f"{self._line.port.description}: {what}; these readers leave the factory with {factory}"


def _in_force(parameters: Parameters) -> dict[str, str]:
    return {
        "region": str(parameters.band),
        "tx_power_dbm": str(parameters.power_dbm),
        "antennas": " ".join(map(str, parameters.antennas)),
        "q": str(parameters.q),
        "session": str(parameters.session),
    }
