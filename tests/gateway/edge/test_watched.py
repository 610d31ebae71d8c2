import pytest

from gateway.edge.watched import CONDITIONS_MOST, DeviceState, Watched
from readers.driver import Kind
from readers.observations import Condition, DeviceInfo, InForce, Severity, Watching


class Told:
    def __init__(self) -> None:
        self.all: list[tuple[str, str, tuple[str, ...], bool]] = []

    def __call__(self, device: DeviceState, urgent: bool) -> None:  # noqa: FBT001  # the signature under test
        self.all.append((device.device, device.state, device.watched, urgent))


def gate(told: Told) -> Watched:
    return Watched("gate", "llrp", Kind.RFID, (), lambda port: f"point-{port}", told, 0)


def line(told: Told) -> Watched:
    return Watched("line", "dlt645", Kind.METER, ("m1", "m2"), str, told, 0)


def test_online_only_after_the_device_has_spoken() -> None:
    told = Told()
    watched = gate(told)
    device = watched.devices["gate"]
    assert (device.state, device.watched) == ("offline", ())
    watched.link_failed("connecting", "", 1)
    assert device.state == "offline"
    watched.observe(DeviceInfo(model="R700", serial="37022"), 2)
    assert (device.state, device.watched, device.since_us) == ("online", (), 2)
    assert device.batch("edge-1", 2).serial == "37022"
    watched.observe(Watching(frozenset({2, 1})), 3)
    assert device.watched == ("point-1", "point-2")
    assert watched.watched == ["point-1", "point-2"]
    assert told.all[-1] == ("gate", "online", ("point-1", "point-2"), True)


def test_a_link_that_ends_ends_the_watch_without_a_word() -> None:
    told = Told()
    watched = gate(told)
    watched.observe(Watching(frozenset({1})), 1)
    watched.link_failed("link_failed", "cut\x1b[2J", 5)
    status = watched.devices["gate"].batch("edge-1", 6)
    assert (status.state, status.reason, status.since_us, status.watched) == ("offline", "link_failed", 5, [])
    assert status.detail == "cut\N{REPLACEMENT CHARACTER}[2J"
    watched.heard(None, 1, 7)  # reads alone prove the device, not what it watches
    assert (watched.devices["gate"].state, watched.watched) == ("online", [])


def test_a_standing_fault_degrades_and_a_warning_does_not() -> None:
    watched = gate(Told())
    device = watched.devices["gate"]
    watched.observe(Watching(frozenset({1})), 1)
    watched.observe(Condition("buffer_warning", active=True), 2)
    assert device.state == "online"
    watched.observe(Condition("antenna_disconnected", active=True, severity=Severity.FAULT, key="2"), 3)
    status = device.batch("edge-1", 4)
    assert (status.state, status.reason, status.since_us) == ("degraded", "antenna_disconnected", 3)
    assert [(c.name, c.key, c.since_us) for c in status.conditions] == [
        ("buffer_warning", "", 2),
        ("antenna_disconnected", "2", 3),
    ]
    watched.observe(Condition("antenna_disconnected", active=False, key="2"), 5)
    assert (device.state, device.batch("edge-1", 6).reason) == ("online", "ok")


def test_a_detail_may_wait_and_nothing_new_is_not_told() -> None:
    told = Told()
    watched = gate(told)
    watched.observe(Watching(frozenset({1})), 1)
    told.all.clear()
    watched.observe(Condition("buffer_warning", active=True), 2)
    watched.observe(Condition("buffer_warning", active=True), 3)
    watched.observe(Watching(frozenset({1})), 4)
    assert told.all == [("gate", "online", ("point-1",), False)]


def test_meters_behind_a_line_speak_for_themselves_and_for_the_line() -> None:
    told = Told()
    watched = line(told)
    watched.heard("m1", 5, 1)
    assert [d.state for d in watched.devices.values()] == ["online", "online", "offline"]
    assert [d.heard for d in watched.devices.values()] == [0, 5, 0]
    watched.observe(Watching(source="m1"), 2)
    watched.observe(Watching(source="m2"), 3)
    assert watched.watched == ["m1", "m2"]
    watched.observe(Watching(source="m2", active=False), 4)
    assert watched.watched == ["m1"]
    assert watched.devices["m2"].batch("edge-1", 5).reason == "no_answer"
    watched.link_failed("link_failed", "", 6)
    assert watched.watched == []
    assert {d.state for d in watched.devices.values()} == {"offline"}


def test_a_machine_is_watched_under_its_own_name() -> None:
    watched = Watched("scale", "weighbridge", Kind.MACHINE, (), str, Told(), 0)
    watched.observe(Watching(frozenset({1})), 1)
    assert watched.watched == ["scale"]


def test_hostile_text_and_endless_conditions_are_bounded() -> None:
    watched = gate(Told())
    watched.observe(DeviceInfo(manufacturer="a\nb" + "x" * 10_000, model="\u202e"), 1)
    for index in range(1_000):
        watched.observe(Condition("c", active=True, key=str(index)), 2)
    status = watched.devices["gate"].batch("edge-1", 3)
    assert len(status.conditions) == CONDITIONS_MOST
    assert "\n" not in status.manufacturer
    assert len(status.manufacturer) < 400
    assert status.model == "\N{REPLACEMENT CHARACTER}"


def test_a_driver_that_speaks_of_a_stranger_has_a_bug() -> None:
    with pytest.raises(ValueError, match="'m9'"):
        line(Told()).observe(Watching(source="m9"), 1)


def test_reconnects_are_counted() -> None:
    watched = gate(Told())
    watched.reconnected()
    assert watched.devices["gate"].batch("edge-1", 1).reconnects == 1


def test_settings_in_force_are_told_and_end_with_the_link() -> None:
    told: list[tuple[DeviceState, bool]] = []
    watched = Watched("gate", "a0", Kind.RFID, (), str, lambda device, urgent: told.append((device, urgent)), 0)
    watched.observe(InForce({"tx_power_dbm": "20", "odd\x1b": "x\n"}), 5)
    device = watched.devices["gate"]
    assert device.batch("edge-1", 6).in_force["tx_power_dbm"] == "20"
    assert all(text.isprintable() for pair in device.batch("edge-1", 6).in_force.items() for text in pair)
    assert device.state == "online"
    watched.link_failed("link_failed", "gone", 7)
    assert device.batch("edge-1", 8).in_force == {}
    assert told


def test_what_is_in_force_in_a_meter_outlives_its_silence_but_not_its_line() -> None:
    watched = line(Told())
    meter = watched.devices["m1"]
    watched.observe(InForce({"ct_ratio": "40"}, "m1"), 2)
    watched.observe(Watching(source="m1"), 3)
    watched.observe(Watching(source="m1", active=False), 4)
    assert (meter.state, meter.batch("edge-1", 5).in_force) == ("offline", {"ct_ratio": "40"})
    watched.link_failed("link_lost", "", 6)
    assert meter.batch("edge-1", 7).in_force == {}
