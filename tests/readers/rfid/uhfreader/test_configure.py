from __future__ import annotations

import pytest

from readers.codecs.uhfreader import Command, Status
from readers.errors import DeviceRefusedError
from readers.observations import InForce
from simulator.rfid.uhfreader import Reader, rr18
from tests.readers.rfid.uhfreader.support import listen
from tests.support.heard import conditions_in, epcs_in, reads_in


def test_what_does_not_differ_is_not_written() -> None:
    writes = frozenset({Command.SET_BAND, Command.SET_POWER, Command.SET_SCAN_TIME, Command.SET_READ_MODE})
    reader = Reader(mute=writes)
    heard = listen(10, {"region": "us", "tx_power_dbm": 30, "scan_time_s": 1.0}, reader)
    assert len(reads_in(heard)) > 95  # nothing was waited for
    assert not conditions_in(heard)


def test_region_and_power_in_force_are_told() -> None:
    heard = listen(2, {"region": "eu", "tx_power_dbm": 20}, Reader())
    assert InForce({"region": "eu", "tx_power_dbm": "20"}) in heard
    heard = listen(2, {}, Reader(band=0b0101, lowest=3, highest=9))
    assert InForce({"region": "band 0101, points 3 to 9", "tx_power_dbm": "30"}) in heard
    heard = listen(2, {"units": [{"address": 0}, {"address": 7, "first_port": 2}]}, Reader())
    assert InForce({"region@0": "us", "tx_power_dbm@0": "30"}) in heard


def test_the_first_model_gets_its_scan_time_and_keeps_its_power_without_a_flag() -> None:
    reader = rr18()
    listen(5, {"scan_time_s": 0.5, "tx_power_dbm": 13}, reader)
    assert (reader.scan_ds, reader.power_dbm) == (5, 13)


def test_a_scan_time_that_is_not_taken_is_a_named_fault() -> None:
    heard = listen(
        5, {}, Reader(type=0x09, ports=1, form=rr18().form, refused={Command.SET_SCAN_TIME: Status.PARAMETER})
    )
    assert conditions_in(heard) == [("setting_differs", "scan_time_s", True)]
    assert epcs_in(heard)


def test_a_reporting_reader_in_another_region_parks() -> None:
    reader = Reader(read_mode=1, refused={Command.SET_READ_MODE: Status.PARAMETER})
    with pytest.raises(DeviceRefusedError, match=r"eu was asked \(points 0 to 14\); the reader keeps us"):
        listen(10, {"region": "eu"}, reader)
    heard = listen(10, {"region": "us"}, Reader(read_mode=1, refused={Command.SET_READ_MODE: Status.PARAMETER}))
    assert epcs_in(heard)


def test_a_band_that_has_no_name_is_shown_by_its_bits() -> None:
    with pytest.raises(DeviceRefusedError, match="keeps band 0101"):
        listen(10, {"region": "eu"}, Reader(band=0b0101, refused={Command.SET_BAND: Status.PARAMETER}))


def test_a_reader_that_stays_in_answer_mode_though_it_shall_report_parks() -> None:
    with pytest.raises(DeviceRefusedError, match="stays in answer mode"):
        listen(10, {"mode": "active"}, Reader(refused={Command.SET_READ_MODE: Status.PARAMETER}))


def test_the_first_model_does_not_report_by_itself_for_us() -> None:
    with pytest.raises(DeviceRefusedError, match="no document says in what form"):
        listen(10, {"mode": "active"}, rr18())


@pytest.mark.parametrize("silent", ["mute", "unknown"])
def test_a_first_model_that_does_not_tell_its_work_mode_is_taken_to_answer(silent: str) -> None:
    reader = rr18()
    setattr(reader, silent, frozenset({Command.GET_WORK_MODE}))
    assert epcs_in(listen(10, {}, reader))


def test_a_mode_that_cannot_be_told_is_taken_from_what_the_reader_does() -> None:
    """It neither tells nor changes its mode, but reports come: it is listened to."""
    closed = frozenset({Command.GET_READ_MODE, Command.SET_READ_MODE})
    for reader in (Reader(read_mode=1, ports=1, mute=closed), Reader(read_mode=1, ports=1, unknown=closed)):
        heard = listen(40, {}, reader)
        assert ("active_mode", "mode", True) in conditions_in(heard)
        assert len(reads_in(heard)) > 300


def test_a_scanning_first_model_that_hides_its_work_mode_is_listened_to() -> None:
    reader = rr18()
    reader.work_mode = reader.work_mode[:4] + b"\x01" + reader.work_mode[5:]
    reader.mute = frozenset({Command.GET_WORK_MODE})
    heard = listen(40, {}, reader)
    assert ("active_mode", "mode", True) in conditions_in(heard)
    assert epcs_in(heard)
