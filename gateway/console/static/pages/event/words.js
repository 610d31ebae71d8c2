// Words for events: verdicts, reasons, and what an event is about. The page of the gate uses them, too.
import { el } from "../../base/dom.js";
import { quantity } from "../../base/format.js";
import { orWord } from "../../base/text.js";

const VERDICTS = ["open", "hold", "trouble", "granted", "refused"];
const TYPES = ["gate-decision", "gate-transaction", "access-decision", "access-closed", "passage", "truck-weighed", "truck-turn",
  "truck-queue", "truck-queue-long", "customs-hold", "customs-release", "container-dwell", "container-overdue", "seal-opened",
  "yard-move", "access-duress", "access-request", "access-admitted", "parking-entry", "parking-visit", "parking-violation",
  "parking-overstay", "parking-full", "barrier-up", "barrier-raised", "barrier-unmatched", "fire-mode", "fire-ended", "gate-left",
  "arrived", "moved", "departed", "card_presented"];
const TONES = { __proto__: null, open: "good", granted: "good", hold: "warn", refused: "bad", trouble: "bad" };
const SIGNS = { good: "✓", warn: "‖", bad: "✕" };
/** What the packs say, and the key of its words; what a site's own rules say is shown as it is. */
const REASONS = {
  "No truck was read": "no_truck",
  "No container number was read": "no_container",
  "No seal was read": "no_seal",
  "The truck was not weighed": "no_weight",
  "No known driver's card was shown": "no_driver",
  "The readings of the container number differ": "readings_differ",
  "Tag and camera tell different container numbers": "tag_camera",
  "Tag and plate are not of the same truck": "tag_plate",
  "No appointment for this container": "no_appointment_container",
  "No appointment for this truck": "no_appointment_truck",
  "The appointment is for another truck": "other_truck",
  "The appointment is for another container": "other_container",
  "Too early for the appointment": "too_early",
  "Too late for the appointment": "too_late",
  "The seal is not the one that was declared": "other_seal",
  "Not released by customs": "customs_held",
  "Not known to customs": "customs_unknown",
  "The tare of the truck is not known": "no_tare",
  "Heavier than declared": "heavier",
  "Lighter than declared": "lighter",
  "The truck is not registered": "not_registered",
  "The driver's card is not enrolled": "not_enrolled",
  "The driver is not, or no longer, admitted": "not_admitted",
  "The seal is open": "seal_open",
  "The card is not known": "card_unknown",
  "The reader passes on a part of the number that several cards share": "card_ambiguous",
  "The holder is not in the table": "not_listed",
  "The card is not valid yet": "not_yet",
  "The card has expired": "expired",
  "The list of the holder may not enter": "list_refused",
  "Outside the hours of the list": "outside_hours",
  "The holder has entered already": "entered_already",
  "The holder has not entered": "not_entered",
  "The area is full": "full",
};

/** The reasons of a verdict, each in the language of the page. */
export function reasons(t, text) {
  return String(text ?? "").split("; ").filter(Boolean).map((reason) => {
    const key = REASONS[reason];
    if (key) return t(`reason.${key}`);
    const heavy = /^Heavier than ([0-9.e+]+) kg$/.exec(reason);
    return heavy ? t("reason.too_heavy", { weight: quantity(heavy[1], "kg") }) : reason;
  });
}

export const verdictTone = (verdict) => TONES[verdict] ?? "";

export const verdictWord = (t, verdict) => orWord(t, "verdict", verdict, VERDICTS);

/** A verdict as a badge: word, sign and colour. */
export function verdictBadge(t, verdict) {
  if (!verdict) return null;
  const tone = verdictTone(verdict);
  return el("span", { class: `badge verdict ${tone}` }, `${SIGNS[tone] ?? "•"} ${verdictWord(t, verdict)}`);
}

export const typeWord = (t, type) => orWord(t, "type", type, TYPES);

export const directionWord = (t, direction) => orWord(t, "direction", direction ?? "", ["in", "out", "both", "entry", "exit"]);

/** What an event is about, as people call it: container and truck, holder, tag. */
export function about(event) {
  const { fields = {} } = event;
  const things = [fields.container ?? fields.container_tag, fields.truck ?? fields.plate].filter(Boolean);
  if (things.length) return things.join(" · ");
  return fields.holder ?? event.name ?? (event.type.startsWith("access-") ? fields.card : null) ?? event.subject;
}

/** The weight that an event tells, if it tells one, in kilograms. */
export function weightOf(event) {
  const { fields = {} } = event;
  if (fields.weight_kg !== undefined) return fields.weight_kg;
  return fields.unit === "kg" && typeof fields.value === "number" ? fields.value : null;
}

/** What the truck alone weighs, if the list of vehicles says so, in kilograms. */
export function tareOf({ fields = {} }) {
  return Object.entries(fields).find(([name, value]) => /^vehicle_.*tare/.test(name) && typeof value === "number")?.[1] ?? null;
}
