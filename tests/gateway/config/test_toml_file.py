"""Messages about wrong syntax stand in `broken/syntax*`, about wrong bytes in `broken/encoding`."""

from pathlib import Path

import pytest

from gateway.config.toml_file import DEEPEST, LARGEST_BYTES, parse, read
from readers.errors import ConfigError


def test_line_ends_of_windows_become_line_feeds(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"[site]\r\nname = 'a'\r\n")
    assert read(path, "") == "[site]\nname = 'a'\n"


def test_what_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path / "absent.toml", "look elsewhere")
    assert str(refused.value) == f"{tmp_path}/absent.toml: cannot be read: No such file or directory; look elsewhere"


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"#" * LARGEST_BYTES)
    assert len(read(path, "")) == LARGEST_BYTES
    path.write_bytes(b"#" * (LARGEST_BYTES + 1))
    with pytest.raises(ConfigError, match="is larger than 4194304 bytes"):
        read(path, "")


def test_the_place_of_wrong_syntax() -> None:
    assert parse(Path("a.toml"), "a = 1\n") == {"a": 1}
    with pytest.raises(ConfigError, match=r"^a.toml:2: TOML syntax at column 5: Invalid value; text needs quotes$"):
        parse(Path("a.toml"), "a = 1\nb = x\n")
    with pytest.raises(ConfigError, match=r"^a.toml:2: TOML syntax at the end of the file"):
        parse(Path("a.toml"), "a = 1\nb = '''")


def test_a_file_is_so_deep_and_no_deeper() -> None:
    assert parse(Path("a.toml"), f"a = {'[' * (DEEPEST - 1)}{']' * (DEEPEST - 1)}")
    for text in (
        f"a = {'[' * DEEPEST}{']' * DEEPEST}",
        f"[a{'.a' * DEEPEST}]",
        f"a = {'[' * 100_000}",
        f"a = {'{a = ' * 100_000}",
        f"[a{'.a' * 100_000}]",
    ):
        with pytest.raises(ConfigError, match=r"^a.toml: tables and arrays are nested more than 32 deep"):
            parse(Path("a.toml"), text)


def test_a_number_without_end() -> None:
    with pytest.raises(ConfigError, match=r"^a.toml: holds a number without end"):
        parse(Path("a.toml"), f"a = {'9' * 5_000}")
