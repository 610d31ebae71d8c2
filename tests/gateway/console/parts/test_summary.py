import msgspec

from gateway.console.live import Live
from gateway.contract.batches import StatusBatch, encode
from gateway.contract.events import Alarm, Evidence
from tests.support.console import told

ROOT = "tagwharf/1/site/"
ALARM = Alarm(
    id="a1", rule="r", severity="info", subject="s", state="raised", since_us=1, at_us=1, message="m",
    evidence=Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1),
)  # fmt: skip


def test_the_head_of_every_page_is_told_when_it_changes() -> None:
    live = Live("site")
    cursor = live.parts["summary"].follow({})
    first = told(cursor)
    assert (first["connected"], first["devices"], first["alarms"], first["loudest"]) == (False, 0, 0, -1)
    assert first["balanced"] is None
    assert cursor.news() is None
    live.connected = True
    for name, state in (("gate-1", "online"), ("gate-2", "offline")):
        status = StatusBatch(gateway="edge-1", device=name, received_at_us=1, state=state, reason="r", since_us=1)
        live.feed(f"{ROOT}{name}/status", encode(status))
    now = told(cursor)
    assert (now["connected"], now["devices"], now["online"]) == (True, 2, 1)


def test_the_loudest_alarm_that_nobody_has_seen() -> None:
    live = Live("site")
    cursor = live.parts["summary"].follow({})
    seen = {"acknowledged_by": "olga", "severity": "critical"}
    for alarm in (
        ALARM,
        msgspec.structs.replace(ALARM, id="a2", severity="warning", since_us=9),
        msgspec.structs.replace(ALARM, id="a3", **seen),
        msgspec.structs.replace(ALARM, id="a4", ended=True),
    ):
        live.feed(f"{ROOT}alarms/{alarm.id}", msgspec.json.encode(alarm))
    now = told(cursor)
    assert (now["alarms"], now["unseen"], now["loudest"], now["newest_unseen_us"]) == (4, 2, 1, 9)
    strange = msgspec.structs.replace(ALARM, id="a5", severity="of a later version")
    live.feed(f"{ROOT}alarms/a5", msgspec.json.encode(strange))
    assert told(cursor)["loudest"] == 2
