from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

import pytest

from readers.errors import DeviceRefusedError, FrameError, LinkError, ReaderBusyError
from readers.observations import Condition, DeviceInfo, Rejected, Severity, Signal, Signals, TagReads, Watching
from readers.ports.memory import START_US, run
from tests.readers.rfid.llrp.scripted import (
    OK,
    ScriptedReader,
    Talk,
    antenna_event,
    attempt,
    capabilities,
    configuration,
    custom,
    event,
    rospec_event,
    status,
    tag,
    tlv,
)

S = 1_000_000


def conditions(talk: Talk, name: str) -> list[Condition]:
    return [report for report in talk.reports if isinstance(report, Condition) and report.name == name]


def watched(talk: Talk) -> list[set[int]]:
    return [set(report.antenna_ports) for report in talk.reports if isinstance(report, Watching)]


def read_epcs(talk: Talk) -> list[bytes]:
    return [epc for report in talk.reports if isinstance(report, TagReads) for epc in report.epc]


def play(scenario: Callable[[Talk], Awaitable[None]], **settings: object) -> Talk:
    async def whole() -> Talk:
        talk = Talk(**settings)
        await scenario(talk)
        await talk.stop()
        return talk

    return run(whole())


# --- from the first event to a verified inventory --------------------------------------------------------------------


def test_the_steps_come_in_their_order() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        kinds = [kind for kind, _, _ in talk.reader.received]
        assert kinds[:11] == [46, 1, 2, 64, 60, 3, 2, 41, 21, 20, 24]
        assert set(kinds[11:]) == {26, 60}
        assert talk.reader.requests(41) == talk.reader.requests(21) == [bytes(4)]

    talk = play(scenario)
    assert watched(talk) == [{1, 2}, set()]
    assert talk.of(DeviceInfo) == [DeviceInfo("manufacturer 99", "7", "1.0", "001625FFFF001122")]
    assert talk.of(Condition) == talk.of(Rejected) == []


@pytest.mark.parametrize(("code", "whose"), [(1, "that the reader opened itself"), (2, "a connection open")])
def test_another_client_is_named(code: int, whose: str) -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.opening = event(attempt(code))
        error = await talk.failure()
        assert isinstance(error, ReaderBusyError)
        assert "another client holds this reader" in str(error)
        assert whose in str(error)

    assert watched(play(scenario)) == []


def test_another_failure_of_the_attempt_is_no_other_client() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.opening = event(attempt(3))
        error = await talk.failure()
        assert type(error) is LinkError
        assert "status 3" in str(error)

    play(scenario)


@pytest.mark.parametrize("opening", [event(antenna_event(1, connected=True)), b"\x00\xf6\x00", event(attempt(77))])
def test_the_first_event_must_be_a_connection_event(opening: bytes) -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.opening = opening
        assert "ConnectionAttemptEvent; check the address" in str(await talk.failure())

    play(scenario)


def test_the_first_message_must_be_an_event() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.say(62)
        assert "the first message, of type 62, is no READER_EVENT_NOTIFICATION" in str(await talk.failure())

    play(scenario)


def test_a_reader_that_says_nothing_is_given_up_by_name_of_the_step() -> None:
    async def scenario(talk: Talk) -> None:
        talk.driver = asyncio.create_task(talk_alone(talk))
        error = await talk.failure()
        assert isinstance(error, LinkError)
        assert "waiting for the connection event: nothing within 5 s" in str(error)
        assert talk.ours.monotonic_s() == pytest.approx(5.0, abs=0.01)

    async def talk_alone(talk: Talk) -> None:
        from readers.rfid.llrp import LlrpDriver, LlrpSettings

        await LlrpDriver(LlrpSettings()).run(talk.ours, talk.reports.append)

    play(scenario)


def test_something_that_is_no_llrp_reader_is_recognised() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader._out += b"HTTP/1.1 400 Bad Request\r\n\r\n"
        error = await talk.failure()
        assert isinstance(error, FrameError)
        assert "waiting for the connection event" in str(error)

    play(scenario)


def test_a_reader_that_hangs_up_before_its_first_event_may_be_held() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.theirs.close()
        assert "another client may hold this reader" in str(await talk.failure())

    play(scenario)


