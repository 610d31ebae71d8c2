// How an alarm is told: severity and state as word, shape and colour; never by colour alone.
import { el } from "../../base/dom.js";
import { orWord } from "../../base/text.js";

export const SEVERITIES = ["info", "warning", "critical"];
const SHAPES = { __proto__: null, critical: "▲", warning: "◆", info: "●" };
const TONES = { __proto__: null, critical: "bad", warning: "warn", info: "soft" };
const OF_STATE = { __proto__: null, unseen: "bad", acknowledged: "good", ended: "soft", raised: "warn", cleared: "good" };

export const severityWord = (t, severity) => orWord(t, "severity", severity, SEVERITIES);

export const severityBadge = (t, severity) => el("span", { class: `badge severity ${TONES[severity] ?? "bad"} ${severity === "critical" ? "filled" : ""}` },
  el("span", { "aria-hidden": "true" }, `${SHAPES[severity] ?? "■"} `), severityWord(t, severity));

/** `unseen`: nobody sees to it; `acknowledged`: somebody does; `ended`: its cause is over, and it waits to be cleared. */
export const statusOf = (alarm) => (alarm.ended ? "ended" : alarm.acknowledged_by ? "acknowledged" : "unseen");

/** The loudest that nobody sees to first, then what waits to be cleared, then the acknowledged; of equal ones the newest. */
export function rank(alarm) {
  const loudness = SEVERITIES.indexOf(alarm.severity);
  const urgency = { unseen: 2, ended: 1, acknowledged: 0 }[statusOf(alarm)];
  return urgency * 10 + (loudness < 0 ? SEVERITIES.length : loudness);
}

export const inOrder = (a, b) => rank(b) - rank(a) || b.since_us - a.since_us || (a.id < b.id ? -1 : 1);

export const statusBadge = (t, alarm) => stateBadge(t, alarm.state === "raised" ? statusOf(alarm) : "cleared");

export const stateBadge = (t, state) => el("span", { class: `badge ${OF_STATE[state] ?? ""}` }, t(`status.${state}`));

/** What it is about: the name of the thing beside its number. */
export function aboutText(alarm) {
  const name = alarm.fields?.name;
  return name && name !== alarm.subject ? `${name} (${alarm.subject})` : alarm.subject;
}

/** Who did what: acknowledged, escalated, and the comment, a line each. */
export function people(t, alarm) {
  const lines = [];
  if (alarm.acknowledged_by) lines.push(`✓ ${t("acknowledged_by", { who: alarm.acknowledged_by })}`);
  if (alarm.escalated) lines.push(`↑ ${alarm.escalated_by ? t("escalated_by", { who: alarm.escalated_by }) : t("escalated")}`);
  if (alarm.comment) lines.push(t("comment_by", { who: alarm.comment_by ?? "", comment: alarm.comment }));
  return lines;
}
