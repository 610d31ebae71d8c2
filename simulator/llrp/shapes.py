"""The shapes of LLRP messages and parameters, as a table that the codec interprets.

One line per shape: `Name number fields | sub-parameters`, in the standard's own spelling so that it can be searched.
A field is `Name:kind`; kinds: `u1 u2 u8 u16 u32 u64 u96 s8 s16` (integers, in bits), `_7` (padding bits),
`a8 a16 a32` (16-bit count, then that many), `utf8` (16-bit length), `bits` (16-bit count of bits, then whole bytes),
`rest` (all that is left). A sub-parameter is `Name` (exactly one), `Name?`, `Name*` or `Name+`; `A/B+` is a choice.
`Custom*` stands for vendor parameters, which may follow any others. A vendor shape has `vendor.subtype` as its number.

Source: EPCglobal LLRP 1.0.1 (2007-08-13) sections 16.1-16.3, and 1.1 (2010-10-13) for GET_SUPPORTED_VERSION,
SET_PROTOCOL_VERSION, LoopSpec and MaximumReceiveSensitivity; Impinj's LTK definitions 1.18 for vendor 25882; Zebra's
Interface Control Guide 72E-131718-13EN for vendor 161, with the widths that the project LLRPClient measured on an
FX9600.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

IMPINJ: Final = 25882
MOTOROLA: Final = 161  # whose number Zebra's FX readers send
CUSTOM: Final = 1023


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for sub-parameters: which ones, how many at least and at most."""

    names: tuple[str, ...]
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Shape:
    """The layout of one message or parameter."""

    name: str
    number: int
    vendor: int
    subtype: int
    fields: tuple[tuple[str, str], ...]
    slots: tuple[Slot, ...]

    def field_number(self, name: str) -> int:
        """The place of a field in order of appearance, from 0, as FieldError counts; padding is no field."""
        return [found for found, kind in self.fields if not kind.startswith("_")].index(name)


_MESSAGES: Final = """
GET_READER_CAPABILITIES 1 RequestedData:u8 | Custom*
GET_READER_CONFIG 2 AntennaID:u16 RequestedData:u8 GPIPortNum:u16 GPOPortNum:u16 | Custom*
SET_READER_CONFIG 3 ResetToFactoryDefault:u1 _:_7 | ReaderEventNotificationSpec? AntennaProperties* \
AntennaConfiguration* ROReportSpec? AccessReportSpec? KeepaliveSpec? GPOWriteData* GPIPortCurrentState* \
EventsAndReports? Custom*
CLOSE_CONNECTION_RESPONSE 4 | LLRPStatus
GET_READER_CAPABILITIES_RESPONSE 11 | LLRPStatus GeneralDeviceCapabilities? LLRPCapabilities? RegulatoryCapabilities? \
C1G2LLRPCapabilities? Custom*
GET_READER_CONFIG_RESPONSE 12 | LLRPStatus Identification? AntennaProperties* AntennaConfiguration* \
ReaderEventNotificationSpec? ROReportSpec? AccessReportSpec? LLRPConfigurationStateValue? KeepaliveSpec? \
GPIPortCurrentState* GPOWriteData* EventsAndReports? Custom*
SET_READER_CONFIG_RESPONSE 13 | LLRPStatus
CLOSE_CONNECTION 14 |
ADD_ROSPEC 20 | ROSpec
DELETE_ROSPEC 21 ROSpecID:u32 |
START_ROSPEC 22 ROSpecID:u32 |
STOP_ROSPEC 23 ROSpecID:u32 |
ENABLE_ROSPEC 24 ROSpecID:u32 |
DISABLE_ROSPEC 25 ROSpecID:u32 |
GET_ROSPECS 26 |
ADD_ROSPEC_RESPONSE 30 | LLRPStatus
DELETE_ROSPEC_RESPONSE 31 | LLRPStatus
START_ROSPEC_RESPONSE 32 | LLRPStatus
STOP_ROSPEC_RESPONSE 33 | LLRPStatus
ENABLE_ROSPEC_RESPONSE 34 | LLRPStatus
DISABLE_ROSPEC_RESPONSE 35 | LLRPStatus
GET_ROSPECS_RESPONSE 36 | LLRPStatus ROSpec*
ADD_ACCESSSPEC 40 | AccessSpec
DELETE_ACCESSSPEC 41 AccessSpecID:u32 |
ENABLE_ACCESSSPEC 42 AccessSpecID:u32 |
DISABLE_ACCESSSPEC 43 AccessSpecID:u32 |
GET_ACCESSSPECS 44 |
GET_SUPPORTED_VERSION 46 |
SET_PROTOCOL_VERSION 47 ProtocolVersion:u8 |
ADD_ACCESSSPEC_RESPONSE 50 | LLRPStatus
DELETE_ACCESSSPEC_RESPONSE 51 | LLRPStatus
ENABLE_ACCESSSPEC_RESPONSE 52 | LLRPStatus
DISABLE_ACCESSSPEC_RESPONSE 53 | LLRPStatus
GET_ACCESSSPECS_RESPONSE 54 | LLRPStatus AccessSpec*
GET_SUPPORTED_VERSION_RESPONSE 56 CurrentVersion:u8 SupportedVersion:u8 | LLRPStatus
SET_PROTOCOL_VERSION_RESPONSE 57 | LLRPStatus
GET_REPORT 60 |
RO_ACCESS_REPORT 61 | TagReportData* Custom*
KEEPALIVE 62 |
READER_EVENT_NOTIFICATION 63 | ReaderEventNotificationData
ENABLE_EVENTS_AND_REPORTS 64 |
KEEPALIVE_ACK 72 |
ERROR_MESSAGE 100 | LLRPStatus
CUSTOM_MESSAGE 1023 VendorIdentifier:u32 MessageSubtype:u8 Data:rest |
IMPINJ_ENABLE_EXTENSIONS 25882.21 Reserved:u32 | Custom*
IMPINJ_ENABLE_EXTENSIONS_RESPONSE 25882.22 | LLRPStatus Custom*
"""