@pytest.mark.parametrize(
    ("kind", "step", "within_s"),
    [
        (1, "reading the capabilities", 10),
        (2, "reading the configuration", 10),
        (3, "setting the configuration", 5),
        (41, "deleting the AccessSpecs of earlier clients", 5),
        (21, "deleting the ROSpecs of earlier clients", 10),
        (20, "adding the ROSpec", 10),
        (24, "enabling the ROSpec", 10),
        (26, "verifying the ROSpec", 5),
    ],
)
def test_each_step_has_its_time_and_its_name(kind: int, step: str, within_s: int) -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[kind] = lambda *_: None
        error = await talk.failure()
        assert isinstance(error, LinkError)
        assert f"memory: {step}: no answer within {within_s} s" in str(error)
        assert talk.ours.monotonic_s() == pytest.approx(within_s, abs=0.1)

    assert watched(play(scenario)) == []


@pytest.mark.parametrize("kind", [1, 2, 3, 20, 24, 26])
def test_a_refusal_at_each_step_parks_the_reader(kind: int) -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[kind] = status(101, "no")
        assert isinstance(await talk.failure(), DeviceRefusedError)

    play(scenario)


def test_a_reader_in_trouble_is_tried_again() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[24] = status(401, "radio busy")
        assert type(await talk.failure()) is LinkError

    play(scenario)


def test_a_reader_may_refuse_to_delete_nothing() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies |= {41: status(300), 21: status(300)}
        await talk.run_for(1.0)

    assert watched(play(scenario))[0] == {1, 2}


def test_a_reader_may_not_even_know_how_to_delete() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[41] = lambda reader, message_id, _: reader.say(100, status(109), message_id)
        await talk.run_for(1.0)

    assert watched(play(scenario))[0] == {1, 2}


def test_an_answer_behind_a_backlog_of_reports_is_waited_for() -> None:
    async def scenario(talk: Talk) -> None:
        def answer(reader: ScriptedReader, message_id: int, _body: bytes) -> None:
            async def backlog() -> None:
                for number in range(120):  # 12 s of it, and the answer to a step of 5 s stands behind
                    reader.say(61, tag(number.to_bytes(12)))
                    await reader.flush()
                    await asyncio.sleep(0.1)
                reader.say(13, OK, message_id)
                await reader.flush()

            tasks.append(asyncio.create_task(backlog()))

        tasks: list[asyncio.Task[None]] = []
        talk.reader.replies[3] = answer
        await talk.run_for(15.0)
        assert len(read_epcs(talk)) == 120

    assert watched(play(scenario))[0] == {1, 2}


def test_a_reader_that_only_reports_and_never_answers_is_given_up() -> None:
    async def scenario(talk: Talk) -> None:
        async def babble() -> None:
            while True:
                talk.reader.say(61, tag())
                await talk.reader.flush()
                await asyncio.sleep(0.1)

        talk.reader.replies[3] = lambda *_: None
        await talk.start()
        babbling = asyncio.create_task(babble())
        error = await talk.failure()
        babbling.cancel()
        assert isinstance(error, LinkError)
        assert "setting the configuration: no answer within 30 s" in str(error)

    play(scenario)


def test_trouble_at_deleting_is_tried_again() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[21] = status(401)
        assert type(await talk.failure()) is LinkError

    play(scenario)


# --- versions --------------------------------------------------------------------------------------------------------


def speaks_1_1(reader: ScriptedReader) -> None:
    def answer(reader: ScriptedReader, message_id: int, _body: bytes) -> None:
        reader.say(56, b"\x01\x02" + OK, message_id, version=2)

    reader.replies[46] = answer


def test_llrp_1_1_is_agreed_upon() -> None:
    async def scenario(talk: Talk) -> None:
        speaks_1_1(talk.reader)
        await talk.run_for(1.0)
        assert talk.reader.requests(47) == [b"\x02"]
        assert bytes.fromhex("00ED") in talk.reader.requests(20)[0]
        assert bytes.fromhex("05 0064") in talk.reader.requests(20)[0]  # report after 100 ms
        assert len(talk.reader.requests(60)) == 1
        assert talk.ours.sent[:2] == b"\x08\x2e"
        assert b"\x08\x01\x00\x00\x00\x0b" in talk.ours.sent  # GET_READER_CAPABILITIES with version 2

    play(scenario)


