import gc

import pytest

from gateway.console.access.roles import Account, Role
from gateway.console.access.sessions import MOST, MOST_OF_ONE, Cookie, Sessions, new_token
from tests.gateway.console.access.served import Clock

ANNA = Account("anna", Role.OPERATOR)


def sessions_of(clock: Clock) -> Sessions:
    return Sessions(1800, 43_200, clock)


def test_tokens_have_256_bits_and_differ() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {43}


def test_use_prolongs_and_asking_does_not() -> None:
    clock = Clock()
    sessions = sessions_of(clock)
    token, session = sessions.begin(ANNA)
    clock.now_s += 1799
    assert sessions.is_open(session)
    assert sessions.find(token) is session
    clock.now_s += 1799
    assert sessions.is_open(session)
    clock.now_s += 1
    assert not sessions.is_open(session)
    assert sessions.find(token) is None
    assert session.has_ended
    assert len(sessions) == 0


def test_a_session_that_ended_never_comes_back() -> None:
    clock = Clock()
    sessions = sessions_of(clock)
    token, session = sessions.begin(ANNA)
    sessions.end(token)
    sessions.end(token)
    clock.now_s -= 10
    assert sessions.find(token) is None
    assert not sessions.is_open(session)


def test_one_user_has_few_sessions_and_the_one_unused_for_longest_ends() -> None:
    clock = Clock()
    sessions = sessions_of(clock)
    tokens = []
    for _ in range(MOST_OF_ONE):
        clock.now_s += 1
        tokens.append(sessions.begin(ANNA)[0])
    assert sessions.find(tokens[0]) is not None
    sessions.begin(ANNA)
    assert len(sessions) == MOST_OF_ONE
    assert sessions.find(tokens[0]) is not None
    assert sessions.find(tokens[1]) is None


def test_sessions_are_bounded_and_old_ones_make_room_first() -> None:
    clock = Clock()
    sessions = sessions_of(clock)
    for number in range(MOST + 50):
        sessions.begin(Account(f"user-{number}", Role.VIEWER))
        assert len(sessions) <= MOST
    assert len(sessions) == MOST
    clock.now_s += 1800
    sessions.begin(ANNA)
    assert len(sessions) == 1


def test_no_token_stays_in_memory() -> None:
    sessions = sessions_of(Clock())
    token, session = sessions.begin(ANNA)
    assert token not in repr(session)
    assert not [each for each in gc.get_referents(sessions._open) if each == token]


def test_the_csrf_token_is_that_of_the_session_and_of_the_process() -> None:
    sessions, other = sessions_of(Clock()), sessions_of(Clock())
    token = new_token()
    assert sessions.csrf_of(token) == sessions.csrf_of(token)
    assert len({sessions.csrf_of(token), sessions.csrf_of(new_token()), other.csrf_of(token), token}) == 4


def test_cookies_are_as_strict_as_the_connection_allows() -> None:
    token = new_token()
    assert Cookie(is_secure=False).header(token) == f"tagwharf={token}; Path=/; HttpOnly; SameSite=Strict"
    secure = f"__Host-tagwharf={token}; Path=/; HttpOnly; SameSite=Strict; Secure"
    assert Cookie(is_secure=True).header(token) == secure


@pytest.mark.parametrize(
    ("headers", "is_read"),
    [
        (["tagwharf={}"], True),
        (["a=b; tagwharf={} ; c=d=e"], True),
        (["a=b", "tagwharf={}"], True),
        (["tagwharf={}; tagwharf={}"], False),
        (["tagwharf={}", "tagwharf="], False),
        (["Tagwharf={}"], False),
        (["__Host-tagwharf={}"], False),
        (['tagwharf="{}"'], False),
        (["tagwharf={}x"], False),
        (["x tagwharf={}"], False),
        (["; =; tagwharf"], False),
        ([], False),
    ],
)
def test_one_cookie_is_read_and_any_doubt_is_none(headers: list[str], *, is_read: bool) -> None:
    token = new_token()
    found = Cookie(is_secure=False).read([header.replace("{}", token) for header in headers])
    assert found == (token if is_read else None)


def test_a_cookie_without_encryption_is_none_under_tls() -> None:
    assert Cookie(is_secure=True).read([f"tagwharf={new_token()}"]) is None


@pytest.mark.parametrize("value", ["ä" * 43, "A" * 42 + "=", "A" * 42 + "\n", "A" * 42 + "²", "'; DROP", ""])
def test_what_is_no_token(value: str) -> None:
    assert Cookie(is_secure=False).read([f"tagwharf={value}"]) is None
