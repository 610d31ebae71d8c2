from __future__ import annotations

from collections.abc import Sequence

import pytest

from readers.access import Bank
from readers.codecs.a0 import Command, Frame, Result
from readers.codecs.a0_access import AccessAnswer, ReadRequest, WriteRequest
from readers.codecs.checksums import gen2_crc16
from simulator.device import Sighting, TagMemory
from simulator.rfid.a0_tags import Flags, carry_out

EPC = bytes.fromhex("112233445566778899 00AABB")
US = 1_000_000


def sighting(at_s: float, epc: bytes = EPC) -> Sighting:
    return Sighting(round(at_s * US), 1, epc, -50.0)


def answers(flags: Flags, session: int, target: int, *at_s: float) -> int:
    return len(flags.answering([sighting(at) for at in at_s], session, target))


def test_in_session_zero_a_tag_always_answers_to_a() -> None:
    flags = Flags()
    assert answers(flags, 0, 0, 0, 0.1, 0.2) == 3
    assert answers(flags, 0, 1, 0.3) == 0


def test_in_other_sessions_it_answers_once_to_each_target_in_turn() -> None:
    flags = Flags()
    assert answers(flags, 2, 1, 0) == 0
    assert answers(flags, 2, 0, 1, 1.1) == 1
    assert answers(flags, 2, 1, 1.2) == 1
    assert answers(flags, 2, 0, 1.3) == 1
    assert answers(flags, 1, 0, 1.3) == 1  # each session has its own flag


@pytest.mark.parametrize(("session", "decays_s"), [(1, 2.0), (2, 10.0), (3, 10.0)])
def test_the_flag_decays(session: int, decays_s: float) -> None:
    flags = Flags()
    assert answers(flags, session, 0, 0, decays_s - 0.01, decays_s) == 2


class Tags:
    def __init__(self, *epcs: bytes) -> None:
        self.tags = {epc: TagMemory(bytearray(b"\x00\x00\x30\x00" + epc), b"\xe2\x80", bytearray(8)) for epc in epcs}

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:  # noqa: ARG002 - a Radio
        return [sighting(0, epc) for epc in self.tags]

    def memory(self, epc: bytes) -> TagMemory | None:
        return self.tags.get(epc)


class Deaf:
    """A radio whose tags have no memory."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:  # noqa: ARG002 - a Radio
        return [sighting(0)]


def told(
    command: Command, data: bytes, tags: Tags | Deaf, match: bytes | None = None, *, is_missing: bool = False
) -> list[bytes]:
    return carry_out(Frame(1, command, data), tags, tags.heard(1, 0, 1), match, 2, is_missing=is_missing)


def test_every_tag_answers_unless_one_is_matched() -> None:
    other = EPC[::-1]
    tags = Tags(EPC, other)
    read = ReadRequest(Bank.TID, 0, 1).data()
    both = [AccessAnswer.parse(data, is_read=True) for data in told(Command.READ, read, tags)]
    assert [(answer.tags, answer.epc, answer.words, answer.antenna) for answer in both] == [
        (2, EPC, b"\xe2\x80", 3),
        (2, other, b"\xe2\x80", 3),
    ]
    [one] = told(Command.READ, read, tags, other)
    assert AccessAnswer.parse(one, is_read=True).epc == other


def test_a_written_epc_has_the_right_crc() -> None:
    tags = Tags(EPC)
    [answer] = told(Command.WRITE, WriteRequest(Bank.EPC, 2, b"\xcc\xdd").data(), tags)
    assert AccessAnswer.parse(answer, is_read=False).result == Result.SUCCESS
    bank = tags.tags[EPC].epc_bank
    assert bank[4:6] == b"\xcc\xdd"
    assert int.from_bytes(bank[:2], "big") == gen2_crc16(bytes(bank[2:]))


@pytest.mark.parametrize(
    ("command", "data", "code"),
    [
        (Command.READ, ReadRequest(Bank.USER, 0, 0).data(), Result.WORD_COUNT_TOO_LONG),
        (Command.READ, ReadRequest(Bank.USER, 0, 33).data(), Result.WORD_COUNT_TOO_LONG),
        (Command.READ, ReadRequest(Bank.USER, 4, 1).data(), Result.TAG_READ_ERROR),
        (Command.READ, ReadRequest(9, 0, 1).data(), Result.MEMORY_BANK_OUT_OF_RANGE),
        (Command.READ, ReadRequest(Bank.USER, 0, 1, 5).data(), Result.ACCESS_OR_PASSWORD_ERROR),
        (Command.READ, b"", Result.PARAMETER_INVALID),
        (Command.WRITE, b"", Result.PARAMETER_INVALID),
    ],
)
def test_a_refusal_is_one_byte(command: Command, data: bytes, code: Result) -> None:
    assert told(command, data, Tags(EPC)) == [bytes([code])]


def test_a_failed_write_says_of_which_tag() -> None:
    [answer] = told(Command.BLOCK_WRITE, WriteRequest(Bank.TID, 0, b"\x00\x00").data(), Tags(EPC))
    assert AccessAnswer.parse(answer, is_read=False).result == Result.TAG_WRITE_ERROR


def test_nobody_answers() -> None:
    read = ReadRequest(Bank.TID, 0, 1).data()
    assert told(Command.READ, read, Tags()) == told(Command.READ, read, Deaf()) == [bytes([Result.NO_TAG])]
    assert told(Command.READ, read, Tags(EPC), is_missing=True) == [bytes([Result.ANTENNA_MISSING])]
