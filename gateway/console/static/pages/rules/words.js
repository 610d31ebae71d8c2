// What pages of rules say of them: where they stand, what they watch and make.
import { el } from "../../base/dom.js";

const BACK_S = 300;
export const SHAPES = ["match", "hold", "rate", "absence", "sequence", "session", "pair", "set", "travel", "binding"];
/** Alarms of the rules daemon about its own files: what it was given, it did not take. */
export const REFUSED = ["rules_refused", "table_refused", "registry_refused"];
/** Under this name replays count what no rule makes. */
const NO_RULE = "(presence, cards and books)";

export const shapeWord = (t, shape) => (SHAPES.includes(shape) ? t(`shape.${shape}`) : shape);

/** Where a rule comes from, shortly. */
export function source(t, { file, line, pack, kind }) {
  if (pack) return t("of_pack", { pack, kind });
  const name = file.split("/").at(-1);
  return line === null ? name : `${name}:${line}`;
}

/** What a rule watches, each once. */
export const watches = (rule) => [...new Set(rule.takes.map((each) => each.on))].join(", ");

export const makes = (rule) => [...new Set(rule.makes.map((each) => each.type))].join(", ");

const TONES = { __proto__: null, critical: "bad", warning: "warn" };

/** The alarms of a rule as badges. */
export const alarmBadges = (t, rule) => [...new Set(rule.alarms.map((alarm) => alarm.severity))]
  .map((severity) => el("span", { class: `badge ${TONES[severity] ?? ""}` }, t(`severity.${severity}`)));

export const severityTone = (severity) => TONES[severity] ?? "";

/** A rule by its name, to be gone to; what presence and books say of their own has no page. */
export const ruleLink = (t, name) => (name === NO_RULE ? t("no_rule") : el("a", { href: `/rules/${encodeURIComponent(name)}` }, name));

/** Who may not ask is told who may. */
export function onlyFor(t, me, mayBe, role) {
  if (mayBe(role)) return null;
  return el("p", {}, t(`only.${role}`), " ", me.login_possible && !me.name
    ? el("a", { href: `/login?to=${encodeURIComponent(location.pathname)}` }, t("login")) : null);
}

/** What the journal could not tell. */
export const troubles = (t, { slow = [], damaged = [] }) => [
  ...slow.map((what) => el("p", { class: "warn" }, t("slow", { what: t(`slow.${what}`) }))),
  ...damaged.map((text) => el("p", { class: "warn" }, t("damaged", { text }))),
];

/** From how long before a question is replayed; each minute of a busy port takes its time. */
export const back = (t) => el("select", { name: "back" }, [60, 300, 3600]
  .map((seconds) => el("option", { value: seconds, selected: seconds === BACK_S }, t(`back.${seconds}`))));

/** Microseconds of what stands in a field for date and time; empty for nothing. */
export const fieldUs = (field) => (field.value ? Math.round(new Date(field.value).getTime() * 1000) : "");
