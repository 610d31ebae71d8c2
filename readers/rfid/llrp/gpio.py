"""Inputs and outputs of the reader: enabled, set, read back, and told as signals.

    GPIPortCurrentState 225     port x 16 | enabled x 1, 0 x 7 | state x 8, ignored when set
    GPOWriteData 219            port x 16 | high x 1, 0 x 7

`control.set_outputs` sets outputs at any moment of a connection; a session does so at its start.

Source: LLRP 1.0.1 sections 12.2.3 and 12.2.6, 16.2.6.3 and 16.2.6.9. sllurp cannot encode outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final

from readers.errors import DeviceRefusedError
from readers.observations import Signal, Signals
from readers.rfid.llrp.answers import Capabilities, Configuration
from readers.rfid.llrp.framing import encode_tlv
from readers.rfid.llrp.settings import LlrpSettings

_OUTPUT: Final = 219
_INPUT: Final = 225
_OUTPUT_VALUE: Final = Struct(">HB")
_INPUT_VALUE: Final = Struct(">HBB")
_FLAG: Final = 0x80


def check(settings: LlrpSettings, can: Capabilities) -> None:
    """See that the reader has the inputs and outputs that the settings name.

    Raises:
        DeviceRefusedError: it has not.
    """
    named = {
        "gpi": (settings.gpi or (), can.gpi_count, "inputs"),
        "gpo": (tuple(settings.gpo), can.gpo_count, "outputs"),
        "trigger.gpi": ((settings.trigger.gpi,) if settings.trigger else (), can.gpi_count, "inputs"),
    }
    for setting, (ports, count, what) in named.items():
        if beyond := sorted(port for port in ports if port > count):
            allowed = f"name ports of 1 to {count}" if count else "leave it out"
            raise DeviceRefusedError(f"{setting} = {beyond}: the reader has {count} {what}; {allowed}")


def inputs(settings: LlrpSettings, can: Capabilities) -> dict[int, bool]:
    """Which inputs are switched on and off; those that are not named stay as the reader has them."""
    needed = {settings.trigger.gpi} if settings.trigger else set()
    if settings.gpi is None:
        return dict.fromkeys(sorted(needed), True)
    return {port: port in needed or port in settings.gpi for port in range(1, can.gpi_count + 1)}


def outputs(states: Mapping[int, bool]) -> bytes:
    """GPOWriteData of each."""
    return b"".join(
        encode_tlv(_OUTPUT, _OUTPUT_VALUE.pack(port, _FLAG if high else 0)) for port, high in sorted(states.items())
    )


def parameters_for(settings: LlrpSettings, can: Capabilities) -> bytes:
    """What SET_READER_CONFIG says of outputs and inputs."""
    enabled = b"".join(
        encode_tlv(_INPUT, _INPUT_VALUE.pack(port, _FLAG if on else 0, 0)) for port, on in inputs(settings, can).items()
    )
    return outputs(settings.gpo) + enabled


def compared(settings: LlrpSettings, can: Capabilities, now: Configuration) -> Iterator[tuple[str, str, str]]:
    """Setting, as asked, as the reader reads it back; nothing where nothing was asked."""
    if asked := inputs(settings, can):
        has = {port: now.gpi_enabled.get(port) for port in asked}
        yield "gpi", _on(asked), _on(has)
    if settings.gpo:
        has = {port: now.gpo_high.get(port) for port in settings.gpo}
        yield "gpo", str(dict(sorted(settings.gpo.items()))), str(dict(sorted(has.items())))


def states(now: Configuration, received_at_us: int) -> Signals | None:
    """The levels of the inputs that are enabled, where the reader knows them."""
    known = {port: high for port, high in sorted(now.gpi_high.items()) if now.gpi_enabled.get(port)}
    return Signals(received_at_us, tuple(signal(port, is_high=high) for port, high in known.items())) if known else None


def signal(port: int, *, is_high: bool) -> Signal:
    """One input."""
    return Signal(f"gpi_{port}", is_high)


def _on(ports: Mapping[int, bool | None]) -> str:
    return str([port for port, on in sorted(ports.items()) if on])
