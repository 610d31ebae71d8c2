// What the pages of control and audit say of orders: actions, outcomes, and what devices show.
import { el } from "../../base/dom.js";
import { duration, quantity } from "../../base/format.js";
import { orWord } from "../../base/text.js";

const ACTIONS = ["trip", "permit_close", "close", "alarm_on", "alarm_off", "protect_on", "protect_off", "on", "off", "pulse", "set",
  "freeze", "stop", "reset", "start"];
const STATES = ["arming", "armed", "confirming", "sending", "cancelling", "verified", "failed", "unknown", "refused", "cancelled",
  "expired", "unanswered", "not_sent"];
const CODES = ["not_allowed", "not_permitted", "value", "locked", "nonce", "two_steps", "busy", "late", "differs", "second_person",
  "confirmed", "rate", "not_open", "no_state", "interlock", "remote_disabled", "protected", "gateway_clock", "life", "sender_clock",
  "expired", "stopping", "audit", "not_confirmed", "cancelled", "sending", "armed", "done", "not_done", "not_sent", "device_refused",
  "no_proof", "restarted", "read_back", "broker_lost", "silent", "unproven", "no_person", "no_key", "broker_away", "switched_off",
  "not_listed", "malformed", "not_yours", "over", "forgotten", "defect", "person", "signature", "retained", "topic"];
const SHOWN = ["is_closed", "is_protected", "is_alarm", "current_a", "power_w", "is_on", "pulses", "value", "machine_state", "is_remote_enabled"];
const UNITS = { _a: "A", _w: "W", _v: "V", _hz: "Hz", _s: "s" };
const TONES = { verified: "good", failed: "bad", unknown: "bad", refused: "warn", not_sent: "warn", unanswered: "warn", armed: "warn",
  sending: "warn", confirming: "warn" };
const MARKS = { verified: "✓", failed: "✕", unknown: "?", refused: "⊘", not_sent: "⊘", unanswered: "?", cancelled: "–", expired: "–" };

export const actionWord = (t, action) => orWord(t, "action", action, ACTIONS);
export const stateWord = (t, state) => orWord(t, "order", state, STATES);
export const codeWord = (t, code) => orWord(t, "code", code, CODES);
export const toneOf = (state) => TONES[state] ?? "soft";

/** A state as a badge, with a mark of its own. */
export const stateBadge = (t, state) => el("span", { class: `badge ${toneOf(state)}` }, `${MARKS[state] ?? "…"} ${stateWord(t, state)}`);

/** An action with its number, and what it is about. */
export const orderText = (t, { action, value, device, point }, unit = "") => (
  `${actionWord(t, action)}${value ? ` ${quantity(value, unit ?? "", 9)}` : ""} · ${device} ${point}`);

/** What an order does, in a sentence. */
export const willText = (t, { action, value, device, point }, unit = "") => (ACTIONS.includes(action)
  ? t(`will.${action}`, { device, point, value: value ? quantity(value, unit ?? "", 9) : "" }) : `${action} ${device} ${point}`);

/** A value as people read it. */
export function valueText(t, value, unit = "") {
  if (value === true || value === false) return t(value ? "yes" : "no");
  return value === null || value === undefined ? "–" : quantity(value, unit ?? "", 3);
}

/** What a device showed, as names and values. */
export function shown(t, shows, unit = "") {
  return Object.entries(shows ?? {}).map(([name, value]) => {
    const suffix = Object.keys(UNITS).find((each) => name.endsWith(each));
    return [orWord(t, "shows", name, SHOWN), valueText(t, value, name === "value" ? unit : UNITS[suffix])];
  });
}

/** The same in one line. */
export const shownText = (t, shows, unit = "") => shown(t, shows, unit).map(([name, value]) => `${name}: ${value}`).join(" · ");

/** An interlock, whether it holds by what this console has heard, and what that is: { mark, tone, text, now }. The gateway
 * judges: it may have heard more. */
export function interlockNow(t, interlock, values, freshS, nowUs) {
  if (interlock.source === "point") return { mark: "·", tone: "soft", text: interlock.text, now: t("asked_when_ordered") };
  const found = values[`${interlock.source} ${interlock.device} ${interlock.name}`];
  const text = t(`interlock.${interlock.source}`, { device: interlock.device, name: interlock.name,
    condition: `${interlock.operator} ${interlock.literal === true || interlock.literal === false ? t(interlock.literal ? "yes" : "no") : interlock.literal}` });
  if (!found || found.value === null) return { mark: "?", tone: "soft", text, now: t("not_known") };
  const now = valueText(t, found.value, found.unit);
  const oldS = (nowUs - found.at_us) / 1e6;
  if (oldS > freshS) return { mark: "?", tone: "soft", text, now: t("too_old", { value: now, age: duration(oldS) }) };
  const isHeld = holds(interlock, found.value);
  return { mark: isHeld ? "✓" : "✕", tone: isHeld ? "good" : "bad", text, now: t("it_is", { value: now }) };
}

function holds({ operator, literal }, value) {
  if (typeof literal === "boolean") return typeof value === "boolean" && (value === literal) === (operator === "=");
  const [a, b] = [Number(value), Number(literal)];
  if (typeof value === "boolean" || Number.isNaN(a) || Number.isNaN(b)) return (String(value) === String(literal)) === (operator === "=");
  return { "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "=": a === b, "!=": a !== b }[operator];
}
