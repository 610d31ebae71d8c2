import pytest
from pydantic import ValidationError

from readers.errors import LinkError
from readers.observations import Condition, DeviceInfo, Severity, TagReads
from readers.ports.memory import run
from readers.rfid.llrp.identity import described, is_same
from readers.rfid.llrp.settings import LlrpSettings
from tests.readers.rfid.llrp.scripted import Talk

SAID = "001625FFFF001122"


@pytest.mark.parametrize(
    "pinned",
    [SAID, "00:16:25:ff:ff:00:11:22", "00-16-25-FF-FF-00-11-22", "00:16:25:00:11:22", "001625001122"],
)
def test_the_right_reader_by_any_way_of_writing_it(pinned: str) -> None:
    assert is_same(pinned, SAID)
    assert LlrpSettings(identity=pinned).identity == pinned


def test_both_middles_of_a_mac_address_are_known() -> None:
    assert is_same("84:24:8D:44:55:66", "84248DFFFE445566")
    assert not is_same("84:24:8D:44:55:66", "84248DFF00445566")
    assert not is_same(SAID, "")
    assert "does not say which it is" in described(SAID, "")


def told(**settings: object) -> tuple[Talk, BaseException | None]:
    async def whole() -> tuple[Talk, BaseException | None]:
        talk = Talk(**settings)
        if settings.get("on_other_identity") == "refuse":
            return talk, await talk.failure()
        await talk.run_for(3.0)
        await talk.stop()
        return talk, None

    return run(whole())


def test_the_right_reader_has_no_condition() -> None:
    talk, _ = told(identity="00:16:25:00:11:22")
    assert talk.of(Condition) == []


def test_another_reader_goes_on_reading_with_the_condition() -> None:
    talk, _ = told(identity="00:16:25:00:11:23")
    (condition,) = talk.of(Condition)
    assert isinstance(condition, Condition)
    assert (condition.name, condition.active, condition.severity) == ("identity_changed", True, Severity.FAULT)
    assert f"says that it is {SAID}, and 001625001123 is pinned" in condition.detail
    assert talk.of(DeviceInfo)
    assert 26 in [kind for kind, _, _ in talk.reader.received]  # its ROSpec was installed and verified


def test_another_reader_is_refused_where_that_is_set() -> None:
    talk, error = told(identity="00:16:25:00:11:23", on_other_identity="refuse")
    assert isinstance(error, LinkError)
    assert "set identity to what it says; nothing is read from it" in str(error)
    (condition,) = talk.of(Condition)
    assert isinstance(condition, Condition)
    assert condition.name == "identity_changed"
    assert talk.of(TagReads) == []
    assert {20, 64} & {kind for kind, _, _ in talk.reader.received} == set()  # no ROSpec, no report was let go


def test_what_to_refuse_must_be_said() -> None:
    with pytest.raises(ValidationError, match="needs identity"):
        LlrpSettings.model_validate({"on_other_identity": "refuse"})
    with pytest.raises(ValidationError):
        LlrpSettings(identity="reader 7")
