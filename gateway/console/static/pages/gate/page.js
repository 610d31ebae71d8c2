// The gate: what happened last in each lane, what happened today, and every transaction.
import { el, fill, svg, write } from "../../base/dom.js";
import { age, moment, number, quantity, when } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { about, directionWord, reasons, tareOf, typeWord, verdictBadge, verdictTone, verdictWord, weightOf } from "../event/words.js";

export const parts = ["gate"];

const HOUR_US = 3600e6;
const AGES_EVERY_MS = 1000;
const HOURS_EVERY_MS = 60_000;
const STORED_AFTER_MS = 1500; // the journal keeps an event a moment after it was told
const ROWS_MOST = 1000;
const FIELDS = "kind lane verdict text from to".split(" ");
const ALL = "all";
const FINE = ["open", "granted"];

export async function open({ root, t, on, api, say, query }) {
  const title = el("h1", {}, t("title"));
  let menu;
  try {
    menu = await api("/gate/menu");
  } catch (error) {
    fill(root, title, el("p", { class: "bad" }, error.message));
    return undefined;
  }
  const kinds = Object.keys(menu.kinds);
  if (!kinds.length) {
    fill(root, title, el("section", { class: "card wide" }, el("p", { class: "empty" }, t("no_lanes"))));
    return undefined;
  }
  const lanes = laneCards(t, menu.lanes.map((lane) => `${lane.kind}/${lane.name}`));
  const list = transactions({ t, api, say, menu, query });
  const hours = hourBars(t);
  let closed = false;
  let pending = null;

  async function countHours() {
    const midnight = new Date();
    midnight.setHours(0, 0, 0, 0);
    const from = midnight.getTime() * 1000;
    const next = new Date(midnight);
    next.setDate(next.getDate() + 1); // a day of the clock may have 23 or 25 hours
    const { kind } = list.asked();
    try {
      const found = await api("/gate/hours", { query: { ...list.narrowed(), from_us: from, to_us: next.getTime() * 1000 } });
      if (!closed) hours.show(found, from, Math.round((next - midnight) / 3.6e6), kind);
    } catch (error) {
      if (!closed) hours.fail(error.message);
    }
  }
  list.onAsked = countHours;

  on("gate", (news) => {
    lanes.take(news);
    if (!news.whole && !pending) {
      pending = setTimeout(() => {
        pending = null;
        if (!document.hidden) list.refresh();
      }, STORED_AFTER_MS);
    }
  });
  const timers = [setInterval(() => lanes.age(), AGES_EVERY_MS), setInterval(() => { if (!document.hidden) countHours(); }, HOURS_EVERY_MS)];
  fill(root, title,
    el("section", { class: "card wide", "aria-labelledby": "lanes-now" }, el("h2", { id: "lanes-now" }, t("lanes_now")), lanes.element),
    el("section", { class: "card wide", "aria-labelledby": "today" }, el("h2", { id: "today" }, t("today")), hours.element),
    el("section", { class: "card wide", "aria-labelledby": "transactions" }, el("h2", { id: "transactions" }, t("transactions")), list.element));
  if (menu.kept_here) await list.ask();
  else list.fail(t("no_journal"));
  return () => { closed = true; list.close(); clearTimeout(pending); timers.forEach(clearInterval); };
}

