// What the pages about devices have in common: states, reasons and rates.
import { el } from "../../base/dom.js";
import { duration } from "../../base/format.js";

const REASONS = ["ok", "starting", "started", "stopped", "vanished", "connecting", "another_client", "link_failed", "frame_error",
  "refused", "configuration", "driver_failed", "no_answer", "gateway_away"];
const RANKS = { __proto__: null, offline: 0, unknown: 1, degraded: 2, online: 4 };
export const TONES = { __proto__: null, online: "good", degraded: "warn", offline: "bad", unknown: "soft" };
export const SEVERITY_TONES = { __proto__: null, info: "soft", warning: "warn", fault: "bad" };
const RATE_OVER_MS = 5000;

/** A reason as a person says it; that of a degraded device is the name of its condition, which stays as it is. */
export const reasonText = (t, reason) => (!reason || reason === "ok" ? "" : REASONS.includes(reason) ? t(`reason.${reason}`) : reason);

/** A state as a badge. */
export const stateBadge = (t, state) => el("span", { class: `badge ${TONES[state] ?? "soft"}` }, t(`state.${state in TONES ? state : "unknown"}`));

/** How bad: the smallest is the worst. Something that a person should look at goes before what is well. */
export function rank(row) {
  const found = RANKS[row.state] ?? 1;
  return found === RANKS.online && row.conditions.some((each) => each.severity !== "info") ? 3 : found;
}

/** The offset of a clock, with its sign. */
export function offset(us) {
  if (us === null || us === undefined) return "–";
  return us === 0 ? "0 ms" : `${us > 0 ? "+" : "−"}${duration(Math.abs(us) / 1e6)}`;
}

/** Items a second of each device, from counts that come now and then: over the last five seconds. */
export class Rates {
  constructor() { this.seen = new Map(); }

  /** Takes a count that was told now. */
  take(name, count) {
    const now = performance.now();
    const samples = this.seen.get(name) ?? [];
    if (samples.length && count < samples.at(-1).count) samples.length = 0; // the gateway began anew
    samples.push({ now, count });
    while (samples.length > 2 && samples[1].now < now - RATE_OVER_MS) samples.shift();
    this.seen.set(name, samples);
  }

  /** The rate now; null until two seconds have passed. */
  of(name) {
    const samples = this.seen.get(name), now = performance.now();
    if (!samples?.length || now - samples[0].now < 2000) return null;
    const before = samples.findLast((sample) => sample.now <= now - RATE_OVER_MS) ?? samples[0];
    return ((samples.at(-1).count - before.count) * 1000) / (now - before.now);
  }
}
