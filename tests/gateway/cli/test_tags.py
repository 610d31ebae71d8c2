from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.gen2_memory import epc_of
from simulator.llrp.identities import zebra_fx9600
from simulator.llrp.reader import SimulatedReader
from simulator.rfid.m100 import serve
from simulator.server import DeviceServer
from tests.gateway.cli.command import site_file, tagwharf
from tests.support.broker import free_port
from tests.support.shelf import Shelf, memory

OLD, NEW = "E20000000000000000000001", "3074257BF7194E4000001A85"
TID = bytes.fromhex("E2801160200000AA11223344")
TABLE = '[[reader]]\nname = "desk"\ndriver = "m100"\nport = "tcp://127.0.0.1:{}"\n'
Done = subprocess.CompletedProcess[str]


def before(
    shelf: Shelf, tmp_path: Path, *commands: list[str], meanwhile: Callable[[], None] = lambda: None
) -> list[Done]:
    """Run commands, one after the other, against a simulated reader with these tags."""

    async def go() -> list[Done]:
        async with DeviceServer(lambda port: serve(port, shelf)) as server:
            config = ("--config", str(site_file(tmp_path, more=TABLE.format(server.port))))
            done = []
            for command in commands:
                done.append(await asyncio.to_thread(tagwharf, "tag", *command, *config))
                meanwhile()
            return done

    return asyncio.run(go())


def lying(*epcs: str) -> Shelf:
    tids = (TID[:-1] + bytes([number]) for number in range(len(epcs)))
    return Shelf(*(memory(bytes.fromhex(epc), tid, room_bytes=62) for epc, tid in zip(epcs, tids, strict=True)))


def test_decode_tells_what_an_epc_says() -> None:
    done = tagwharf("tag", "decode", NEW)
    assert done.returncode == 0
    assert "uri              urn:epc:id:sgtin:0614141.812345.6789" in done.stdout
    assert "digital_link     https://id.gs1.org/01/80614141123458/21/6789" in done.stdout


def test_decode_as_json_and_by_the_pc_word() -> None:
    found = json.loads(tagwharf("tag", "decode", "DC20D3455CF0D74CF8CE", "--pc", "29A9", "--json").stdout)
    assert (found["afi"], found["container_code"], found["uri"]) == ("A9", "CSQU3054383", "urn:epc:id:bic:CSQU3054383")
    assert json.loads(tagwharf("tag", "decode", NEW, "--pc", "3100", "--json").stdout)["scheme"] != "sgtin-96"


def test_encode_gives_what_decode_reads() -> None:
    found = json.loads(
        tagwharf("tag", "encode", "urn:epc:id:sgtin:0614141.812345.6789", "--filter", "3", "--json").stdout
    )
    assert (found["epc"], found["pc"]) == (NEW, "3000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["decode", "30ZZ"], "'30ZZ' is no hex"),
        (["decode", NEW, "--pc", "30"], "'30' has 1 bytes; it must have 2"),
        (["encode", "hello"], "is no code for a tag; allowed: urn:epc:id"),
        (["write", "desk"], "say either --to or --to-hex"),
        (["write", "desk", "--to", "x", "--to-hex", "30"], "say either --to or --to-hex"),
        (["read", "desk", "--bank", "epcs"], "'epcs' is no bank; choose epc, tid, user or reserved"),
        (["read", "desk", "--password-file", "absent"], "absent: cannot be read"),
    ],
)
def test_wrong_use(arguments: list[str], message: str, tmp_path: Path) -> None:
    site = site_file(tmp_path, more=TABLE.format(free_port()))
    done = tagwharf("tag", *arguments, TAGWHARF_CONFIG=str(site))
    assert done.returncode == 2
    assert message in done.stderr


def test_read_tells_of_each_tag_that_is_here(tmp_path: Path) -> None:
    (done,) = before(lying(OLD, NEW), tmp_path, ["read", "desk", "--json"])
    assert done.returncode == 0, done.stderr
    found = {table["epc"]: table for table in json.loads(done.stdout)}
    assert found.keys() == {OLD, NEW}
    assert found[NEW]["uri"] == "urn:epc:id:sgtin:0614141.812345.6789"
    assert found[OLD]["tid"] == (TID[:-1] + b"\x00").hex().upper()


def test_read_of_a_bank_and_of_one_that_is_not_there(tmp_path: Path) -> None:
    shelf = Shelf(memory(bytes.fromhex(OLD), TID, user=bytes.fromhex("0102030405060708")))
    words = ["--bank", "user", "--word", "1", "--words", "2"]
    good, bad = before(shelf, tmp_path, ["read", "desk", *words], ["read", "desk", "--bank", "user", "--word", "40"])
    assert good.returncode == 0, good.stderr
    assert "bank user word 1 data 03040506" in good.stdout
    assert bad.returncode == 1
    assert "trouble" in bad.stdout