/** A card for each lane, changed in place. */
function laneCards(t, order) {
  const rows = new Rows();
  const shown = new Map();
  const element = el("ul", { class: "lanes" });

  function make(key, lane) {
    const parts = {
      occupied: el("p", { class: "occupied" }), badge: el("p", { class: "state" }), why: el("ul", { class: "why" }),
      facts: el("dl", { class: "facts" }), link: el("p", { class: "hint" }), ago: el("span"), told: "",
    };
    const direction = lane.direction ? ` · ${directionWord(t, lane.direction)}` : "";
    parts.card = el("li", { class: "lane" }, el("h3", {}, lane.name, el("span", { class: "soft" }, ` ${t(`lane_kind.${lane.kind}`)}${direction}`)),
      parts.occupied, parts.badge, parts.why, parts.facts, parts.link);
    shown.set(key, parts);
    element.append(parts.card);
    return parts;
  }

  function show(key) {
    const lane = rows.get(key);
    const parts = shown.get(key) ?? make(key, lane);
    const { last } = lane;
    write(parts.occupied, lane.occupied === null ? "" : t(lane.occupied ? "occupied" : "free"));
    parts.occupied.hidden = lane.occupied === null;
    parts.card.className = `lane ${last ? verdictTone(last.fields?.verdict) : ""}`;
    if (!last) { fill(parts.badge, el("span", { class: "soft" }, t("nothing_here"))); return; }
    if (parts.told === last.id) return;
    parts.told = last.id;
    const { fields = {} } = last;
    fill(parts.badge, verdictBadge(t, fields.verdict) ?? el("span", { class: "badge" }, directionWord(t, last.direction) || typeWord(t, last.type)));
    fill(parts.why, reasons(t, fields.reasons).map((reason) => el("li", {}, reason)));
    fill(parts.facts, laneFacts(t, last).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    fill(parts.link, el("a", { href: `/event/${last.id}` }, t("evidence")), " · ", parts.ago);
  }

  return {
    element,
    take(news) {
      for (const key of rows.take(news).sort((a, b) => order.indexOf(a) - order.indexOf(b))) show(key);
      this.age();
    },
    age() {
      for (const [key, parts] of shown) {
        const last = rows.get(key)?.last;
        if (last) write(parts.ago, t("ago", { time: age(last.at_us) }));
      }
    },
  };
}

function laneFacts(t, event) {
  const { fields = {} } = event;
  const facts = [];
  const add = (key, value) => { if (value !== undefined && value !== null && value !== "") facts.push([t(`fact.${key}`), value]); };
  add("container", fields.container ?? fields.container_tag);
  add("truck", fields.truck ?? fields.plate);
  const weight = weightOf(event);
  if (weight !== null) add("weight", quantity(weight, "kg"));
  const tare = tareOf(event);
  if (tare !== null && weight !== null) add("load", quantity(weight - tare, "kg"));
  if (fields.declared_kg !== undefined) add("declared", quantity(fields.declared_kg, "kg"));
  add("driver", fields.driver);
  add("holder", fields.holder);
  if (!facts.length) add("thing", event.name ?? (event.type === "passage" ? event.subject : null));
  return facts;
}

/** Bars of today's hours: what went through, and what did not on top of it. */
function hourBars(t) {
  const WIDE = 24, HIGH = 56;
  const note = el("p", { class: "empty" }, t("counting"));
  const drawing = el("div", { class: "hours" });
  const numbers = new Table([
    { key: "hour", label: t("hour"), head: true, cell: (row) => row.label },
    { key: "fine", label: t("through"), number: true, cell: (row) => number(row.fine) },
    { key: "held", label: t("exceptions"), number: true, cell: (row) => ({ text: number(row.held), class: row.held ? "bad" : "" }) },
    { key: "which", label: t("which"), cell: (row) => row.which },
  ], { caption: t("today"), empty: t("nothing_today"), key: (row) => row.label });
  const table = el("details", { class: "numbers" }, el("summary", {}, t("as_table")), numbers.element);
  const element = el("div", {}, note, drawing, table);

  function show(found, from, count) {
    const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const rows = Array.from({ length: count }, (_, n) => ({ at: from + n * HOUR_US, label: clock.format((from + n * HOUR_US) / 1000), fine: 0, held: 0, which: "" }));
    for (const hour of found.hours) {
      const row = rows[Math.round((hour.from_us - from) / HOUR_US)];
      if (!row) continue;
      const exceptions = Object.entries(hour.verdicts).filter(([verdict]) => verdict !== "none" && !FINE.includes(verdict));
      row.held = exceptions.reduce((sum, [, n]) => sum + n, 0);
      row.fine = Object.values(hour.verdicts).reduce((sum, n) => sum + n, 0) - row.held;
      row.which = exceptions.map(([verdict, n]) => `${verdictWord(t, verdict)} ${number(n)}`).join(", ");
    }
    const most = Math.max(1, ...rows.map((row) => row.fine + row.held));
    const fine = rows.reduce((sum, row) => sum + row.fine, 0), held = rows.reduce((sum, row) => sum + row.held, 0);
    const high = (n) => (n / most) * HIGH;
    const label = t("today_is", { fine: number(fine), held: number(held) });
    write(note, [label, found.more ? t("more_than_counted") : "", ...found.damaged.map((text) => t("damaged", { text }))].filter(Boolean).join(" "));
    note.className = "";
    fill(drawing, svg("svg", { viewBox: `0 0 ${rows.length * WIDE} ${HIGH + 28}`, role: "img", "aria-label": label },
      rows.flatMap((row, n) => {
        const x = n * WIDE, total = row.fine + row.held;
        return [
          svg("rect", { class: "fine", x: x + 3, width: WIDE - 6, y: 14 + HIGH - high(row.fine), height: high(row.fine) }),
          svg("rect", { class: "held", x: x + 3, width: WIDE - 6, y: 14 + HIGH - high(total), height: high(row.held) }),
          total ? svg("text", { x: x + WIDE / 2, y: 10 + HIGH - high(total), class: "count" }, number(total)) : null,
          svg("line", { x1: x, x2: x + WIDE, y1: 14 + HIGH, y2: 14 + HIGH }),
          n % 3 ? null : svg("text", { x: x + 2, y: HIGH + 24 }, row.label),
        ];
      })),
    el("p", { class: "legend" }, el("span", { class: "key fine" }), t("through"), " ", el("span", { class: "key held" }), t("exceptions")));
    numbers.show(rows.filter((row) => row.fine + row.held));
  }

  return { element, show, fail(text) { write(note, text); note.className = "bad"; } };
}

/** The list with its filters. */
function transactions({ t, api, say, menu, query }) {
  let events = [], next = null, isAsking = false, isAgain = false, turn = 0;
  const kinds = Object.keys(menu.kinds);
  const option = (value, label) => el("option", { value }, label);
  const verdicts = [...new Set(menu.lanes.flatMap((lane) => lane.verdicts))];
  const fields = {
    kind: el("select", {}, kinds.map((kind) => option(kind, t(`kind.${kind}`))), option(ALL, t("kind.all"))),
    lane: el("select", {}, option("", t("every_lane")), menu.lanes.map((lane) => option(`${lane.kind}/${lane.name}`, lane.name))),
    verdict: el("select", {}, option("", t("every_verdict")), verdicts.length ? option("exceptions", t("exceptions")) : null,
      verdicts.map((verdict) => option(verdict, verdictWord(t, verdict)))),
    text: el("input", { type: "search", maxlength: "100", placeholder: t("text_hint") }),
    from: el("input", { type: "datetime-local" }),
    to: el("input", { type: "datetime-local" }),
  };
  for (const name of FIELDS) {
    fields[name].name = name;
    const given = query.get(name);
    if (given !== null && given.length <= 100) fields[name].value = given;
    if (fields[name].selectedIndex === -1) fields[name].selectedIndex = 0;
  }
  const us = (text) => (text ? Math.round(new Date(text).getTime() * 1000) : "");
  const asked = () => Object.fromEntries(FIELDS.map((name) => [name, fields[name].value.trim()]));
  /** What is asked for but the times. */
  const narrowed = () => {
    const { kind, lane, verdict, text } = asked();
    return { kind: kind === ALL ? "" : kind, lane, verdict, text };
  };
  const wanted = () => ({ ...narrowed(), from_us: us(fields.from.value), to_us: us(fields.to.value) });

  const table = new Table([
    { key: "at", label: t("time"), head: true, cell: (event) => el("a", { href: `/event/${event.id}` }, when(event.at_us)) },
    { key: "lane", label: t("lane"), cell: (event) => event.zone ?? event.subject },
    { key: "verdict", label: t("verdict"), cell: (event) => verdictBadge(t, event.fields?.verdict) ?? directionWord(t, event.direction) },
    { key: "about", label: t("about"), cell: (event) => about(event) },
    { key: "weight", label: t("fact.weight"), number: true, cell: (event) => (weightOf(event) === null ? "" : quantity(weightOf(event), "kg")) },
    { key: "driver", label: t("fact.driver"), cell: (event) => event.fields?.driver ?? "" },
    { key: "why", label: t("reasons"), cell: (event) => reasons(t, event.fields?.reasons).join(" · ") },
    { key: "type", label: t("what"), cell: (event) => ({ text: typeWord(t, event.type), class: "soft" }) },
  ], {
    caption: t("transactions"), empty: t("none_found"), key: (event) => event.id,
    rowClass: (event) => (["warn", "bad"].includes(verdictTone(event.fields?.verdict)) ? "exception" : ""),
  });
  const more = el("button", { type: "button", hidden: true, onclick: () => ask(true) }, t("more"));
  const state = el("p", { class: "hint", role: "status" });
  const exporting = el("a", { class: "button", download: "gate.csv", href: "/api/gate/export.csv" }, t("export"));
  const form = el("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); changed(); }, onchange: () => changed() },
    FIELDS.map((name) => el("label", {}, t(name), fields[name])),
    el("button", { type: "submit", class: "main" }, t("search")), exporting);
  const element = el("div", {}, form, state, table.element, el("p", {}, more));
  const self = { element, asked, narrowed, onAsked: () => {}, ask, refresh, fail, close() { turn += 1; } };

  function changed() {
    const kept = new URLSearchParams(Object.entries(asked()).filter(([, value]) => value)).toString();
    history.replaceState(null, "", `/gate${kept ? `?${kept}` : ""}`);
    ask();
  }

  function fail(text) {
    write(state, text);
    state.className = "hint bad";
  }

  /** Asks for the first page, or for one more. */
  async function ask(isMore = false) {
    const mine = ++turn;
    isAsking = true;
    try {
      const found = await api("/gate/events", { query: { ...wanted(), before: isMore ? `${next.at_us}-${next.id}` : "" } });
      if (mine !== turn) return;
      events = isMore ? [...events, ...found.events] : found.events;
      next = found.next && events.length < ROWS_MOST ? found.next : null;
      show(found);
      if (!isMore) self.onAsked();
    } catch (error) {
      if (mine === turn) fail(error.message);
    } finally {
      isAsking = false;
      if (isAgain) { isAgain = false; refresh(); }
    }
  }

  /** Takes in what is new, above what is shown. */
  async function refresh() {
    if (!menu.kept_here) return;
    if (isAsking) { isAgain = true; return; }
    const mine = turn;
    try {
      const found = await api("/gate/events", { query: wanted() });
      if (mine !== turn) return;
      const known = new Set(events.map((event) => event.id));
      const fresh = found.events.filter((event) => !known.has(event.id));
      if (events.length && fresh.length === found.events.length) { // more than a page came: what lies between would be missing
        events = found.events;
        next = found.next;
      } else events = [...fresh, ...events].sort((a, b) => b.at_us - a.at_us || (a.id < b.id ? -1 : 1)).slice(0, ROWS_MOST);
      show(found);
    } catch (error) {
      if (mine === turn && error.status !== 503) say(error.message, "warn");
    }
  }

  function show(found) {
    table.show(events);
    more.hidden = next === null;
    const { from_us: from, to_us: to } = wanted();
    const span = from || to ? t("span", { from: from ? moment(from) : "…", to: to ? moment(to) : t("now") }) : "";
    write(state, [t("shown", { n: number(events.length) }), events.length >= ROWS_MOST ? t("rows_most") : "", span, ...found.damaged.map((text) => t("damaged", { text }))].filter(Boolean).join(" · "));
    state.className = "hint";
    const filters = new URLSearchParams(Object.entries(wanted()).filter(([, value]) => value !== ""));
    exporting.setAttribute("href", `/api/gate/export.csv?${filters}`);
  }

  return self;
}
