// All devices, the worst first.
import { named } from "../../base/api.js";
import { el, fill, write } from "../../base/dom.js";
import { age, moment, number } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { Rates, SEVERITY_TONES, TONES, offset, rank, reasonText, stateBadge } from "./words.js";

const EVERY_MS = 1000;
const STATES = ["offline", "unknown", "degraded", "online"];

export async function open({ root, t, api, on, follow, query }) {
  const known = named((await api("/devices/known")).devices);
  const live = new Rows(), rates = new Rates();
  let isTold = false;

  const tiles = new Map();
  const tile = (key) => {
    const value = el("dd", {}, "–");
    tiles.set(key, value);
    return el("div", { class: "tile" }, el("dt", {}, t(key)), value);
  };
  const summary = el("dl", { class: "tiles" }, ["tile.offline", "tile.unknown", "tile.degraded", "tile.online", "tile.conditions", "tile.rate"].map(tile));
  const tell = (key, text, tone) => { write(tiles.get(key), text); tiles.get(key).className = tone; };

  const kinds = [...new Set(Object.values(known).map((each) => each.kind))].sort();
  const text = el("input", { type: "search", value: query.get("text") ?? "", size: "24", autocomplete: "off", spellcheck: "false", oninput: () => show() });
  const state = el("select", { onchange: () => show() }, el("option", { value: "" }, t("all")),
    el("option", { value: "trouble" }, t("trouble")), STATES.map((each) => el("option", { value: each }, t(`state.${each}`))));
  state.value = query.get("state") ?? "";
  const kind = el("select", { onchange: () => show() }, el("option", { value: "" }, t("all")),
    kinds.map((each) => el("option", { value: each }, t(`kind.${each}`))));
  kind.value = query.get("kind") ?? "";
  const shownOf = el("p", { class: "hint", role: "status" });

  const watching = (row) => {
    if (row.behind) {
      const answer = row.behind.filter((name) => live.get(name)?.watched.length).length;
      return { text: t("of", { part: answer, all: row.behind.length }), tone: answer < row.behind.length ? "warn" : "" };
    }
    if (!row.points.length) return { text: row.watched.length ? String(row.watched.length) : "–", tone: "" };
    const part = row.points.filter((point) => row.watched.includes(point)).length;
    return { text: t("of", { part, all: row.points.length }), tone: part < row.points.length ? "warn" : "" };
  };
  const missing = (row) => row.points.filter((point) => !row.watched.includes(point)).join(", ");
  const worst = (row) => ["fault", "warning", "info"].find((severity) => row.conditions.some((each) => each.severity === severity));
  const table = new Table([
    { key: "name", label: t("device"), head: true, sort: (row) => row.name,
      cell: (row) => el("a", { href: `/devices/${encodeURIComponent(row.name)}` }, row.name) },
    { key: "state", label: t("state"), sort: rank, cell: (row) => stateBadge(t, row.state) },
    { key: "reason", label: t("reason"), sort: (row) => row.reason, cell: (row) => ({ text: reasonText(t, row.reason), title: row.detail, class: row.state === "online" ? "" : TONES[row.state] }) },
    { key: "since", label: t("since"), number: true, sort: (row) => row.since_us, cell: (row) => ({ text: age(row.since_us), title: row.since_us ? moment(row.since_us) : null }) },
    { key: "watched", label: t("watched"), number: true, cell: (row) => {
      const found = watching(row);
      return { text: found.text, class: found.tone, title: missing(row) ? t("not_watched", { points: missing(row) }) : null };
    } },
    { key: "rate", label: t("rate"), number: true, sort: (row) => row.rate, cell: (row) => number(row.rate, row.rate !== null && row.rate < 10 ? 1 : 0) },
    { key: "heard", label: t("heard"), number: true, sort: (row) => row.heard, cell: (row) => number(row.heard) },
    { key: "reconnects", label: t("reconnects"), number: true, sort: (row) => row.reconnects, cell: (row) => number(row.reconnects) },
    { key: "clock", label: t("clock"), number: true, sort: (row) => Math.abs(row.clock_offset_us ?? 0), cell: (row) => offset(row.clock_offset_us) },
    { key: "conditions", label: t("conditions"), sort: (row) => -row.conditions.length, cell: (row) => (row.conditions.length
      ? { text: row.conditions.length === 1 ? row.conditions[0].name : t("conditions_count", { count: row.conditions.length }),
        class: SEVERITY_TONES[worst(row)], title: row.conditions.map((each) => `${each.name} ${each.key} ${each.detail}`).join("\n") } : "–") },
    { key: "kind", label: t("kind"), sort: (row) => `${row.kind} ${row.driver}`, cell: (row) => [t(`kind.${row.kind}`), row.driver].filter(Boolean).join(" · ") },
  ], { caption: t("title"), empty: t("none_match"), key: (row) => row.name, sorted: ["state", "ascending"] });

  const rowOf = (name) => {
    const site = known[name] ?? { kind: "unlisted", driver: live.get(name)?.driver ?? "", line: null, points: [] };
    const said = live.get(name);
    const behind = site.behind ? Object.keys(known).filter((each) => known[each].line === name) : null;
    const rate = said ? rates.of(name) : null;
    if (!said) return { name, ...site, behind, state: "unknown", reason: "", detail: "", since_us: null, watched: [], conditions: [], rate, heard: null, reconnects: null, clock_offset_us: null };
    return { ...said, name, kind: site.kind, driver: site.driver || said.driver, points: site.points, behind, rate };
  };
  function show() {
    if (!isTold) return;
    const rows = [...new Set([...Object.keys(known), ...live.rows.keys()])].sort().map(rowOf);
    for (const each of STATES) {
      const count = rows.filter((row) => row.state === each).length;
      tell(`tile.${each}`, number(count), count && each !== "online" ? TONES[each] : each === "online" ? "good" : "soft");
    }
    const conditions = rows.reduce((sum, row) => sum + row.conditions.filter((each) => each.severity !== "info").length, 0);
    tell("tile.conditions", number(conditions), conditions ? "warn" : "soft");
    const all = rows.map((row) => row.rate).filter((rate) => rate !== null);
    tell("tile.rate", all.length ? number(all.reduce((sum, rate) => sum + rate, 0)) : "–", "");
    const wanted = text.value.trim().toLowerCase();
    const matches = rows.filter((row) => (!state.value || (state.value === "trouble" ? rank(row) < 4 : row.state === state.value))
      && (!kind.value || row.kind === kind.value)
      && (!wanted || [row.name, row.driver, row.manufacturer, row.model, row.serial, ...row.points].some((each) => each?.toLowerCase().includes(wanted))));
    table.show(matches);
    write(shownOf, t("shown_of", { shown: matches.length, all: rows.length }));
  }

  on("devices", (news) => {
    for (const name of live.take(news)) {
      const row = live.get(name);
      if (row) rates.take(name, row.heard);
    }
    if (!isTold) { isTold = true; show(); }
  });
  follow(["devices"]);
  const timer = setInterval(show, EVERY_MS);
  fill(root, el("h1", {}, t("title")), el("section", { class: "card wide" }, el("h2", { class: "unseen" }, t("summary")), summary),
    el("section", { class: "card wide devices-list" }, el("h2", { class: "unseen" }, t("title")),
      el("div", { class: "bar" }, el("label", {}, t("search"), text), el("label", {}, t("state"), state), el("label", {}, t("kind_only"), kind), shownOf),
      table.element, el("p", { class: "hint" }, t("heard_hint"))));
  return () => clearInterval(timer);
}
