from gateway.boards.catalogue import texts
from gateway.boards.chinese.text import ZH


def test_no_text_is_missing_and_none_is_left_over() -> None:
    assert sorted(texts() - ZH.keys()) == []
    assert sorted(ZH.keys() - texts()) == []