def test_a_reader_that_speaks_version_2_already_is_not_told() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[46] = b"\x02\x02" + OK
        await talk.run_for(1.0)
        assert talk.reader.requests(47) == []
        assert b"\x08\x01\x00\x00\x00\x0b" in talk.ours.sent

    play(scenario)


def test_a_reader_of_1_1_without_reports_by_time_is_asked_for_them() -> None:
    async def scenario(talk: Talk) -> None:
        speaks_1_1(talk.reader)
        replies: list[bytes] = [status(100, "trigger"), OK]
        talk.reader.replies[20] = lambda reader, message_id, _: reader.say(30, replies.pop(0), message_id)
        await talk.run_for(1.0)
        assert len(talk.reader.requests(60)) > 5

    assert watched(play(scenario))[0] == {1, 2}


@pytest.mark.parametrize("reply", [b"\x01\x01" + OK, b"\x01\x02" + status(109), None])
def test_everything_else_means_1_0_1(reply: bytes | None) -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[46] = reply if reply is not None else lambda *_: None
        await talk.run_for(8.0)
        assert talk.reader.requests(47) == []

    assert watched(play(scenario))[0] == {1, 2}


def test_a_reader_that_knows_of_1_1_and_refuses_it_is_spoken_to_in_1_0_1() -> None:
    async def scenario(talk: Talk) -> None:
        speaks_1_1(talk.reader)
        talk.reader.replies[47] = status(110, "no")
        await talk.run_for(1.0)
        assert b"\x04\x01\x00\x00\x00\x0b" in talk.ours.sent  # GET_READER_CAPABILITIES with version 1

    assert watched(play(scenario))[0] == {1, 2}


def test_a_reader_that_refuses_the_1_1_that_is_insisted_on_is_parked() -> None:
    async def scenario(talk: Talk) -> None:
        speaks_1_1(talk.reader)
        talk.reader.replies[47] = status(110, "no")
        assert isinstance(await talk.failure(), DeviceRefusedError)

    play(scenario, protocol_version="1.1")


def test_a_reader_that_hangs_up_at_the_question_comes_with_advice() -> None:
    async def scenario(talk: Talk) -> None:
        def hang_up(reader: ScriptedReader, _message_id: int, _body: bytes) -> None:
            ending.append(asyncio.create_task(reader.port.close()))

        ending: list[asyncio.Task[None]] = []
        talk.reader.replies[46] = hang_up
        error = await talk.failure()
        assert type(error) is LinkError
        assert 'set protocol_version = "1.0.1"' in str(error)

    play(scenario)


def test_a_reader_may_be_spared_the_question() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        assert talk.reader.requests(46) == []

    play(scenario, protocol_version="1.0.1")


@pytest.mark.parametrize(
    ("reply", "kind"), [(None, LinkError), (b"\x01\x01" + OK, DeviceRefusedError), (b"", DeviceRefusedError)]
)
def test_1_1_may_be_insisted_on(reply: bytes | None, kind: type[Exception]) -> None:
    async def scenario(talk: Talk) -> None:
        if reply is None:
            talk.reader.replies[46] = lambda *_: None
        elif reply:
            talk.reader.replies[46] = reply
        assert isinstance(await talk.failure(), kind)

    play(scenario, protocol_version="1.1")


# --- what was asked is read back -------------------------------------------------------------------------------------


def test_a_rospec_is_watched_only_when_it_is_active() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.state = 1
        await talk.run_for(2.0)
        assert watched(talk) == []
        talk.reader.state = 2
        await talk.run_for(1.0)
        assert watched(talk) == [{1, 2}]

    play(scenario)


@pytest.mark.parametrize(("state", "words"), [(0, "in state 0"), (1, "in state 1")])
def test_a_rospec_that_never_runs_is_named(state: int, words: str) -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.state = state
        error = await talk.failure()
        assert isinstance(error, LinkError)
        assert words in str(error)

    assert watched(play(scenario)) == []


