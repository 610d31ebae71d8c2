import pytest

from gateway.durations import seconds


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("30", 30), ("250ms", 0.25), ("30s", 30), ("5m", 300), ("5min", 300), (" 1.5 h ", 5400), ("7d", 604_800)],
)
def test_duration(text: str, duration_s: float) -> None:
    assert seconds(text) == duration_s


@pytest.mark.parametrize("text", ["", "0s", "-1s", "1e3", "5x", "s", "1m30s", "9999999999s", "inf", "nan"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration above zero; write 250ms, 30s"):
        seconds(text)
