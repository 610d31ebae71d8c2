from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from readers.codecs.dlms_data import Denied, Result
from readers.errors import FrameError
from readers.meters.dlms.association import (
    MOST_BLOCKS,
    MOST_COUNTER,
    Association,
    AssociationRefusedError,
    Attribute,
    Identity,
    LostError,
    ServiceError,
    Span,
    StaleError,
    StrangeValueError,
)
from readers.meters.dlms.library import library
from readers.obis import ObisCode
from simulator.meters.dlms import Behaviour
from simulator.meters.dlms_server import Server
from tests.readers.meters.dlms.scenes import AUTHENTICATION_KEY, ENCRYPTION_KEY, GMAC_CLIENT, meter

AARE = "6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007"
AARE_WITH_LISTS = AARE.replace("501F01F4", "521F01F4")
AARE_WITH_HLS = (
    "6142A109060760857405080101A203020100A305A10302010E88020780890760857405080205AA0A8008503677524A323146"
    "BE10040E0800065F1F040000501F01F40007"
)
ENERGY = Attribute(3, ObisCode(1, 0, 1, 8, 0), 2)
SCALER = Attribute(3, ObisCode(1, 0, 1, 8, 0), 3)
KEYS = Identity(None, ENCRYPTION_KEY, AUTHENTICATION_KEY, bytes.fromhex("4D4D4D0000000001"))


def opened(aare: str = AARE_WITH_LISTS) -> Association:
    made = Association(Identity())
    made.request()
    assert made.take_response(bytes.fromhex(aare)) is None
    assert made.is_open
    return made


def answer(association: Association, text: str) -> bytes | list[Result]:
    return association.take_values(bytes.fromhex(text))


def test_the_public_client_asks_as_the_green_book_does_but_for_what_it_can_do() -> None:
    """Green Book, example of an AARQ without security: 601D...01000000065F1F0400007E1F04B0."""
    request = Association(Identity()).request().hex().upper()
    assert request == "601DA109060760857405080101BE10040E01000000065F1F04" + "00005215" + "0400"


def test_a_password_goes_where_the_green_book_puts_it() -> None:
    request = Association(Identity(password=b"12345678")).request().hex().upper()
    assert request.startswith("6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738BE10040E01")


def test_the_published_aare_says_what_the_meter_can_do() -> None:
    assert not opened(AARE).takes_lists
    assert opened().takes_lists


@pytest.mark.parametrize(
    ("aare", "match", "is_for_good"),
    [
        (
            "6129A109060760857405080101A203020101A305A103020102BE10040E0800065F1F040000501F01F40007",
            "context name",
            True,
        ),
        ("611FA109060760857405080101A203020101A305A103020101BE0604040E010601", "no reason given", True),
        ("611FA109060760857405080101A203020102A305A103020101BE0604040E010601", "no reason given", False),
        ("D80103", "exception 01 03", False),
    ],
)
def test_a_refusal_says_why_and_whether_for_good(aare: str, match: str, is_for_good: bool) -> None:  # noqa: FBT001
    made = Association(Identity())
    made.request()
    with pytest.raises(AssociationRefusedError, match=match) as raised:
        made.take_response(bytes.fromhex(aare))
    assert raised.value.is_for_good is is_for_good


def test_an_aare_with_a_long_length_is_read() -> None:
    opened(AARE_WITH_LISTS.replace("6129", "618129", 1))


