"""Who a simulated reader is: its capabilities, tables and habits. Data, as real readers state it.

Sources: `GET_READER_CAPABILITIES_RESPONSE` and `GET_READER_CONFIG_RESPONSE` that the EdgeX project recorded from an
Impinj Speedway R420, firmware 5.14.0 (model number, power, sensitivity, hop and mode tables, limits, default events and
report); Zebra's FX Series integrator guide, page 143 (66,000 messages kept, oldest dropped); Impinj support article
360010785700 (a link stays open without acknowledgements until LinkMonitorMode is on); support article 1500003045181
(modes of the R700); the project LLRPClient, which met an FX9600 of firmware 3.32.37.0 (manufacturer and model number,
extensions); ETSI EN 302 208 for the four upper channels; MIIT rule 205/2007 for the Chinese band.
What no source gives is marked `assumed` and is only plausible.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import product
from typing import Final

from simulator.llrp.codec import VERSION_1_0_1, VERSION_1_1
from simulator.llrp.shapes import IMPINJ, MOTOROLA

NO_VENDOR: Final = 0


@dataclass(frozen=True, slots=True)
class Region:
    """A radio regulation: how frequencies are chosen. Frequencies in kHz, in the order of the table.

    Attributes:
        standard: CommunicationsStandard of LLRP; 0 where the list of 1.0.1 has no entry.
        hopping: whether FrequencyHopTable 1 holds the frequencies, or the FixedFrequencyTable.
    """

    country_code: int
    standard: int
    hopping: bool
    frequencies_khz: tuple[int, ...]


# The order is the reader's pseudo-random hop sequence; any permutation of the 50 channels is one.
FCC: Final = Region(840, 1, hopping=True, frequencies_khz=tuple(902_750 + 500 * (i * 13 % 50) for i in range(50)))
ETSI: Final = Region(276, 2, hopping=False, frequencies_khz=(865_700, 866_300, 866_900, 867_500))
CHINA: Final = Region(156, 0, hopping=True, frequencies_khz=tuple(920_625 + 250 * (i * 7 % 16) for i in range(16)))


@dataclass(frozen=True, slots=True)
class RfMode:
    """One entry of the C1G2UHFRFModeTable; numbers as LLRP counts them: M 0-3, modulation 0-2, mask 0-3, Tari in ns."""

    identifier: int
    m_value: int
    modulation: int
    mask: int
    backscatter_hz: int
    pie_thousandths: int
    tari_ns: int
    divide_ratio: int = 1


class Overflow(Enum):
    """Which reports a full buffer gives up."""

    OLDEST = "oldest"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything in which one reader model differs from another.

    Attributes:
        tx_power_centi_dbm: the TransmitPowerLevelTable; its index counts from 1.
        sensitivity_db: the ReceiveSensitivityTable, relative to the best; its index counts from 1.
        buffer_messages: how many reports wait while nobody takes them; overflow says what goes first.
        warn_percent: at which fill a ReportBufferLevelWarningEvent comes.
        keeps_reports_unheld: whether reports are kept for a client that is gone even when holding is off.
        missed_acks: unanswered KEEPALIVEs after which the reader gives up the client; None: never by itself.
        tells_first_client: whether the connected client hears that another one tried.
        keepalive_id: the message id of every KEEPALIVE; None for the running number.
        default_events: the EventType numbers that are on after a reset.
        default_report: ROReportTrigger and N after a reset.
        default_content: the enabled flags of TagReportContentSelector after a reset.
    """

    name: str
    manufacturer: int
    model: int
    firmware: str
    versions: tuple[int, ...]
    region: Region
    antennas: int
    tx_power_centi_dbm: tuple[int, ...]
    sensitivity_db: tuple[int, ...]
    modes: tuple[RfMode, ...]
    gpis: int
    gpos: int
    max_rospecs: int
    max_specs_per_rospec: int
    max_filters: int
    has_utc_clock: bool
    can_hold: bool
    can_warn: bool
    stops_on_tags: bool
    buffer_messages: int
    overflow: Overflow
    warn_percent: int
    keeps_reports_unheld: bool
    missed_acks: int | None
    tells_first_client: bool
    keepalive_id: int | None
    dwell_us: int
    default_events: frozenset[int]
    default_report: tuple[int, int]
    default_content: tuple[str, ...]
    max_accessspecs: int
    max_opspecs: int
    can_block_write: bool
    reader_id: bytes = bytes.fromhex("001625FFFF112233")
    max_priority_levels: int = 1

    @property
    def is_impinj(self) -> bool:
        """Whether the Impinj extensions exist."""
        return self.manufacturer == IMPINJ

    @property
    def is_motorola(self) -> bool:
        """Whether the extensions of Zebra's FX readers exist."""
        return self.manufacturer == MOTOROLA


