"""Finds devices, the least harmful way first, and opens a connection or a line only where somebody agreed to it.

Tables of this machine, multicast DNS, half-open looks; then, with consent, LLRP greetings and drivers on serial lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import Final

from gateway.commissioning.probe import probe
from gateway.config.models import Reader
from gateway.init.adapters import Adapter, adapters
from gateway.init.answers import SearchAnswers
from gateway.init.devices import LLRP, Devices, searched_ports, works_alone
from gateway.init.half_open import PER_SECOND, OpenPort, open_ports
from gateway.init.llrp_greeting import Answer, greet
from gateway.init.mdns import who_offers_llrp
from gateway.init.networks import hosts_of, local_networks, neighbours, searchable
from gateway.init.steps import Root
from readers import registry
from readers.driver import Kind
from readers.errors import LinkError

TRY_S: Final = 3.0
MOST_GREETED: Final = 64


async def find(root: Root, search: SearchAnswers, say: Callable[[str], None]) -> Devices:
    """Look for everything that may be looked for; what cannot be is said, and left out."""
    found = Devices(adapters(root.directory), neighbours=neighbours(root.directory))
    if search.mdns and local_networks(root.directory):
        found.called = await asyncio.to_thread(who_offers_llrp)
    addresses = _addresses(search, found)
    if addresses:
        ports = searched_ports()
        lasts_s = len(addresses) * len(ports) / PER_SECOND
        say(f"Looking at ports {', '.join(map(str, ports))} of {len(addresses)} addresses, {lasts_s:.0f} s ...")
        try:
            found.ports = await asyncio.to_thread(open_ports, addresses, ports)
        except LinkError as error:
            say(f"  {error}; nothing was searched")
    llrp = registry.driver(LLRP)
    announced = [OpenPort(address, llrp.tcp_port or 0) for address in found.called]
    found.ports = sorted({*found.ports, *announced})
    if search.greet_readers:
        for each in [each for each in found.ports if each.port == llrp.tcp_port][:MOST_GREETED]:
            found.greetings[each] = await greet(str(each.address), each.port)
    return found


async def recognise(adapter: Adapter, try_s: float = TRY_S) -> str | None:
    """The driver of an RFID reader that answers on this line; each is tried for so long. None: nobody answers."""
    for spec in registry.drivers().values():
        if spec.line is None or spec.kind is not Kind.RFID or not works_alone(spec):
            continue
        reader = Reader(name="tried", driver=spec.name, port=str(adapter.device.resolve()))
        if (await probe(reader, try_s)).fine:
            return spec.name
    return None


def told(devices: Devices) -> list[str]:
    """What was found, for people."""
    lines = [f"  serial adapter {each.path}: {each.told()}" for each in devices.adapters]
    for each in devices.ports:
        greeting = devices.greetings.get(each)
        drivers = [spec.name for spec in registry.drivers().values() if each.port in (spec.tcp_port, spec.tls_port)]
        called = devices.called.get(each.address)
        more = f", {called}" if called else ""
        state = f", {greeting.answer.value}" if greeting is not None else ""
        lines.append(f"  {each.address}:{each.port}: {' or '.join(drivers)}{more}{state}")
    lines += [
        f"  {each.address}: a machine of {each.maker} ({each.mac}), not searched"
        for each in devices.neighbours
        if each.maker and all(each.address != port.address for port in devices.ports)
    ]
    return lines or ["  nothing"]


def busy(devices: Devices) -> list[str]:
    """Addresses of readers that another client has."""
    return [str(port.address) for port, greeting in devices.greetings.items() if greeting.answer is Answer.BUSY]


def _addresses(search: SearchAnswers, found: Devices) -> Sequence[IPv4Address]:
    """All addresses of the networks, those that this machine has met before the others."""
    wanted = dict.fromkeys(address for text in search.networks for address in hosts_of(searchable(text)))
    met = [each.address for each in found.neighbours if each.address in wanted]
    return list(dict.fromkeys([*met, *wanted]))
