from __future__ import annotations

import importlib
import time
from typing import Any

import pytest

from readers.cards.osdp.panel import MOST_HELD, Panel, PanelEvent
from readers.codecs.osdp import Command, Decoder, Frame, encode
from readers.errors import ConfigError
from tests.readers.cards.osdp.peer import Peer


def talk(panel: Panel, peer: Peer, seconds: float) -> list[Frame]:
    """Panel and device without a port between them; what the panel sent."""
    sent: list[Frame] = []
    decoder, until_s = Decoder(), time.monotonic() + seconds
    while time.monotonic() < until_s:
        out = panel.step()
        sent += decoder.feed(out)
        answer = peer.step(out)
        if answer:
            panel.offer(answer)
        time.sleep(0.002)
    return sent


def test_the_first_question_is_who_is_there_and_then_it_polls() -> None:
    panel, peer = Panel([(101, None)]), Peer(101)
    sent = talk(panel, peer, 1.0)
    assert [frame.code for frame in sent[:2]] == [Command.ID, Command.CAPABILITIES]
    assert {frame.code for frame in sent[2:]} == {Command.POLL}
    assert 4 <= len(sent) <= 22  # one every 50 ms, on a busy machine fewer
    assert panel.is_online(0)
    assert not panel.is_secure(0)
    assert panel.identity(0).serial == "12345678"


def test_a_key_means_the_secure_channel() -> None:
    key = bytes(range(16))
    panel, peer = Panel([(101, key)]), Peer(101, key)
    sent = talk(panel, peer, 0.5)
    assert panel.is_online(0)
    assert panel.is_secure(0)
    assert all(frame.mac for frame in sent if frame.code == Command.POLL)


def test_events_come_once_and_their_number_is_bounded() -> None:
    panel, peer = Panel([(101, None)]), Peer(101)
    talk(panel, peer, 0.3)
    peer.card(bytes.fromhex("1EA68671"), 32)
    talk(panel, peer, 0.3)
    [event] = panel.take_events()
    assert event.unit == 0
    assert (event.told["event"], event.told["length"], event.told["data"]) == (1, 32, bytes.fromhex("1EA68671"))
    assert panel.take_events() == []
    for _ in range(2 * MOST_HELD):
        panel._take_event(0, {})
    assert panel.take_events() == [PanelEvent(0, {})] * MOST_HELD


def test_a_device_given_up_is_tried_again_when_asked() -> None:
    panel, peer = Panel([(101, None)]), Peer(101)
    talk(panel, peer, 0.2)
    panel.again(0)
    talk(panel, peer, 0.05)
    assert not panel.is_enabled(0)
    assert not panel.is_online(0)
    panel.again(0)
    sent = talk(panel, peer, 0.4)
    assert sent[0].code == Command.ID
    assert panel.is_enabled(0)
    assert panel.is_online(0)


def test_what_waits_for_libosdp_is_bounded() -> None:
    panel = Panel([(101, None)])
    packet = encode(Frame(101, 0x40, is_reply=True))
    for _ in range(1000):
        panel.offer(packet)
    assert len(panel._channel.incoming) <= MOST_HELD + len(packet)


def test_without_libosdp_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = importlib.import_module

    def none(name: str, package: str | None = None) -> Any:
        if name == "osdp":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return whole(name, package)

    monkeypatch.setattr(importlib, "import_module", none)
    with pytest.raises(ConfigError, match=r"pip install tagwharf\[osdp\]"):
        Panel([(101, None)])


def test_devices_that_libosdp_refuses_are_a_fault() -> None:
    with pytest.raises(ConfigError, match="libosdp refuses the devices"):
        Panel([(101, b"short")])
