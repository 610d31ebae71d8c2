"""Several readers on one RS-485 line: each has an address, and its antennas are ports of the line.

Antenna n of a unit is antenna port `first_port + n - 1` of the line, so that the site file names read points as it does
for any other reader.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field


class Unit(BaseModel):
    """One reader on the line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: int = Field(ge=0, le=255, description="its address on the line")
    antennas: tuple[int, ...] = Field(default=(1,), min_length=1, description="its antennas that are read, 1-based")
    first_port: int = Field(
        default=1, ge=1, le=255, description="antenna port of its antenna 1; its antenna n is first_port + n - 1"
    )

    def port_of(self, antenna: int) -> int:
        """The antenna port of the line for an antenna of this unit."""
        return self.first_port + antenna - 1

    def ports(self) -> tuple[int, ...]:
        """The antenna ports of the line that this unit reads."""
        return tuple(self.port_of(antenna) for antenna in self.antennas)


def checked(units: Sequence[Unit]) -> None:
    """See that units can share a line; for a validator of the driver's settings.

    Raises:
        ValueError: an address or an antenna port is taken twice, or a port is out of range.
    """
    taken: dict[int, int] = {}
    addresses: set[int] = set()
    for unit in units:
        if unit.address in addresses:
            raise ValueError(f"address {unit.address} is given to two readers of the line; each needs its own")
        addresses.add(unit.address)
        for antenna in unit.antennas:
            port = unit.port_of(antenna)
            if antenna < 1 or port > 255:  # noqa: PLR2004 - the last port that a site file may name
                raise ValueError(f"antenna {antenna} of address {unit.address} would be port {port}; 1 to 255 exist")
            if port in taken:
                raise ValueError(
                    f"antenna port {port} belongs to address {taken[port]} and to address {unit.address}; "
                    "give one of them another first_port"
                )
            taken[port] = unit.address
