"""The texts of the boards in Chinese, by the English one."""

from typing import Final

from gateway.boards.chinese.sentences import SENTENCES
from gateway.boards.chinese.words import WORDS

ZH: Final[dict[str, str]] = {**WORDS, **SENTENCES}
