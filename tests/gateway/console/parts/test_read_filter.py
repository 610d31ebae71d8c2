import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.parts.read_filter import KEYS, DeviceRead, read_filter, scheme_of
from gateway.contract.batches import TagRead

SGTIN = "3034257BF7194E4000001A85"  # GS1 EPC Tag Data Standard, the example of SGTIN-96


def a_read(epc: str = SGTIN, device: str = "gate-1", **more: object) -> DeviceRead:
    fields = {"antenna_port": 1, "read_point": "in", "seen_at_us": 1, "rssi_dbm": -60.0, "pc_bits": 0x3000, **more}
    return DeviceRead(device, TagRead(epc, **fields))  # type: ignore[arg-type]  # the fields of the test


def lets_through(query: dict[str, str], item: DeviceRead) -> bool:
    test = read_filter(query)
    assert test is not None
    return test(item)


def test_who_asks_for_nothing_gets_everything() -> None:
    assert read_filter({}) is None
    assert read_filter(dict.fromkeys(KEYS, "")) is None
    assert read_filter({"colour": "red"}) is None


@pytest.mark.parametrize(
    ("mask", "is_let_through"),
    [
        (SGTIN, True),
        (SGTIN.lower(), True),
        ("3034 257b F719 4E40 0000 1A85", True),
        ("3034*", True),
        ("3035*", False),
        ("3034", False),
        ("30?4*", True),
        ("3?" + SGTIN[2:], True),
        ("3?3?257BF7194E4000001A8", False),
        ("?", False),
        (SGTIN + "*", True),
        (SGTIN + "?*", False),
    ],
)
def test_a_mask_means_the_whole_unless_it_ends_in_a_star(mask: str, is_let_through: bool) -> None:  # noqa: FBT001 - a row of the table
    assert lets_through({"mask": mask}, a_read()) is is_let_through


@given(st.text("0123456789ABCDEF", min_size=1, max_size=30), st.data())
def test_a_mask_agrees_with_what_it_says(epc: str, data: st.DataObject) -> None:
    mask = "".join(data.draw(st.sampled_from([digit, "?", "0"])) for digit in epc)
    wanted = all(sign in ("?", digit) for sign, digit in zip(mask, epc, strict=True))
    assert lets_through({"mask": mask}, a_read(epc)) is wanted
    assert lets_through({"mask": mask + "*"}, a_read(epc + "AB")) is wanted


@pytest.mark.parametrize(
    ("query", "let_through", "held_back"),
    [
        ({"device": "gate-1"}, a_read(), a_read(device="gate-2")),
        ({"read_point": "in"}, a_read(), a_read(read_point="out")),
        ({"antenna_port": "2"}, a_read(antenna_port=2), a_read(antenna_port=1)),
        ({"rssi_least_dbm": "-60"}, a_read(rssi_dbm=-60.0), a_read(rssi_dbm=-60.1)),
        ({"rssi_least_dbm": "-60.5"}, a_read(), a_read(rssi_dbm=None)),
        ({"scheme": "sgtin-96"}, a_read(), a_read("00" * 12)),
        ({"scheme": "none"}, a_read("no hex"), a_read()),
        ({"scheme": "sgtin-96", "device": "gate-1"}, a_read(), a_read(device="gate-2")),
    ],
)
def test_each_kind_of_filter(query: dict[str, str], let_through: DeviceRead, held_back: DeviceRead) -> None:
    assert lets_through(query, let_through)
    assert not lets_through(query, held_back)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"mask": "30*35"}, "mask: '30*35' is no EPC mask; it has hex digits, ? for any digit, and may end in *"),
        ({"mask": "(A+)+"}, "mask: '(A+)+' is no EPC mask"),
        ({"mask": "A" * 497}, "is no EPC mask"),
        ({"antenna_port": "0"}, "antenna_port: '0' must be a number from 1 to 255"),
        ({"antenna_port": "٣"}, "antenna_port: '٣' must be"),
        ({"antenna_port": "-1"}, "antenna_port: '-1' must be"),
        ({"rssi_least_dbm": "nan"}, "rssi_least_dbm: 'nan' must be a number from -150 to 50"),
        ({"rssi_least_dbm": "inf"}, "rssi_least_dbm: 'inf' must be"),
        ({"rssi_least_dbm": "loud"}, "rssi_least_dbm: 'loud' must be"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(query: dict[str, str], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        read_filter(query)


def test_a_scheme_is_known_by_its_name() -> None:
    assert scheme_of(SGTIN, 0x3000) == "sgtin-96"
    assert scheme_of("FF" * 12, 0x3000) == "none"
