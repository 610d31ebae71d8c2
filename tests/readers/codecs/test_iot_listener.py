from __future__ import annotations

import pytest

from readers.codecs.iot_json import Event, State, encode
from readers.codecs.iot_listener import NO_ANTENNA, Listener, StatusMessage
from readers.codecs.iot_messages import encode_impinj, encode_zebra, parse_impinj, parse_zebra
from readers.observations import Condition, Rejected, TagRead, TagReads, Watching

START_US = 1_767_225_600_000_000
READ = TagRead(b"\x30", 2, last_seen_us=START_US)


def line(at_s: float, read: TagRead | None = None, state: State | None = None) -> bytes:
    return encode(encode_impinj(Event(START_US + round(at_s * 1_000_000), read, state)))


def listener(*antennas: int) -> Listener:
    return Listener(parse_impinj, antennas, 10.0)


def test_a_state_or_a_tag_proves_that_the_inventory_runs() -> None:
    by_state = listener(1, 2)
    assert by_state.take(line(0, state=State.RUNNING), START_US, 0.0) == [Watching(frozenset({1, 2}))]
    assert by_state.take(line(1, state=State.RUNNING), START_US, 1.0) == []
    assert by_state.take(line(2, state=State.ARMED), START_US, 2.0) == [Watching()]
    assert by_state.take(line(2, state=State.IDLE), START_US, 2.0) == []
    by_tag = listener()
    said = by_tag.take(line(0, READ), START_US + 5, 0.0)
    assert said == [Watching(frozenset({2})), TagReads.of(START_US + 5, READ, clock_offset_us=5)]


def test_an_inventory_that_stops_and_starts_in_one_message_is_watched_on() -> None:
    listening = listener(1)
    listening.take(line(0, state=State.RUNNING), START_US, 0.0)
    assert listening.take(line(1, state=State.IDLE) + line(2, state=State.RUNNING), START_US, 2.0) == []
    assert listening.take(line(3, state=State.IDLE), START_US, 3.0) == [Watching()]


def beat(*disconnected: int, state: State = State.RUNNING) -> bytes:
    connected = frozenset(range(1, 9)) - set(disconnected)
    return encode(encode_zebra(Event(START_US, state=state, connected=connected, disconnected=frozenset(disconnected))))


def test_an_antenna_that_is_not_there_is_not_watched() -> None:
    listening = Listener(parse_zebra, (1, 2), 10.0)
    gone = [Condition(NO_ANTENNA, active=True, key="2")]
    assert listening.take(beat(2, 7), START_US, 0.0) == [*gone, Watching(frozenset({1}))]
    assert listening.take(beat(2, 7), START_US, 1.0) == []
    tag = encode(encode_zebra(Event(START_US, read=READ)))
    heard = listening.take(tag, START_US, 2.0)
    assert heard[:2] == [Condition(NO_ANTENNA, active=False, key="2"), Watching(frozenset({1, 2}))]
    assert listening.take(beat(1, 2), START_US, 3.0)[-1] == Watching()
    assert listening.take(beat(), START_US, 4.0)[-1] == Watching(frozenset({1, 2}))


def test_what_the_reader_has_purged_is_counted() -> None:
    purged = encode(encode_impinj(Event(START_US, purged=12)))
    assert listener(1).take(purged, START_US, 0.0) == [Rejected("purged_by_reader", 12)]


def test_a_status_message_tells_that_a_reader_is_alive_or_gone() -> None:
    texts = {" connection\r\nlost ": StatusMessage.GONE, "connected": StatusMessage.ALIVE, "{}": StatusMessage.ALIVE}
    listening = Listener(parse_impinj, (1,), 10.0, texts)
    listening.take(line(0, state=State.RUNNING), START_US, 0.0)
    assert listening.take(b"connected\n{}\n", START_US, 9.0) == []
    assert listening.wait(18.0) == []
    assert listening.take(b"\x1econnection  lost\nnonsense\n", START_US, 18.0) == [
        Rejected("json", sample=b"nonsense"),
        Watching(),
    ]
    assert listening.is_gone


@pytest.mark.parametrize("after", [b"connected\n", line(20, READ)])
def test_a_reader_that_has_come_back_is_not_gone(after: bytes) -> None:
    texts = {"connection lost": StatusMessage.GONE, "connected": StatusMessage.ALIVE}
    listening = Listener(parse_impinj, (1,), 10.0, texts)
    listening.take(b"connection lost\n" + after, START_US, 20.0)
    assert not listening.is_gone


def test_a_tag_from_before_the_stop_proves_nothing() -> None:
    listening = listener(2)
    listening.take(line(0, state=State.RUNNING), START_US, 0.0)
    listening.take(line(1, state=State.IDLE), START_US, 1.0)
    late = listening.take(line(0.5, READ), START_US, 1.0)
    assert [type(o) for o in late] == [TagReads]
    assert listening.take(line(2, READ), START_US, 2.0)[0] == Watching(frozenset({2}))


def test_silence_ends_watching_and_signs_of_life_do_not_begin_it() -> None:
    listening = listener(2)
    assert listening.wait(100.0) == []
    listening.take(line(0, READ), START_US, 0.0)
    listening.take(line(9), START_US, 9.0)
    assert listening.wait(18.9) == []
    assert listening.wait(19.0) == [Watching()]
    assert listening.wait(20.0) == []
    assert listening.take(line(21), START_US, 21.0) == []
    assert listening.take(line(22, READ), START_US, 22.0)[0] == Watching(frozenset({2}))


def test_the_clock_is_followed() -> None:
    listening = listener(2)
    offsets = []
    for second, late_us in ((0, 300_000), (1, 100_000), (2, 200_000)):
        said = listening.take(line(second - 3600, READ), START_US + second * 1_000_000 + late_us, second)
        offsets += [o.clock_offset_us for o in said if isinstance(o, TagReads)]
    assert offsets[:2] == [3_600_300_000, 3_600_100_000]
    assert offsets[2] == 3_600_100_000 + 110


def test_a_reader_that_gives_no_time_is_read_too() -> None:
    said = listener(1).take(b'{"tagInventoryEvent":{"epcHex":"30"}}\n', START_US, 0.0)
    assert said[1:] == [TagReads.of(START_US, TagRead(b"\x30", 1))]


def test_what_is_thrown_away_is_told() -> None:
    listening = listener()
    assert listening.take(b"nonsense\nhalf", START_US, 0.0) == [Rejected("json", sample=b"nonsense")]
    assert listening.gap() == [Rejected("truncated", sample=b"half")]
    assert listening.gap() == []
