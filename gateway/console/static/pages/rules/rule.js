// One rule: what it says, how its day was, what it made last, and why, or why not.
import { Chart } from "../../base/chart.js";
import { el, fill, write } from "../../base/dom.js";
import { moment, number, when } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { traced } from "../../base/trace.js";
import { Asking, refused } from "./asking.js";
import { alarmBadges, back, fieldUs, onlyFor, severityTone, shapeWord, source, troubles } from "./words.js";

const AGAIN_MS = 15_000;
const WITHIN = [10, 60, 300, 1800];

export async function openRule({ root, t, api, on, me, mayBe }, name) {
  const to = `/rules/one/${encodeURIComponent(name)}`;
  const title = el("h1", {}, t("rule_title", { name }));
  const home = el("nav", { class: "bar", "aria-label": t("title") }, el("a", { class: "button", href: "/rules" }, t("all_rules")));
  fill(root, title, home, el("p", { class: "hint", role: "status" }, t("listing")));
  let told;
  try {
    told = await api(to);
  } catch (error) {
    fill(root, title, home, el("section", { class: "card wide" }, refused(error.message), error.status === 404 ? el("p", {}, t("unknown_hint")) : null));
    return undefined;
  }
  const alarms = new Rows();
  const isOperator = mayBe("operator");
  const answer = new Asking({ t, api, label: t("why") });
  const missing = new Asking({ t, api, label: t("why_not") });
  const standing = alarmTable(t, t("standing_now"), t("none_stand"), null);
  const events = eventTable(t, isOperator ? (event) => why(event.id) : null);
  const changes = alarmTable(t, t("latest_alarms"), t("no_alarms"), isOperator ? (alarm) => why(alarm.id, alarm.at_us) : null);
  const chart = new Chart({ title: t("day"), unit: "", height: 180, stepped: true, times: t("time"), asTable: t("as_table"), empty: t("no_data") });
  const notes = el("div");
  const about = el("datalist", { id: "rules-about" });
  let closed = false;

  const backField = back(t);
  let last = null;

  /** Asks why; of an alarm, why it was as it was at that time. */
  async function why(id, at_us = "") {
    last = [id, at_us];
    whyCard.hidden = false;
    answer.element.scrollIntoView({ block: "center" });
    answer.element.focus({ preventScroll: true });
    await answer.ask(`/rules/why/${id}`, { at_us, look_back_s: backField.value }, (trace) => account(t, trace));
  }

  function show() {
    fill(notes, told.fault ? el("p", { class: "warn" }, t("fault"), ": ", told.fault) : null,
      told.rule ? null : el("p", { class: "warn" }, t("runs_not")), told.kept_here ? null : el("p", { class: "warn" }, t("no_journal")), troubles(t, told));
    const { curve } = told;
    const isEmpty = !curve || !(curve.events.some(Boolean) || curve.alarms.some(Boolean));
    chart.show(isEmpty ? { times_us: [], curves: [] } : {
      times_us: curve.events.map((_, n) => curve.from_us + n * curve.step_us),
      curves: [{ label: t("events"), values: curve.events }, { label: t("alarms"), values: curve.alarms }],
    });
    events.show(told.events);
    changes.show(told.alarms);
    eventCard.hidden = told.rule?.makes.length === 0 && !told.events.length;
    alarmCard.hidden = told.rule?.alarms.length === 0 && !told.alarms.length;
    eventCard.classList.toggle("wide", alarmCard.hidden);
    alarmCard.classList.toggle("wide", eventCard.hidden);
    const subjects = [...told.events, ...told.alarms].flatMap((each) => [each.name ?? each.fields?.name, each.subject]);
    fill(about, [...new Set(subjects.filter((each) => typeof each === "string" && each))].slice(0, 20).map((value) => el("option", { value })));
  }

  on("alarms", (news) => {
    alarms.take(news);
    standing.show(alarms.values().filter((alarm) => alarm.rule === name));
  });
  const eventCard = el("section", { class: "card" }, el("h2", {}, t("latest_events")), events.element);
  const alarmCard = el("section", { class: "card" }, el("h2", {}, t("latest_alarms")), changes.element, el("p", { class: "hint" }, t("latest_hint")));
  const whyCard = el("section", { class: "card wide", hidden: true }, el("h2", {}, t("why")), el("p", { class: "hint" }, t("why_hint")),
    el("div", { class: "bar" }, el("label", {}, t("ask.back"), backField), el("button", { type: "button", onclick: () => why(...last) }, t("ask_again"))), answer.element);
  fill(root, title, home, el("div", { class: "wide" }, notes), told.rule ? ruleCard(t, told.rule) : null,
    el("section", { class: "card" }, el("h2", {}, t("day_title")), chart.element),
    el("section", { class: "card" }, el("h2", {}, t("standing_now")), standing.element),
    eventCard, alarmCard,
    whyCard, whyNotCard({ t, api, me, mayBe, name, about, missing }));
  show();
  const timer = setInterval(async () => {
    if (document.hidden) return;
    try {
      const found = await api(to);
      if (closed) return;
      told = found;
      show();
    } catch (error) {
      if (!closed) fill(notes, el("p", { class: "warn" }, error.message));
    }
  }, AGAIN_MS);
  return () => { closed = true; clearInterval(timer); chart.close(); answer.close(); missing.close(); };
}

const account = (t, trace) => traced(t, trace, { folded: (n) => t("why_raw", { n: number(n) }) });