def test_a_rospec_that_is_not_there_is_named() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[26] = OK
        assert "it is not there" in str(await talk.failure())

    play(scenario)


def test_a_leftover_rospec_is_named() -> None:
    async def scenario(talk: Talk) -> None:
        def answer(reader: ScriptedReader, message_id: int, _body: bytes) -> None:
            other = reader.rospec()
            reader.say(36, OK + other + other[:4] + struct.pack(">I", 14150) + other[8:], message_id)

        talk.reader.replies[26] = answer
        await talk.run_for(1.0)

    (found,) = conditions(play(scenario), "setting_differs")
    assert (found.key, found.active) == ("rospecs", True)
    assert found.detail == "rospecs: asked [1], the reader has [1, 14150]"


def test_power_that_the_reader_changed_is_a_condition() -> None:
    async def scenario(talk: Talk) -> None:
        def answer(reader: ScriptedReader, message_id: int, _body: bytes) -> None:
            asked, has = bytes.fromhex("00E0 000A 0005 0001 0003"), bytes.fromhex("00E0 000A 0005 0001 0001")
            assert asked in reader.rospec()
            reader.say(36, OK + reader.rospec().replace(asked, has), message_id)

        talk.reader.replies[26] = answer
        await talk.run_for(1.0)

    talk = play(scenario)
    (found,) = conditions(talk, "setting_differs")
    assert (found.key, found.severity) == ("tx_power_dbm", Severity.WARNING)
    assert found.detail == "tx_power_dbm: asked 30.0, the reader has 10.0"
    assert watched(talk)[0] == {1, 2}


def test_keepalive_and_hold_are_read_back() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[2] = configuration(keepalive_ms=30_000, hold=False)
        await talk.run_for(1.0)

    found = conditions(play(scenario), "setting_differs")
    assert [condition.detail for condition in found] == [
        "keepalive_s: asked 5000 ms, the reader has 30000 ms",
        "hold_upon_reconnect: asked True, the reader has False",
    ]


def test_a_reader_that_cannot_hold_is_not_asked() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies |= {1: capabilities(hold=False), 2: configuration(hold=False)}
        await talk.run_for(1.0)
        assert bytes.fromhex("00E2 0005") not in talk.reader.requests(3)[0]

    assert conditions(play(scenario), "setting_differs") == []


def test_an_impossible_setting_parks_the_reader_before_anything_is_changed() -> None:
    async def scenario(talk: Talk) -> None:
        error = await talk.failure()
        assert isinstance(error, DeviceRefusedError)
        assert "tx_power_dbm = 33: the reader in its region allows 10 to 30" in str(error)
        assert talk.reader.requests(3) == talk.reader.requests(21) == []

    play(scenario, tx_power_dbm=33)


def impinj(reader: ScriptedReader, *, monitored: bool = True) -> None:
    monitor = custom(25882, 38, struct.pack(">HH", monitored, 3))

    def extensions(reader: ScriptedReader, message_id: int, _body: bytes) -> None:
        reader.say(1023, struct.pack(">IB", 25882, 22) + OK, message_id)

    reader.replies |= {1: capabilities(manufacturer=25882), 2: configuration(more=monitor), 1023: extensions}


def test_an_impinj_reader_gets_its_link_monitor() -> None:
    async def scenario(talk: Talk) -> None:
        impinj(talk.reader)
        await talk.run_for(1.0)
        assert talk.reader.requests(1023) == [struct.pack(">IBI", 25882, 21, 0)]
        assert talk.reader.requests(3)[0].endswith(custom(25882, 38, struct.pack(">HH", 1, 3)))
        assert custom(25882, 56 - 4, b"\x00\x01") in talk.reader.requests(20)[0]  # phase angle enabled

    assert conditions(play(scenario), "setting_differs") == []


def test_a_link_monitor_that_stays_off_is_named() -> None:
    async def scenario(talk: Talk) -> None:
        impinj(talk.reader, monitored=False)
        await talk.run_for(1.0)

    (found,) = conditions(play(scenario), "setting_differs")
    assert found.key == "link_monitor"


