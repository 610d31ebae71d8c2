// The alarms that stand, the loudest that nobody has seen first; one or many of them can be acted on.
import { el, fill, write } from "../../base/dom.js";
import { duration, number, when } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { SELECTED_MOST, mayAct } from "./acting.js";
import { SEVERITIES, aboutText, inOrder, people, rank, severityBadge, severityWord, statusBadge, statusOf } from "./words.js";

const STEP = 100;
const AGES_EVERY_MS = 2000;
const FILTERS = ["severity", "state", "text"];
const STATES = {
  unseen: (alarm) => statusOf(alarm) === "unseen",
  acknowledged: (alarm) => statusOf(alarm) === "acknowledged",
  ended: (alarm) => statusOf(alarm) === "ended",
  escalated: (alarm) => Boolean(alarm.escalated),
};

export function openStanding(page) {
  const { root, t, on, query, acting } = page;
  const alarms = new Rows();
  const selected = new Set();
  let leftOut = 0, most = STEP, shown = [], isKnown = false;
  const option = (value, text) => el("option", { value }, text);
  const fields = {
    severity: el("select", { name: "severity" }, option("", t("every_severity")), [...SEVERITIES].reverse().map((each) => option(each, severityWord(t, each)))),
    state: el("select", { name: "state" }, option("", t("every_state")), Object.keys(STATES).map((each) => option(each, t(`${each}_all`)))),
    text: el("input", { name: "text", type: "search", maxlength: "100", placeholder: t("text_hint") }),
  };
  for (const name of FILTERS) {
    fields[name].value = (query.get(name) ?? "").slice(0, 100);
    if (fields[name].selectedIndex === -1) fields[name].selectedIndex = 0;
  }
  const filters = el("form", { class: "bar", onsubmit: (event) => event.preventDefault(), oninput: () => changed() },
    FILTERS.map((name) => el("label", {}, t(name), fields[name])));

  const all = el("input", { type: "checkbox", onchange: () => {
    selected.clear();
    if (all.checked) for (const alarm of shown.slice(0, SELECTED_MOST)) selected.add(alarm.id);
    for (const box of table.body.querySelectorAll("input[type=checkbox]")) box.checked = selected.has(box.value);
    count();
  } });
  const box = (alarm) => el("input", { type: "checkbox", value: alarm.id, checked: selected.has(alarm.id),
    "aria-label": t("select_one", { message: alarm.message, subject: alarm.subject }), onchange: (event) => {
      if (event.currentTarget.checked) selected.add(alarm.id);
      else selected.delete(alarm.id);
      count();
    } });
  const button = (alarm) => el("button", { type: "button", "aria-label": t("act_on", { message: alarm.message, subject: alarm.subject }),
    onclick: () => { const now = alarms.get(alarm.id); if (now) acting.one(now); } }, t("do"));
  const act = { key: "act", label: t("act"), cell: button };
  const select = { key: "select", label: el("span", { class: "unseen" }, t("select")), cell: box };
  const table = new Table([
    ...(acting ? [select] : []),
    { key: "severity", label: t("severity"), cell: (row) => severityBadge(t, row.severity), sort: (row) => -rank(row) },
    { key: "message", label: t("message"), head: true, cell: (row) => el("a", { href: `/alarms/${row.id}` }, row.message), sort: (row) => row.message },
    { key: "subject", label: t("subject"), cell: (row) => ({ text: aboutText(row), class: "subject" }), sort: (row) => aboutText(row) },
    { key: "state", label: t("state"), cell: (row) => statusBadge(t, row), sort: (row) => statusOf(row) },
    ...(acting ? [act] : []),
    { key: "since", label: t("since"), cell: (row) => when(row.since_us), sort: (row) => -row.since_us },
    { key: "lasts", label: t("lasts"), number: true, cell: (row) => ({ text: duration(Math.floor(Date.now() / 1000 - row.since_us / 1e6)), class: "short" }), sort: (row) => -row.since_us },
    { key: "who", label: t("who"), cell: (row) => el("span", {}, people(t, row).map((line) => el("span", { class: "line" }, line))) },
    { key: "rule", label: t("rule"), cell: (row) => el("a", { href: `/rules/${encodeURIComponent(row.rule)}` }, row.rule), sort: (row) => row.rule },
  ], { caption: t("standing_caption"), key: (row) => row.id, rowClass: (row) => `alarm-row is-${statusOf(row)}` });

  table.element.classList.add("stacked");
  const state = el("p", { class: "hint" }, t("waiting"));
  const cut = el("p", { class: "warn", hidden: true });
  const more = el("button", { type: "button", hidden: true, onclick: () => { most += STEP; show(); } }, t("more_rows"));
  const counted = el("span", { role: "status" });
  const many = (action) => el("button", { type: "button", disabled: true, onclick: async () => {
    const chosen = [...selected].map((id) => alarms.get(id)).filter(Boolean);
    for (const id of await acting.many(chosen, action)) selected.delete(id);
    show();
  } }, t(`${action}_selected`));
  const buttons = [many("acknowledge"), many("clear")];
  const bar = acting ? el("div", { class: "bar selection" }, el("label", { class: "check" }, all, t("select_all")), buttons, counted) : null;

  function count() {
    const n = selected.size;
    write(counted, n > SELECTED_MOST ? `${t("selected", { n: number(n) })} · ${t("at_most", { n: number(SELECTED_MOST) })}` : t("selected", { n: number(n) }));
    for (const each of buttons) each.disabled = n === 0 || n > SELECTED_MOST;
    all.checked = n > 0 && shown.slice(0, SELECTED_MOST).every((alarm) => selected.has(alarm.id));
    all.indeterminate = n > 0 && !all.checked;
  }

  function changed() {
    const given = FILTERS.map((name) => [name, fields[name].value.trim()]).filter(([, value]) => value);
    const kept = new URLSearchParams(given).toString();
    history.replaceState(null, "", `/alarms${kept ? `?${kept}` : ""}`);
    most = STEP;
    show();
  }

  function isWanted(alarm) {
    const text = fields.text.value.trim().toLowerCase();
    return (!fields.severity.value || alarm.severity === fields.severity.value)
      && (!fields.state.value || STATES[fields.state.value](alarm))
      && (!text || [alarm.message, aboutText(alarm), alarm.rule].some((each) => each.toLowerCase().includes(text)));
  }

  function show() {
    if (!isKnown) return;
    const found = alarms.values().filter(isWanted).sort(inOrder);
    shown = found.slice(0, most);
    for (const id of selected) if (!alarms.get(id)) selected.delete(id);
    table.show(shown);
    more.hidden = found.length <= most;
    const every = alarms.rows.size;
    const none = every ? t("calm_filtered") : t("calm");
    write(state, found.length ? t("shown", { shown: number(shown.length), all: number(every + leftOut) }) : none);
    state.className = found.length ? "hint" : every ? "" : "good";
    table.element.hidden = !found.length;
    cut.hidden = leftOut === 0;
    write(cut, t("left_out", { n: number(leftOut) }));
    if (bar) { bar.hidden = !found.length; count(); }
  }

  on("alarms", (news) => {
    alarms.take(news);
    leftOut = news.left_out ?? leftOut;
    isKnown = true;
    show();
  });
  const timer = setInterval(() => { if (!document.hidden) show(); }, AGES_EVERY_MS);
  fill(root, el("section", { class: "card wide", "aria-labelledby": "standing-now" },
    el("h2", { id: "standing-now" }, t("standing")), mayAct(page), cut, filters, bar, state, table.element, el("p", {}, more)));
  return () => clearInterval(timer);
}
