from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.opcua import PACKML, Decoder, security_of, server_state
from readers.machine_states import MachineState
from readers.opcua_messages import Mode, Policy, encode
from tests.readers.test_opcua_messages import MESSAGES
from tests.support.codecs.opcua import sample


@given(st.lists(st.integers(0, 1 << 30), max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(seeds: list[int], noise: bytes, size: int) -> None:
    stream = noise + b"".join(sample(Random(seed)) + noise for seed in seeds)
    whole, sliced = Decoder(), Decoder()
    found = [message for at in range(0, len(stream), size) for message in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=60), MESSAGES)
def test_noise_never_hides_the_next_message(noise: bytes, message: object) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    decoder.gap()
    assert decoder.feed(encode(message)) == [message]  # type: ignore[arg-type]  # one of the union


def test_all_states_of_packml_but_undefined_are_ours() -> None:
    assert set(PACKML) == {str(number) for number in range(1, 18)}
    assert set(PACKML.values()) == set(MachineState)


def test_words_for_people() -> None:
    assert security_of(Policy.NONE, Mode.NONE) == "None"
    assert security_of(Policy.BASIC256_SHA256, Mode.SIGN) == "Basic256Sha256 Sign"
    assert (server_state(0), server_state(4), server_state(17), server_state(-1)) == (
        "running", "shutdown", "state 17", "state -1",
    )  # fmt: skip
