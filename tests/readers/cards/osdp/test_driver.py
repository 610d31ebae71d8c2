"""The driver against libosdp's own peripheral device. Both ends count real milliseconds: these tests take seconds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from readers.cards.osdp import DRIVER, OsdpSettings
from readers.cards.osdp.driver import DEFAULT_KEY, _bits_of
from readers.codecs.osdp import Decoder, Frame, Reply, encode
from readers.driver import Port
from readers.errors import ConfigError, FrameError, LinkError
from readers.observations import CardRead, CardReads, Condition, DeviceInfo, Observation, Rejected, Watching
from readers.ports.memory import pair, run
from readers.tagdata.cards import CardIdentity, Technology
from simulator.cards import osdp as twin
from simulator.faults import Fault, Kind
from simulator.faulty_port import FaultyPort
from tests.readers.cards.osdp.peer import Peer, converse, until

KEY = bytes(range(0x50, 0x60))
SECURE = OsdpSettings.model_validate({"units": [{"address": 101, "scbk_credential": "door-key"}]})
PLAIN = OsdpSettings.model_validate({"units": [{"address": 101}], "card": {"parity": "ignored"}})
CARD = (bytes.fromhex("9F1B5D40"), 26)  # of a published trace; its parity is made up
CARD_TEXT = "wiegand:3E36BA"


@pytest.fixture
def door_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    path = tmp_path / "door-key"
    path.write_text(KEY.hex() + "\n")
    return path


def reads(heard: list[Observation]) -> list[CardRead]:
    return [card for observation in heard if isinstance(observation, CardReads) for card in observation.cards]


def conditions(heard: list[Observation]) -> list[tuple[str, str, bool]]:
    return [(o.name, o.key, o.active) for o in heard if isinstance(o, Condition)]


def test_a_card_is_read_in_the_clear() -> None:
    peer = Peer(101)

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)
        peer.card(*CARD)
        await until(lambda: reads(heard))

    heard = converse(PLAIN, [peer], script)
    assert [(card.identity.text, card.antenna_port) for card in reads(heard)] == [(CARD_TEXT, 1)]
    assert [o for o in heard if isinstance(o, DeviceInfo)] == [DeviceInfo("B2A1F3", "5 v2", "1.2.3", "12345678")]
    assert not conditions(heard)


@pytest.mark.usefixtures("door_key")
def test_a_card_is_read_through_the_secure_channel_and_nothing_shows_on_the_line() -> None:
    peer = Peer(101, KEY, asks_security=True)
    lines: list[bytes] = []

    class Tap(FaultyPort):
        async def receive(self, within_s: float) -> bytes:
            data = await super().receive(within_s)
            lines.append(data)
            return data

    settings = SECURE.model_copy(update={"card": PLAIN.card})

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)
        for _ in range(3):
            peer.card(*CARD)
            await asyncio.sleep(0.2)
        peer.card(bytes.fromhex("04A1B2C3D4E5F6"), 56)
        await until(lambda: len(reads(heard)) == 2)

    heard = converse(settings, [peer], script, wrap=lambda port: Tap(port, []))
    assert [card.identity.text for card in reads(heard)] == [CARD_TEXT, "wiegand:04A1B2C3D4E5F6"]
    assert peer.device.is_sc_active()
    assert lines
    assert CARD[0] not in b"".join(lines)
    assert not conditions(heard)


def test_a_wrong_key_is_said_and_lets_no_card_through(door_key: Path) -> None:
    peer = Peer(101, KEY, asks_security=True)
    door_key.write_text("FF" * 16)

    async def script(heard: list[Observation]) -> None:
        await until(lambda: conditions(heard))
        peer.card(*CARD)
        await asyncio.sleep(0.5)

    heard = converse(SECURE, [peer], script)
    assert conditions(heard) == [("secure_channel_failed", "101", True), ("unit_offline", "101", True)]
    assert not reads(heard)
    assert not [o for o in heard if isinstance(o, Watching)]
    assert "FF" * 4 not in repr(heard)


@pytest.mark.usefixtures("door_key")
def test_a_device_that_offers_no_secure_channel_is_not_spoken_to_in_the_clear() -> None:
    peer = Peer(101)

    async def script(heard: list[Observation]) -> None:
        await until(lambda: conditions(heard))

    heard = converse(SECURE, [peer], script)
    assert ("unit_offline", "101", True) in conditions(heard)
    assert not reads(heard)


def test_several_devices_share_a_line_and_one_that_is_away_comes_back() -> None:
    peers = [Peer(1), Peer(2), Peer(7)]
    peers[1].mute = True
    settings = OsdpSettings.model_validate(
        {
            "units": [
                {"address": 1, "antennas": [1, 2]},
                {"address": 2, "first_port": 3},
                {"address": 7, "first_port": 4, "card": {"technology": "nfca"}},
            ]
        }
    )

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1, 2, 4})) in heard)
        await until(lambda: ("unit_offline", "2", True) in conditions(heard))
        peers[0].card(bytes.fromhex("0C8707"), 24, reader=1)
        peers[0].card(bytes.fromhex("0C8708"), 24, reader=2)
        peers[2].card(bytes.fromhex("1EA68671"), 32)
        await until(lambda: len(reads(heard)) == 2)
        peers[1].mute = False
        await until(lambda: Watching(frozenset({1, 2, 3, 4})) in heard)
        peers[1].card(bytes.fromhex("1EA68671"), 32)
        await until(lambda: len(reads(heard)) == 3)
        peers[2].mute = True
        await until(lambda: ("unit_offline", "7", True) in conditions(heard))

    heard = converse(settings, peers, script)
    assert sorted((card.antenna_port, card.identity.text) for card in reads(heard)) == [
        (2, "wiegand:0C8707"),
        (3, "wiegand:1EA68671"),
        (4, "nfca:1EA68671"),
    ]
    assert ("unit_offline", "2", False) in conditions(heard)
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["antenna"]
    assert {o.model for o in heard if isinstance(o, DeviceInfo)} == {f"5 v2 at address {n}" for n in (1, 2, 7)}
    assert [o for o in heard if isinstance(o, Watching)][-1] == Watching(frozenset({1, 2, 3}))


def test_tamper_and_power_are_conditions_until_they_end() -> None:
    peer = Peer(101)

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)
        peer.status(tamper=True)
        await until(lambda: len(conditions(heard)) == 1)
        peer.status(tamper=True, power=True)
        await until(lambda: len(conditions(heard)) == 2)
        peer.status()
        await until(lambda: len(conditions(heard)) == 4)

    heard = converse(PLAIN, [peer], script)
    assert conditions(heard) == [
        ("tamper", "101", True),
        ("power_failure", "101", True),
        ("tamper", "101", False),
        ("power_failure", "101", False),
    ]
    assert any(command.get("type") == 2 for command in peer.commands)  # it was asked, too


def test_what_else_a_device_says_is_left_alone() -> None:
    peer = Peer(101)

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)
        peer.others()
        await asyncio.sleep(0.3)
        peer.card(*CARD)
        await until(lambda: reads(heard))

    heard = converse(PLAIN, [peer], script)
    assert not conditions(heard)
    assert not [o for o in heard if isinstance(o, Rejected)]


def test_a_device_that_insists_on_security_says_so_in_the_condition() -> None:
    async def scene() -> list[Observation]:
        ours, theirs = pair()
        heard: list[Observation] = []

        class Empty:
            def present(self, antenna_port: int, now_us: int) -> list[CardIdentity]:
                assert (antenna_port, now_us > 0) == (1, True)
                return []

        serving = asyncio.create_task(twin.serve(theirs, Empty(), [twin.Reader(101, asks_security=True)]))
        running = asyncio.create_task(DRIVER.make(PLAIN).run(ours, heard.append))
        await until(lambda: any(o.detail for o in heard if isinstance(o, Condition)))
        await until(lambda: "NAK code 6" in repr(heard))
        for task in (serving, running):
            task.cancel()
        await asyncio.gather(serving, running, return_exceptions=True)
        return heard

    details = [o.detail for o in asyncio.run(scene()) if isinstance(o, Condition) and o.active]
    assert "device 101 refuses with NAK code 6" in details


def test_a_device_that_refuses_every_question_says_so_in_the_condition() -> None:
    async def refuse(port: Port) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(1)):
                nak = Frame(asked.address, Reply.NAK, b"\x03", is_reply=True, sequence=asked.sequence)
                await port.send(encode(nak))

    async def scene() -> list[Observation]:
        ours, theirs = pair()
        heard: list[Observation] = []
        serving = asyncio.create_task(refuse(theirs))
        running = asyncio.create_task(DRIVER.make(PLAIN).run(ours, heard.append))
        await until(lambda: conditions(heard))
        for task in (serving, running):
            task.cancel()
        await asyncio.gather(serving, running, return_exceptions=True)
        return heard

    [told] = [o for o in asyncio.run(scene()) if isinstance(o, Condition)]
    assert (told.name, told.detail) == ("unit_offline", "device 101 refuses with NAK code 3")


def test_bits_that_contradict_their_number_are_no_card() -> None:
    with pytest.raises(FrameError, match="26 bits announced, 2 bytes came"):
        _bits_of({"data": b"\x01\x02", "length": 26})


def test_keys_go_with_the_card_only_where_that_is_set() -> None:
    peer = Peer(101)
    settings = PLAIN.model_copy(update={"keypad": "with_card", "keys_within_s": 1.0})

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)
        peer.card(*CARD)
        peer.keys(b"12*34\x0d")
        await until(lambda: len(reads(heard)) == 1)
        peer.card(bytes.fromhex("1EA68671"), 32)
        await until(lambda: len(reads(heard)) == 2)

    heard = converse(settings, [peer], script)
    assert [card.keys for card in reads(heard)] == ["34", None]
    assert "34" not in repr([card for card in reads(heard) if card.keys])

    async def ignored(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)
        peer.keys(b"1234\x0d")
        await until(lambda: Rejected("keys_ignored", 5) in heard)

    peer = Peer(101)
    converse(PLAIN, [peer], ignored)


def test_a_card_that_waits_for_keys_is_told_when_the_link_ends() -> None:
    peer = Peer(101)
    settings = PLAIN.model_copy(update={"keypad": "with_card", "keys_within_s": 60.0})

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)
        peer.card(*CARD)
        await asyncio.sleep(0.5)
        assert not reads(heard)

    assert [card.keys for card in reads(converse(settings, [peer], script))] == [None]


def test_wrong_parity_and_odd_numbers_of_bits_are_counted_not_told() -> None:
    peer = Peer(101)
    settings = OsdpSettings.model_validate({"units": [{"address": 101}]})

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)
        peer.card(*CARD)
        peer.card(b"\x80\x00", 9)
        await until(lambda: len([o for o in heard if isinstance(o, Rejected)]) == 2)

    heard = converse(settings, [peer], script)
    assert [(o.reason, o.reads_lost) for o in heard if isinstance(o, Rejected)] == [("parity", 1), ("bit_count", 1)]
    assert not reads(heard)


@pytest.mark.parametrize(
    ("settings", "places"), [(PLAIN, (100, 180, 260)), (SECURE, (320, 640, 900))], ids=["plain", "secure"]
)
@pytest.mark.usefixtures("door_key")
def test_on_a_noisy_line_every_card_is_read_when_it_is_presented_again(
    settings: OsdpSettings, places: tuple[int, int, int]
) -> None:
    """A secure channel that lost a packet begins anew, and a reader forgets meanwhile what it had to tell."""
    peer = Peer(101, KEY)
    faults = [Fault(Kind.CORRUPT, at_byte=at) for at in places] + [Fault(Kind.DROP, at_byte=places[-1] + 90, length=3)]

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)
        for number in range(1, 12):
            waited_s = 0.0
            while len(reads(heard)) < number:
                if waited_s % 2 < 0.1 and peer.device.is_online():
                    peer.card(bytes([number] * 3), 24)
                await asyncio.sleep(0.1)
                waited_s += 0.1

    heard = converse(settings, [peer], script, wrap=lambda port: FaultyPort(port, faults, seed=3))
    assert [card.identity.uid for card in reads(heard)] == [bytes([number] * 3) for number in range(1, 12)]
    assert {o.reason for o in heard if isinstance(o, Rejected)} & {"checksum", "length", "control", "truncated"}
    assert not [o for o in heard if isinstance(o, Condition) and o.name == "secure_channel_failed"]


def test_the_twin_is_read_in_real_time() -> None:
    """libosdp's panel against a device that is written from the protocol alone."""

    class Pad:
        def __init__(self) -> None:
            self.card: list[CardIdentity] = []

        def present(self, antenna_port: int, now_us: int) -> list[CardIdentity]:
            return self.card if antenna_port == 2 and now_us else []

    async def scene() -> list[Observation]:
        ours, theirs = pair()
        heard: list[Observation] = []
        pad, controls = Pad(), twin.Controls()
        readers = [twin.Reader(1, (1, 2), wiegand=True), twin.Reader(2, (3,), has_crc=False)]
        settings = {"units": [{"address": 1, "antennas": [1, 2]}, {"address": 2, "first_port": 3}]}
        serving = asyncio.create_task(twin.serve(theirs, pad, readers, controls))
        running = asyncio.create_task(DRIVER.make(OsdpSettings.model_validate(settings)).run(ours, heard.append))
        await until(lambda: Watching(frozenset({1, 2, 3})) in heard)
        pad.card = [CardIdentity(Technology.NFC_A, bytes.fromhex("1EA68671"))]
        controls.tamper = True
        await until(lambda: reads(heard) and len(conditions(heard)) == 2)
        for task in (serving, running):
            task.cancel()
        await asyncio.gather(serving, running, return_exceptions=True)
        return heard

    heard = asyncio.run(scene())
    assert [(card.identity.text, card.antenna_port) for card in reads(heard)] == [("wiegand:1EA68671", 2)]
    assert set(conditions(heard)) == {("tamper", "1", True), ("tamper", "2", True)}
    assert not [o for o in heard if isinstance(o, Rejected)]


