// The rules: which run, which fire, which never do; and what those of today make of what was recorded.
import { el, fill, write } from "../../base/dom.js";
import { age, moment, number } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { replayCard } from "./replay.js";
import { openRule } from "./rule.js";
import { REFUSED, alarmBadges, makes, shapeWord, source, troubles, watches } from "./words.js";

export const parts = ["alarms"];

const FIRED_EVERY_MS = 15_000;
const FIELDS = ["text", "pack", "shape", "show"];
const SHOWS = ["all", "fired", "never", "standing"];
const OWN = "-";
const NONE = { hour: [0, 0], day: [0, 0], week: [0, 0] };

export function open(tools) {
  return tools.path[0] ? openRule(tools, tools.path[0]) : openList(tools);
}

async function openList({ root, t, api, on, query, me, mayBe }) {
  const alarms = new Rows();
  const state = { rules: [], isListed: false, fault: null, fired: null, standing: new Map(), closed: false };
  const refusals = el("div", { class: "wide refusals" });
  const tiles = el("dl", { class: "tiles" });
  const tile = Object.fromEntries(["rules", "fired_day", "never_week", "standing"].map((key) => {
    const value = el("dd", {}, "–");
    tiles.append(el("div", { class: "tile" }, el("dt", {}, t(`tile.${key}`)), value));
    return [key, value];
  }));
  const notes = el("div");
  const shown = el("p", { class: "hint", role: "status" });
  const table = ruleTable(t, state);
  const fields = filterFields(t, query);
  const form = el("form", { class: "bar", role: "search", onsubmit: (event) => { event.preventDefault(); changed(); }, oninput: () => changed() },
    FIELDS.map((name) => el("label", {}, t(`filter.${name}`), fields[name])));
  const replay = replayCard({ t, api, me, mayBe });

  function changed() {
    const asked = Object.entries(fields).map(([name, field]) => [name, field.value.trim()]).filter(([name, value]) => value && !(name === "show" && value === "all"));
    const kept = new URLSearchParams(asked).toString();
    history.replaceState(null, "", `/rules${kept ? `?${kept}` : ""}`);
    show();
  }

  function show() {
    const found = state.rules.filter((rule) => isWanted(rule, fields, state));
    table.show(found);
    write(shown, state.rules.length ? t("shown", { n: number(found.length), all: number(state.rules.length) }) : "");
    write(tile.rules, state.isListed ? number(state.rules.length) : "–");
    if (!state.isListed) return;
    const { fired } = state;
    const names = state.rules.map((rule) => rule.name);
    const isKnown = fired?.kept_here;
    write(tile.fired_day, isKnown && !fired.slow.includes("day") ? number(names.filter((name) => total(firedOf(state, name).day)).length) : "–");
    write(tile.never_week, isKnown && !fired.slow.includes("week") ? number(names.filter((name) => !total(firedOf(state, name).week)).length) : "–");
    const standing = names.reduce((sum, name) => sum + (state.standing.get(name) ?? 0), 0);
    write(tile.standing, number(standing));
    tile.standing.className = standing ? "warn" : "";
  }

  function showRefusals() {
    const own = alarms.values().filter((alarm) => REFUSED.includes(alarm.rule) && alarm.evidence?.gateway === "rules");
    fill(refusals, own.map((alarm) => refusal(t(`refused.${alarm.rule}`), alarm.message, t(`refused_hint.${alarm.rule}`),
      el("a", { href: `/alarms/${alarm.id}` }, t("refused_alarm", { since: moment(alarm.since_us) })))),
    state.fault && !own.length ? refusal(t("fault"), state.fault, t(state.rules.length ? "fault_hint" : "fault_nothing")) : null);
  }

  async function list() {
    try {
      const found = await api("/rules/list");
      if (state.closed) return;
      Object.assign(state, { rules: found.rules, fault: found.fault, isListed: found.rules.length > 0 || !found.fault });
      const packs = [...new Set(found.rules.map((rule) => rule.from.pack).filter(Boolean))];
      offer(fields.pack, query.get("pack"), [["", t("every_pack")], [OWN, t("own_rules")], ...packs.map((pack) => [pack, pack])]);
      write(table.empty, t(found.fault ? "none_listed" : found.rules.length ? "none_found" : "no_rules"));
    } catch (error) {
      state.fault = error.message;
      write(table.empty, t("none_listed"));
    }
    if (state.closed) return;
    showRefusals();
    show();
  }

  async function count() {
    try {
      state.fired = await api("/rules/fired");
      if (!state.closed) fill(notes, state.fired.kept_here ? null : el("p", { class: "warn" }, t("no_journal")), troubles(t, state.fired));
    } catch (error) {
      if (!state.closed) fill(notes, el("p", { class: "warn" }, error.message));
    }
    if (!state.closed) show();
  }

  on("alarms", (news) => {
    alarms.take(news);
    state.standing = new Map();
    for (const { rule } of alarms.values()) state.standing.set(rule, (state.standing.get(rule) ?? 0) + 1);
    showRefusals();
    show();
  });
  write(table.empty, t("listing"));
  fill(root, el("h1", {}, t("title")), refusals,
    mayBe("engineer") ? el("nav", { class: "bar", "aria-label": t("title") }, el("a", { class: "button", href: "#rules-replay" }, t("to_replay"))) : null,
    el("section", { class: "card wide", "aria-labelledby": "rules-list" }, el("h2", { id: "rules-list" }, t("as_run")), tiles, form, notes, shown, table.element,
      el("p", { class: "hint" }, t("counts_hint"))),
    replay.element);
  table.show([]);
  const timer = setInterval(() => { if (!document.hidden) count(); }, FIRED_EVERY_MS);
  list();
  count();
  return () => { state.closed = true; clearInterval(timer); replay.close(); };
}

