from __future__ import annotations

import pytest

from readers.ports.memory import run
from simulator.llrp.codec import node
from simulator.llrp.identities import IDENTITIES
from simulator.llrp.reader import SimulatedReader
from tests.simulator.llrp.client import Beat, connected


@pytest.mark.parametrize("name", IDENTITIES)
def test_capabilities_are_complete_and_true_to_the_tables(name: str) -> None:
    async def scene() -> None:
        identity = IDENTITIES[name]
        async with connected(SimulatedReader(identity, Beat())) as client:
            answer = await client.demand(node("GET_READER_CAPABILITIES", RequestedData=0))
            assert [part.name for part in answer.children[1:]] == [
                "GeneralDeviceCapabilities",
                "LLRPCapabilities",
                "RegulatoryCapabilities",
                "C1G2LLRPCapabilities",
                *(["MotoAdvancedCapabilities"] if identity.is_motorola else []),
            ]
            band = answer.need("RegulatoryCapabilities").need("UHFBandCapabilities")
            table = {
                e.number("Index"): e.number("TransmitPowerValue") for e in band.all("TransmitPowerLevelTableEntry")
            }
            assert table == dict(enumerate(identity.tx_power_centi_dbm, 1))
            information = band.need("FrequencyInformation")
            kind = "FrequencyHopTable" if identity.region.hopping else "FixedFrequencyTable"
            assert information.need(kind).numbers("Frequency") == identity.region.frequencies_khz
            assert len(set(identity.region.frequencies_khz)) == len(identity.region.frequencies_khz)
            modes = band.need("C1G2UHFRFModeTable").all("C1G2UHFRFModeTableEntry")
            assert [m.number("ModeIdentifier") for m in modes] == [m.identifier for m in identity.modes]
            general = answer.need("GeneralDeviceCapabilities")
            assert len(general.all("ReceiveSensitivityTableEntry")) == len(identity.sensitivity_db)
            assert general.number("MaxNumberOfAntennaSupported") == identity.antennas

    run(scene())