def test_read_without_a_tag(tmp_path: Path) -> None:
    (done,) = before(Shelf(), tmp_path, ["read", "desk"])
    assert done.returncode == 1
    assert "no tag is here; hold one before the antenna" in done.stderr


def test_write_gives_the_tag_its_epc_and_keeps_a_record(tmp_path: Path) -> None:
    shelf = lying(OLD)
    (done,) = before(shelf, tmp_path, ["write", "desk", "--to", "urn:epc:tag:sgtin-96:3.0614141.812345.6789", "--yes"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"verified: {OLD} -> {NEW}, PC 3000: read back, the TID is the same")
    assert epc_of(shelf.tags[0]).hex().upper() == NEW
    lines = (tmp_path / "state" / "tag-writes.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == ["meant", "outcome"]


def test_write_asks_first(tmp_path: Path) -> None:
    shelf = lying(OLD)
    (done,) = before(shelf, tmp_path, ["write", "desk", "--to-hex", NEW])
    assert done.returncode == 1
    assert "desk: write 3074257BF7194E4000001A85 to the only tag there?" in done.stderr
    assert epc_of(shelf.tags[0]).hex().upper() == OLD


def test_write_of_an_epc_of_another_length(tmp_path: Path) -> None:
    shelf = lying(OLD)
    (done,) = before(shelf, tmp_path, ["write", "desk", "--to", "urn:epc:id:bic:CSQU3054383", "--yes", "--json"])
    assert done.returncode == 0, done.stderr
    written = json.loads(done.stdout)
    assert (written["result"], written["pc"], written["new_epc"]) == ("verified", "29A9", "DC20D3455CF0D74CF8CE")
    assert epc_of(shelf.tags[0]).hex().upper() == "DC20D3455CF0D74CF8CE"


def test_write_with_several_tags_writes_none(tmp_path: Path) -> None:
    shelf = lying(OLD, "E20000000000000000000002")
    (done, chosen) = before(
        shelf,
        tmp_path,
        ["write", "desk", "--to-hex", NEW, "--yes"],
        ["write", "desk", "--to-hex", NEW, "--yes", "--epc", OLD],
    )
    assert done.returncode == 1
    assert "several_tags: 2 tags are here" in done.stderr
    assert chosen.returncode == 0, chosen.stderr
    assert [epc_of(tag).hex().upper() for tag in shelf.tags] == [NEW, "E20000000000000000000002"]


def test_write_to_a_locked_tag_fails_and_says_so(tmp_path: Path) -> None:
    shelf = Shelf(memory(bytes.fromhex(OLD), TID, locked={1}))
    (done,) = before(shelf, tmp_path, ["write", "desk", "--to-hex", NEW, "--yes"])
    assert done.returncode == 1
    assert done.stdout.startswith(f"failed: {OLD} -> {NEW}")


def test_reads_that_were_lost_by_the_work_are_told(tmp_path: Path) -> None:
    table = TABLE.replace("m100", "llrp")

    async def go() -> list[Done]:
        device = SimulatedReader(zebra_fx9600(), lying(OLD))
        async with DeviceServer(device.serve) as server:
            config = ("--config", str(site_file(tmp_path, more=table.format(server.port))))
            await asyncio.to_thread(tagwharf, "probe", "desk", "--for", "2s", *config)  # leaves it reading, as the edge
            await asyncio.sleep(1.0)
            return [await asyncio.to_thread(tagwharf, "tag", "read", "desk", *config) for _ in range(2)]

    first, second = asyncio.run(go())
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stderr.startswith("warning: desk: ")
    assert "reads that it had kept for the gateway were thrown away" in first.stderr
    assert second.stderr == ""


def test_a_reader_that_is_away(tmp_path: Path) -> None:
    config = site_file(tmp_path, more=TABLE.format(free_port()))
    done = tagwharf("tag", "read", "desk", "--config", config)
    assert done.returncode == 1
    assert done.stderr.startswith("desk: ")


def test_a_reader_that_cannot_work_on_tags(tmp_path: Path) -> None:
    table = '[[reader]]\nname = "desk"\ndriver = "weighbridge"\nport = "/dev/ttyUSB0"\n'
    done = tagwharf("tag", "read", "desk", "--config", site_file(tmp_path, more=table))
    assert done.returncode == 78
    assert "driver weighbridge cannot work on single tags; these can: " in done.stderr
