"""What the tests of the driver share: keys, settings, and meters in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readers.codecs import dlms_wrapper
from readers.meters.dlms.driver import DlmsDriver
from readers.meters.dlms.settings import DlmsSettings
from readers.observations import Condition, Observation, Reading, Readings, Rejected, Signals
from readers.ports.memory import MemoryPort
from readers.quantities import Phase, Quality, Quantity
from simulator.meters.dlms import Client, Framing, Meter, serve
from tests.simulator.meters.loads import Steady
from tests.support.talk import talk

D = Decimal
PASSWORD = "12345678"
ENCRYPTION_KEY = bytes(range(16))
AUTHENTICATION_KEY = bytes(range(0xD0, 0xE0))
LOW_CLIENT, GMAC_CLIENT = 2, 1
LOW: dict[str, Any] = {"client": LOW_CLIENT, "authentication": "low", "password_credential": "meter-password"}
GMAC: dict[str, Any] = {
    "client": GMAC_CLIENT,
    "authentication": "hls_gmac",
    "encryption_key_credential": "meter-ek",
    "authentication_key_credential": "meter-ak",
}


def meter(**more: Any) -> Meter:
    """A meter that knows a client with a password and one with keys."""
    clients = {
        LOW_CLIENT: Client(PASSWORD.encode()),
        GMAC_CLIENT: Client(None, ENCRYPTION_KEY, AUTHENTICATION_KEY, counter=700),
    }
    return Meter(**{"load": Steady(), "clients": clients, **more})


def settings(*meters: dict[str, Any], **more: Any) -> DlmsSettings:
    """Settings that read over TCP and back-fill nothing, unless `more` says so."""
    named = [{"name": f"m{n}", **each} for n, each in enumerate(meters or ({},))]
    return DlmsSettings.model_validate({"framing": "wrapper", "meters": named, "backfill_days": 0, **more})


def credentials(folder: Path, monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    """Hand over the secrets of these clients."""
    given = {
        "meter-password": PASSWORD,
        "meter-ek": ENCRYPTION_KEY.hex(),
        "meter-ak": AUTHENTICATION_KEY.hex(),
        **more,
    }
    for name, secret in given.items():
        (folder / name).write_text(secret + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))


def listen(
    seconds: float,
    given: DlmsSettings,
    meters: Sequence[Meter],
    mangle: Callable[[bytes], list[bytes]] | None = None,
    *,
    driver: DlmsDriver | None = None,
    baud: int | None = None,
) -> list[Observation]:
    """What the driver reports of these meters in virtual time."""

    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, meters, Framing(given.framing), baud=baud)

    return talk(seconds, driver or DlmsDriver(given), device, mangle)


def readings(heard: Sequence[Observation], source: str = "m0", *, backfilled: bool = False) -> list[Reading]:
    return [
        each
        for o in heard
        if isinstance(o, Readings) and o.source == source
        for each in o.readings
        if (each.quality is Quality.BACKFILLED) == backfilled
    ]


def by_name(heard: Sequence[Observation], source: str = "m0") -> dict[tuple[Quantity, Phase | None, int | None], Any]:
    return {(r.quantity, r.phase, r.tariff): r.value for r in readings(heard, source)}


def conditions(heard: Sequence[Observation]) -> list[tuple[str, str, bool]]:
    return [(o.name, o.key, o.active) for o in heard if isinstance(o, Condition)]


def rejects(heard: Sequence[Observation]) -> list[str]:
    return [o.reason for o in heard if isinstance(o, Rejected)]


def signals(heard: Sequence[Observation]) -> list[tuple[str, object]]:
    return [(each.name, each.value) for o in heard if isinstance(o, Signals) for each in o.signals]


HDLC: dict[str, Any] = {"framing": "hdlc"}


class Scripted:
    """A logical device behind the wrapper that answers as it is told, for what no good meter does.

    Args:
        answers: to requests by their first bytes without the invoke id, which is put into the answer; the longest that
            fits counts. A list is used up from its front, its last stays. All else is denied; and so is everything by
            the other logical devices.
    """

    def __init__(self, answers: dict[str, str | list[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {"60": AARE, **answers}

    async def serve(self, port: MemoryPort) -> None:
        decoder = dlms_wrapper.Decoder()
        while True:
            for frame in decoder.feed(await port.receive(1.0)):
                answer = self._answer(frame.apdu, self._answers if frame.destination == 1 else {"60": AARE})
                await port.pause(0.01)
                times = 9 if answer[:1] == b"\x0f" else 1  # a meter that pushes does so again and again
                await port.send(
                    times * dlms_wrapper.encode(dlms_wrapper.Frame(frame.destination, frame.source, answer))
                )

    def _answer(self, apdu: bytes, answers: dict[str, str | list[str]]) -> bytes:
        key = (apdu[:2] + apdu[3:]).hex().upper() if apdu[0] >= 0xC0 else apdu[:1].hex()
        self.asked.append(key)
        match = max((known for known in answers if key.startswith(known)), key=len, default="")
        told = answers.get(match, "C401C1010B")
        text = told if isinstance(told, str) else told.pop(0) if len(told) > 1 else told[0]
        raw = bytes.fromhex(text)
        return raw[:2] + apdu[2:3] + raw[3:] if raw[:1] in (b"\xc4", b"\xc7") and len(apdu) > 2 else raw

    def count(self, key: str) -> int:
        """How often that was asked for."""
        return sum(asked.startswith(key) for asked in self.asked)


AARE = "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007"
GET_VALUE = "C001" + "0003" + "0100010800FF" + "02"
GET_SCALER = "C001" + "0003" + "0100010800FF" + "03"
WATT_HOURS = "C401C1" + "00" + "02020F01161E"
FIVE_THOUSAND = "C401C1" + "00" + "0600001391"


def hear(seconds: float, given: DlmsSettings, device: Scripted, driver: DlmsDriver | None = None) -> list[Observation]:
    """What the driver reports of a scripted device."""
    return talk(seconds, driver or DlmsDriver(given), device.serve)