def test_a_line_without_devices_is_a_link_error() -> None:
    async def scene() -> None:
        ours, _ = pair("line")
        await DRIVER.make(PLAIN).run(ours, lambda _: None)

    with pytest.raises(LinkError, match=r"line: no device \(address 101\) came online within 30 s; no byte came"):
        run(scene())


def test_hostile_bytes_do_not_reach_libosdp() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, device = pair()
        running = asyncio.create_task(DRIVER.make(PLAIN).run(ours, heard.append))
        await device.send(bytes.fromhex("53 65 08 00 04 60 60 90"))  # an echo: no answer of a device
        for number in range(200):
            await device.pause(0.1)
            await device.send(bytes([0x53, 0xE5, number, number % 3, 4]) + bytes(number))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(scene())
    assert {o.reason for o in heard if isinstance(o, Rejected)} >= {"length", "checksum", "noise_bytes"}
    assert not reads(heard)


def test_a_cut_link_ends_the_driver() -> None:
    async def scene() -> None:
        ours, device = pair()
        running = asyncio.create_task(DRIVER.make(PLAIN).run(ours, lambda _: None))
        await device.pause(1)
        await device.close()
        await running

    with pytest.raises(LinkError, match="closed the link"):
        run(scene())


@pytest.mark.parametrize("text", ["0011", "ZZ" * 16, "00" * 17])
def test_a_credential_that_is_no_key_is_a_fault_that_does_not_show_it(door_key: Path, text: str) -> None:
    door_key.write_text(text)
    ours, _ = pair()
    with pytest.raises(
        ConfigError, match="credential 'door-key': a secure channel base key has 32 hex digits"
    ) as raised:
        run(DRIVER.make(SECURE).run(ours, lambda _: None))
    assert text not in str(raised.value)