_MS: Final = 1_000
_IMPINJ_MODES: Final = (
    RfMode(0, 0, 2, 2, 640_000, 1_500, 6_250),
    RfMode(1, 1, 2, 2, 640_000, 1_500, 6_250),
    RfMode(2, 2, 0, 3, 274_000, 2_000, 20_000),
    RfMode(3, 3, 0, 3, 170_600, 2_000, 20_000),
    RfMode(4, 2, 0, 2, 640_000, 1_500, 7_140),
    RfMode(1000, 0, 0, 0, 40_000, 1_500, 6_250, 0),
    RfMode(1002, 0, 0, 0, 40_000, 1_500, 6_250, 0),
    RfMode(1003, 0, 0, 0, 40_000, 1_500, 6_250, 0),
    RfMode(1004, 0, 0, 0, 40_000, 1_500, 6_250, 0),
    RfMode(1005, 0, 0, 0, 40_000, 1_500, 6_250, 0),
)
_IMPINJ_SENSITIVITY: Final = (0, *range(10, 51))
_READER_EXCEPTION, _ANTENNA_EVENT = 4, 8


def impinj_r420(region: Region = FCC) -> Identity:
    """An Impinj Speedway R420."""
    return Identity(
        name="Speedway R420",
        manufacturer=IMPINJ,
        model=2_001_002,
        firmware="5.14.0.240",
        versions=(VERSION_1_0_1,),
        region=region,
        antennas=4,
        tx_power_centi_dbm=tuple(range(1_000, 3_001, 25)),
        sensitivity_db=_IMPINJ_SENSITIVITY,
        modes=_IMPINJ_MODES,
        gpis=4,
        gpos=4,
        max_rospecs=1,
        max_specs_per_rospec=32,
        max_filters=2,
        has_utc_clock=True,
        can_hold=True,
        can_warn=True,
        stops_on_tags=True,
        buffer_messages=20_000,  # assumed
        overflow=Overflow.NEWEST,  # assumed
        warn_percent=70,  # assumed
        keeps_reports_unheld=False,  # assumed: Octane's hold setting would have no use otherwise
        missed_acks=None,
        tells_first_client=True,  # assumed
        keepalive_id=None,
        dwell_us=200 * _MS,  # assumed
        default_events=frozenset({_READER_EXCEPTION, _ANTENNA_EVENT}),
        default_report=(2, 1),
        default_content=("EnableAntennaID", "EnablePeakRSSI", "EnableFirstSeenTimestamp"),
        max_accessspecs=1508,
        max_opspecs=8,
        can_block_write=True,
    )


def impinj_r700(region: Region = ETSI) -> Identity:
    """An Impinj R700 in LLRP mode: as the R420, with newer modes and more power steps."""
    old = impinj_r420(region)
    modes = tuple(mode for mode in old.modes if mode.identifier in {0, 1, 2, 3, 4, 1002, 1003, 1004})
    return replace(
        old,
        name="R700",
        model=2_001_052,  # assumed
        firmware="7.6.0.240",
        tx_power_centi_dbm=tuple(range(1_000, 3_301, 25)),
        modes=(*modes[:5], RfMode(5, 1, 0, 2, 640_000, 1_500, 7_140), *modes[5:]),
        gpis=2,
        gpos=3,
        default_content=("EnableAntennaID", "EnablePeakRSSI", "EnableFirstSeenTimestamp", "EnableLastSeenTimestamp"),
    )


