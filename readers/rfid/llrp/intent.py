"""From what the user wants to what the reader is told: a ROSpec, made of the settings and the reader's capabilities.

`plan` chooses; `rospec` writes it down for the encoder; `differences` compares it with what the reader read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from readers.errors import DeviceRefusedError
from readers.rfid.llrp.answers import AntennaSetting, Capabilities, RfMode, Rospec
from readers.rfid.llrp.framing import VERSION_1_1
from readers.rfid.llrp.settings import LlrpSettings, Profile
from readers.rfid.llrp.vendors import Extensions, extensions

ROSPEC_ID: Final = 1
_ALL_ANTENNAS: Final = 0
_GEN2: Final = 1
_MS_PER_S: Final = 1000
_DENSE_READER: Final = 3
BY_COUNT: Final = "Upon_N_Tags_Or_End_Of_AISpec"
BY_TIME: Final = "Upon_N_Milliseconds"  # LLRP 1.1: "... or end of AISpec"
COMPARED: Final = (
    "antennas",
    "tx_power_dbm",
    "session",
    "tag_population",
    "mode_identifier",
    "channel_index",
    "report_within_s",
    "report_every_n",
)
_SAME_DBM: Final = 0.005  # tables are in hundredths of a dBm


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
class Plan:
    """What the reader will be told.

    Attributes:
        antenna_ports: (0,) for all that the reader has.
        any_channel: whether the reader may choose among the fixed channels of its region.
        power_dbm: the step of the table with that index.
        poll_s: how often to ask for what the reader has collected; None where it reports by time itself.
    """

    antenna_ports: tuple[int, ...]
    power_index: int
    power_dbm: float
    hop_table_id: int
    channel_index: int
    any_channel: bool
    mode_identifier: int | None
    session: int
    tag_population: int
    report_trigger: str
    report_n: int
    report_within_s: float
    poll_s: float | None
    extensions: Extensions


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not as asked."""

    setting: str
    asked: str
    actual: str

    def __str__(self) -> str:
        return f"{self.setting}: asked {self.asked}, the reader has {self.actual}"


def batching_s(settings: LlrpSettings) -> float:
    """How long the reader may collect reads before it reports them."""
    if settings.report_within_s is not None:
        return settings.report_within_s
    return _DEFAULTS[settings.profile].report_within_s


def plan(settings: LlrpSettings, can: Capabilities, version: int) -> Plan:
    """Choose what to tell the reader.

    Raises:
        DeviceRefusedError: the reader cannot do what a setting asks; the message lists what it can.
    """
    defaults = _DEFAULTS[settings.profile]
    beyond = sorted(port for port in settings.antennas or () if port > can.antenna_count)
    if beyond:
        raise DeviceRefusedError(
            f"antennas = {beyond}: the reader has {can.antenna_count} antenna ports; name ports of 1 to "
            f"{can.antenna_count}"
        )
    power_index, power_dbm = _power(settings.tx_power_dbm, defaults.tx_power_dbm, can.power_dbm)
    hop_table_id, channel_index = _frequency(settings.channel_index, can)
    within_s = batching_s(settings)
    by_time = Plan(
        antenna_ports=settings.antennas or (_ALL_ANTENNAS,),
        power_index=power_index,
        power_dbm=power_dbm,
        hop_table_id=hop_table_id,
        channel_index=channel_index,
        any_channel=not can.hopping and settings.channel_index is None,
        mode_identifier=_mode(settings.mode_identifier, defaults, can),
        session=defaults.session if settings.session is None else settings.session,
        tag_population=settings.tag_population or defaults.tag_population,
        report_trigger=BY_TIME,
        report_n=round(within_s * _MS_PER_S),
        report_within_s=within_s,
        poll_s=None,
        extensions=extensions(can.manufacturer),
    )
    if version >= VERSION_1_1 and settings.report_every_n is None:
        return by_time
    return by_count(by_time, settings)


def by_count(what: Plan, settings: LlrpSettings) -> Plan:
    """The same plan for a reader that cannot report by time: it reports by number, and is asked for the rest."""
    every_n = settings.report_every_n or _DEFAULTS[settings.profile].report_every_n
    poll_s = None if every_n == 1 else what.report_within_s
    return replace(what, report_trigger=BY_COUNT, report_n=every_n, poll_s=poll_s)


def _power(asked_dbm: float | None, default_dbm: float, table: Mapping[int, float]) -> tuple[int, float]:
    if not table:
        raise DeviceRefusedError("the reader lists no transmit power levels, so none can be chosen; check its region")
    lowest, highest = min(table.values()), max(table.values())
    if asked_dbm is None:
        asked_dbm = max(lowest, min(default_dbm, highest))
    if not lowest - _SAME_DBM <= asked_dbm <= highest + _SAME_DBM:
        raise DeviceRefusedError(
            f"tx_power_dbm = {asked_dbm:g}: the reader in its region allows {lowest:g} to {highest:g}; "
            "set a value in that range or leave it out"
        )
    index = max((i for i, dbm in table.items() if dbm <= asked_dbm + _SAME_DBM), key=lambda i: table[i])
    return index, table[index]


