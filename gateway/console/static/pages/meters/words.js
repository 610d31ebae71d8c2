// Words and values of meters, and which of them are late.
import { el } from "../../base/dom.js";
import { duration, number, quantity } from "../../base/format.js";

const LATE_LEAST_US = 30e6;
const LATE_TIMES = 4;
const UNKNOWN_PACE_US = 600e6; // a register that came once says nothing of how often it comes

/** The groups of registers, in the order of the page; what none names is in the last. */
export const GROUPS = {
  energy: ["active_energy_import", "active_energy_export", "active_energy_combined", "reactive_energy_import", "reactive_energy_export",
    "reactive_energy_q1", "reactive_energy_q2", "reactive_energy_q3", "reactive_energy_q4", "apparent_energy_import", "apparent_energy_export"],
  demand: ["active_demand", "active_demand_max", "active_demand_export_max", "active_demand_forecast", "active_power_excess",
    "reactive_demand", "reactive_demand_max", "apparent_demand"],
  power: ["active_power", "active_power_import", "active_power_export", "reactive_power", "reactive_power_export", "apparent_power"],
  voltage: ["voltage", "voltage_line"],
  current: ["current"],
  factor: ["power_factor", "phase_angle", "frequency"],
  harmonics: ["voltage_thd", "current_thd", "voltage_harmonic", "current_harmonic", "voltage_unbalance", "current_unbalance"],
  media: ["heat_energy", "cooling_energy", "thermal_power", "flow_temperature", "return_temperature", "temperature_difference",
    "gas_volume", "water_volume", "volume", "volume_flow", "operating_time"],
  counts: ["clock_offset", "battery_voltage", "temperature", "power_failures", "phase_failures", "programmings", "clock_settings",
    "demand_resets", "meter_resets", "event_resets", "cover_openings", "terminal_openings", "magnetic_influences", "disconnections",
    "reconnections"],
};
const KNOWN = new Set(Object.values(GROUPS).flat());
const PHASES = new Set(["a", "b", "c", "n"]);
const QUALITIES = new Set(["good", "computed", "estimated", "suspect", "absent", "measured", "backfilled", "gap", "missing"]);
const TARIFFS = new Set(["sharp", "peak", "flat", "valley", "deep_valley"]);
const BAD = new Set(["suspect", "absent", "gap", "missing"]);
const GOOD = new Set(["good", "measured", "computed"]);

/** The group of a quantity. */
export const groupOf = (name) => Object.keys(GROUPS).find((group) => GROUPS[group].includes(name)) ?? "counts";

/** Where a quantity stands in its group. */
export const placeOf = (name) => { const at = GROUPS[groupOf(name)].indexOf(name); return at < 0 ? 999 : at; };

export const quantityWord = (t, name) => (KNOWN.has(name) ? t(`quantity.${name}`) : name);
export const phaseWord = (t, phase) => (phase === "" ? t("total") : PHASES.has(phase) ? t(`phase.${phase}`) : phase);
export const qualityWord = (t, name) => (QUALITIES.has(name) ? t(`quality.${name}`) : name);
export const qualityTone = (name) => (BAD.has(name) ? "bad" : GOOD.has(name) ? "" : "warn");

/** The name of a tariff that the books use: `sharp`, or what the site calls it. */
export const tariffName = (t, name) => (TARIFFS.has(name) ? t(`tariff.${name}`) : name);

/** The name of a tariff register, 1, 2, 3 ...: as the site names them. */
export function tariffWord(t, tariff, names) {
  const name = names[Number(tariff) - 1];
  return name === undefined ? t("tariff_n", { n: tariff }) : tariffName(t, name);
}

/** What a register is called: quantity, phase, tariff. */
export function registerWord(t, { name, phase = "", tariff = "" }, names) {
  const more = [phase ? phaseWord(t, phase) : null, tariff ? tariffWord(t, tariff, names) : null].filter(Boolean);
  return [quantityWord(t, name), ...more].join(", ");
}

/** A value with its unit; what has no unit has three decimals: power factors. */
export const shown = (value, unit) => (unit === "1" ? number(value, 3) : quantity(value, unit));

const METERED = new Set(["Wh", "varh", "VAh"]);

/** What a register shows: in thousands, as on the meter itself, however large it is. */
export const register = (value, unit) => (METERED.has(unit) && value !== null && value !== undefined ? `${number(value / 1000, 2)} k${unit}` : shown(value, unit));

/** How old something is, in whole seconds: parts of them would only flicker. */
export function oldness(us) {
  const s = Math.max(0, Math.round(Date.now() / 1000 - us / 1e6));
  return s < 60 ? `${s} s` : duration(s);
}

const LOST_PART = 0.6; // as the pack `power` tells a lost phase from a low one

/** Of the voltages of phases, whether one is lost, against what is nominal or else the highest of them. */
export const isLost = (volts, nominal) => volts.some((v) => v < LOST_PART * (nominal ?? Math.max(...volts)));

/** Whether a value is late: not there for four times as long as it took to come before. */
export const isLate = (atUs, everyUs, nowUs) => nowUs - atUs > Math.max(LATE_LEAST_US, LATE_TIMES * (everyUs || UNKNOWN_PACE_US / LATE_TIMES));

/** What a cell says of a late value. */
export const lateTitle = (t, atUs, everyUs, nowUs) => t("stale_title", {
  every: everyUs ? duration(everyUs / 1e6) : "–", age: duration((nowUs - atUs) / 1e6),
});

/** How a demand stands to its limit: tone and word. */
export function standing(value, limit) {
  if (value === null || value === undefined || !limit) return { tone: "", word: null };
  if (value > limit) return { tone: "bad", word: "over" };
  return value > limit * 0.9 ? { tone: "warn", word: "near" } : { tone: "good", word: "within" };
}

const STATES = { __proto__: null, online: "good", degraded: "warn", offline: "bad" };

/** The state of a device as a badge. */
export function stateBadge(t, device) {
  const state = device?.state;
  if (!(state in STATES)) return el("span", { class: "badge soft" }, t("state.unknown"));
  const why = state === "online" ? null : device.detail || device.reason;
  return el("span", { class: `badge ${STATES[state]}`, title: why }, t(`state.${state}`));
}
