"""The driver against the simulated readers: memory read with the inventory, filters, inputs, outputs, triggers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from readers.errors import ConfigError, DeviceRefusedError, LinkError
from readers.observations import Signals, TagRead
from readers.ports.memory import run
from simulator.llrp.identities import ETSI, Identity, impinj_r420, impinj_r700, plain, zebra_fx9600
from simulator.llrp.reader import SimulatedReader
from tests.readers.rfid.llrp.test_against_twin import Client
from tests.support.shelf import Shelf, memory

READERS = {
    "r420": impinj_r420(),
    "r700": impinj_r700(),
    "fx9600": zebra_fx9600(),
    "fx9600 etsi": zebra_fx9600(ETSI),
    "plain": plain(),
}
ONE = bytes.fromhex("3034257BF7194E4000001A85")
TWO = bytes.fromhex("E2003411B802011123456789")
TID = bytes.fromhex("E2801160200074D07000010A")
SHORT_TID = TID[:4]
USER = bytes(range(16))


def shelf() -> Shelf:
    return Shelf(memory(ONE, TID, USER), memory(TWO, SHORT_TID))


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scene()

    run(whole())


def rows(client: Client) -> list[TagRead]:
    return [row for batch in client.batches() for row in batch.rows()]


def signals(client: Client) -> list[tuple[str, object]]:
    return [(each.name, each.value) for some in client.reports if isinstance(some, Signals) for each in some.signals]


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("every_n", [None, 1])
def test_the_tid_comes_with_the_inventory(identity: Identity, every_n: int | None) -> None:
    async def scene() -> None:
        reader = SimulatedReader(identity, shelf())
        client = Client(reader, read_tid=True, report_every_n=every_n)
        await client.run_for(5.0)
        await client.leave()
        assert client.conditions() == []
        tids = {(row.epc, row.tid) for row in rows(client)}
        # FastID gives what the tag has; a read of six words fails on a tag that has two.
        assert tids == {(ONE, TID), (TWO, SHORT_TID if identity.is_impinj else None)}
        assert client.air_reads() == reader.outgoing.reads_sent > 100
        assert bool(reader.inventory.access.executed) != identity.is_impinj

    play(scene)


@pytest.mark.parametrize("identity", READERS.values(), ids=READERS.keys())
def test_user_memory_comes_with_the_inventory(identity: Identity) -> None:
    async def scene() -> None:
        reader = SimulatedReader(identity, shelf())
        client = Client(reader, read_user_words=3)
        await client.run_for(5.0)
        await client.leave()
        assert client.conditions() == []
        assert {(row.epc, row.user_memory) for row in rows(client)} == {(ONE, USER[:6]), (TWO, None)}
        assert client.air_reads() == reader.outgoing.reads_sent > 100

    play(scene)


def test_tid_and_user_memory_together_and_by_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tag-password").write_text("0000ABCD\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    async def scene() -> None:
        field = Shelf(memory(ONE, TID, USER, access=0xABCD), memory(TWO, TID, USER, access=0x1234))
        reader = SimulatedReader(zebra_fx9600(), field)
        client = Client(
            reader, read_tid=True, tid_words=2, read_user_words=1, access_password_credential="tag-password"
        )
        await client.run_for(5.0)
        await client.leave()
        assert {(row.epc, row.tid, row.user_memory) for row in rows(client)} == {
            (ONE, TID[:4], USER[:2]),
            (TWO, None, None),
        }

    play(scene)


def test_without_its_credential_nothing_is_said_to_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    async def scene() -> None:
        reader = SimulatedReader(zebra_fx9600(), shelf())
        error = await Client(reader, read_user_words=1, access_password_credential="tag-password").failure()
        assert isinstance(error, ConfigError)
        assert "LoadCredential=tag-password:/etc/tagwharf/tag-password" in str(error)
        assert reader.inventory.specs == {}

    play(scene)


def test_fast_id_and_a_read_of_user_memory_on_an_impinj_reader() -> None:
    async def scene() -> None:
        client = Client(SimulatedReader(impinj_r420(), shelf()), read_tid=True, read_user_words=1)
        await client.run_for(5.0)
        await client.leave()
        assert {(row.epc, row.tid, row.user_memory) for row in rows(client)} == {
            (ONE, TID, USER[:2]),
            (TWO, SHORT_TID, None),
        }

    play(scene)


def test_a_reader_that_does_one_operation_at_a_time_is_not_asked_for_two() -> None:
    async def scene() -> None:
        client = Client(SimulatedReader(plain(), shelf()), read_tid=True, read_user_words=1)
        error = await client.failure()
        assert isinstance(error, DeviceRefusedError)
        assert "does 1 operation at a time" in str(error)

    play(scene)


def test_phase_of_impinj_and_of_zebra() -> None:
    async def scene(identity: Identity) -> set[float | None]:
        client = Client(SimulatedReader(identity, shelf()), doppler=identity.is_impinj)
        await client.run_for(3.0)
        await client.leave()
        assert {row.doppler_hz for row in rows(client)} == {0.0 if identity.is_impinj else None}
        return {row.phase_deg for row in rows(client)}

    assert run(scene(impinj_r420())) == run(scene(zebra_fx9600())) == {90.0}
    assert run(scene(plain())) == {None}


# --- filters and radio ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([{"mask": "3034"}], {ONE}),
        ([{"mask": "e2"}], {TWO}),
        ([{"mask": "3034"}, {"mask": "E"}], {ONE, TWO}),
        ([{"bank": "user", "bit": 8, "mask": "0102"}], {ONE}),
        ([{"bank": "tid", "bit": 0, "mask": "E2801160"}], {ONE, TWO}),
        ([{"mask": "FF"}], set()),
    ],
)
def test_only_tags_that_fit_a_filter_are_read(filters: list[dict[str, object]], expected: set[bytes]) -> None:
    async def scene() -> None:
        client = Client(SimulatedReader(impinj_r420(), shelf()), filter=filters)
        await client.run_for(3.0)
        await client.leave()
        assert {row.epc for row in rows(client)} == expected
        assert client.conditions() == []

    play(scene)


def test_antennas_that_differ_and_everything_that_impinj_has() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(ETSI), shelf())
        client = Client(
            reader,
            tx_power_dbm=20,
            antenna_tx_power_dbm={"2": 12.5},
            rx_attenuation_db=15,
            antenna_rx_attenuation_db={"4": 30},
            search_mode="tag_focus",
            low_duty_cycle={},
            channels=[1, 3],
        )
        await client.run_for(3.0)
        assert client.conditions() == []
        assert client.watched() == [{1, 2, 3, 4}]
        await client.leave()

    play(scene)


# --- inputs and outputs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [impinj_r420(), zebra_fx9600()], ids=["r420", "fx9600"])
def test_inputs_are_known_from_the_start_and_outputs_are_set(identity: Identity) -> None:
    async def scene() -> None:
        reader = SimulatedReader(identity, shelf())
        reader.configuration.gpi_high[2] = True
        reader.configuration.gpo_high[1] = True
        client = Client(reader, gpi=[1, 2], gpo={"1": False, "3": True})
        await client.run_for(3.0)
        assert signals(client) == [("gpi_1", False), ("gpi_2", True)]
        assert reader.configuration.gpi_enabled == {1: True, 2: True, 3: False, 4: False}
        assert reader.configuration.gpo_high == {1: False, 2: False, 3: True, 4: False}
        for port in (1, 3):
            reader.set_gpi(port, high=True)
        await client.run_for(1.0)
        assert signals(client)[2:] == [("gpi_1", True)]
        assert client.conditions() == []
        await client.leave()
        second = Client(reader)  # it leaves inputs alone, and still says how they are
        await second.run_for(3.0)
        assert signals(second) == [("gpi_1", True), ("gpi_2", True)]
        await second.leave()

    play(scene)


def test_an_output_that_the_reader_does_not_have_is_refused() -> None:
    async def scene() -> None:
        error = await Client(SimulatedReader(plain(), shelf()), gpo={"1": True}).failure()
        assert isinstance(error, DeviceRefusedError)
        assert "gpo = [1]: the reader has 0 outputs" in str(error)

    play(scene)


@pytest.mark.parametrize("state", ["high", "low"])
def test_the_inventory_runs_and_is_watched_only_while_its_input_asks_for_it(state: str) -> None:
    async def scene() -> None:
        asks = state == "high"
        reader = SimulatedReader(impinj_r420(), shelf())
        reader.configuration.gpi_high[1] = not asks
        client = Client(reader, trigger={"gpi": 1, "state": state})
        await client.run_for(5.0)
        assert (client.watched(), client.batches()) == ([set()], [])
        reader.set_gpi(1, high=asks)
        await client.run_for(5.0)
        assert client.watched()[-1] == {1, 2, 3, 4}
        read = len(rows(client))
        assert read > 50
        reader.set_gpi(1, high=not asks)
        await client.run_for(5.0)
        after = len(rows(client))
        await client.run_for(20.0)
        assert client.watched() == [set(), {1, 2, 3, 4}, set()]
        assert len(rows(client)) == after
        assert signals(client) == [("gpi_1", not asks), ("gpi_1", asks), ("gpi_1", not asks)]
        assert client.conditions() == []
        await client.leave()
        assert client.air_reads() == reader.outgoing.reads_sent

    play(scene)


def test_a_vehicle_that_stands_there_already_is_read_at_once() -> None:
    async def scene() -> None:
        reader = SimulatedReader(zebra_fx9600(), shelf())
        reader.configuration.gpi_high[2] = True
        client = Client(reader, trigger={"gpi": 2}, antennas=[1, 2])
        await client.run_for(5.0)
        assert client.watched()[-1] == {1, 2}
        assert len(rows(client)) > 20
        reader.set_antenna(2, connected=False)
        reader.set_gpi(2, high=False)
        await client.run_for(2.0)
        reader.set_gpi(2, high=True)
        await client.run_for(2.0)
        assert client.watched()[-3:] == [{1}, set(), {1}]
        await client.leave()

    play(scene)


@pytest.mark.parametrize("until", ["left", "timeout"])
def test_a_trigger_ends_after_its_timeout(until: str) -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), shelf())
        client = Client(reader, trigger={"gpi": 1, "timeout_s": 4, "until": until})
        await client.run_for(3.0)
        reader.set_gpi(1, high=True)
        await client.run_for(0.5)
        if until == "timeout":
            reader.set_gpi(1, high=False)  # a photo-eye that only blinks
        await client.run_for(2.5)
        assert client.watched() == [set(), {1, 2, 3, 4}]
        await client.run_for(5.0)
        assert client.watched() == [set(), {1, 2, 3, 4}, set()]
        await client.leave()

    play(scene)


def test_a_triggered_inventory_that_another_program_preempts_is_set_up_anew() -> None:
    async def scene() -> None:
        reader = SimulatedReader(plain(), shelf())
        client = Client(reader)
        await client.run_for(3.0)
        reader.inventory.stop(1)
        error = await client.failure()
        assert isinstance(error, LinkError)
        assert "the reader stopped the inventory (End_of_ROSpec)" in str(error)

    play(scene)


def test_a_reader_that_reboots_with_a_trigger_is_set_up_anew() -> None:
    async def scene() -> None:
        reader = SimulatedReader(impinj_r420(), shelf())
        first = Client(reader, trigger={"gpi": 1})
        await first.run_for(3.0)
        await reader.reboot()
        assert isinstance(await first.failure(), LinkError)
        second = Client(reader, trigger={"gpi": 1})
        await second.run_for(3.0)
        reader.set_gpi(1, high=True)
        await asyncio.sleep(1.0)
        assert second.watched() == [set(), {1, 2, 3, 4}]
        await second.leave()

    play(scene)
