"""Runs in the peers' venv: works on the reader at WHERE with somebody else's clients and prints what they say, as JSON.

client.py inventory_288|inventory_18|info /dev/pts/N|PORT [ANTENNA]     with chafon-rfid
client.py settings|listen PORT                                          with uhfreader18
"""

from __future__ import annotations

import json
import socket
import sys
import time
from typing import Any

import uhfreader18  # type: ignore[import-not-found]  # only in the peers' own venv
from chafon_rfid import base  # type: ignore[import-not-found]  # likewise
from chafon_rfid.command import CF_GET_READER_INFO, G2_TAG_INVENTORY  # type: ignore[import-not-found]  # likewise
from chafon_rfid.response import G2_TAG_INVENTORY_STATUS_MORE_FRAMES  # type: ignore[import-not-found]  # likewise
from chafon_rfid.transport import TcpTransport  # type: ignore[import-not-found]  # likewise
from chafon_rfid.transport_serial import SerialTransport  # type: ignore[import-not-found]  # likewise
from chafon_rfid.uhfreader18 import G2InventoryResponseFrame as Frame18  # type: ignore[import-not-found]  # likewise
from chafon_rfid.uhfreader288m import G2InventoryCommand  # type: ignore[import-not-found]  # likewise
from chafon_rfid.uhfreader288m import G2InventoryResponseFrame as Frame288

LISTEN_S = 2.0


def transport(where: str) -> Any:
    made = SerialTransport(where) if where.startswith("/") else TcpTransport("127.0.0.1", int(where))
    made.connect()
    return made


def inventory(where: str, frame: Any, command: Any) -> dict[str, Any]:
    link = transport(where)
    link.write(command.serialize())
    tags, statuses = [], [G2_TAG_INVENTORY_STATUS_MORE_FRAMES]
    while statuses[-1] == G2_TAG_INVENTORY_STATUS_MORE_FRAMES:
        response = frame(link.read_frame())
        statuses.append(response.result_status)
        tags += [[tag.epc.hex().upper(), tag.antenna_num, tag.rssi] for tag in response.get_tag()]
    return {"tags": tags, "statuses": statuses[1:]}


def info(where: str) -> dict[str, Any]:
    found = base.ReaderInfoFrame(base.CommandRunner(transport(where)).run(base.ReaderCommand(CF_GET_READER_INFO)))
    return {
        "type": found.type.name,
        "version": list(found.firmware_version),
        "band": found.frequency_band.name,
        "mhz": [found.get_min_frequency(), found.get_max_frequency()],
        "power": found.power,
        "scan_time": found.scan_time,
    }


def settings(where: str) -> dict[str, Any]:
    with uhfreader18.RfidClient("127.0.0.1", int(where)) as reader:
        _, address = reader.discover_address()
        reader.set_power(address, 21)
        reader.set_region(address, uhfreader18.FreqBand.CHINESE_2, 19, 0)
        reader.set_scan_time(address, 7)
        before = reader.get_work_mode(address)
        reader.set_work_mode(
            address,
            uhfreader18.WorkMode.TRIGGER_LOW,
            uhfreader18.ModeState.RS_OUTPUT,
            uhfreader18.MemInven.INVENTORY_MULTIPLE,
            2,
            6,
            3,
        )
        after = reader.get_work_mode(address)
        reader.set_address(address, 9)
        now = reader.get_reader_info(9)
        try:
            reader.set_power(9, 30)
            refused = ""
        except RuntimeError as error:
            refused = str(error)
        return {
            "address": [address, now.address],
            "model": str(now.reader_model),
            "version": now.version,
            "band": str(now.band),
            "points": [now.min_index, now.max_index],
            "power": now.power,
            "scan_time": now.scan_time,
            "modes": [str(before.work_mode), str(after.work_mode)],
            "kept": [after.first_adr, after.word_num, after.tag_time, before.eas_accuracy == after.eas_accuracy],
            "refused": refused,
        }


def listen(where: str) -> dict[str, Any]:
    stream, frames, errors = uhfreader18.StreamBuffer(), [], []
    until = time.monotonic() + LISTEN_S
    with socket.create_connection(("127.0.0.1", int(where))) as link:
        while (left := until - time.monotonic()) > 0:
            link.settimeout(left)
            try:
                parsed = stream.feed(link.recv(7))  # in small pieces
            except TimeoutError:
                break
            frames += [[frame.command_name, frame.status, frame.data.hex().upper()] for frame in parsed.frames]
            errors += parsed.errors
    return {"frames": frames, "errors": errors}


if __name__ == "__main__":
    what, place, *rest = sys.argv[1:]
    if what == "inventory_288":
        told = inventory(place, Frame288, G2InventoryCommand(q_value=4, antenna=0x7F + int(rest[0]), scan_time=5))
    elif what == "inventory_18":
        told = inventory(place, Frame18, base.ReaderCommand(G2_TAG_INVENTORY))
    else:
        told = {"info": info, "settings": settings, "listen": listen}[what](place)
    print(json.dumps(told))  # noqa: T201 - the answer
