"""From what the user wants to what the reader will be told, by what the reader says that it can do.

`plan` chooses; `rospecs.py` writes the plan down as a ROSpec and compares it with what the reader reads back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from readers.errors import DeviceRefusedError
from readers.rfid.llrp import access, gpio, vendors
from readers.rfid.llrp.answers import Capabilities, RfMode
from readers.rfid.llrp.framing import VERSION_1_1
from readers.rfid.llrp.settings import TAG_FOCUS_SESSION, LlrpSettings, Profile, SearchMode, TagFilter, Trigger

ALL_ANTENNAS: Final = 0
BY_COUNT: Final = 1  # ROReportTrigger: upon N tags or the end of the AISpec
BY_TIME: Final = 5  # of LLRP 1.1: upon N milliseconds or the end of the AISpec
_MS_PER_S: Final = 1000
_DENSE_READER: Final = 3
_SAME_DB: Final = 0.005  # tables are in hundredths of a dBm


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What a profile means; `millers` are the tag encodings from the most to the least wanted."""

    session: int
    tag_population: int
    tx_power_dbm: float
    report_within_s: float
    report_every_n: int
    millers: tuple[int, ...]
    dense: bool


_DEFAULTS: Final[dict[Profile, _Defaults]] = {
    # Miller 4 hears a tag on a moving container through reflections; FM0 is twice as fast at a third of the margin.
    Profile.GATE: _Defaults(1, 32, 30.0, 0.1, 50, (4, 2, 8, 1), dense=True),
    Profile.LANE: _Defaults(0, 8, 30.0, 0.1, 50, (4, 2, 8, 1), dense=True),
    Profile.YARD: _Defaults(2, 512, 33.0, 1.0, 200, (8, 4, 2, 1), dense=True),
    Profile.STATION: _Defaults(0, 8, 20.0, 0.1, 50, (2, 4, 1, 8), dense=False),
    Profile.SHELF: _Defaults(2, 256, 24.0, 2.0, 200, (4, 8, 2, 1), dense=False),
}


@dataclass(frozen=True, slots=True)
class AntennaPlan:
    """How one antenna port is set, or all of them with port 0.

    Attributes:
        power_dbm: the step of the reader's table with that index; attenuation_db likewise.
        sensitivity_index: None leaves the reader's own.
    """

    port: int
    power_index: int
    power_dbm: float
    sensitivity_index: int | None
    attenuation_db: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What the reader will be told.

    Attributes:
        antenna_ports: (0,) for all that the reader has.
        any_channel: whether the reader may choose among the fixed channels of its region.
        poll_s: how often to ask for what the reader has collected; None where it reports by time itself.
        inventory, report: the maker's own parameters for C1G2InventoryCommand and ROReportSpec, encoded.
        reads: what is read of each tag along with its EPC, by an AccessSpec.
    """

    antenna_ports: tuple[int, ...]
    antennas: tuple[AntennaPlan, ...]
    hop_table_id: int
    channel_index: int
    any_channel: bool
    mode_identifier: int | None
    session: int
    tag_population: int
    report_trigger: int
    report_n: int
    report_within_s: float
    poll_s: float | None
    filters: tuple[TagFilter, ...]
    trigger: Trigger | None
    inventory: bytes
    report: bytes
    reads: access.Reads | None


def batching_s(settings: LlrpSettings) -> float:
    """How long the reader may collect reads before it reports them."""
    if settings.report_within_s is not None:
        return settings.report_within_s
    return _DEFAULTS[settings.profile].report_within_s


def plan(settings: LlrpSettings, can: Capabilities, version: int, password: int = 0) -> Plan:
    """Choose what to tell the reader. `password` is the tags' access password, for reads along with the inventory.

    Raises:
        DeviceRefusedError: the reader cannot do what a setting asks; the message lists what it can.
    """
    defaults = _DEFAULTS[settings.profile]
    gpio.check(settings, can)
    hop_table_id, channel_index = _frequency(settings, can)
    any_channel = not can.hopping and settings.channel_index is None and settings.channels is None
    maker = vendors.extensions(can.manufacturer)
    within_s = batching_s(settings)
    by_time = Plan(
        antenna_ports=settings.antennas or (ALL_ANTENNAS,),
        antennas=_antennas(settings, defaults, can),
        hop_table_id=hop_table_id,
        channel_index=channel_index,
        any_channel=any_channel,
        mode_identifier=_mode(settings.mode_identifier, defaults, can),
        session=_session(settings, defaults),
        tag_population=settings.tag_population or defaults.tag_population,
        report_trigger=BY_TIME,
        report_n=round(within_s * _MS_PER_S),
        report_within_s=within_s,
        poll_s=None,
        filters=_filters(settings, can),
        trigger=settings.trigger,
        inventory=vendors.inventory(settings, maker, any_channel=any_channel),
        report=vendors.report(settings, maker, can_phase=can.can_report_phase),
        reads=access.reads(settings, can, password, fast_id=vendors.uses_fast_id(settings, maker)),
    )
    if version >= VERSION_1_1 and settings.report_every_n is None:
        return by_time
    return by_count(by_time, settings)


def by_count(what: Plan, settings: LlrpSettings) -> Plan:
    """The same plan for a reader that cannot report by time: it reports by number, and is asked for the rest."""
    every_n = settings.report_every_n or _DEFAULTS[settings.profile].report_every_n
    poll_s = None if every_n == 1 else what.report_within_s
    return replace(what, report_trigger=BY_COUNT, report_n=every_n, poll_s=poll_s)


def _antennas(settings: LlrpSettings, defaults: _Defaults, can: Capabilities) -> tuple[AntennaPlan, ...]:
    """One for all ports, unless some of them differ; then one for each."""
    named = {*(settings.antennas or ()), *settings.antenna_tx_power_dbm, *settings.antenna_rx_attenuation_db}
    if beyond := sorted(port for port in named if port > can.antenna_count):
        raise DeviceRefusedError(
            f"antennas = {beyond}: the reader has {can.antenna_count} antenna ports; name ports of 1 to "
            f"{can.antenna_count}"
        )
    differing = settings.antenna_tx_power_dbm or settings.antenna_rx_attenuation_db
    every = tuple(range(1, can.antenna_count + 1)) if differing else (ALL_ANTENNAS,)
    return tuple(_antenna(port, settings, defaults, can) for port in settings.antennas or every)


def _antenna(port: int, settings: LlrpSettings, defaults: _Defaults, can: Capabilities) -> AntennaPlan:
    power_dbm = settings.antenna_tx_power_dbm.get(port)
    setting = "tx_power_dbm" if power_dbm is None else f"antenna_tx_power_dbm[{port}]"
    asked_dbm = settings.tx_power_dbm if power_dbm is None else power_dbm
    attenuation_db = settings.antenna_rx_attenuation_db.get(port, settings.rx_attenuation_db)
    return AntennaPlan(
        port,
        *_power(setting, asked_dbm, defaults.tx_power_dbm, can.power_dbm),
        *_sensitivity(attenuation_db, can.attenuation_db),
    )


def _power(setting: str, asked_dbm: float | None, default_dbm: float, table: Mapping[int, float]) -> tuple[int, float]:
    if not table:
        raise DeviceRefusedError("the reader lists no transmit power levels, so none can be chosen; check its region")
    lowest, highest = min(table.values()), max(table.values())
    if asked_dbm is None:
        asked_dbm = max(lowest, min(default_dbm, highest))
    if not lowest - _SAME_DB <= asked_dbm <= highest + _SAME_DB:
        raise DeviceRefusedError(
            f"{setting} = {asked_dbm:g}: the reader in its region allows {lowest:g} to {highest:g}; "
            "set a value in that range or leave it out"
        )
    index = max((i for i, dbm in table.items() if dbm <= asked_dbm + _SAME_DB), key=lambda i: table[i])
    return index, table[index]


def _sensitivity(asked_db: float | None, table: Mapping[int, float]) -> tuple[int | None, float | None]:
    """The index of the reader's table, and its value: how much less sensitive than the best."""
    if asked_db is None:
        return None, None
    steps = {index: db for index, db in table.items() if db <= asked_db + _SAME_DB}
    highest = max(table.values(), default=0.0)
    if not steps or asked_db > highest + _SAME_DB:
        raise DeviceRefusedError(
            f"rx_attenuation_db = {asked_db:g}: the reader can be made less sensitive by 0 to {highest:g}; "
            "set a value in that range or leave it out"
        )
    index = max(steps, key=lambda i: steps[i])
    return index, steps[index]