def zebra_fx9600(region: Region = FCC) -> Identity:
    """A Zebra FX9600 with eight ports; keeps up to 66,000 messages for a client that is gone, always."""
    return Identity(
        name="FX9600",
        manufacturer=MOTOROLA,
        model=96_008,
        firmware="3.21.23.0",  # assumed
        versions=(VERSION_1_0_1,),
        region=region,
        antennas=8,
        tx_power_centi_dbm=tuple(range(1_000, 3_301, 10)),
        sensitivity_db=(0,),
        modes=tuple(
            RfMode(index + 1, m_value, 0, 2, backscatter_hz, pie, tari)
            for index, ((m_value, backscatter_hz), pie, tari) in enumerate(
                product(enumerate((320_000, 320_000, 256_000, 256_000)), (1_500, 2_000), (12_500, 25_000))
            )
        ),  # assumed: a table of its size and order, not its exact entries
        gpis=4,
        gpos=4,
        max_rospecs=16,  # assumed
        max_specs_per_rospec=16,  # assumed
        max_filters=32,  # assumed
        has_utc_clock=True,
        can_hold=True,
        can_warn=True,
        stops_on_tags=True,
        buffer_messages=66_000,
        overflow=Overflow.OLDEST,
        warn_percent=90,  # assumed
        keeps_reports_unheld=True,
        missed_acks=None,  # assumed: as Impinj by default
        tells_first_client=False,  # assumed
        keepalive_id=None,
        dwell_us=100 * _MS,  # assumed
        default_events=frozenset({_READER_EXCEPTION, _ANTENNA_EVENT}),
        default_report=(1, 0),
        default_content=("EnableAntennaID", "EnablePeakRSSI", "EnableLastSeenTimestamp", "EnableTagSeenCount"),
        max_accessspecs=16,  # assumed
        max_opspecs=16,  # assumed
        can_block_write=True,  # assumed
        reader_id=bytes.fromhex("84248DFFFE445566"),
    )


def plain(region: Region = ETSI, *, utc: bool = False) -> Identity:
    """A reader that does what LLRP 1.1 demands and no more: by default no clock of its own, few resources.

    Its KEEPALIVEs carry id 0, as ThingMagic's do (sllurp issue 45), and it gives up a client after three of them.
    """
    return Identity(
        name="plain",
        manufacturer=NO_VENDOR,
        model=1,
        firmware="1.1",
        versions=(VERSION_1_0_1, VERSION_1_1),
        region=region,
        antennas=2,
        tx_power_centi_dbm=(1_500, 2_000, 2_500, 2_700),
        sensitivity_db=(0,),
        modes=(RfMode(1, 1, 0, 2, 250_000, 2_000, 25_000), RfMode(2, 2, 0, 2, 250_000, 2_000, 25_000)),
        gpis=0,
        gpos=0,
        max_rospecs=2,
        max_specs_per_rospec=1,
        max_filters=1,
        has_utc_clock=utc,
        can_hold=True,
        can_warn=False,
        stops_on_tags=False,
        buffer_messages=1_000,
        overflow=Overflow.NEWEST,
        warn_percent=100,
        keeps_reports_unheld=False,
        missed_acks=3,
        tells_first_client=True,
        keepalive_id=0,
        dwell_us=100 * _MS,
        default_events=frozenset(),
        default_report=(1, 0),
        default_content=("EnableAntennaID",),
        max_accessspecs=2,
        max_opspecs=1,
        can_block_write=False,
        reader_id=bytes.fromhex("0000000000000001"),
        max_priority_levels=8,
    )


REGIONS: Final = {"fcc": FCC, "etsi": ETSI, "china": CHINA}
IDENTITIES: Final = {
    "impinj": impinj_r420(),
    "impinj_r700": impinj_r700(),
    "zebra": zebra_fx9600(),
    "plain": plain(),
}
