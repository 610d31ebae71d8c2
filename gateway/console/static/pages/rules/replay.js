// A replay: what the rules of today make of what was recorded, against what happened then.
import { el, fill, write } from "../../base/dom.js";
import { exactTime, moment, number } from "../../base/format.js";
import { Table } from "../../base/table.js";
import { Asking } from "./asking.js";
import { back, fieldUs, onlyFor, ruleLink } from "./words.js";

const SPANS_S = [600, 1800, 3600];
const CUSTOM = "custom";
const S_US = 1e6;

export function replayCard({ t, api, me, mayBe }) {
  const heading = el("h2", { id: "rules-replay" }, t("replay"));
  const hint = el("p", { class: "hint" }, t("replay_hint"));
  const only = onlyFor(t, me, mayBe, "engineer");
  const whole = (...body) => el("section", { class: "card wide", "aria-labelledby": "rules-replay" }, heading, hint, body);
  if (only) return { element: whole(only), close() {} };

  const asking = new Asking({ t, api, label: t("replay_result") });
  const kept = el("p", { class: "hint" });
  const state = el("p", { class: "bad", role: "status" });
  const from = el("input", { name: "begin", type: "datetime-local", step: "1" });
  const to = el("input", { name: "end", type: "datetime-local", step: "1" });
  const times = [from, to].map((field) => el("label", { hidden: true }, t(field.name), field));
  const span = el("select", { name: "span", onchange: () => { for (const label of times) label.hidden = span.value !== CUSTOM; } },
    SPANS_S.map((seconds) => el("option", { value: seconds }, t(`span.${seconds}`))), el("option", { value: CUSTOM }, t("span.custom")));
  const backField = back(t);
  const button = el("button", { type: "submit", class: "main" }, t("replay_start"));

  /** What there is to replay, told beside the form; null when there is none. */
  async function recording() {
    try {
      const found = await api("/rules/recording");
      write(kept, t("recorded", { from: moment(found.first_us), to: moment(found.last_us) }));
      return found;
    } catch (error) {
      write(kept, t("not_recorded", { why: error.message }));
      return null;
    }
  }

  async function asked() {
    const found = await recording();
    if (!found) return null;
    if (span.value !== CUSTOM) return { from_us: Math.max(found.first_us, found.last_us - Number(span.value) * S_US), to_us: found.last_us + 1 };
    return { from_us: fieldUs(from), to_us: fieldUs(to) };
  }

  const form = el("form", { class: "bar", onsubmit: async (event) => {
    event.preventDefault();
    write(state, "");
    button.disabled = true;
    try {
      const window = await asked();
      if (!window) return;
      if (!(window.from_us < window.to_us)) { write(state, t("span_wrong")); return; }
      await asking.ask("/rules/replay", { ...window, look_back_s: backField.value }, (found) => result(t, found));
    } finally {
      button.disabled = false;
    }
  } }, el("label", {}, t("span"), span), times, el("label", {}, t("ask.back"), backField), button);
  recording();
  return { element: whole(kept, form, state, asking.element), close: () => asking.close() };
}

function result(t, found) {
  const rows = Object.entries(found.rules).map(([name, counts]) => ({ name, ...counts }));
  const differing = rows.filter((row) => row.made_now_count + row.missing_now_count);
  const sum = (key) => rows.reduce((n, row) => n + row[key], 0);
  const window = { from: moment(found.window.from_us), to: moment(found.window.to_us) };
  const head = found.recording;
  const counted = { n: number(sum("same")), made: number(sum("made_now_count")), missing: number(sum("missing_now_count")), rules: number(differing.length) };
  return [
    el("p", { class: "verdict-line", role: "status" }, el("span", { class: `badge ${found.is_same ? "good" : "warn"}` }, found.is_same ? `✓ ${t("same")}` : `≠ ${t("different")}`),
      t(rows.length ? found.is_same ? "same_told" : "different_told" : "nothing_made", { ...counted, ...window })),
    el("p", { class: "hint" }, t("replayed", { batches: number(head.batches), since: moment(head.began_us), ...window }), head.began_us >= head.from_us ? ` ${t("began_late")}` : ""),
    head.damaged.map((text) => el("p", { class: "warn" }, t("damaged", { text }))),
    found.is_same ? null : el("p", { class: "hint" }, t("different_hint")),
    differing.map((row) => differences(t, row)),
    rows.length ? el("details", { open: differing.length > 0 && differing.length < 4 ? false : null }, el("summary", {}, t("all_counts", { n: number(rows.length) })), countTable(t, rows).element) : null,
  ];
}

function countTable(t, rows) {
  const count = (key) => ({ key, label: t(key), number: true, sort: (row) => row[key], cell: (row) => ({ text: number(row[key]), class: row[key] && key !== "same" ? "warn" : "" }) });
  const table = new Table([
    { key: "rule", label: t("name"), head: true, sort: (row) => row.name, cell: (row) => ruleLink(t, row.name) },
    count("same"), count("made_now_count"), count("missing_now_count"),
  ], { caption: t("counts"), key: (row) => row.name });
  table.show(rows);
  return table;
}

function differences(t, row) {
  const both = [...row.made_now.map((each) => ({ ...each, is_made: true })), ...row.missing_now.map((each) => ({ ...each, is_made: false }))]
    .sort((a, b) => a.at_us - b.at_us);
  const left = row.made_now_count + row.missing_now_count - both.length;
  const table = new Table([
    { key: "at", label: t("time"), head: true, cell: (each) => (each.is_made ? exactTime(each.at_us) : el("a", { href: `/${each.what.startsWith("alarm ") ? "alarms" : "event"}/${each.id}` }, exactTime(each.at_us))) },
    { key: "sign", label: t("difference"), cell: (each) => ({ text: each.is_made ? `+ ${t("made_now")}` : `− ${t("missing_now")}`, class: each.is_made ? "good" : "warn" }) },
    { key: "what", label: t("what"), cell: (each) => each.what },
    { key: "subject", label: t("about"), cell: (each) => each.subject },
  ], { caption: row.name, key: (each) => `${each.is_made}/${each.id}/${each.at_us}/${each.what}` });
  table.show(both);
  return el("section", {}, el("h3", {}, ruleLink(t, row.name), ": ", t("rule_differs", { same: number(row.same), made: number(row.made_now_count), missing: number(row.missing_now_count) })),
    table.element, left > 0 ? el("p", { class: "hint" }, t("left_out", { n: number(left) })) : null);
}
