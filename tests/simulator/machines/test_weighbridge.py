from decimal import Decimal

import pytest

from readers.codecs.weighbridge import Decoder, Form
from simulator.device import Weight
from simulator.machines.weighbridge import Indicator, frame


class Still:
    def __init__(self, weight: Weight) -> None:
        self._weight = weight

    def weight(self, now_us: int) -> Weight:
        assert now_us >= 0
        return self._weight


def test_an_indicator_shows_whole_steps() -> None:
    for gross, shown in ((42_189, 42_180), (42_191, 42_200), (-9, 0)):
        data = frame(Still(Weight(Decimal(gross))), Indicator(), 0)
        assert Decoder(Form.XK3190).feed(data)[0].value == shown


def test_toledo_output_says_what_the_scale_does() -> None:
    indicator = Indicator(Form.TOLEDO, shows_net=True)
    data = frame(Still(Weight(Decimal(20_000), Decimal(15_000), is_stable=False, is_overloaded=True)), indicator, 0)
    (shown,) = Decoder(Form.TOLEDO).feed(data)
    assert (shown.value, shown.tare, shown.is_net) == (Decimal(5_000), Decimal(15_000), True)
    assert shown.is_moving
    assert shown.is_out_of_range


@pytest.mark.parametrize("form", Form)
def test_a_load_beyond_the_display_shows_its_end(form: Form) -> None:
    data = frame(Still(Weight(Decimal(10**7))), Indicator(form, step_kg=Decimal(1)), 0)
    assert Decoder(form).feed(data)[0].value == 999_999