# --- keepalives ------------------------------------------------------------------------------------------------------


def test_keepalives_are_answered_with_their_id() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        talk.reader.say(62, message_id=4711)
        await talk.reader.flush()
        await talk.run_for(1.0)
        assert (72, 4711, b"") in talk.reader.received

    play(scenario)


def test_a_silent_reader_is_given_up_after_two_and_a_half_periods() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.keepalive_s = None
        error = await talk.failure()
        assert type(error) is LinkError
        assert "silent for 5 s" in str(error)
        assert talk.ours.monotonic_s() == pytest.approx(5.0, abs=0.1)

    play(scenario, keepalive_s=2)


def test_reports_alone_prove_that_the_link_lives() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.keepalive_s = None
        for _ in range(10):
            await talk.run_for(1.0)
            talk.reader.say(61, tag(seen_us=None))
            await talk.reader.flush()

    assert len(read_epcs(play(scenario, keepalive_s=1))) == 10


def test_a_long_quiet_hour_with_keepalives_is_fine() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(3600.0)

    talk = play(scenario, report_within_s=10)
    assert watched(talk) == [{1, 2}, set()]
    assert len(talk.reports) == 3


# --- reports ---------------------------------------------------------------------------------------------------------


def test_the_reader_is_asked_for_what_it_collects() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[60] = lambda reader, message_id, _: reader.say(61, tag(), message_id)
        await talk.run_for(10.0)

    assert len(read_epcs(play(scenario, report_within_s=0.5))) == pytest.approx(21, abs=2)


def test_a_reader_that_does_not_know_get_report_reports_each_read_by_itself() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[60] = lambda reader, message_id, _: reader.say(100, status(109), message_id)
        await talk.run_for(3.0)
        assert len(talk.reader.requests(20)) == 2
        assert bytes.fromhex("00ED 0012 01 0001") in talk.reader.requests(20)[1]
        assert len(talk.reader.requests(60)) <= 3

    talk = play(scenario)
    (found,) = conditions(talk, "setting_differs")
    assert found.key == "report_within_s"
    assert watched(talk)[-2:] == [{1, 2}, set()]


def test_what_the_reader_kept_is_heard_before_its_rospec_is_deleted() -> None:
    async def scenario(talk: Talk) -> None:
        old = b"".join(tag(bytes([number]) * 12, seen_us=START_US - 600 * S) for number in range(100))
        talk.reader.replies[64] = lambda reader, _, __: reader.say(61, old)
        await talk.run_for(1.0)

    talk = play(scenario)
    assert len(read_epcs(talk)) == 100
    kinds = [kind for kind, _, _ in talk.reader.received]
    assert kinds.index(64) < kinds.index(60) < kinds.index(21)
    (batch,) = talk.of(TagReads)
    assert isinstance(batch, TagReads)
    assert abs(batch.clock_offset_us) < 1000  # reads of ten minutes ago say nothing about the clocks


def test_a_malformed_report_loses_that_report_only() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        for body in (tag(b"a" * 12), tag(b"b" * 12)[:20], tag(b"c" * 12)):
            talk.reader.say(61, body)
        await talk.reader.flush()
        await talk.run_for(1.0)

    talk = play(scenario)
    assert read_epcs(talk) == [b"a" * 12, b"c" * 12]
    (rejected,) = talk.of(Rejected)
    assert isinstance(rejected, Rejected)
    assert rejected.reads_lost == 1


def test_unknown_parameters_are_told_now_and_then_and_at_the_end() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        for _ in range(4):
            talk.reader.say(61, tag(more=tlv(900, b"?")))
            await talk.reader.flush()
            await talk.run_for(4.0)

    told = [report.count for report in play(scenario).of(Rejected) if isinstance(report, Rejected)]
    assert told == [3, 1]  # after ten seconds, and at the end