def _session(settings: LlrpSettings, defaults: _Defaults) -> int:
    if settings.session is not None:
        return settings.session
    return TAG_FOCUS_SESSION if settings.search_mode is SearchMode.TAG_FOCUS else defaults.session


def _filters(settings: LlrpSettings, can: Capabilities) -> tuple[TagFilter, ...]:
    if len(settings.filter) > can.max_filters:
        raise DeviceRefusedError(
            f"filter: {len(settings.filter)} of them, the reader takes {can.max_filters}; leave some out, and let the "
            "rules tell the tags apart"
        )
    return settings.filter


def _frequency(settings: LlrpSettings, can: Capabilities) -> tuple[int, int]:
    """Hop table and channel: in a hopping region the reader's first table, else a fixed channel."""
    named = settings.channels or (() if settings.channel_index is None else (settings.channel_index,))
    setting = "channels" if settings.channels else "channel_index"
    shown = list(named) if settings.channels else settings.channel_index
    if can.hopping:
        if named:
            raise DeviceRefusedError(
                f"{setting} = {shown}: the reader's region hops by tables {list(can.hop_table_ids)}, "
                "no channel can be chosen; leave it out"
            )
        return (can.hop_table_ids[0] if can.hop_table_ids else 1), 1
    channels = len(can.fixed_channels_khz)
    if max(named, default=0) > channels:
        raise DeviceRefusedError(
            f"{setting} = {shown}: the reader's region has {channels} channels "
            f"({', '.join(f'{khz / _MS_PER_S:g} MHz' for khz in can.fixed_channels_khz)}); name 1 to {channels}"
        )
    return 0, named[0] if named else 1


def _mode(asked: int | None, defaults: _Defaults, can: Capabilities) -> int | None:
    """The radio mode; None leaves it to a reader that lists none."""
    if asked is not None:
        if asked not in {mode.identifier for mode in can.modes}:
            known = ", ".join(str(mode.identifier) for mode in can.modes) or "none"
            raise DeviceRefusedError(f"mode_identifier = {asked}: the reader's modes are {known}")
        return asked
    maker = vendors.extensions(can.manufacturer)
    modes = [mode for mode in can.modes if mode.identifier <= maker.largest_mode]
    if not modes:
        return None

    def wanted(mode: RfMode) -> tuple[int, bool, int]:
        rate_bps = mode.rate_bps // mode.miller if maker.rate_is_blf else mode.rate_bps
        is_dense = mode.spectral_mask == _DENSE_READER
        return -defaults.millers.index(mode.miller), is_dense == defaults.dense, rate_bps

    return max(modes, key=wanted).identifier