def _frequency(channel_index: int | None, can: Capabilities) -> tuple[int, int]:
    """Hop table and channel: in a hopping region the reader's first table, else a fixed channel."""
    if can.hopping:
        if channel_index is not None:
            raise DeviceRefusedError(
                f"channel_index = {channel_index}: the reader's region hops by tables {list(can.hop_table_ids)}, "
                "no channel can be chosen; leave it out"
            )
        return (can.hop_table_ids[0] if can.hop_table_ids else 1), 1
    channels = len(can.fixed_channels_khz)
    if channel_index is not None and channel_index > channels:
        raise DeviceRefusedError(
            f"channel_index = {channel_index}: the reader's region has {channels} channels "
            f"({', '.join(f'{khz / _MS_PER_S:g} MHz' for khz in can.fixed_channels_khz)}); name 1 to {channels}"
        )
    return 0, channel_index or 1


def _mode(asked: int | None, defaults: _Defaults, can: Capabilities) -> int | None:
    """The radio mode; None leaves it to a reader that lists none."""
    if asked is not None:
        if asked not in {mode.identifier for mode in can.modes}:
            known = ", ".join(str(mode.identifier) for mode in can.modes) or "none"
            raise DeviceRefusedError(f"mode_identifier = {asked}: the reader's modes are {known}")
        return asked
    maker = extensions(can.manufacturer)
    modes = [mode for mode in can.modes if mode.identifier <= maker.largest_mode]
    if not modes:
        return None

    def wanted(mode: RfMode) -> tuple[int, bool, int]:
        rate_bps = mode.rate_bps // mode.miller if maker.rate_is_blf else mode.rate_bps
        is_dense = mode.spectral_mask == _DENSE_READER
        return -defaults.millers.index(mode.miller), is_dense == defaults.dense, rate_bps

    return max(modes, key=wanted).identifier


def rospec(what: Plan) -> dict[str, Any]:
    """The plan in sllurp's terms.

    It starts at once and stops never, and its AISpec too: a stop trigger "after N tags" would switch the radio off and
    on at each report, and some readers do not know it. Batching is the ROReportSpec's business alone.
    """
    command: dict[str, Any] = {
        "TagInventoryStateAware": False,
        "C1G2SingulationControl": {
            "Session": what.session,
            "TagPopulation": what.tag_population,
            "TagTransitTime": 0,
        },
        **(what.extensions.inventory or {}),
    }
    if what.mode_identifier is not None:
        # The standard says "index", yet readers of every make want the mode's identifier. Tari 0: the reader chooses.
        command["C1G2RFControl"] = {"ModeIndex": what.mode_identifier, "Tari": 0}
    if what.any_channel:
        command.update(what.extensions.inventory_fixed or {})
    return {
        "ROSpecID": ROSPEC_ID,
        "Priority": 0,
        "CurrentState": "Disabled",
        "ROBoundarySpec": {
            "ROSpecStartTrigger": {"ROSpecStartTriggerType": "Immediate"},
            "ROSpecStopTrigger": {"ROSpecStopTriggerType": "Null", "DurationTriggerValue": 0},
        },
        "AISpec": [
            {
                "AntennaID": what.antenna_ports,
                "AISpecStopTrigger": {"AISpecStopTriggerType": "Null", "DurationTriggerValue": 0},
                "InventoryParameterSpec": [
                    {
                        "InventoryParameterSpecID": 1,
                        "ProtocolID": _GEN2,
                        "AntennaConfiguration": [
                            {
                                "AntennaID": port,
                                "RFTransmitter": {
                                    "HopTableId": what.hop_table_id,
                                    "ChannelIndex": what.channel_index,
                                    "TransmitPower": what.power_index,
                                },
                                "C1G2InventoryCommand": [command],
                            }
                            for port in what.antenna_ports
                        ],
                    }
                ],
            }
        ],
        "ROReportSpec": {
            "ROReportTrigger": what.report_trigger,
            "N": what.report_n,
            "TagReportContentSelector": {
                "EnableAntennaID": True,
                "EnableChannelIndex": True,
                "EnablePeakRSSI": True,
                "EnableFirstSeenTimestamp": True,
                "EnableLastSeenTimestamp": True,
                "EnableTagSeenCount": True,
                "C1G2EPCMemorySelector": {"EnablePCBits": True},
            },
            **(what.extensions.report or {}),
        },
    }


def differences(what: Plan, actual: Rospec, can: Capabilities) -> list[Difference]:
    """Where the ROSpec that the reader holds is not the one that it was given, by the names of the settings."""
    found: dict[str, Difference] = {}

    def compare(setting: str, asked: object, has: object) -> None:
        if asked != has and setting not in found:
            found[setting] = Difference(setting, str(asked), "nothing stated" if has is None else str(has))

    if what.antenna_ports != (_ALL_ANTENNAS,) or any(port > can.antenna_count for port in actual.antenna_ports):
        compare("antennas", sorted(what.antenna_ports), sorted(actual.antenna_ports))
    nothing = AntennaSetting(_ALL_ANTENNAS, None, None, None, None, None, None)
    for antenna in actual.antennas or (nothing,):
        power_dbm = None if antenna.power_index is None else can.power_dbm.get(antenna.power_index)
        compare("tx_power_dbm", what.power_dbm, power_dbm)
        compare("session", what.session, antenna.session)
        compare("tag_population", what.tag_population, antenna.tag_population)
        if what.mode_identifier is not None:
            compare("mode_identifier", what.mode_identifier, antenna.mode_identifier)
        if not can.hopping and not what.any_channel:
            compare("channel_index", what.channel_index, antenna.channel_index)
    batching = "report_within_s" if what.report_trigger == BY_TIME else "report_every_n"
    compare(batching, f"{what.report_trigger} {what.report_n}", f"{actual.report_trigger} {actual.report_n}")
    return list(found.values())