def test_times_of_a_reader_without_utc_look_like_utc() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.opening = event(attempt(0), uptime_us=90 * S)
        await talk.run_for(1.0)
        now_us = talk.ours.now_us()
        talk.reader.say(61, tag(uptime_us=90 * S + now_us - START_US))
        await talk.reader.flush()
        await talk.run_for(1.0)
        (batch,) = talk.of(TagReads)
        assert isinstance(batch, TagReads)
        assert batch.last_seen_us is not None
        assert batch.last_seen_us[0] == pytest.approx(now_us, abs=1000)
        assert batch.clock_offset_us == pytest.approx(0, abs=1000)

    play(scenario)


def test_the_offset_of_a_wrong_clock_is_told_with_each_batch() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.opening = event(attempt(0), utc_us=START_US - 3_600 * S)
        await talk.run_for(1.0)
        talk.reader.say(61, tag(seen_us=talk.ours.now_us() - 3_600 * S))
        await talk.reader.flush()
        await talk.run_for(0.5)
        (batch,) = talk.of(TagReads)
        assert isinstance(batch, TagReads)
        assert batch.clock_offset_us == pytest.approx(3_600 * S, abs=1000)

    play(scenario)


# --- events ----------------------------------------------------------------------------------------------------------


def test_an_antenna_that_goes_and_comes_back() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        for connected in (False, True):
            talk.reader.say(63, event(antenna_event(2, connected=connected)))
            await talk.reader.flush()
            await talk.run_for(1.0)

    talk = play(scenario)
    assert watched(talk) == [{1, 2}, {1}, {1, 2}, set()]
    assert [(c.key, c.active, c.severity) for c in conditions(talk, "antenna_disconnected")] == [
        ("2", True, Severity.FAULT),
        ("2", False, Severity.INFO),
    ]


def test_an_antenna_that_is_missing_from_the_start() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[2] = configuration(connected=(True, False))
        await talk.run_for(1.0)

    talk = play(scenario)
    assert watched(talk)[0] == {1}
    assert [c.key for c in conditions(talk, "antenna_disconnected")] == ["2"]


def test_an_antenna_that_nobody_asked_for_is_no_trouble() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[2] = configuration(connected=(True, False))
        await talk.run_for(1.0)

    talk = play(scenario, antennas=[1])
    assert watched(talk)[0] == {1}
    assert conditions(talk, "antenna_disconnected") == []


def test_a_read_proves_that_its_antenna_is_there() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[2] = configuration(connected=(True, False))
        await talk.run_for(1.0)
        talk.reader.say(61, tag(port=2))
        await talk.reader.flush()
        await talk.run_for(1.0)

    talk = play(scenario)
    assert watched(talk) == [{1}, {1, 2}, set()]
    assert [c.active for c in conditions(talk, "antenna_disconnected")] == [True, False]


@pytest.mark.parametrize(
    ("parameter", "name", "severity", "detail"),
    [
        (tlv(250, b"\x55"), "buffer_filling", Severity.WARNING, "the reader's report buffer is 85 % full"),
        (tlv(251, b""), "buffer_overflow", Severity.FAULT, "overflowed"),
        (tlv(252, b"\x00\x05radio"), "reader_exception", Severity.WARNING, "radio"),
        (attempt(4), "second_client", Severity.INFO, "another client tried to connect"),
    ],
)
def test_events_become_conditions_that_end_after_a_calm_minute(
    parameter: bytes, name: str, severity: Severity, detail: str
) -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        talk.reader.say(63, event(parameter))
        await talk.reader.flush()
        await talk.run_for(59.0)
        assert [c.active for c in conditions(talk, name)] == [True]
        await talk.run_for(2.0)
        assert [c.active for c in conditions(talk, name)] == [True, False]
        assert conditions(talk, name)[0].severity is severity
        assert detail in conditions(talk, name)[0].detail

    play(scenario)


def test_an_event_without_a_time_leaves_the_clock_alone() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        talk.reader.say(63, tlv(246, antenna_event(2, connected=False)))
        await talk.reader.flush()
        await talk.run_for(1.0)

    assert watched(play(scenario))[1] == {1}


def test_parameters_of_an_event_that_nobody_knows_are_counted() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        talk.reader.say(63, event(tlv(900, b"?")))
        await talk.reader.flush()
        await talk.run_for(1.0)

    (rejected,) = play(scenario).of(Rejected)
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.count, rejected.reads_lost) == ("unknown_parameter", 1, 0)


