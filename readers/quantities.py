"""The quantities that meters and machines report, each with its one unit through the whole product.

Energy is Wh, power W, voltage V, current A, frequency Hz: drivers convert once, in the codec, and exactly.
Source: OBIS C groups, DLMS UA Blue Book Ed. 12.2, section 7.5 (electricity); 7.6 to 7.9 for heat, gas and water.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Quantity(StrEnum):
    """What a reading measures; the value is its name in configuration, on MQTT and in the store."""

    ACTIVE_ENERGY_IMPORT = "active_energy_import"
    ACTIVE_ENERGY_EXPORT = "active_energy_export"
    ACTIVE_ENERGY_COMBINED = "active_energy_combined"
    REACTIVE_ENERGY_IMPORT = "reactive_energy_import"
    REACTIVE_ENERGY_EXPORT = "reactive_energy_export"
    REACTIVE_ENERGY_Q1 = "reactive_energy_q1"
    REACTIVE_ENERGY_Q2 = "reactive_energy_q2"
    REACTIVE_ENERGY_Q3 = "reactive_energy_q3"
    REACTIVE_ENERGY_Q4 = "reactive_energy_q4"
    APPARENT_ENERGY_IMPORT = "apparent_energy_import"
    APPARENT_ENERGY_EXPORT = "apparent_energy_export"
    ACTIVE_POWER = "active_power"
    ACTIVE_POWER_IMPORT = "active_power_import"
    ACTIVE_POWER_EXPORT = "active_power_export"
    REACTIVE_POWER = "reactive_power"
    REACTIVE_POWER_EXPORT = "reactive_power_export"
    APPARENT_POWER = "apparent_power"
    ACTIVE_DEMAND = "active_demand"
    ACTIVE_DEMAND_MAX = "active_demand_max"
    ACTIVE_DEMAND_EXPORT_MAX = "active_demand_export_max"
    ACTIVE_DEMAND_FORECAST = "active_demand_forecast"  # what the demand will be at the end of its window
    ACTIVE_POWER_EXCESS = "active_power_excess"  # power that must go now, so that the demand stays within its limit
    REACTIVE_DEMAND = "reactive_demand"
    REACTIVE_DEMAND_MAX = "reactive_demand_max"
    APPARENT_DEMAND = "apparent_demand"
    VOLTAGE = "voltage"
    VOLTAGE_LINE = "voltage_line"
    CURRENT = "current"
    POWER_FACTOR = "power_factor"
    PHASE_ANGLE = "phase_angle"
    FREQUENCY = "frequency"
    VOLTAGE_THD = "voltage_thd"
    CURRENT_THD = "current_thd"
    VOLTAGE_HARMONIC = "voltage_harmonic"
    CURRENT_HARMONIC = "current_harmonic"
    VOLTAGE_UNBALANCE = "voltage_unbalance"
    CURRENT_UNBALANCE = "current_unbalance"
    TEMPERATURE = "temperature"
    BATTERY_VOLTAGE = "battery_voltage"
    CLOCK_OFFSET = "clock_offset"
    # counts of what a meter has recorded; the reading's meter time is that of the latest one
    POWER_FAILURES = "power_failures"
    PHASE_FAILURES = "phase_failures"
    PROGRAMMINGS = "programmings"
    CLOCK_SETTINGS = "clock_settings"
    DEMAND_RESETS = "demand_resets"
    METER_RESETS = "meter_resets"
    EVENT_RESETS = "event_resets"
    COVER_OPENINGS = "cover_openings"
    TERMINAL_OPENINGS = "terminal_openings"
    MAGNETIC_INFLUENCES = "magnetic_influences"
    DISCONNECTIONS = "disconnections"
    RECONNECTIONS = "reconnections"
    # meters of other media
    HEAT_ENERGY = "heat_energy"
    COOLING_ENERGY = "cooling_energy"
    THERMAL_POWER = "thermal_power"
    FLOW_TEMPERATURE = "flow_temperature"
    RETURN_TEMPERATURE = "return_temperature"
    TEMPERATURE_DIFFERENCE = "temperature_difference"
    GAS_VOLUME = "gas_volume"
    WATER_VOLUME = "water_volume"
    VOLUME = "volume"
    VOLUME_FLOW = "volume_flow"
    OPERATING_TIME = "operating_time"

    @property
    def unit(self) -> str:
        """The one unit of this quantity, as written in events and in the store."""
        return UNITS[self]


UNITS: Final[dict[Quantity, str]] = {
    Quantity.ACTIVE_ENERGY_IMPORT: "Wh",
    Quantity.ACTIVE_ENERGY_EXPORT: "Wh",
    Quantity.ACTIVE_ENERGY_COMBINED: "Wh",
    Quantity.REACTIVE_ENERGY_IMPORT: "varh",
    Quantity.REACTIVE_ENERGY_EXPORT: "varh",
    Quantity.REACTIVE_ENERGY_Q1: "varh",
    Quantity.REACTIVE_ENERGY_Q2: "varh",
    Quantity.REACTIVE_ENERGY_Q3: "varh",
    Quantity.REACTIVE_ENERGY_Q4: "varh",
    Quantity.APPARENT_ENERGY_IMPORT: "VAh",
    Quantity.APPARENT_ENERGY_EXPORT: "VAh",
    Quantity.ACTIVE_POWER: "W",
    Quantity.ACTIVE_POWER_IMPORT: "W",
    Quantity.ACTIVE_POWER_EXPORT: "W",
    Quantity.REACTIVE_POWER: "var",
    Quantity.REACTIVE_POWER_EXPORT: "var",
    Quantity.APPARENT_POWER: "VA",
    Quantity.ACTIVE_DEMAND: "W",
    Quantity.ACTIVE_DEMAND_MAX: "W",
    Quantity.ACTIVE_DEMAND_EXPORT_MAX: "W",
    Quantity.ACTIVE_DEMAND_FORECAST: "W",
    Quantity.ACTIVE_POWER_EXCESS: "W",
    Quantity.REACTIVE_DEMAND: "var",
    Quantity.REACTIVE_DEMAND_MAX: "var",
    Quantity.APPARENT_DEMAND: "VA",
    Quantity.VOLTAGE: "V",
    Quantity.VOLTAGE_LINE: "V",
    Quantity.CURRENT: "A",
    Quantity.POWER_FACTOR: "1",
    Quantity.PHASE_ANGLE: "deg",
    Quantity.FREQUENCY: "Hz",
    Quantity.VOLTAGE_THD: "%",
    Quantity.CURRENT_THD: "%",
    Quantity.VOLTAGE_HARMONIC: "%",
    Quantity.CURRENT_HARMONIC: "%",
    Quantity.VOLTAGE_UNBALANCE: "%",
    Quantity.CURRENT_UNBALANCE: "%",
    Quantity.TEMPERATURE: "°C",
    Quantity.BATTERY_VOLTAGE: "V",
    Quantity.CLOCK_OFFSET: "s",
    Quantity.POWER_FAILURES: "1",
    Quantity.PHASE_FAILURES: "1",
    Quantity.PROGRAMMINGS: "1",
    Quantity.CLOCK_SETTINGS: "1",
    Quantity.DEMAND_RESETS: "1",
    Quantity.METER_RESETS: "1",
    Quantity.EVENT_RESETS: "1",
    Quantity.COVER_OPENINGS: "1",
    Quantity.TERMINAL_OPENINGS: "1",
    Quantity.MAGNETIC_INFLUENCES: "1",
    Quantity.DISCONNECTIONS: "1",
    Quantity.RECONNECTIONS: "1",
    Quantity.HEAT_ENERGY: "Wh",
    Quantity.COOLING_ENERGY: "Wh",
    Quantity.THERMAL_POWER: "W",
    Quantity.FLOW_TEMPERATURE: "°C",
    Quantity.RETURN_TEMPERATURE: "°C",
    Quantity.TEMPERATURE_DIFFERENCE: "K",
    Quantity.GAS_VOLUME: "m3",
    Quantity.WATER_VOLUME: "m3",
    Quantity.VOLUME: "m3",
    Quantity.VOLUME_FLOW: "m3/h",
    Quantity.OPERATING_TIME: "h",
}


class Phase(StrEnum):
    """The conductor a reading belongs to."""

    A = "a"
    B = "b"
    C = "c"
    NEUTRAL = "n"


class Quality(StrEnum):
    """How far a reading may be believed."""

    GOOD = "good"
    ABSENT = "absent"  # the meter answers, and says that it has no such value (DL/T 645: FF fill)
    SUSPECT = "suspect"  # outside the documented range of the register
    BACKFILLED = "backfilled"  # from the meter's own records, fetched after a gap; its meter time is when it held
    COMPUTED = "computed"  # made here of other values, not read from the meter