const total = ([events, alarms]) => events + alarms;
const firedOf = (state, name) => ({ ...NONE, ...state.fired?.rules[name] });

function refusal(title, text, hint, ...more) {
  return el("section", { class: "card alarm critical", role: "alert" }, el("h2", { class: "bad" }, `⚠ ${title}`), el("pre", {}, text), el("p", {}, hint), el("p", {}, more));
}

function ruleTable(t, state) {
  const known = (span) => state.fired?.kept_here && !state.fired.slow.includes(span);
  const count = (span, index, key) => ({
    key, label: t(key), number: true, sort: (rule) => firedOf(state, rule.name)[span][index],
    cell: (rule) => {
      const n = firedOf(state, rule.name)[span][index];
      return { text: known(span) ? number(n) : "–", class: n ? "" : "soft" };
    },
  });
  const last = (rule) => firedOf(state, rule.name).last_us ?? null;
  return new Table([
    { key: "name", label: t("name"), head: true, sort: (rule) => rule.name, cell: (rule) => el("a", { href: `/rules/${encodeURIComponent(rule.name)}` }, rule.name) },
    { key: "shape", label: t("shape"), sort: (rule) => rule.shape, cell: (rule) => shapeWord(t, rule.shape) },
    { key: "source", label: t("source"), sort: (rule) => source(t, rule.from), cell: (rule) => ({ text: source(t, rule.from), class: "soft", title: rule.from.file }) },
    { key: "watches", label: t("watches"), sort: watches, cell: watches },
    { key: "makes", label: t("makes"), sort: makes, cell: (rule) => el("span", {}, makes(rule), rule.alarms.length ? [" ", alarmBadges(t, rule)] : null) },
    { key: "hour", label: t("last_hour"), number: true, sort: (rule) => total(firedOf(state, rule.name).hour), cell: (rule) => {
      const n = total(firedOf(state, rule.name).hour);
      return { text: known("hour") ? number(n) : "–", class: n ? "" : "soft" };
    } },
    count("day", 0, "events_day"), count("day", 1, "alarms_day"),
    { key: "last", label: t("last"), sort: last, cell: (rule) => {
      const at_us = last(rule);
      if (at_us) return { text: t("ago", { time: age(at_us) }), title: moment(at_us) };
      return { text: known("week") ? t("never") : "–", class: "soft" };
    } },
    { key: "standing", label: t("standing"), number: true, sort: (rule) => state.standing.get(rule.name) ?? 0, cell: (rule) => {
      const n = state.standing.get(rule.name) ?? 0;
      return n ? el("a", { class: "warn", href: `/rules/${encodeURIComponent(rule.name)}` }, `⚠ ${number(n)}`) : { text: "0", class: "soft" };
    } },
  ], { caption: t("as_run"), empty: " ", key: (rule) => rule.name });
}

function filterFields(t, query) {
  const fields = {
    text: el("input", { type: "search", maxlength: "100", placeholder: t("filter_hint") }),
    pack: el("select"), shape: el("select"), show: el("select"),
  };
  for (const name of FIELDS) fields[name].name = name;
  fields.text.value = (query.get("text") ?? "").slice(0, 100);
  offer(fields.pack, null, [["", t("every_pack")]]);
  offer(fields.shape, query.get("shape"), [["", t("every_shape")], ...["match", "hold", "rate", "absence", "sequence", "session", "pair", "set", "travel", "binding"].map((shape) => [shape, t(`shape.${shape}`)])]);
  offer(fields.show, query.get("show"), SHOWS.map((which) => [which, t(`show.${which}`)]));
  return fields;
}

/** Fills a choice, and keeps what was chosen if that is still there. */
function offer(field, given, options) {
  const before = field.value || given;
  fill(field, options.map(([value, label]) => el("option", { value }, label)));
  if (options.some(([value]) => value === before)) field.value = before;
}

function isWanted(rule, fields, state) {
  const { text, pack, shape, show } = fields;
  if (shape.value && rule.shape !== shape.value) return false;
  if (pack.value && (rule.from.pack ?? OWN) !== pack.value) return false;
  if (show.value === "fired" && !total(firedOf(state, rule.name).day)) return false;
  if (show.value === "never" && total(firedOf(state, rule.name).week)) return false;
  if (show.value === "standing" && !state.standing.get(rule.name)) return false;
  const wanted = text.value.trim().toLowerCase();
  if (!wanted) return true;
  const said = [rule.name, rule.from.pack ?? "", watches(rule), makes(rule), ...rule.takes.map((each) => each.when), ...rule.alarms.map((alarm) => alarm.message)];
  return said.some((each) => each.toLowerCase().includes(wanted));
}
