import msgspec
import pytest

from gateway.contract.flow import Ack, Resume, RulesStatus, decode_ack, decode_resume, decode_rules_status


def test_the_hand_over_survives_the_wire() -> None:
    ack = Ack(gateway="g", epoch=1, session="s", sequence=5, received=7, resend_from=8, judged={"reads": 3})
    resume = Resume(gateway="g", epoch=1, from_sequence=6)
    status = RulesStatus(session="s", online=True)
    assert decode_ack(msgspec.json.encode(ack)) == ack
    assert decode_resume(msgspec.json.encode(resume)) == resume
    assert decode_rules_status(msgspec.json.encode(status)) == status


@pytest.mark.parametrize("decode", [decode_ack, decode_resume, decode_rules_status])
@pytest.mark.parametrize("payload", [b"", b"{}", b'{"gateway":1}', b"\x00"])
def test_anything_else_is_refused(decode: object, payload: bytes) -> None:
    assert callable(decode)
    with pytest.raises(msgspec.DecodeError):
        decode(payload)