def test_an_input_is_a_signal() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        talk.reader.say(63, event(tlv(248, struct.pack(">HB", 1, 0x80))))
        await talk.reader.flush()
        await talk.run_for(1.0)

    (signals,) = play(scenario).of(Signals)
    assert isinstance(signals, Signals)
    assert list(signals.signals) == [Signal("gpi_1", value=True)]


def test_a_reader_that_says_goodbye_is_gone() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        talk.reader.say(63, event(tlv(257, b"")))
        await talk.reader.flush()
        error = await talk.failure()
        assert type(error) is LinkError
        assert "ConnectionCloseEvent" in str(error)

    play(scenario)


@pytest.mark.parametrize("kind", [1, 2])
def test_an_inventory_that_ends_is_set_up_anew_and_its_last_reads_are_kept(kind: int) -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        talk.reader.say(63, event(rospec_event(kind)))
        talk.reader.say(61, tag())
        await talk.reader.flush()
        assert "stopped the inventory" in str(await talk.failure())
        assert len(read_epcs(talk)) == 1

    play(scenario)


def test_the_end_of_a_leftover_rospec_is_none_of_ours() -> None:
    async def scenario(talk: Talk) -> None:
        def answer(reader: ScriptedReader, message_id: int, _body: bytes) -> None:
            reader.say(63, event(rospec_event(1)))
            reader.say(31, OK, message_id)

        talk.reader.replies[21] = answer
        await talk.run_for(1.0)
        talk.reader.say(63, event(rospec_event(0)))
        talk.reader.say(63, event(rospec_event(1, rospec_id=9)))
        await talk.reader.flush()
        await talk.run_for(5.0)

    play(scenario)


# --- the end ---------------------------------------------------------------------------------------------------------


def test_a_cancelled_driver_says_goodbye_and_stops_watching() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        assert talk.driver is not None
        started_s = talk.ours.monotonic_s()
        talk.driver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talk.driver
        assert talk.ours.monotonic_s() - started_s < 0.1
        assert [kind for kind, _, _ in talk.reader.received][-1] == 14

    assert watched(play(scenario)) == [{1, 2}, set()]


def test_a_goodbye_to_a_hanging_reader_is_short() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        talk.reader.replies[14] = lambda *_: None
        assert talk.driver is not None
        started_s = talk.ours.monotonic_s()
        talk.driver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talk.driver
        assert talk.ours.monotonic_s() - started_s == pytest.approx(1.0, abs=0.1)

    play(scenario)


@pytest.mark.parametrize("after_s", [0.0, 0.001])
def test_a_driver_cancelled_in_the_middle_of_its_steps_ends_as_quietly(after_s: float) -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[1] = lambda *_: None
        await talk.start()
        await asyncio.sleep(after_s)
        assert talk.driver is not None
        talk.driver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talk.driver

    assert watched(play(scenario)) == []


def test_nothing_of_an_old_connection_lives_on() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        talk.reader._out += b"\x04\x3d\x00\x00\x00\xff"  # cut in the middle of a message
        await talk.reader.flush()
        await talk.theirs.close()
        assert isinstance(await talk.failure(), LinkError)

        again = Talk()
        await again.run_for(1.0)
        again.reader.say(61, tag())
        await again.reader.flush()
        await again.run_for(1.0)
        assert len(read_epcs(again)) == 1
        await again.stop()

    play(scenario)


# --- memory, inputs, triggers -----------------------------------------------------------------------------------------


def held_accessspecs(*, active: bool) -> Callable[[ScriptedReader, int, bytes], None]:
    def answer(reader: ScriptedReader, message_id: int, _body: bytes) -> None:
        (added,) = reader.requests(40)
        reader.say(54, OK + added[:11] + bytes((active << 7,)) + added[12:], message_id)

    return answer


