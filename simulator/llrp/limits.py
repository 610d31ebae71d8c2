"""What a reader accepts in the parameters that tune its radio and its reports; everything else it refuses by name.

Source: LLRP 1.0.1 sections 12.2.6 (antenna configuration), 13.2.1 (ROReportSpec), 15.2.1 (C1G2 inventory);
LLRP 1.1 section 14.2.1 (ROReportSpec).
"""

from __future__ import annotations

from typing import Final

from simulator.llrp.capabilities import HOP_TABLE_ID
from simulator.llrp.codec import VERSION_1_1, Node, RefusedError, Status
from simulator.llrp.identities import Identity
from simulator.llrp.shapes import IMPINJ, MOTOROLA, PARAMETERS

HIGHEST_SESSION: Final = 3
_HIGHEST_REPORT_TRIGGER: Final = 2
_HIGHEST_REPORT_TRIGGER_1_1: Final = 6
_MANY: Final = 12  # tables longer than this are named by their ends in a refusal


def check_custom(tree: Node, path: tuple[str, ...], *, extensions: bool, motorola: bool = False) -> None:
    """Refuse vendor parameters that this reader does not know, or whose extensions are not enabled."""
    for child in tree.children:
        inner = (*path, child.name)
        if child.name == "Custom":
            vendor, subtype = child.number("VendorIdentifier"), child.number("ParameterSubtype")
            text = f"custom parameter {vendor}.{subtype} is not supported"
            raise RefusedError(Status.P_UNSUPPORTED_PARAMETER, text, inner)
        vendor = PARAMETERS[child.name].vendor
        if vendor == MOTOROLA and not motorola:
            text = f"{child.name} is not supported"
            raise RefusedError(Status.P_UNSUPPORTED_PARAMETER, text, inner)
        if vendor == IMPINJ and not extensions:
            text = f"{child.name} needs IMPINJ_ENABLE_EXTENSIONS on an Impinj reader first"
            raise RefusedError(Status.P_UNSUPPORTED_PARAMETER, text, inner)
        check_custom(child, inner, extensions=extensions, motorola=motorola)


def check_antenna_port(identity: Identity, port: int, path: tuple[str, ...], at: str) -> None:
    """Refuse an antenna that the reader does not have; 0 stands for all."""
    if port > identity.antennas:
        text = f"antenna {port}: allowed are 1 to {identity.antennas}, or 0 for all"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, path, at)


def check_antenna_configuration(identity: Identity, tree: Node, path: tuple[str, ...]) -> None:
    """Refuse an AntennaConfiguration with an index that is not in the reader's tables."""
    check_antenna_port(identity, tree.number("AntennaID"), path, "AntennaID")
    receiver = tree.one("RFReceiver")
    if receiver is not None:
        levels = range(1, len(identity.sensitivity_db) + 1)
        _check_index(receiver, "ReceiverSensitivity", levels, (*path, "RFReceiver"))
    transmitter = tree.one("RFTransmitter")
    if transmitter is not None:
        _check_transmitter(identity, transmitter, (*path, "RFTransmitter"))
    for command in tree.all("C1G2InventoryCommand"):
        _check_inventory(identity, command, (*path, "C1G2InventoryCommand"))


def check_report_spec(identity: Identity, tree: Node, path: tuple[str, ...]) -> None:
    """Refuse a ROReportSpec with a trigger that the reader's LLRP does not know; those by time are of 1.1."""
    trigger = tree.number("ROReportTrigger")
    highest = _HIGHEST_REPORT_TRIGGER_1_1 if VERSION_1_1 in identity.versions else _HIGHEST_REPORT_TRIGGER
    if trigger > highest:
        text = f"ROReportTrigger {trigger}: allowed are 0 to {highest}"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, path, "ROReportTrigger")


def _check_transmitter(identity: Identity, tree: Node, path: tuple[str, ...]) -> None:
    _check_index(tree, "TransmitPower", range(1, len(identity.tx_power_centi_dbm) + 1), path)
    # Each of the two is ignored under the other kind of regulation (section 12.2.6.2).
    if identity.region.hopping:
        _check_index(tree, "HopTableID", (HOP_TABLE_ID,), path)
    else:
        _check_index(tree, "ChannelIndex", range(1, len(identity.region.frequencies_khz) + 1), path)


def _check_inventory(identity: Identity, tree: Node, path: tuple[str, ...]) -> None:
    if tree.number("TagInventoryStateAware"):
        text = "TagInventoryStateAware 1: this reader cannot do it; allowed is 0"
        raise RefusedError(Status.A_INVALID, text, path, "TagInventoryStateAware")
    filters = tree.all("C1G2Filter")
    if len(filters) > identity.max_filters:
        text = f"{len(filters)} filters: allowed are {identity.max_filters}"
        raise RefusedError(Status.P_OVERFLOW_PARAMETER, text, (*path, "C1G2Filter"))
    control = tree.one("C1G2RFControl")
    if control is None:
        return
    inner = (*path, "C1G2RFControl")
    _check_index(control, "ModeIndex", tuple(mode.identifier for mode in identity.modes), inner)
    tari = control.number("Tari")
    allowed = next(mode.tari_ns for mode in identity.modes if mode.identifier == control.number("ModeIndex"))
    if tari not in (0, allowed):
        text = f"Tari {tari} ns: allowed in this mode are {allowed}, or 0 for the reader's choice"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, inner, "Tari")


def _check_index(tree: Node, at: str, allowed: range | tuple[int, ...], path: tuple[str, ...]) -> None:
    value = tree.number(at)
    if value not in allowed:
        shown = f"{allowed[0]} to {allowed[-1]}" if len(allowed) > _MANY else ", ".join(map(str, allowed))
        raise RefusedError(Status.A_OUT_OF_RANGE, f"{at} {value}: allowed are {shown}", path, at)
