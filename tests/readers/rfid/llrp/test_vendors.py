from __future__ import annotations

import pytest

from readers.errors import DeviceRefusedError
from readers.rfid.llrp import vendors
from readers.rfid.llrp.settings import LlrpSettings


def test_names() -> None:
    assert vendors.name(25882) == "Impinj"
    assert vendors.name(161) == "Motorola"
    assert vendors.name(4711) == "manufacturer 4711"


def test_the_link_monitor_of_impinj_is_switched_on() -> None:
    # Custom parameter 38 of vendor 25882: mode 1, three unanswered keepalives.
    expected = bytes.fromhex("03FF 0010 0000651A 00000026 0001 0003")
    assert vendors.extensions(vendors.IMPINJ).configuration == expected


def test_other_makers_are_asked_for_nothing_special() -> None:
    assert vendors.extensions(161) == vendors.Extensions()
    assert vendors.inventory(LlrpSettings(), vendors.Extensions(), any_channel=True) == b""
    assert vendors.report(LlrpSettings(), vendors.Extensions(), can_phase=False) == b""


@pytest.mark.parametrize("setting", [{"search_mode": "dual_target"}, {"low_duty_cycle": {}}, {"channels": [1]}])
def test_what_only_impinj_readers_can_is_refused_by_name(setting: dict[str, object]) -> None:
    with pytest.raises(DeviceRefusedError, match=f"{next(iter(setting))}: only Impinj readers can do that"):
        vendors.inventory(LlrpSettings.model_validate(setting), vendors.Extensions(), any_channel=False)


def test_doppler_is_impinjs() -> None:
    with pytest.raises(DeviceRefusedError, match="doppler: only Impinj"):
        vendors.report(LlrpSettings(doppler=True), vendors.Extensions(), can_phase=True)


def test_the_parameters_of_impinj_are_as_its_definitions_draw_them() -> None:
    impinj = vendors.extensions(vendors.IMPINJ)
    settings = LlrpSettings.model_validate(
        {"low_duty_cycle": {"empty_field_s": 0.5, "ping_s": 0.2}, "search_mode": "single_target", "channels": [2, 4]}
    )
    made = vendors.inventory(settings, impinj, any_channel=False)
    assert (
        made.hex()
        == bytes.fromhex(
            "03FF 000E 0000651A 00000017 0001"  # ImpinjInventorySearchMode, single target
            "03FF 0016 0000651A 0000001A 0002 0000 0002 0002 0004"  # ImpinjFixedFrequencyList, channels 2 and 4
            "03FF 0012 0000651A 0000001C 0001 01F4 00C8"  # ImpinjLowDutyCycle, 500 ms, 200 ms
        ).hex()
    )
    report = vendors.report(LlrpSettings(read_tid=True, doppler=True), impinj, can_phase=False)
    assert (
        report.hex()
        == bytes.fromhex(
            "03FF 0044 0000651A 00000032"  # ImpinjTagReportContentSelector
            "03FF 000E 0000651A 00000033 0001"  # serialized TID
            "03FF 000E 0000651A 00000034 0001"  # phase
            "03FF 000E 0000651A 00000035 0001"  # peak RSSI
            "03FF 000E 0000651A 00000043 0001"  # Doppler
        ).hex()
    )


def test_a_zebra_reader_says_in_its_capabilities_whether_it_reports_phase() -> None:
    # MotoAdvancedCapabilities of an FX9600, firmware 3.32.37.0, as LLRPClient measured it.
    assert vendors.can_report_phase(161, 110, bytes.fromhex("00000001 B2"))
    assert not vendors.can_report_phase(161, 110, bytes.fromhex("00000001 32"))
    assert not vendors.can_report_phase(161, 110, bytes.fromhex("00000001"))
    assert not vendors.can_report_phase(161, 100, bytes.fromhex("00000001 80"))
