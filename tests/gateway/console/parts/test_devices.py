from gateway.console.parts.devices import DEVICES_MOST, Devices
from gateway.contract.batches import ReadBatch, StatusBatch, TagRead
from tests.support.console import told


def a_status(
    device: str, state: str = "online", reason: str = "ok", gateway: str = "edge-1", heard: int = 0
) -> StatusBatch:
    return StatusBatch(
        gateway=gateway, device=device, received_at_us=1, state=state, reason=reason, since_us=1, watched=["p"],
        heard=heard,
    )  # fmt: skip


def reads(count: int, device: str = "gate-1") -> ReadBatch:
    rows = [TagRead(epc="AA", antenna_port=1, read_point="p", seen_at_us=n) for n in range(count)]
    return ReadBatch(gateway="edge-1", device=device, received_at_us=5, reads=rows)


def test_what_a_device_said_is_counted_on_from_its_last_status() -> None:
    devices = Devices()
    devices.take(reads(3))  # of a device that nobody knows yet
    devices.take(a_status("gate-1", heard=1000))
    devices.take(reads(7))
    assert devices.whole()["gate-1"]["heard"] == 1007
    assert devices.is_online("gate-1")
    assert not devices.is_online("gate-2")


def test_changes_are_told_once() -> None:
    devices = Devices()
    cursor = devices.follow({})
    cursor.news()
    devices.take(a_status("gate-1"))
    assert told(cursor)["rows"]["gate-1"]["state"] == "online"
    assert cursor.news() is None


def test_devices_of_a_gateway_that_is_away_are_offline_until_it_is_back() -> None:
    devices = Devices()
    devices.take(a_status("edge-1", "offline", "vanished"))  # retained words come in any order
    devices.take(a_status("gate-1"))
    devices.take(a_status("gate-9", gateway="edge-9"))
    shown = devices.whole()
    assert {name: (row["state"], row["reason"]) for name, row in shown.items()} == {
        "edge-1": ("offline", "vanished"),
        "gate-1": ("offline", "gateway_away"),
        "gate-9": ("online", "ok"),
    }
    assert (shown["gate-1"]["detail"], shown["gate-1"]["watched"]) == ("gateway edge-1 is offline: vanished", [])
    devices.take(a_status("edge-1", "online", "started"))
    assert (devices.whole()["gate-1"]["state"], devices.whole()["gate-1"]["watched"]) == ("online", ["p"])


def test_what_strangers_publish_is_bounded() -> None:
    devices = Devices()
    for number in range(DEVICES_MOST + 5):
        devices.take(a_status(f"gate-{number}"))
    devices.take(a_status("gate-0", "offline"))
    assert len(devices.whole()) == DEVICES_MOST
    assert devices.whole()["gate-0"]["state"] == "offline"