function ruleCard(t, rule) {
  const { from } = rule;
  const pairs = [
    [t("shape"), [shapeWord(t, rule.shape), el("br"), el("span", { class: "soft" }, t(`shape_hint.${rule.shape}`))]],
    [t("source"), [source(t, from), el("br"), el("span", { class: "soft" }, from.line === null ? from.file : `${from.file}:${from.line}`)]],
    [t("watches"), el("ul", { class: "plain" }, rule.takes.map((each) => el("li", {}, each.place ? `${each.place}: ` : "", el("strong", {}, each.on),
      each.when && each.when !== "true" ? [" ", t("when"), " ", el("code", {}, each.when)] : null, each.key ? [" ", t("by"), " ", el("code", {}, each.key)] : null)))],
    [t("makes"), rule.makes.length ? el("ul", { class: "plain" }, rule.makes.map((each) => el("li", {}, each.type))) : t("no_event")],
    [t("raises"), rule.alarms.length ? el("ul", { class: "plain" }, rule.alarms.map((alarm) => el("li", {}, alarmBadges(t, { alarms: [alarm] }), " ", alarm.message, alarm.latch ? ` · ${t("latched")}` : ""))) : t("no_alarm")],
    Object.keys(rule.looks_up).length ? [t("looks_up"), Object.entries(rule.looks_up).map(([alias, table]) => `${alias}: ${table}`).join(", ")] : null,
    rule.during ? [t("during"), rule.during] : null,
  ].filter(Boolean);
  return el("section", { class: "card wide" }, el("h2", {}, t("what_it_says")),
    el("dl", { class: "facts" }, pairs.flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, value)])),
    el("details", {}, el("summary", {}, t("as_toml")), from.pack ? el("p", { class: "hint" }, t("made_by_pack")) : null, el("pre", { tabindex: "0" }, rule.toml)));
}

const whyButton = (t, ask, label) => (ask ? [{ key: "why", label: t("why"), cell: (row) => el("button", { type: "button", "aria-label": t("why_of", { what: label(row) }) }, t("why")) }] : []);

/** A table whose buttons ask for the row in which they stand. */
function asks(table, ask) {
  table.element.addEventListener("click", (event) => {
    const row = event.target.closest?.("button:not(.sort)")?.closest("tr");
    const found = [...table.shown].find(([, kept]) => kept.tr === row)?.[0];
    const item = table.rows.find((each, index) => table.key(each, index) === found);
    if (item && ask) ask(item);
  });
  return table;
}

function eventTable(t, ask) {
  return asks(new Table([
    { key: "at", label: t("time"), head: true, cell: (event) => el("a", { href: `/event/${event.id}` }, when(event.at_us)) },
    { key: "type", label: t("event"), cell: (event) => event.type },
    { key: "subject", label: t("about"), cell: (event) => ({ text: event.name ?? event.subject, title: event.subject }) },
    { key: "place", label: t("place"), cell: (event) => event.zone ?? event.read_point ?? event.device ?? "" },
    ...whyButton(t, ask, (event) => `${event.type} ${event.name ?? event.subject}`),
  ], { caption: t("latest_events"), empty: t("no_events"), key: (event) => event.id }), ask);
}

function alarmTable(t, caption, empty, ask) {
  return asks(new Table([
    { key: "at", label: t("time"), head: true, cell: (alarm) => el("a", { href: `/alarms/${alarm.id}` }, when(alarm.at_us)) },
    { key: "severity", label: t("severity"), cell: (alarm) => el("span", { class: `badge ${severityTone(alarm.severity)}` }, t(`severity.${alarm.severity}`)) },
    { key: "state", label: t("state"), cell: (alarm) => t(alarm.state === "raised" ? alarm.acknowledged_by ? "acknowledged" : "raised" : "cleared") },
    { key: "subject", label: t("about"), cell: (alarm) => ({ text: alarm.fields?.name ?? alarm.subject, title: alarm.subject }) },
    { key: "message", label: t("message"), cell: (alarm) => alarm.message },
    ...whyButton(t, ask, (alarm) => `${alarm.message} ${alarm.subject}`),
  ], { caption, empty, key: (alarm) => `${alarm.id}/${alarm.at_us}/${alarm.state}` }), ask);
}

function whyNotCard({ t, me, mayBe, name, about, missing }) {
  const only = onlyFor(t, me, mayBe, "operator");
  const fields = {
    about: el("input", { name: "about", required: true, maxlength: "200", list: about.id, autocomplete: "off", placeholder: t("about_hint") }),
    at: el("input", { name: "at", type: "datetime-local", step: "1" }),
    within: el("select", { name: "within" }, WITHIN.map((seconds) => el("option", { value: seconds, selected: seconds === 60 }, t(`within.${seconds}`)))),
    back: back(t),
  };
  const button = el("button", { type: "submit", class: "main" }, t("ask"));
  const state = el("p", { class: "hint" });
  const form = el("form", { class: "bar", onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    write(state, "");
    const asked = { about: fields.about.value.trim(), at_us: fieldUs(fields.at), within_s: fields.within.value, look_back_s: fields.back.value };
    await missing.ask(`/rules/why-not/${encodeURIComponent(name)}`, asked, (trace) => account(t, trace));
    button.disabled = false;
    if (!fields.at.value) write(state, t("at_end", { at: moment(Date.now() * 1000) }));
  } }, Object.entries(fields).map(([key, field]) => el("label", {}, t(`ask.${key}`), field)), button, about);
  return el("section", { class: "card wide" }, el("h2", {}, t("why_not")), el("p", { class: "hint" }, t("why_not_hint")), only ?? [form, state, missing.element]);
}
