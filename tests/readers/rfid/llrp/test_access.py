"""AccessSpecs and results against bytes written down from the standard, and against sllurp's decoders."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sllurp import llrp_proto

from readers.access import AccessFault, Bank
from readers.errors import ConfigError, FrameError
from readers.observations import TagReads
from readers.rfid.llrp import access, control
from readers.rfid.llrp.reports import TID_OPSPEC, USER_OPSPEC, decode
from readers.rfid.llrp.settings import LlrpSettings
from tests.readers.rfid.llrp.scripted import OK, tag, tlv

EPC = bytes.fromhex("3034257BF7194E4000001A85")


def test_a_read_of_one_tag_is_as_the_standard_draws_it() -> None:
    spec = access.once(EPC, access.read(7, Bank.TID, 0, 6, 0xABCD), 9)
    assert (
        control.add_accessspec(spec).payload.hex()
        == bytes.fromhex(
            "00CF 005A 00007A02 0000 01 00 00000009"  # AccessSpec, any antenna, Gen2, disabled, ROSpec 9
            "00D0 0007 01 0001"  # executed once
            "00D1 003E"
            "0152 002B 0153 0027 60 0010"  # bank 1, match, from bit 16 on
            "0070 F800 FFFFFFFFFFFFFFFFFFFFFFFF"  # length and EPC; the rest of the PC word is left out
            "0070 3000 3034257BF7194E4000001A85"  # six words, and these
            "0155 000F 0007 0000ABCD 80 0000 0006"  # C1G2Read of 6 words from word 0 of bank 2
            "00EF 0005 01"  # reported when it is done
        ).hex()
    )


@pytest.mark.parametrize(("block", "kind"), [(False, "0156"), (True, "015B")])
def test_a_write_is_as_the_standard_draws_it(block: bool, kind: str) -> None:  # noqa: FBT001  # a parameter of the test
    spec = access.once(EPC, access.write(7, Bank.USER, 3, b"\xca\xfe\xba\xbe", 0, block=block), 9)
    operation = bytes.fromhex(kind + "0013 0007 00000000 C0 0003 0002 CAFEBABE")
    assert operation in control.add_accessspec(spec).payload


def test_memory_read_along_with_the_inventory() -> None:
    payload = control.add_accessspec(access.background(access.Reads(6, 2, 1), 1)).payload
    assert (
        payload.hex()
        == bytes.fromhex(
            "00CF 004D 00007A01 0000 01 00 00000001"
            "00D0 0007 00 0000"  # for ever
            "00D1 0031"
            "0152 000F 0153 000B 60 0020 0000 0000"  # any tag
            "0155 000F 7A11 00000001 80 0000 0006"
            "0155 000F 7A12 00000001 C0 0000 0002"
            "00EF 0005 00"  # with the inventory's reports
        ).hex()
    )
    only_user = control.add_accessspec(access.background(access.Reads(0, 2, 0), 1)).payload
    assert TID_OPSPEC.to_bytes(2) not in only_user
    assert USER_OPSPEC.to_bytes(2) in only_user


def test_accessspecs_that_the_reader_holds() -> None:
    ours = control.add_accessspec(access.background(access.Reads(6, 0, 0), 1)).payload
    active = ours[:11] + b"\x80" + ours[12:]
    found = access.held(OK + ours + active + tlv(900, b""))
    assert found == (access.Held(0x7A01, is_active=False), access.Held(0x7A01, is_active=True))
    with pytest.raises(FrameError, match="at least 12"):
        access.held(OK + tlv(207, b"\x00"))


def read_result(code: int, opspec_id: int, data: bytes) -> bytes:
    return tlv(349, struct.pack(">BHH", code, opspec_id, len(data) // 2) + data)


def test_results_of_operations() -> None:
    written = tlv(350, struct.pack(">BHH", 4, 5, 1)) + tlv(354, struct.pack(">BHH", 0, 6, 2))
    payload = tag(EPC, more=b"\x90" + struct.pack(">I", 7) + read_result(0, 3, b"\xca\xfe") + written)
    payload += tag(b"\x01\x02") + tlv(242, b"")
    assert list(access.tag_results(payload)) == [
        access.TagResult(
            EPC,
            7,
            (
                access.OpResult(3, 0, b"\xca\xfe"),
                access.OpResult(5, 4, None, 1),
                access.OpResult(6, 0, None, 2),
            ),
        ),
        access.TagResult(b"\x01\x02", None, ()),
    ]


@pytest.mark.parametrize("more", [tlv(349, b"\x00"), tlv(349, struct.pack(">BHH", 0, 1, 2) + b"\x00"), tlv(350, b"")])
def test_a_damaged_result_is_a_frame_error(more: bytes) -> None:
    with pytest.raises(FrameError):
        list(access.tag_results(tag(EPC, more=more)))


@given(
    st.sampled_from([349, 350, 354]),
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
    st.integers(0, 9).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words)),
)
def test_a_result_is_what_sllurp_reads_in_it(kind: int, code: int, opspec_id: int, data: bytes) -> None:
    body = struct.pack(">BHH", code, opspec_id, len(data) // 2) + (data if kind == 349 else b"")
    (found,) = access.tag_results(tag(EPC, more=tlv(kind, body)))
    (mine,) = found.results
    name, theirs, _ = llrp_proto.decode_param(tlv(kind, body))
    assert (
        name
        == {
            349: "C1G2ReadOpSpecResult",
            350: "C1G2WriteOpSpecResult",
            354: "C1G2BlockWriteOpSpecResult",
        }[kind]
    )
    assert (mine.code, mine.opspec_id) == (theirs["Result"], theirs["OpSpecID"])
    if kind == 349:
        assert mine.data == theirs["ReadData"]
    else:
        assert mine.words_written == theirs["NumWordsWritten"]


@given(st.binary(max_size=80), st.data())
def test_noise_is_a_frame_error_or_nothing(noise: bytes, data: st.DataObject) -> None:
    garbled = bytearray(tag(EPC, more=read_result(0, 3, b"\xca\xfe")) + noise)
    for _ in range(data.draw(st.integers(0, 4))):
        garbled[data.draw(st.integers(0, len(garbled) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FrameError):
        list(access.tag_results(bytes(garbled)))
    with contextlib.suppress(FrameError):
        access.held(bytes(garbled))


BY_PASSWORD = LlrpSettings.model_validate({"access_password_credential": "tags"})


def test_the_password_is_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "tags").write_text("0000aBCD\n")
    assert access.password_of(BY_PASSWORD) == 0xABCD
    assert access.password_of(LlrpSettings()) == 0


@pytest.mark.parametrize("text", ["ABCD", "0x00ABCD", "0000ABCDE", "0000 ABC", "1_000_00"])
def test_what_is_no_password_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "tags").write_text(text)
    with pytest.raises(ConfigError, match=f"credential 'tags' has {len(text)} characters; .* 8 hex digits") as raised:
        access.password_of(BY_PASSWORD)
    assert text not in str(raised.value)


def test_a_write_that_may_have_happened_is_never_called_anything_else() -> None:
    unknown = {code for code, (fault, _) in access.WRITE_FAULTS.items() if fault is AccessFault.LOST}
    assert unknown == {5, 6}  # no response from the tag, and a failure of the reader
    assert not any(fault is AccessFault.LOST for fault, _ in access.READ_FAULTS.values())


def test_results_that_pyllrp_wrote_are_read() -> None:
    # TagReportData written by pyllrp 3.1.1 (bitstring 4.4.0); tests/vectors/simulator/llrp.json has the whole message.
    record = bytes.fromhex(
        "00F000478D3034257BF7194E4000001A858100029000007A01015D0011007A110004E2801160200074D0015D000B007A120001CAFE"
        "015E00090500070001016200090000080002"
    )
    (found,) = access.tag_results(record)
    assert (found.epc, found.accessspec_id) == (EPC, access.BACKGROUND_ID)
    assert found.results == (
        access.OpResult(TID_OPSPEC, 0, bytes.fromhex("E2801160200074D0")),
        access.OpResult(USER_OPSPEC, 0, b"\xca\xfe"),
        access.OpResult(7, 5, None, 1),
        access.OpResult(8, 0, None, 2),
    )
    (batch,) = decode(record, 5)
    assert isinstance(batch, TagReads)
    assert (batch.tid, batch.user_memory) == ([bytes.fromhex("E2801160200074D0")], [b"\xca\xfe"])