_PARAMETERS: Final = """
AntennaID 1 AntennaID:u16 |
FirstSeenTimestampUTC 2 Microseconds:u64 |
FirstSeenTimestampUptime 3 Microseconds:u64 |
LastSeenTimestampUTC 4 Microseconds:u64 |
LastSeenTimestampUptime 5 Microseconds:u64 |
PeakRSSI 6 PeakRSSI:s8 |
ChannelIndex 7 ChannelIndex:u16 |
TagSeenCount 8 TagCount:u16 |
ROSpecID 9 ROSpecID:u32 |
InventoryParameterSpecID 10 InventoryParameterSpecID:u16 |
C1G2_CRC 11 CRC:u16 |
C1G2_PC 12 PC_Bits:u16 |
EPC_96 13 EPC:u96 |
SpecIndex 14 SpecIndex:u16 |
AccessSpecID 16 AccessSpecID:u32 |
OpSpecID 17 OpSpecID:u16 |
UTCTimestamp 128 Microseconds:u64 |
Uptime 129 Microseconds:u64 |
GeneralDeviceCapabilities 137 MaxNumberOfAntennaSupported:u16 CanSetAntennaProperties:u1 HasUTCClockCapability:u1 \
_:_14 DeviceManufacturerName:u32 ModelName:u32 ReaderFirmwareVersion:utf8 | ReceiveSensitivityTableEntry+ \
PerAntennaReceiveSensitivityRange* GPIOCapabilities PerAntennaAirProtocol+ MaximumReceiveSensitivity?
ReceiveSensitivityTableEntry 139 Index:u16 ReceiveSensitivityValue:s16 |
PerAntennaAirProtocol 140 AntennaID:u16 ProtocolID:a8 |
GPIOCapabilities 141 NumGPIs:u16 NumGPOs:u16 |
LLRPCapabilities 142 CanDoRFSurvey:u1 CanReportBufferFillWarning:u1 SupportsClientRequestOpSpec:u1 \
CanDoTagInventoryStateAwareSingulation:u1 SupportsEventAndReportHolding:u1 _:_3 MaxNumPriorityLevelsSupported:u8 \
ClientRequestOpSpecTimeout:u16 MaxNumROSpecs:u32 MaxNumSpecsPerROSpec:u32 \
MaxNumInventoryParameterSpecsPerAISpec:u32 MaxNumAccessSpecs:u32 MaxNumOpSpecsPerAccessSpec:u32 |
RegulatoryCapabilities 143 CountryCode:u16 CommunicationsStandard:u16 | UHFBandCapabilities? Custom*
UHFBandCapabilities 144 | TransmitPowerLevelTableEntry+ FrequencyInformation C1G2UHFRFModeTable+
TransmitPowerLevelTableEntry 145 Index:u16 TransmitPowerValue:s16 |
FrequencyInformation 146 Hopping:u1 _:_7 | FrequencyHopTable* FixedFrequencyTable?
FrequencyHopTable 147 HopTableID:u8 _:_8 Frequency:a32 |
FixedFrequencyTable 148 Frequency:a32 |
PerAntennaReceiveSensitivityRange 149 AntennaID:u16 ReceiveSensitivityIndexMin:u16 ReceiveSensitivityIndexMax:u16 |
ROSpec 177 ROSpecID:u32 Priority:u8 CurrentState:u8 | ROBoundarySpec AISpec/RFSurveySpec+ LoopSpec? ROReportSpec?
ROBoundarySpec 178 | ROSpecStartTrigger ROSpecStopTrigger
ROSpecStartTrigger 179 ROSpecStartTriggerType:u8 | PeriodicTriggerValue? GPITriggerValue?
PeriodicTriggerValue 180 Offset:u32 Period:u32 | UTCTimestamp?
GPITriggerValue 181 GPIPortNum:u16 GPIEvent:u1 _:_7 Timeout:u32 |
ROSpecStopTrigger 182 ROSpecStopTriggerType:u8 DurationTriggerValue:u32 | GPITriggerValue?
AISpec 183 AntennaIDs:a16 | AISpecStopTrigger InventoryParameterSpec+ Custom*
AISpecStopTrigger 184 AISpecStopTriggerType:u8 DurationTrigger:u32 | GPITriggerValue? TagObservationTrigger?
TagObservationTrigger 185 TriggerType:u8 _:_8 NumberOfTags:u16 NumberOfAttempts:u16 T:u16 Timeout:u32 |
InventoryParameterSpec 186 InventoryParameterSpecID:u16 ProtocolID:u8 | AntennaConfiguration* Custom*
RFSurveySpec 187 AntennaID:u16 StartFrequency:u32 EndFrequency:u32 | RFSurveySpecStopTrigger Custom*
RFSurveySpecStopTrigger 188 StopTriggerType:u8 DurationPeriod:u32 N:u32 |
AccessSpec 207 AccessSpecID:u32 AntennaID:u16 ProtocolID:u8 CurrentState:u1 _:_7 ROSpecID:u32 | \
AccessSpecStopTrigger AccessCommand AccessReportSpec? Custom*
AccessSpecStopTrigger 208 AccessSpecStopTrigger:u8 OperationCountValue:u16 |
AccessCommand 209 | C1G2TagSpec C1G2Read/C1G2Write/C1G2BlockWrite/C1G2Kill/C1G2Lock/C1G2BlockErase+ Custom*
LLRPConfigurationStateValue 217 LLRPConfigurationStateValue:u32 |
Identification 218 IDType:u8 ReaderID:a8 |
GPOWriteData 219 GPOPortNumber:u16 GPOData:u1 _:_7 |
KeepaliveSpec 220 KeepaliveTriggerType:u8 PeriodicTriggerValue:u32 |
AntennaProperties 221 AntennaConnected:u1 _:_7 AntennaID:u16 AntennaGain:s16 |
AntennaConfiguration 222 AntennaID:u16 | RFReceiver? RFTransmitter? C1G2InventoryCommand* Custom*
RFReceiver 223 ReceiverSensitivity:u16 |
RFTransmitter 224 HopTableID:u16 ChannelIndex:u16 TransmitPower:u16 |
GPIPortCurrentState 225 GPIPortNum:u16 Config:u1 _:_7 State:u8 |
EventsAndReports 226 HoldEventsAndReportsUponReconnect:u1 _:_7 |
ROReportSpec 237 ROReportTrigger:u8 N:u16 | TagReportContentSelector Custom*
TagReportContentSelector 238 EnableROSpecID:u1 EnableSpecIndex:u1 EnableInventoryParameterSpecID:u1 EnableAntennaID:u1 \
EnableChannelIndex:u1 EnablePeakRSSI:u1 EnableFirstSeenTimestamp:u1 EnableLastSeenTimestamp:u1 EnableTagSeenCount:u1 \
EnableAccessSpecID:u1 _:_6 | C1G2EPCMemorySelector* Custom*
AccessReportSpec 239 AccessReportTrigger:u8 |
TagReportData 240 | EPCData/EPC_96 ROSpecID? SpecIndex? InventoryParameterSpecID? AntennaID? PeakRSSI? ChannelIndex? \
FirstSeenTimestampUTC? FirstSeenTimestampUptime? LastSeenTimestampUTC? LastSeenTimestampUptime? TagSeenCount? \
C1G2_PC? C1G2_CRC? AccessSpecID? \
C1G2ReadOpSpecResult/C1G2WriteOpSpecResult/C1G2BlockWriteOpSpecResult* Custom*
EPCData 241 EPC:bits |
ReaderEventNotificationSpec 244 | EventNotificationState+
EventNotificationState 245 EventType:u16 NotificationState:u1 _:_7 |
ReaderEventNotificationData 246 | UTCTimestamp/Uptime HoppingEvent? GPIEvent? ROSpecEvent? \
ReportBufferLevelWarningEvent? ReportBufferOverflowErrorEvent? ReaderExceptionEvent? AISpecEvent? AntennaEvent? \
ConnectionAttemptEvent? ConnectionCloseEvent? Custom*
HoppingEvent 247 HopTableID:u16 NextChannelIndex:u16 |
GPIEvent 248 GPIPortNumber:u16 GPIEvent:u1 _:_7 |
ROSpecEvent 249 EventType:u8 ROSpecID:u32 PreemptingROSpecID:u32 |
ReportBufferLevelWarningEvent 250 ReportBufferPercentageFull:u8 |
ReportBufferOverflowErrorEvent 251 |
ReaderExceptionEvent 252 Message:utf8 | ROSpecID? SpecIndex? InventoryParameterSpecID? AntennaID? AccessSpecID? \
OpSpecID? Custom*
AISpecEvent 254 EventType:u8 ROSpecID:u32 SpecIndex:u16 |
AntennaEvent 255 EventType:u8 AntennaID:u16 |
ConnectionAttemptEvent 256 Status:u16 |
ConnectionCloseEvent 257 |
LLRPStatus 287 StatusCode:u16 ErrorDescription:utf8 | FieldError? ParameterError?
FieldError 288 FieldNum:u16 ErrorCode:u16 |
ParameterError 289 ParameterType:u16 ErrorCode:u16 | FieldError? ParameterError?
C1G2LLRPCapabilities 327 CanSupportBlockErase:u1 CanSupportBlockWrite:u1 _:_6 MaxNumSelectFiltersPerQuery:u16 |
C1G2UHFRFModeTable 328 | C1G2UHFRFModeTableEntry+
C1G2UHFRFModeTableEntry 329 ModeIdentifier:u32 DRValue:u1 EPCHAGTCConformance:u1 _:_6 MValue:u8 \
ForwardLinkModulation:u8 SpectralMaskIndicator:u8 BDRValue:u32 PIEValue:u32 MinTariValue:u32 MaxTariValue:u32 \
StepTariValue:u32 |
C1G2InventoryCommand 330 TagInventoryStateAware:u1 _:_7 | C1G2Filter* C1G2RFControl? C1G2SingulationControl? Custom*
C1G2Filter 331 T:u2 _:_6 | C1G2TagInventoryMask C1G2TagInventoryStateAwareFilterAction? \
C1G2TagInventoryStateUnawareFilterAction?
C1G2TagInventoryMask 332 MB:u2 _:_6 Pointer:u16 TagMask:bits |
C1G2TagInventoryStateAwareFilterAction 333 Target:u8 Action:u8 |
C1G2TagInventoryStateUnawareFilterAction 334 Action:u8 |
C1G2RFControl 335 ModeIndex:u16 Tari:u16 |
C1G2SingulationControl 336 Session:u2 _:_6 TagPopulation:u16 TagTransitTime:u32 | \
C1G2TagInventoryStateAwareSingulationAction?
C1G2TagInventoryStateAwareSingulationAction 337 I:u1 S:u1 _:_6 |
C1G2TagSpec 338 | C1G2TargetTag+
C1G2TargetTag 339 MB:u2 Match:u1 _:_5 Pointer:u16 TagMask:bits TagData:bits |
C1G2Read 341 OpSpecID:u16 AccessPassword:u32 MB:u2 _:_6 WordPointer:u16 WordCount:u16 |
C1G2Write 342 OpSpecID:u16 AccessPassword:u32 MB:u2 _:_6 WordPointer:u16 WriteData:a16 |
C1G2Kill 343 OpSpecID:u16 KillPassword:u32 |
C1G2Lock 344 OpSpecID:u16 AccessPassword:u32 | C1G2LockPayload+
C1G2LockPayload 345 Privilege:u8 DataField:u8 |
C1G2BlockErase 346 OpSpecID:u16 AccessPassword:u32 MB:u2 _:_6 WordPointer:u16 WordCount:u16 |
C1G2BlockWrite 347 OpSpecID:u16 AccessPassword:u32 MB:u2 _:_6 WordPointer:u16 WriteData:a16 |
C1G2EPCMemorySelector 348 EnableCRC:u1 EnablePCBits:u1 _:_6 |
C1G2ReadOpSpecResult 349 Result:u8 OpSpecID:u16 ReadData:a16 |
C1G2WriteOpSpecResult 350 Result:u8 OpSpecID:u16 NumWordsWritten:u16 |
C1G2BlockWriteOpSpecResult 354 Result:u8 OpSpecID:u16 NumWordsWritten:u16 |
LoopSpec 355 LoopCount:u32 |
MaximumReceiveSensitivity 363 MaximumSensitivityValue:s16 |
Custom 1023 VendorIdentifier:u32 ParameterSubtype:u32 Data:rest |
ImpinjRequestedData 25882.21 RequestedData:u32 | Custom*
ImpinjSubRegulatoryRegion 25882.22 RegulatoryRegion:u16 | Custom*
ImpinjInventorySearchMode 25882.23 InventorySearchMode:u16 | Custom*
ImpinjFixedFrequencyList 25882.26 FixedFrequencyMode:u16 _:_16 ChannelList:a16 | Custom*
ImpinjReducedPowerFrequencyList 25882.27 ReducedPowerMode:u16 _:_16 ChannelList:a16 | Custom*
ImpinjLowDutyCycle 25882.28 LowDutyCycleMode:u16 EmptyFieldTimeout:u16 FieldPingInterval:u16 | Custom*
ImpinjDetailedVersion 25882.29 ModelName:utf8 SerialNumber:utf8 SoftwareVersion:utf8 FirmwareVersion:utf8 \
FPGAVersion:utf8 PCBAVersion:utf8 | Custom*
ImpinjFrequencyCapabilities 25882.30 FrequencyList:a32 | Custom*
ImpinjGPIDebounceConfiguration 25882.36 GPIPortNum:u16 GPIDebounceTimerMSec:u32 | Custom*
ImpinjReaderTemperature 25882.37 Temperature:s16 | Custom*
ImpinjLinkMonitorConfiguration 25882.38 LinkMonitorMode:u16 LinkDownThreshold:u16 | Custom*
ImpinjReportBufferConfiguration 25882.39 ReportBufferMode:u16 | Custom*
ImpinjTagReportContentSelector 25882.50 | ImpinjEnableSerializedTID? ImpinjEnableRFPhaseAngle? ImpinjEnablePeakRSSI? \
ImpinjEnableRFDopplerFrequency? Custom*
ImpinjEnableSerializedTID 25882.51 SerializedTIDMode:u16 | Custom*
ImpinjEnableRFPhaseAngle 25882.52 RFPhaseAngleMode:u16 | Custom*
ImpinjEnablePeakRSSI 25882.53 PeakRSSIMode:u16 | Custom*
ImpinjSerializedTID 25882.55 TID:a16 | Custom*
ImpinjRFPhaseAngle 25882.56 PhaseAngle:u16 | Custom*
ImpinjPeakRSSI 25882.57 RSSI:s16 | Custom*
ImpinjEnableRFDopplerFrequency 25882.67 RFDopplerFrequencyMode:u16 | Custom*
ImpinjRFDopplerFrequency 25882.68 DopplerFrequency:s16 | Custom*
ImpinjAntennaConfiguration 25882.1524 | Custom*
MotoAdvancedCapabilities 161.110 Version:u32 CanSupportPhase:u1 CanSupportGPS:u1 CanSupportZone:u1 \
CanSupportAntennaRF:u1 CanSupportPeriodicTagReports:u1 CanSupportSledBattery:u1 CanSupportLogicalAntenna:u1 _:_1 |
MotoTagReportContentSelector 161.708 EnableZoneID:u1 EnableZoneName:u1 EnableAntennaPhysicalPortConfig:u1 \
EnablePhase:u1 EnableGPS:u1 EnableMLTReport:u1 _:_26 |
MotoTagPhase 161.709 Phase:s16 |
"""


def _slot(text: str) -> Slot:
    least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(text[-1], (1, 1))
    return Slot(tuple(text.rstrip("?*+").split("/")), least, most)


def _shapes(table: str) -> dict[str, Shape]:
    shapes = {}
    for line in table.replace("\\\n", " ").strip().splitlines():
        head, _, tail = line.partition("|")
        name, number, *fields = head.split()
        vendor, dot, subtype = number.partition(".")
        shapes[name] = Shape(
            name,
            CUSTOM if dot else int(number),
            int(vendor) if dot else 0,
            int(subtype) if dot else 0,
            tuple((found, kind) for found, _, kind in (field.partition(":") for field in fields)),
            tuple(_slot(text) for text in tail.split()),
        )
    return shapes


MESSAGES: Final = _shapes(_MESSAGES)
PARAMETERS: Final = _shapes(_PARAMETERS)
MESSAGES_BY_NUMBER: Final = {(shape.number, shape.vendor, shape.subtype): shape for shape in MESSAGES.values()}
PARAMETERS_BY_NUMBER: Final = {(shape.number, shape.vendor, shape.subtype): shape for shape in PARAMETERS.values()}
