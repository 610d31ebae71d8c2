"""Sets a module to what the settings ask, and reads back what is in force."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Final

from readers.codecs.m100 import DBM_STEPS, DONE, Command
from readers.codecs.m100_access import Action, Query, Select, SelectMode
from readers.errors import DeviceRefusedError, FrameError
from readers.observations import InForce, Rejected
from readers.rfid.m100.conversation import Conversation, NoAnswerError, RefusedError
from readers.rfid.m100.settings import REGION_CODES, Region, SelectSettings

HOPPING_ON: Final = b"\xff"
HOPPING_OFF: Final = b"\x00"
TARGETS: Final = ("a", "b")
_BITS_PER_DIGIT: Final = 4


async def configure(talk: Conversation, *, needs_query: bool = False) -> Query | None:
    """Set region, channels, power, Query and Select; returns the Query in force, None when it is not known.

    Args:
        talk: with a module that was identified.
        needs_query: ask for the Query even where the settings say nothing of it.

    Raises:
        DeviceRefusedError: the module does not take the region, so that reading might break the law, or the Select,
            so that it would read tags that were not asked for.
        LinkError: it does not answer.
    """
    setup = _Setup(talk)
    await setup.region()
    await setup.channels()
    await setup.power()
    query = await setup.query(is_needed=needs_query)
    await select_for_inventory(talk, query)
    talk.report(InForce(setup.in_force))
    return query


def inventory_select(settings: SelectSettings, query: Query | None) -> Select:
    """The Select that brings the meant tags to the side that the Query asks for."""
    digits = settings.mask
    session, target = (query.session, query.target) if query is not None else (0, 0)
    return Select(
        bank=settings.bank.bank,
        pointer_bits=settings.pointer_bits,
        mask=bytes.fromhex(digits + "0" * (len(digits) % 2)),
        mask_bits=len(digits) * _BITS_PER_DIGIT,
        flag=session,
        action=Action.MATCHING_B if target else Action.MATCHING_A,
    )


async def select_for_inventory(talk: Conversation, query: Query | None) -> None:
    """Choose which tags are inventoried: those of the settings, or all whatever a former client has left.

    Raises:
        DeviceRefusedError: the module does not take the Select. LinkError: it does not answer.
    """
    wanted = talk.settings.select
    if wanted is None:
        with contextlib.suppress(RefusedError, NoAnswerError):  # then there is no Select that could hide tags
            await talk.ask(Command.SELECT_MODE, bytes([SelectMode.NEVER]), tries=1)
        return
    select = inventory_select(wanted, query)
    where = f"{talk.port.description}: settings.select.mask = {wanted.mask}"
    try:
        await talk.ask(Command.SET_SELECT, select.parameters())
        await talk.ask(Command.SELECT_MODE, bytes([SelectMode.ALWAYS]))
    except RefusedError as refusal:
        raise DeviceRefusedError(
            f"{where}: the module refuses it with error {refusal.code:02X}; a shorter mask may fit it"
        ) from refusal
    found = await _read_back(talk, Command.GET_SELECT, "select")
    if found not in (None, select.parameters()):
        raise DeviceRefusedError(
            f"{where}: Select {select.parameters().hex().upper()} was asked, the module keeps "
            f"{(found or b'').hex().upper()}; a shorter mask may fit it"
        )


async def set_query(talk: Conversation, query: Query) -> None:
    """Set the Query.

    Raises:
        RefusedError: the module does not take it. LinkError: it does not answer.
    """
    await talk.ask(Command.SET_QUERY, query.parameters())


async def _read_back(talk: Conversation, command: Command, key: str) -> bytes | None:
    """What is in force, or None where the module cannot say."""
    try:
        return (await talk.ask(command)).parameters
    except RefusedError as refusal:
        talk.begins("setting_unverified", f"command {command:02X} got error {refusal.code:02X}", key)
    except NoAnswerError:
        talk.begins("setting_unverified", f"command {command:02X} got no answer", key)
    return None


class _Setup:
    """The steps of `configure`, and what they found in force."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._settings = talk.settings
        self.in_force: dict[str, str] = {}

    async def region(self) -> None:
        """Set the region and read it back, or only read it."""
        wanted = self._settings.region
        if wanted is not None:
            found: bytes | None = await self._set_region(wanted)
        else:
            try:
                found = (await self._talk.ask(Command.GET_REGION, tries=1)).parameters
            except (RefusedError, NoAnswerError):
                return  # nobody has asked for one
        names = {bytes([code]): str(region) for region, code in REGION_CODES.items()}
        if found:
            self.in_force["region"] = names.get(found, found.hex().upper())

    async def _set_region(self, region: Region) -> bytes | None:
        code = REGION_CODES[region]
        where = f"{self._talk.port.description}: settings.region = {region}"
        try:
            answer = await self._talk.ask(Command.SET_REGION, bytes([code]))
        except RefusedError as refusal:
            raise DeviceRefusedError(
                f"{where}: the module refuses it with error {refusal.code:02X}; leave the key out to keep the module's "
                "own region"
            ) from refusal
        found = await _read_back(self._talk, Command.GET_REGION, "region")
        if answer.parameters != DONE or found not in (None, bytes([code])):
            kept = (found or answer.parameters).hex().upper()
            raise DeviceRefusedError(
                f"{where} (code {code:02X}) was asked, the module keeps code {kept}; choose the region that its "
                "antenna and licence are for"
            )
        return found

    async def channels(self) -> None:
        """Fix the channel, or say which to hop over. What is hopped over cannot be read back."""
        wanted = self._settings.channels
        if not wanted:
            return
        try:
            if len(wanted) > 1:
                await self._talk.ask(Command.HOP_CHANNELS, bytes([len(wanted), *wanted]))
                await self._talk.ask(Command.SET_HOPPING, HOPPING_ON)
                return
            await self._talk.ask(Command.SET_HOPPING, HOPPING_OFF)
            await self._talk.ask(Command.SET_CHANNEL, bytes(wanted))
        except RefusedError as refusal:
            self._differs("channels", f"{list(wanted)} asked, the module answered error {refusal.code:02X}")
            return
        found = await _read_back(self._talk, Command.GET_CHANNEL, "channels")
        if found is not None:
            self.in_force["channel"] = str(int.from_bytes(found, "big"))
            if found != bytes(wanted):
                self._differs("channels", f"{list(wanted)} asked, {list(found)} in force")

    async def power(self) -> None:
        """Set the power and read it back."""
        wanted = round(self._settings.tx_power_dbm * DBM_STEPS)
        try:
            await self._talk.ask(Command.SET_POWER, wanted.to_bytes(2, "big"))
        except RefusedError as refusal:
            detail = f"{wanted / DBM_STEPS:g} dBm asked, the module answered error {refusal.code:02X}"
            self._differs("tx_power_dbm", detail)
            return
        answer = await _read_back(self._talk, Command.GET_POWER, "tx_power_dbm")
        if answer is None:
            return
        found = int.from_bytes(answer, "big")
        self.in_force["tx_power_dbm"] = f"{found / DBM_STEPS:g}"
        if found != wanted:
            self._differs("tx_power_dbm", f"{wanted / DBM_STEPS:g} dBm asked, {found / DBM_STEPS:g} dBm in force")

    async def query(self, *, is_needed: bool) -> Query | None:
        """Set what the settings say of the Query and leave the rest of it; nothing is asked when nothing is needed."""
        settings = self._settings
        asked = {
            name: value
            for name, value in (
                ("session", settings.session),
                ("target", None if settings.target is None else TARGETS.index(settings.target)),
                ("q", settings.q),
                ("sel", None if settings.select is None else 0),
            )
            if value is not None
        }
        if not asked and not is_needed:
            return None
        before = await self._query_in_force()
        base = before or Query()
        wanted = replace(
            base,
            session=asked.get("session", base.session),
            target=asked.get("target", base.target),
            q=asked.get("q", base.q),
            sel=asked.get("sel", base.sel),
        )
        if wanted == before:
            found: Query | None = before
        else:
            try:
                await set_query(self._talk, wanted)
            except RefusedError as refusal:
                self._differs("query", f"{asked} asked, the module answered error {refusal.code:02X}")
                return before
            found = await self._query_in_force()
        for name, value in asked.items():
            if found is not None and getattr(found, name) != value:
                self._differs(name, f"{_shown(name, value)} asked, {_shown(name, getattr(found, name))} in force")
        if found is not None:
            self.in_force |= {name: _shown(name, getattr(found, name)) for name in ("session", "target", "q")}
        return found

    async def _query_in_force(self) -> Query | None:
        answer = await _read_back(self._talk, Command.GET_QUERY, "query")
        try:
            return None if answer is None else Query.parse(answer)
        except FrameError as error:
            self._talk.report(Rejected("query", sample=error.frame))
            return None

    def _differs(self, key: str, detail: str) -> None:
        self._talk.begins("setting_differs", detail, key)


def _shown(name: str, value: int) -> str:
    return TARGETS[value] if name == "target" else str(value)
