from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import ConfigError
from readers.obis import ObisCode

GROUP = st.integers(0, 255)


@given(st.builds(ObisCode, GROUP, GROUP, GROUP, GROUP, GROUP, GROUP))
def test_a_code_is_read_as_it_is_written(code: ObisCode) -> None:
    assert ObisCode.parse(str(code)) == code


def test_the_billing_period_is_written_only_where_there_is_one() -> None:
    assert str(ObisCode(1, 0, 1, 8, 0)) == "1-0:1.8.0"
    assert str(ObisCode(1, 0, 1, 8, 0, 1)) == "1-0:1.8.0*1"
    assert ObisCode.parse("1-0:1.8.0") == ObisCode(1, 0, 1, 8, 0, 255)


@pytest.mark.parametrize(
    "text",
    ["", "1.8.0", "1-0:1.8", "1-0:1.8.0*", "1-0:256.8.0", "1-0:1.8.0*256", " 1-0:1.8.0", "1-0:1.8.0\n", "1-0:-1.8.0"],
)
def test_what_is_no_code_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        ObisCode.parse(text)
    assert repr(text) in str(raised.value)
    assert "1-0:1.8.0" in str(raised.value)
