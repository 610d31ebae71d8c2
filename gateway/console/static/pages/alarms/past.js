// The past of alarms: every change that the event journal has, newest first.
import { el, fill, write } from "../../base/dom.js";
import { duration, number, when } from "../../base/format.js";
import { Table } from "../../base/table.js";
import { SEVERITIES, aboutText, people, severityBadge, severityWord, stateBadge, statusOf } from "./words.js";

const FIELDS = "state severity rule subject from to".split(" ");
const ROWS_MOST = 1000;

export async function openPast({ root, t, api, query }) {
  let rows = [], next = null, turn = 0;
  const option = (value, text) => el("option", { value }, text);
  const fields = {
    state: el("select", {}, option("", t("every")), ["raised", "cleared"].map((each) => option(each, t(`status.${each}`)))),
    severity: el("select", {}, option("", t("every")), [...SEVERITIES].reverse().map((each) => option(each, severityWord(t, each)))),
    rule: el("input", { type: "search", maxlength: "100" }),
    subject: el("input", { type: "search", maxlength: "100" }),
    from: el("input", { type: "datetime-local" }),
    to: el("input", { type: "datetime-local" }),
  };
  for (const name of FIELDS) {
    fields[name].name = name;
    fields[name].value = (query.get(name) ?? "").slice(0, 100);
    if (fields[name].selectedIndex === -1) fields[name].selectedIndex = 0;
  }
  const asked = () => FIELDS.map((name) => [name, fields[name].value.trim()]).filter(([, value]) => value);
  const us = (text) => (text ? Math.round(new Date(text).getTime() * 1000) : "");
  const stateOf = (alarm) => (alarm.state === "cleared" ? "cleared" : alarm.ended || alarm.acknowledged_by ? statusOf(alarm) : "raised");
  const table = new Table([
    { key: "at", label: t("changed_at"), cell: (row) => when(row.at_us) },
    { key: "severity", label: t("severity"), cell: (row) => severityBadge(t, row.severity) },
    { key: "message", label: t("message"), head: true, cell: (row) => el("a", { href: `/alarms/${row.id}` }, row.message) },
    { key: "subject", label: t("subject"), cell: (row) => ({ text: aboutText(row), class: "subject" }) },
    { key: "state", label: t("state"), cell: (row) => stateBadge(t, stateOf(row)) },
    { key: "lasts", label: t("lasts"), number: true, cell: (row) => ({ text: duration((row.at_us - row.since_us) / 1e6), class: "short" }) },
    { key: "who", label: t("who"), cell: (row) => el("span", {}, people(t, row).map((line) => el("span", { class: "line" }, line))) },
    { key: "rule", label: t("rule"), cell: (row) => el("a", { href: `/rules/${encodeURIComponent(row.rule)}` }, row.rule) },
  ], { caption: t("history_caption"), empty: t("no_data"), key: (row) => `${row.id}/${row.at_us}/${row.state}` });
  table.element.classList.add("stacked");
  const state = el("p", { class: "hint", role: "status" });
  const more = el("button", { type: "button", hidden: true, onclick: () => fetchPage(true) }, t("more"));
  const form = el("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); search(); } },
    FIELDS.map((name) => el("label", {}, t(name), fields[name])), el("button", { type: "submit", class: "main" }, t("search")));

  function search() {
    const kept = new URLSearchParams(asked()).toString();
    history.replaceState(null, "", `/alarms/history${kept ? `?${kept}` : ""}`);
    return fetchPage();
  }

  async function fetchPage(isMore = false) {
    const mine = ++turn;
    const { from, to, ...rest } = Object.fromEntries(asked());
    try {
      const found = await api("/alarms/history", { query: { ...rest, from_us: us(from), to_us: us(to),
        before: isMore ? `${next.at_us}-${next.state}-${next.id}` : "" } });
      if (mine !== turn) return;
      rows = isMore ? [...rows, ...found.alarms] : found.alarms;
      next = rows.length < ROWS_MOST ? found.next : null;
      table.show(rows);
      more.hidden = next === null;
      write(state, [t("listed", { n: number(rows.length) }), rows.length >= ROWS_MOST ? t("rows_most") : "",
        ...found.damaged.map((text) => t("damaged", { text }))].filter(Boolean).join(" · "));
      state.className = "hint";
    } catch (error) {
      if (mine !== turn) return;
      write(state, error.status === 409 ? t("no_journal") : error.message);
      state.className = "hint bad";
      if (error.status === 409) form.hidden = table.element.hidden = true;
    }
  }

  fill(root, el("section", { class: "card wide", "aria-labelledby": "past" }, el("h2", { id: "past" }, t("history")),
    form, state, table.element, el("p", {}, more)));
  await fetchPage();
  return () => { turn += 1; };
}
