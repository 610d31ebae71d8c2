import re

from gateway.boards.chinese.words import WORDS


def test_names_of_tags_are_kept_and_no_text_is_empty() -> None:
    for english, chinese in WORDS.items():
        assert chinese.strip()
        assert re.findall(r"\$\w+", english) == re.findall(r"\$\w+", chinese)


def test_it_holds_what_its_name_says() -> None:
    assert all(not english.endswith(".") for english in WORDS)