@pytest.mark.parametrize("raw", ["", "61", "6100", "6129A1", AARE[:-2], AARE.replace("5F1F04", "5F0404")])
def test_what_is_no_aare_is_refused_and_not_printed(raw: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = Association(Identity())
    made.request()
    with pytest.raises(FrameError):
        made.take_response(bytes.fromhex(raw))
    said = capsys.readouterr()
    assert said.out == said.err == ""


@pytest.mark.parametrize("raw", ["0F00", "C401C100", "6303800100"])
def test_what_answers_nothing_that_was_asked_is_waited_past(raw: str) -> None:
    made = Association(Identity())
    made.request()
    with pytest.raises(StaleError):
        made.take_response(bytes.fromhex(raw))


def test_the_published_get_and_its_answer() -> None:
    """The tests of dlms-cosem: GET of 0.0.43.1.0.255, and 5009."""
    made = opened()
    request = made.get([Attribute(1, ObisCode(0, 0, 43, 1, 0), 2)])
    assert request == bytes.fromhex("C001C1000100002B0100FF0200")
    assert answer(made, "C401C1000600001391") == [5009]


def test_a_range_is_asked_for_as_the_published_one() -> None:
    """The tests of dlms-cosem, test_selective_access.py, up to the times."""
    made = opened()
    china = timezone(timedelta(hours=8))
    span = Span(datetime(2026, 1, 1, tzinfo=china), datetime(2026, 1, 1, 6, tzinfo=UTC))
    request = made.get([Attribute(7, ObisCode(1, 0, 99, 1, 0), 2)], span).hex().upper()
    head = "C001C1000701006301" + "00FF02" + "0101" + "0204" + "0204120008090600000100" + "00FF0F02120000"
    assert request == head + "090C07EA0101FF00000000FE2000" + "090C07EA0101FF06000000000000" + "0100"


def test_invoke_ids_go_round_and_old_answers_are_known() -> None:
    made = opened()
    ids = []
    for _ in range(17):
        ids.append(made.get([ENERGY])[2] & 0x0F)
        made.take_values(bytes([0xC4, 1, 0xC0 | ids[-1], 1, 4]))
    assert ids == [*range(1, 16), 1, 2]
    made.get([ENERGY])
    with pytest.raises(StaleError):
        answer(made, "C401C2000600001391")
    with pytest.raises(StaleError):
        answer(made, "C701C30000")
    with pytest.raises(StaleError):
        answer(made, "C2")
    assert answer(made, "C401C3000600001391") == [5009]


def test_a_list_is_asked_for_and_read() -> None:
    made = opened()
    request = made.get([ENERGY, SCALER])
    assert request.hex().upper() == "C003C102" + "00030100010800FF0200" + "00030100010800FF0300"
    assert answer(made, "C403C102" + "000600001391" + "0104") == [5009, Denied(4)]


def test_blocks_are_put_together() -> None:
    made = opened()
    made.get([ENERGY])
    assert answer(made, "C402C100000000010003060000") == bytes.fromhex("C002C100000001")
    assert answer(made, "C402C1010000000200021391") == [5009]
    made.get([ENERGY, SCALER])
    following = answer(made, "C402C20000000001000402000600")
    assert isinstance(following, bytes)
    assert answer(made, "C402C2010000000200050013910104") == [5009, Denied(4)]


def test_a_block_that_is_not_the_next_ends_it() -> None:
    made = opened()
    made.get([ENERGY])
    with pytest.raises(FrameError, match="block 2 came instead of 1"):
        answer(made, "C402C1000000000200021391")


def test_blocks_do_not_go_on_for_ever() -> None:
    made = opened()
    made.get([ENERGY])
    for number in range(1, MOST_BLOCKS):
        made.take_values(bytes([0xC4, 2, 0xC1, 0]) + number.to_bytes(4, "big") + bytes([0, 0]))
    with pytest.raises(FrameError, match="blocks are too many"):
        made.take_values(bytes([0xC4, 2, 0xC1, 0]) + MOST_BLOCKS.to_bytes(4, "big") + bytes([0, 0]))
    made = opened()
    made.get([ENERGY])
    piece = b"\x82\x04\x00" + bytes(1024)
    blocks = [bytes([0xC4, 2, 0xC1, 0]) + n.to_bytes(4, "big") + b"\0" + piece for n in range(1, 1026)]
    for block in blocks[:-1]:
        made.take_values(block)
    with pytest.raises(FrameError, match="bytes and more"):
        made.take_values(blocks[-1])


def test_an_error_in_place_of_a_value_or_of_the_last_block() -> None:
    made = opened()
    made.get([ENERGY])
    assert answer(made, "C401C10104") == [Denied(4)]
    made.get([ENERGY])
    assert isinstance(answer(made, "C402C200000000010003060000"), bytes)
    assert answer(made, "C402C201000000020113") == [Denied(19)]


@pytest.mark.parametrize("raw", ["C401C1001300", "C401C10006000013", "C401C10006000013910000"])
def test_a_value_that_is_not_understood_does_not_end_the_association(raw: str) -> None:
    made = opened()
    made.get([ENERGY])
    with pytest.raises(StrangeValueError):
        answer(made, raw)
    made.get([ENERGY])
    assert answer(made, "C401C2000600001391") == [5009]


@pytest.mark.parametrize("raw", ["C403C102000600001391", "C403C1010104", "C403C103010401040104"])
def test_a_list_that_is_not_understood_does_not_end_the_association(raw: str) -> None:
    made = opened()
    made.get([ENERGY, SCALER])
    with pytest.raises(StrangeValueError):
        answer(made, raw)
    made.get([ENERGY])
    assert answer(made, "C401C2000600001391") == [5009]


def test_an_exception_is_told_apart_from_the_end() -> None:
    made = opened()
    made.get([ENERGY])
    with pytest.raises(ServiceError, match="exception 02 02"):
        answer(made, "D80202")
    made.get([ENERGY])
    with pytest.raises(LostError, match="0E 01 06 01"):
        answer(made, "0E010601")


@pytest.mark.parametrize(
    "raw", ["", "C4", "C401C1", "C404C100", "C401C10299", "C401C1010404", "C402C1", "D8", "D89999"]
)
def test_what_is_no_answer_is_refused(raw: str) -> None:
    made = opened()
    made.get([ENERGY])
    with pytest.raises((FrameError, StaleError)):
        answer(made, raw)


def test_a_method_is_called_and_its_result_read() -> None:
    made = opened()
    request = made.act(70, ObisCode(0, 0, 96, 3, 10), 1, b"\x0f\x00")
    assert request == bytes.fromhex("C301C100460000" + "60030AFF" + "01010F00")
    assert made.take_outcome(bytes.fromhex("C701C10000")) == 0
    made.act(70, ObisCode(0, 0, 96, 3, 10), 1, b"\x0f\x00")
    assert made.take_outcome(bytes.fromhex("C701C20300")) == 3
    made.act(70, ObisCode(0, 0, 96, 3, 10), 1, b"\x0f\x00")
    with pytest.raises(FrameError):
        made.take_outcome(bytes.fromhex("C701C34400"))


def test_the_release_is_the_shortest() -> None:
    made = opened()
    assert made.release() == bytes.fromhex("6203800100")
    assert not made.is_open


def ciphered(behaviour: Behaviour | None = None, identity: Identity = KEYS) -> tuple[Association, Server]:
    """An association with keys, before a twin that has asked for its proof."""
    server = Server(meter(behaviour=behaviour or Behaviour()), lambda: 1_000_000)
    made = Association(identity, 1000)
    aare = server.answer(GMAC_CLIENT, made.request())
    assert aare is not None
    proof = made.take_response(aare)
    assert proof is not None
    accepted = server.answer(GMAC_CLIENT, proof)
    assert accepted is not None
    assert made.take_response(accepted) is None
    return made, server


@pytest.mark.parametrize("is_general", [True, False])
def test_both_prove_that_they_have_the_keys(is_general: bool) -> None:  # noqa: FBT001
    made, server = ciphered(Behaviour(general_protection=is_general))
    assert made.is_open
    request = made.get([ENERGY])
    assert request[0] == (0xDB if is_general else 0xC8)
    answered = server.answer(GMAC_CLIENT, request)
    assert answered is not None
    assert made.take_values(answered) == [123456]


def test_no_two_ciphers_have_one_counter() -> None:
    """The AARQ has 1000, the proof in its APDU 1002, and the APDU itself 1001."""
    made, _ = ciphered()
    assert made.counter == 1003


def test_the_proof_is_that_of_the_green_book() -> None:
    """Green Book Ed. 8.1, table 43: StoC P6wRJ21F gives 10000000011A52FE7DD3E72748973C1E28."""
    known = library()
    connection = known.connection.DlmsConnection(
        authentication_method=known.enumerations.AuthenticationMechanism.HLS_GMAC,
        client_system_title=KEYS.system_title,
        global_encryption_key=ENCRYPTION_KEY,
        global_authentication_key=AUTHENTICATION_KEY,
        client_invocation_counter=1,
    )
    connection.meter_to_client_challenge = b"P6wRJ21F"
    assert connection.get_hls_reply() == bytes.fromhex("10000000011A52FE7DD3E72748973C1E28")


def test_wrong_keys_are_told_by_the_meter_or_by_us() -> None:
    server = Server(meter(), lambda: 1_000_000)
    wrong = Identity(None, bytes(16), AUTHENTICATION_KEY, KEYS.system_title)
    made = Association(wrong, 1000)
    aare = server.answer(GMAC_CLIENT, made.request())
    assert aare is not None
    with pytest.raises(AssociationRefusedError, match="authentication failed"):
        made.take_response(aare)
    right = Association(KEYS, 1000)
    aare = server.answer(GMAC_CLIENT, right.request())
    assert aare is not None
    made = Association(wrong, 1000)
    made.request()
    with pytest.raises(AssociationRefusedError, match="check both keys") as raised:
        made.take_response(aare)
    assert raised.value.is_for_good


@pytest.mark.parametrize(
    "proof",
    ["C701C10C00", "C701C10000", "C701C1000100091110" + "00" * 16, "C701C10001000903100000", "C701C1000100" + "11"],
)
def test_a_meter_that_cannot_prove_itself_is_refused(proof: str) -> None:
    server = Server(meter(), lambda: 1_000_000)
    made = Association(KEYS, 1000)
    aare = server.answer(GMAC_CLIENT, made.request())
    assert aare is not None
    assert made.take_response(aare) is not None
    with pytest.raises((AssociationRefusedError, FrameError)):
        made._take_proof(bytes.fromhex(proof))
    assert not made.is_open


def test_a_meter_that_asks_for_no_proof_is_refused() -> None:
    made = Association(KEYS, 1000)
    made.request()
    with pytest.raises(AssociationRefusedError, match="does not ask for a proof"):
        made.take_response(bytes.fromhex(AARE))


@pytest.mark.parametrize("identity", [Identity(), Identity(b"12345678"), KEYS])
def test_a_meter_that_asks_for_a_proof_of_another_kind_is_refused(identity: Identity) -> None:
    for mechanism, name in [("02", "HLS"), ("03", "HLS_MD5"), ("06", "HLS_SHA256"), ("05", "HLS_GMAC")]:
        if identity is KEYS and mechanism == "05":
            continue
        made = Association(identity, 1000)
        made.request()
        with pytest.raises(AssociationRefusedError, match=f"a proof by {name}, not for ours") as raised:
            made.take_response(bytes.fromhex(AARE_WITH_HLS.replace("0760857405080205", "07608574050802" + mechanism)))
        assert raised.value.is_for_good
        assert not made.is_open


def test_a_plain_answer_in_a_ciphered_association_is_refused() -> None:
    made, _ = ciphered()
    made.get([ENERGY])
    with pytest.raises(FrameError, match="plain answer"):
        answer(made, "C401C1000600001391")


def test_a_counter_that_is_used_up_ends_it() -> None:
    made, _ = ciphered()
    made._connection.client_invocation_counter = MOST_COUNTER
    with pytest.raises(LostError, match="used up"):
        made.get([ENERGY])


def test_an_aare_without_the_system_title_is_refused() -> None:
    """The published one of the Green Book for HLS: it asks for a proof, and says no system title."""
    made = Association(KEYS, 1000)
    made.request()
    with pytest.raises(FrameError, match="does not say its system title"):
        made.take_response(bytes.fromhex(AARE_WITH_HLS))