@pytest.mark.parametrize("active", [True, False])
def test_memory_is_read_by_an_accessspec_that_is_read_back(active: bool) -> None:  # noqa: FBT001  # a parameter of the test
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[44] = held_accessspecs(active=active)
        await talk.run_for(1.0)
        kinds = [kind for kind, _, _ in talk.reader.received]
        assert kinds[:14] == [46, 1, 2, 64, 60, 3, 2, 41, 21, 20, 40, 42, 44, 24]
        assert talk.reader.requests(42) == [bytes.fromhex("00007A01")]

    found = conditions(play(scenario, read_user_words=2), "setting_differs")
    asked = "accessspecs: asked [31233], the reader has []"
    assert [condition.detail for condition in found] == ([] if active else [asked])


def test_a_reader_that_refuses_the_accessspec_is_parked() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies[40] = status(105, "no AccessSpecs here")
        error = await talk.failure()
        assert isinstance(error, DeviceRefusedError)
        assert "adding the AccessSpec: the reader refuses: " in str(error)
        assert "no AccessSpecs here" in str(error)

    play(scenario, read_tid=True)


def io_state(*, high: bool = False, enabled: bool = True, output: bool = False) -> bytes:
    return tlv(225, struct.pack(">HBB", 1, enabled << 7, high)) + tlv(219, struct.pack(">HB", 1, output << 7))


def test_inputs_and_outputs_that_the_reader_does_not_take_are_conditions() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.replies |= {
            1: capabilities(inputs=1, outputs=1),
            2: configuration(more=io_state(enabled=False, output=True)),
        }
        await talk.run_for(1.0)
        assert bytes.fromhex("00DB 0007 0001 00  00E1 0008 0001 80 00  00E2 0005 80") in talk.reader.requests(3)[0]

    talk = play(scenario, gpi=[1], gpo={"1": False})
    assert [condition.detail for condition in conditions(talk, "setting_differs")] == [
        "gpi: asked [1], the reader has []",
        "gpo: asked {1: False}, the reader has {1: True}",
    ]
    assert talk.of(Signals) == []


@pytest.mark.parametrize("refused", [True, False])
def test_a_trigger_that_is_there_already_starts_the_inventory(refused: bool) -> None:  # noqa: FBT001  # likewise
    async def scenario(talk: Talk) -> None:
        talk.reader.state = 1
        talk.reader.replies |= {1: capabilities(inputs=1), 2: configuration(more=io_state(high=True))}
        talk.reader.replies[22] = status(101, "active already") if refused else OK
        await talk.run_for(1.0)
        assert talk.reader.requests(22) == [bytes.fromhex("00000001")]
        talk.reader.say(63, event(rospec_event(0)))
        await talk.reader.flush()
        await talk.run_for(0.1)
        assert watched(talk) == [set(), {1, 2}]
        talk.reader.say(63, event(rospec_event(1)))
        await talk.reader.flush()
        await talk.run_for(0.1)
        assert watched(talk) == [set(), {1, 2}, set()]
        talk.reader.say(63, event(rospec_event(2)))
        error = await talk.failure()
        assert "(Preemption_of_ROSpec)" in str(error)

    talk = play(scenario, trigger={"gpi": 1})
    assert talk.of(Signals) == [Signals(START_US, (Signal("gpi_1", value=True),))]


def test_a_trigger_that_was_never_enabled_is_no_inventory() -> None:
    async def scenario(talk: Talk) -> None:
        talk.reader.state = 0
        talk.reader.replies |= {1: capabilities(inputs=1), 2: configuration(more=io_state())}
        assert "it is in state 0" in str(await talk.failure())

    play(scenario, trigger={"gpi": 1})


def test_what_was_collected_before_an_antenna_was_lost_does_not_bring_it_back() -> None:
    async def scenario(talk: Talk) -> None:
        await talk.run_for(1.0)
        lost_us = START_US + 2 * S
        talk.reader.say(63, event(antenna_event(2, connected=False), utc_us=lost_us))
        talk.reader.say(61, tag(port=2, seen_us=lost_us - 1))
        await talk.reader.flush()
        await talk.run_for(0.5)
        assert watched(talk)[-1] == {1}
        talk.reader.say(61, tag(port=2, seen_us=lost_us + 1))
        await talk.reader.flush()
        await talk.run_for(0.5)
        assert watched(talk)[-1] == {1, 2}

    play(scenario)
