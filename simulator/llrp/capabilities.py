"""GET_READER_CAPABILITIES: what a reader of a given identity says of itself.

Source: LLRP 1.0.1 section 9; Impinj's LTK definitions 1.18 for ImpinjDetailedVersion and ImpinjFrequencyCapabilities.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from simulator.llrp.codec import Node, RefusedError, Status, node
from simulator.llrp.identities import Identity, Region

HOP_TABLE_ID: Final = 1
_GEN2: Final = 1
_CLIENT_REQUEST_MS: Final = 0
_MOTOROLA_VERSION: Final = 1


class Requested(IntEnum):
    """RequestedData of GET_READER_CAPABILITIES."""

    ALL = 0
    GENERAL = 1
    LLRP = 2
    REGULATORY = 3
    AIR_PROTOCOL = 4


class ImpinjRequested(IntEnum):
    """ImpinjRequestedData that concerns capabilities."""

    ALL = 1000
    DETAILED_VERSION = 1001
    FREQUENCY_CAPABILITIES = 1002


def capabilities(identity: Identity, request: Node) -> list[Node]:
    """The parameters that answer `request`, after its LLRPStatus.

    Raises:
        RefusedError: RequestedData is none that LLRP knows.
    """
    wanted = request.number("RequestedData")
    if wanted not in list(Requested):
        text = f"RequestedData {wanted}: allowed are 0 to {max(Requested)}"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, at="RequestedData")
    parts = {
        Requested.GENERAL: _general,
        Requested.LLRP: _llrp,
        Requested.REGULATORY: _regulatory,
        Requested.AIR_PROTOCOL: _air_protocol,
    }
    found = [make(identity) for part, make in parts.items() if wanted in (Requested.ALL, part)]
    if identity.is_motorola and wanted == Requested.ALL:
        found.append(_motorola())
    for custom in request.all("ImpinjRequestedData"):
        found += _impinj(identity, custom.number("RequestedData"))
    return found


def mode_node(identity: Identity) -> Node:
    """The C1G2UHFRFModeTable."""
    entries = [
        node(
            "C1G2UHFRFModeTableEntry",
            ModeIdentifier=mode.identifier,
            DRValue=mode.divide_ratio,
            EPCHAGTCConformance=0,
            MValue=mode.m_value,
            ForwardLinkModulation=mode.modulation,
            SpectralMaskIndicator=mode.mask,
            BDRValue=mode.backscatter_hz,
            PIEValue=mode.pie_thousandths,
            MinTariValue=mode.tari_ns,
            MaxTariValue=mode.tari_ns,
            StepTariValue=0,
        )
        for mode in identity.modes
    ]
    return node("C1G2UHFRFModeTable", *entries)


def _general(identity: Identity) -> Node:
    sensitivities = [
        node("ReceiveSensitivityTableEntry", Index=index, ReceiveSensitivityValue=value)
        for index, value in enumerate(identity.sensitivity_db, 1)
    ]
    protocols = [
        node("PerAntennaAirProtocol", AntennaID=port, ProtocolID=(_GEN2,)) for port in range(1, identity.antennas + 1)
    ]
    return node(
        "GeneralDeviceCapabilities",
        *sensitivities,
        node("GPIOCapabilities", NumGPIs=identity.gpis, NumGPOs=identity.gpos),
        *protocols,
        MaxNumberOfAntennaSupported=identity.antennas,
        CanSetAntennaProperties=0,
        HasUTCClockCapability=int(identity.has_utc_clock),
        DeviceManufacturerName=identity.manufacturer,
        ModelName=identity.model,
        ReaderFirmwareVersion=identity.firmware,
    )


def _llrp(identity: Identity) -> Node:
    return node(
        "LLRPCapabilities",
        CanDoRFSurvey=0,
        CanReportBufferFillWarning=int(identity.can_warn),
        SupportsClientRequestOpSpec=0,
        CanDoTagInventoryStateAwareSingulation=0,
        SupportsEventAndReportHolding=int(identity.can_hold),
        MaxNumPriorityLevelsSupported=identity.max_priority_levels,
        ClientRequestOpSpecTimeout=_CLIENT_REQUEST_MS,
        MaxNumROSpecs=identity.max_rospecs,
        MaxNumSpecsPerROSpec=identity.max_specs_per_rospec,
        MaxNumInventoryParameterSpecsPerAISpec=1,
        MaxNumAccessSpecs=identity.max_accessspecs,
        MaxNumOpSpecsPerAccessSpec=identity.max_opspecs,
    )


def _regulatory(identity: Identity) -> Node:
    powers = [
        node("TransmitPowerLevelTableEntry", Index=index, TransmitPowerValue=value)
        for index, value in enumerate(identity.tx_power_centi_dbm, 1)
    ]
    band = node("UHFBandCapabilities", *powers, _frequencies(identity.region), mode_node(identity))
    return node(
        "RegulatoryCapabilities",
        band,
        CountryCode=identity.region.country_code,
        CommunicationsStandard=identity.region.standard,
    )


def _frequencies(region: Region) -> Node:
    if region.hopping:
        table = node("FrequencyHopTable", HopTableID=HOP_TABLE_ID, Frequency=region.frequencies_khz)
    else:
        table = node("FixedFrequencyTable", Frequency=region.frequencies_khz)
    return node("FrequencyInformation", table, Hopping=int(region.hopping))


def _air_protocol(identity: Identity) -> Node:
    return node(
        "C1G2LLRPCapabilities",
        CanSupportBlockErase=0,
        CanSupportBlockWrite=int(identity.can_block_write),
        MaxNumSelectFiltersPerQuery=identity.max_filters,
    )


def _motorola() -> Node:
    """As an FX9600 says it: phase, zones, antenna radio, logical antennas."""
    return node(
        "MotoAdvancedCapabilities",
        Version=_MOTOROLA_VERSION,
        CanSupportPhase=1,
        CanSupportGPS=0,
        CanSupportZone=1,
        CanSupportAntennaRF=1,
        CanSupportPeriodicTagReports=0,
        CanSupportSledBattery=0,
        CanSupportLogicalAntenna=1,
    )


def _impinj(identity: Identity, wanted: int) -> list[Node]:
    found = []
    if wanted in (ImpinjRequested.ALL, ImpinjRequested.DETAILED_VERSION):
        found.append(
            node(
                "ImpinjDetailedVersion",
                ModelName=identity.name,
                SerialNumber=identity.reader_id.hex("-").upper(),
                SoftwareVersion=identity.firmware,
                FirmwareVersion=identity.firmware,
                FPGAVersion="",
                PCBAVersion="",
            )
        )
    if wanted in (ImpinjRequested.ALL, ImpinjRequested.FREQUENCY_CAPABILITIES):
        frequencies = tuple(sorted(identity.region.frequencies_khz))
        found.append(node("ImpinjFrequencyCapabilities", FrequencyList=frequencies))
    return found
