import os
import pty
import select
import subprocess
import sys

import pytest

from gateway.console.access.passwords import check_hash
from tests.gateway.cli.command import COMMAND

PASSWORD = "correct horse 电池"


def run(given: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, "console", "password", *options]
    return subprocess.run(command, input=given, check=False, capture_output=True, timeout=60)


def test_the_hash_is_all_that_a_pipe_gets() -> None:
    done = run(f"{PASSWORD}\n".encode(), "--stdin")
    assert (done.returncode, done.stderr) == (0, b"")
    check_hash(done.stdout.decode().removesuffix("\n"))
    program = (
        "import asyncio, sys; from gateway.console.access.passwords import Passwords;"
        "print(asyncio.run(Passwords({'anna': sys.argv[1].strip()}).verify('anna', sys.argv[2])))"
    )
    verified = subprocess.run(
        [sys.executable, "-c", program, done.stdout.decode(), PASSWORD], check=True, capture_output=True, timeout=60
    )
    assert verified.stdout == b"True\n"


@pytest.mark.parametrize(
    ("given", "why"), [(b"short\n", "10 to 256 characters; this has 5"), (b"", "this has 0"), (b"\xff" * 12, "UTF-8")]
)
def test_what_is_no_password_gives_no_hash(given: bytes, why: str) -> None:
    done = run(given, "--stdin")
    assert (done.returncode, done.stdout) == (1, b"")
    assert why in done.stderr.decode()


def at_terminal(*answers: str) -> tuple[int, str]:
    """What the screen of a person shows who answers the questions."""
    terminal, other_end = pty.openpty()
    command = [*COMMAND, "console", "password"]
    with subprocess.Popen(
        command, stdin=other_end, stdout=other_end, stderr=other_end, start_new_session=True
    ) as asking:
        os.close(other_end)
        screen, questions = b"", list(zip((b"new password: ", b"the same again: "), answers, strict=True))
        while select.select([terminal], [], [], 60)[0]:
            try:
                screen += os.read(terminal, 4096)
            except OSError:
                break  # the other end is closed
            if questions and screen.endswith(questions[0][0]):
                os.write(terminal, questions.pop(0)[1].encode() + b"\n")
        os.close(terminal)
        code = asking.wait(60)
    return code, screen.decode().replace("\r\n", "\n")


def test_at_a_terminal_it_asks_twice_shows_nothing_and_tells_where_the_hash_goes() -> None:
    code, screen = at_terminal(PASSWORD, PASSWORD)
    assert code == 0
    assert "correct" not in screen
    (line,) = [line for line in screen.splitlines() if line.startswith("$argon2id$")]
    check_hash(line)
    assert screen.count(line) == 2
    for word in ("/etc/credstore/tagwharf.console-NAME", "LoadCredential=", "password_credential"):
        assert word in screen


def test_two_different_ones_give_no_hash() -> None:
    code, screen = at_terminal(PASSWORD, PASSWORD + "!")
    assert code == 1
    assert "the two are not the same" in screen
    assert "$argon2id$" not in screen