def test_the_key_that_everybody_knows_is_refused(door_key: Path) -> None:
    door_key.write_text(DEFAULT_KEY.hex())
    ours, _ = pair()
    with pytest.raises(ConfigError, match=r"credential 'door-key' holds the default key .* at address 101 a key"):
        run(DRIVER.make(SECURE).run(ours, lambda _: None))


def test_the_key_that_everybody_knows_opens_a_reader_that_was_given_it_where_that_is_allowed(door_key: Path) -> None:
    door_key.write_text(DEFAULT_KEY.hex())
    unit = {"address": 101, "scbk_credential": "door-key", "default_key": "allowed"}
    peer = Peer(101, DEFAULT_KEY, asks_security=True)

    async def script(heard: list[Observation]) -> None:
        await until(lambda: Watching(frozenset({1})) in heard)

    assert not conditions(converse(OsdpSettings.model_validate({"units": [unit]}), [peer], script))
    assert peer.device.is_sc_active()


@pytest.mark.parametrize("default_key", ["refused", "allowed"])
def test_a_reader_in_installation_mode_is_not_used_and_is_given_no_key(door_key: Path, default_key: str) -> None:
    """Such a reader takes a key from whoever comes first, in a channel whose key everybody knows."""
    if default_key == "allowed":
        door_key.write_text(DEFAULT_KEY.hex())
    unit = {"address": 101, "scbk_credential": "door-key", "default_key": default_key}
    peer = Peer(101, installs=True)

    async def script(heard: list[Observation]) -> None:
        await until(lambda: len(conditions(heard)) == 2)
        peer.card(*CARD)
        await asyncio.sleep(0.5)

    heard = converse(OsdpSettings.model_validate({"units": [unit]}), [peer], script)
    assert conditions(heard) == [("secure_channel_failed", "101", True), ("unit_offline", "101", True)]
    assert not reads(heard)
    assert peer.commands == []
    assert not peer.device.is_sc_active()


def test_a_missing_credential_is_a_fault(door_key: Path) -> None:
    door_key.unlink()
    ours, _ = pair()
    with pytest.raises(ConfigError, match="LoadCredential=door-key"):
        run(DRIVER.make(SECURE).run(ours, lambda _: None))
