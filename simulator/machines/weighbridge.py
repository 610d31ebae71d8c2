"""Plays a weighing indicator with continuous output: the twin of the driver `weighbridge`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from readers.codecs.weighbridge import DIGITS, Form, Shown, Unit, encode
from readers.driver import Port
from simulator.device import Scale

DEVICE: Final = "weighbridge"


@dataclass(frozen=True, slots=True)
class Indicator:
    """What kind of indicator is played.

    Attributes:
        every_s: pause between frames; real ones send 5 to 20 a second.
        step_kg: the scale's increment; what it shows is a multiple of it.
        shows_net: the tare is taken off before the value is shown.
    """

    form: Form = Form.XK3190
    has_checksum: bool = True
    every_s: float = 0.1
    step_kg: Decimal = Decimal(20)
    shows_net: bool = False


async def serve(port: Port, scale: Scale, indicator: Indicator | None = None) -> None:
    """Send what the display shows until the link ends.

    Raises:
        LinkError: the link ended.
    """
    indicator = indicator or Indicator()
    while True:
        await port.send(frame(scale, indicator, port.now_us()))
        await port.pause(indicator.every_s)


def frame(scale: Scale, indicator: Indicator, now_us: int) -> bytes:
    """One frame of the indicator at `now_us`."""
    weight = scale.weight(now_us)
    value = weight.gross_kg - (weight.tare_kg if indicator.shows_net else 0)
    steps = (value / indicator.step_kg).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    rounded = steps * indicator.step_kg
    most = Decimal(10**DIGITS - 1)
    shown = Shown(
        value=max(-most, min(most, rounded)),
        unit=Unit.KG,
        is_net=indicator.shows_net,
        tare=weight.tare_kg,
        is_moving=not weight.is_stable,
        is_out_of_range=weight.is_overloaded,
    )
    return encode(shown, indicator.form, has_checksum=indicator.has_checksum)
