import asyncio
import statistics
import threading
import time

import pytest
from argon2 import PasswordHasher, Type
from argon2 import profiles as argon2_profiles

from gateway.console.access import passwords as module
from gateway.console.access.passwords import AT_ONCE, WAITING_MOST, BusyError, Passwords, check_hash, make_hash
from tests.gateway.console.access.served import PASSWORD, hash_of_password


def verify(name: str, password: str) -> bool:
    return asyncio.run(Passwords({"anna": hash_of_password()}).verify(name, password))


def test_the_parameters_are_the_second_choice_of_rfc_9106() -> None:
    assert hash_of_password().startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert argon2_profiles.RFC_9106_LOW_MEMORY == module.PARAMETERS
    check_hash(hash_of_password())


def test_a_hash_of_another_argon2_library_user_is_understood() -> None:
    """Made with the reference implementation's parameters by a hasher of its own."""
    other = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4, hash_len=32, salt_len=16)
    passwords = Passwords({"anna": other.hash(PASSWORD)})
    assert asyncio.run(passwords.verify("anna", PASSWORD))


def test_only_the_password_of_this_user_is_right() -> None:
    assert verify("anna", PASSWORD)
    for wrong in (PASSWORD + " ", PASSWORD.upper(), "", PASSWORD * 500, "\ud800"):
        assert not verify("anna", wrong)
    assert not verify("ben", PASSWORD)
    assert not asyncio.run(Passwords({}).verify("anna", PASSWORD))


def test_two_hashes_of_one_password_differ() -> None:
    assert make_hash(PASSWORD) != hash_of_password()


def test_a_password_is_the_same_however_it_was_composed() -> None:
    made = Passwords({"anna": make_hash("Schl\u00fcsselbrett")})
    assert asyncio.run(made.verify("anna", "Schlu\u0308sselbrett"))


@pytest.mark.parametrize("password", ["", "nine char", "u\u0308" * 9, "x" * 257])
def test_passwords_have_a_least_and_a_most_length(password: str) -> None:
    with pytest.raises(ValueError, match="must have 10 to 256 characters"):
        make_hash(password)


@pytest.mark.parametrize(
    "text",
    [
        "correct horse",
        "",
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA",
        "$argon2id$v=19$m=x,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaA",
    ],
)
def test_what_is_no_argon2_hash(text: str) -> None:
    with pytest.raises(ValueError, match="is no Argon2 hash; make one: tagwharf console password"):
        check_hash(text)


@pytest.mark.parametrize(
    "hasher",
    [
        PasswordHasher(time_cost=1, memory_cost=64, parallelism=1),
        PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4, type=Type.I),
        PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4, hash_len=16),
    ],
)
def test_a_hash_made_in_another_way_is_refused_without_repeating_it(hasher: PasswordHasher) -> None:
    text = hasher.hash(PASSWORD)
    with pytest.raises(ValueError, match="must be Argon2id with t=3, m=65536, p=4") as caught:
        check_hash(text)
    assert text.rsplit("$", 1)[1] not in str(caught.value)


def test_an_unknown_user_takes_the_same_path_and_time() -> None:
    """The medians of alternating attempts; whoever skips the hash for an unknown name is 1,000 times faster."""

    async def scenario() -> tuple[float, float]:
        passwords = Passwords({"anna": hash_of_password()})
        took: dict[str, list[float]] = {"anna": [], "ben": []}
        for _ in range(5):
            for name, times in took.items():
                began_s = time.perf_counter()
                assert not await passwords.verify(name, "wrong horse")
                times.append(time.perf_counter() - began_s)
        return statistics.median(took["anna"]), statistics.median(took["ben"])

    known_s, unknown_s = asyncio.run(scenario())
    assert 1 / 3 < known_s / unknown_s < 3


def test_at_most_two_at_once_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    lock, go = threading.Lock(), threading.Event()
    real = module._matches

    def counted(known: str, password: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go.wait(10)
        try:
            return real(known, password)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(module, "_matches", counted)

    async def scenario() -> None:
        passwords = Passwords({"anna": hash_of_password()})
        tasks = [asyncio.create_task(passwords.verify("anna", PASSWORD)) for _ in range(AT_ONCE + WAITING_MOST)]
        await asyncio.sleep(0.1)
        with pytest.raises(BusyError):
            await passwords.verify("anna", PASSWORD)
        assert running == AT_ONCE
        go.set()
        assert all(await asyncio.gather(*tasks))
        assert await passwords.verify("anna", PASSWORD)
        assert most == AT_ONCE

    asyncio.run(scenario())
