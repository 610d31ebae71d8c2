import pytest

from readers.access import AccessError, AccessFault


@pytest.mark.parametrize("fault", AccessFault)
def test_only_a_lost_tag_leaves_open_what_happened(fault: AccessFault) -> None:
    error = AccessError(fault, "why")
    assert error.is_unknown is (fault is AccessFault.LOST)
    assert str(error) == "why"
