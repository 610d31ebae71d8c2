// Machines: what each does now, what it did, its OEE by shift, and why it stood.
import { el, fill, svg, write } from "../../base/dom.js";
import { duration, moment, number, quantity, when } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { stateTone, stateWord, timeline } from "./states.js";

export const parts = ["machines", "devices"];

const RANGES = [8, 24, 168];
const HOUR_US = 3600e6;
const AGAIN_MS = 15_000;
const DRAW_EVERY_MS = 1000;
const FACTORS = ["availability", "performance", "quality"];
/** A time in whole seconds: parts of them would only flicker. */
const whole = (s) => (s < 60 ? `${Math.round(s)} s` : duration(s));
const percent = (share) => (share === null || share === undefined ? "–" : `${number(share * 100, 1)} %`);

export async function open(page) {
  const { root, t, api, on, path, about } = page;
  const title = el("h1", {}, t("title"));
  let known;
  try {
    known = await api("/machines/known");
  } catch (error) {
    fill(root, title, el("p", { class: "bad" }, error.message));
    return undefined;
  }
  const machine = known.machines.find((each) => each.name === path[0]) ?? known.machines[0];
  if (!machine) {
    fill(root, title, el("section", { class: "card wide" }, el("p", { class: "empty" }, t("no_machines"))));
    return undefined;
  }
  const running = new Rows(), devices = new Rows();
  const cards = machineCards({ t, known, machine });
  const signals = signalTable(t);
  const past = known.has_journal ? openPast({ ...page, known, machine }) : null;
  const draw = () => {
    cards.show(running, devices);
    signals.show(running.get(machine.device), devices.get(machine.device));
  };
  on("machines", (news) => { running.take(news); draw(); });
  on("devices", (news) => { const isFirst = !devices.rows.size; devices.take(news); if (isFirst) draw(); });
  const timer = setInterval(draw, DRAW_EVERY_MS);
  const has = (name) => about.pages.some((each) => each.name === name);
  fill(root, title,
    el("section", { class: "card wide", "aria-labelledby": "machines-now" }, el("h2", { id: "machines-now" }, t("now")), cards.element),
    past ? past.elements : el("section", { class: "card wide" }, el("p", { class: "empty" }, t("no_journal"))),
    el("section", { class: "card" }, el("h2", {}, t("signals")), signals.element, el("div", { class: "bar links" },
      has("devices") ? el("a", { class: "button", href: `/devices/${encodeURIComponent(machine.device)}` }, t("device")) : null,
      machine.is_controlled && has("control") ? el("a", { class: "button", href: `/control?device=${encodeURIComponent(machine.device)}` }, t("control")) : null,
      machine.meter ? el("a", { class: "button", href: `/meters/${encodeURIComponent(machine.meter)}` }, t("meter")) : null)));
  draw();
  return () => { clearInterval(timer); past?.close(); };
}

/** A card for each machine; that which is shown below is marked. */
function machineCards({ t, known, machine }) {
  const element = el("ul", { class: "lanes" });
  const shown = new Map(known.machines.map((each) => {
    const state = el("span", { class: "badge" }), since = el("span", { class: "hint" }), reason = el("p", { class: "hint" }), made = el("p");
    const node = el("li", { class: "lane" }, el("h3", {}, el("a", { href: `/machines/${encodeURIComponent(each.name)}`, "aria-current": each === machine ? "true" : false }, each.name)),
      el("p", {}, state, " ", since), reason, made);
    element.append(node);
    return [each.name, { node, state, since, reason, made }];
  }));
  return {
    element,
    show(running, devices) {
      for (const each of known.machines) {
        const card = shown.get(each.name);
        const now = running.get(each.device);
        const device = devices.get(each.device);
        const offline = device?.state === "offline";
        const tone = offline ? "bad" : stateTone(now?.state);
        write(card.state, offline ? t("state.offline_machine") : stateWord(t, now?.state ?? null));
        card.state.className = `badge ${tone}`;
        card.node.className = `lane ${tone}`;
        const sinceUs = offline ? device.since_us : now?.state_since_us || null;
        write(card.since, sinceUs ? t("for", { time: whole(Math.max(0, Date.now() / 1000 - sinceUs / 1e6)) }) : "");
        const reason = now?.signals[each.reason]?.[0];
        write(card.reason, !offline && now && now.state !== "execute" && reason ? `${t("reason")}: ${reasonWord(t, reason)}` : "");
        const counted = each.counts.map((name, n) => [["good", "bad", "made"][n], now?.signals[name]]).filter(([, signal]) => signal);
        write(card.made, counted.map(([key, [value]]) => `${t(key)} ${number(value, 1)} ${each.unit}`).join(" · "));
      }
    },
  };
}

function reasonWord(t, reason) {
  return ["none", "unknown", "other"].includes(reason) ? t(`reason.${reason}`) : reason;
}

function signalTable(t) {
  const table = new Table([
    { key: "signal", label: t("signal"), head: true, cell: (row) => row.name },
    { key: "value", label: t("value"), number: true, cell: (row) => (typeof row.value === "boolean" ? t(row.value ? "yes" : "no")
      : row.unit ? quantity(row.value, row.unit) : String(row.value)) },
    { key: "age", label: t("age"), number: true, cell: (row) => ({ text: `${row.isOld ? "◔ " : ""}${whole(row.age)}`, class: row.isOld ? "warn" : "soft" }) },
  ], { caption: t("signals"), empty: t("state.offline_machine"), key: (row) => row.name });
  return {
    element: table.element,
    show(now, device) {
      const rows = Object.entries(now?.signals ?? {}).sort(([a], [b]) => a.localeCompare(b));
      table.show(rows.map(([name, [value, unit, at]]) => ({ name, value, unit, age: Math.max(0, Date.now() / 1000 - at / 1e6), isOld: device?.state === "offline" })));
    },
  };
}

/** What the journal knows of the machine in a time. */
function openPast({ t, api, known, machine }) {
  let hours = RANGES[0];
  let closed = false;
  let timer = null;
  let asking = null;
  const buttons = new Map(RANGES.map((each) => [each, el("button", { type: "button", onclick: () => { hours = each; show(); } }, t(`range.${each}`))]));
  const drawing = timeline({ t, title: t("timeline", { machine: machine.name }) });
  const trouble = el("p", { class: "bad", role: "status" });
  const cut = el("p", { class: "hint" });
  const tiles = el("dl", { class: "tiles" });
  const why = el("p", { class: "hint" });
  const values = new Map(["oee", ...FACTORS, "good", "bad", "made", "stops", "planned", "not_known", "energy", "energy_per_unit"].map((key) => {
    const value = el("dd", {}, "–");
    if (machine.meter || !key.startsWith("energy")) tiles.append(el("div", { class: "tile" }, el("dt", {}, t(key, { unit: machine.unit })), value));
    return [key, value];
  }));
  const rowsOf = (first) => [first,
    { key: "oee", label: t("oee"), number: true, cell: (row) => percent(row.oee) },
    ...FACTORS.map((key) => ({ key, label: t(key), number: true, cell: (row) => percent(row[key]) })),
    { key: "made", label: t("made"), number: true, cell: (row) => countOf(row.total ?? row.good) },
    { key: "bad", label: t("bad"), number: true, cell: (row) => countOf(row.bad) },
    { key: "stops", label: t("stops"), number: true, cell: (row) => number(row.stops) },
    { key: "planned", label: t("planned"), number: true, cell: (row) => duration(row.planned_s) },
    { key: "not_known", label: t("not_known"), number: true, cell: (row) => ({ text: duration(row.no_data_s), class: row.no_data_s > 0 ? "warn" : "" }) },
    ...(machine.meter ? [{ key: "energy_per_unit", label: t("energy_per_unit", { unit: machine.unit }), number: true, cell: (row) => quantity(row.energy_per_unit_wh, "Wh") }] : [])];
  const countOf = (value) => (value === null || value === undefined ? "–" : `${number(value, 1)} ${machine.unit}`);
  const shifts = new Table(rowsOf({ key: "shift", label: t("shift"), head: true, cell: (row) => `${row.shift} · ${moment(row.from_us ?? row.at_us)}` }),
    { caption: t("shifts"), empty: machine.calendar ? t("no_shifts") : t("no_calendar"), key: (row) => `${row.at_us}/${row.shift}` });
  const intervals = new Table(rowsOf({ key: "interval", label: t("interval"), head: true, cell: (row) => when(row.from_us ?? row.at_us) }),
    { caption: t("intervals"), empty: t("no_intervals"), key: (row) => row.at_us });
  const pareto = el("div", {});
  const single = new Table([
    { key: "stopped_at", label: t("stopped_at"), head: true, cell: (row) => moment(row.at) },
    { key: "state", label: t("state"), cell: (row) => stateWord(t, row.state) },
    { key: "reason", label: t("reason"), cell: (row) => reasonWord(t, row.reason) },
    { key: "stood", label: t("stood"), number: true, cell: (row) => (row.stood === null ? t("still") : duration(row.stood)) },
  ], { caption: t("single"), empty: t("no_stops"), key: (row) => row.at });

  const elements = [
    el("section", { class: "card wide", "aria-labelledby": "past" }, el("h2", { id: "past" }, machine.name),
      el("div", { class: "bar", role: "group", "aria-label": t("time_range") }, [...buttons.values()]),
      trouble, drawing.element, el("p", { class: "hint" }, t("timeline_hint")), cut),
    el("section", { class: "card wide", "aria-labelledby": "sum" }, el("h2", { id: "sum" }, t("sum")), tiles, why, el("p", { class: "hint" }, t("sum_hint", { minutes: known.interval_min }))),
    el("section", { class: "card wide", "aria-labelledby": "shifts" }, el("h2", { id: "shifts" }, t("shifts")), shifts.element,
      el("details", {}, el("summary", {}, t("intervals")), intervals.element)),
    el("section", { class: "card", "aria-labelledby": "pareto" }, el("h2", { id: "pareto" }, t("pareto")), pareto, el("h3", {}, t("single")), single.element),
  ];

  async function show() {
    clearTimeout(timer);
    asking?.abort();
    const mine = asking = new AbortController();
    for (const [each, button] of buttons) button.setAttribute("aria-pressed", String(hours === each));
    const to = Math.round(Date.now() * 1000), from = to - hours * HOUR_US;
    const query = { machine: machine.name, from_us: from, to_us: to };
    try {
      const [states, books] = await Promise.all([api("/machines/timeline", { query, signal: mine.signal }), api("/machines/books", { query, signal: mine.signal })]);
      if (closed || mine.signal.aborted) return;
      drawing.show(states, from, to);
      drawBooks(books);
      const damaged = [...new Set([...states.damaged, ...books.damaged])];
      write(trouble, damaged.length ? t("damaged", { text: damaged.join("; ") }) : "");
      write(cut, states.more || books.more.length ? t("cut") : "");
    } catch (error) {
      if (error.name === "AbortError" || closed) return;
      write(trouble, error.message);
    }
    timer = setTimeout(again, AGAIN_MS);
  }

  function again() {
    if (document.hidden) timer = setTimeout(again, AGAIN_MS);
    else show();
  }

  function drawBooks(books) {
    const { sum } = books;
    const tile = (key, text) => write(values.get(key), text);
    tile("oee", percent(sum.oee));
    for (const key of FACTORS) tile(key, percent(sum[key]));
    tile("good", countOf(sum.good));
    tile("bad", countOf(sum.bad));
    tile("made", countOf(sum.total));
    tile("stops", number(sum.stops));
    tile("planned", duration(sum.times_s.planned));
    tile("not_known", duration(sum.times_s.no_data + sum.times_s.unknown));
    tile("energy", quantity(sum.energy_wh, "Wh"));
    tile("energy_per_unit", quantity(sum.energy_per_unit_wh, "Wh"));
    const missing = sum.oee === null && books.intervals.length ? missingFactors(sum) : [];
    write(why, missing.length ? t("why_no_oee", { factors: missing.join("; ") }) : "");
    shifts.show([...books.shifts].reverse());
    intervals.show([...books.intervals].reverse());
    drawPareto(books.reasons.filter((each) => each.stood_s > 0 || each.stops > 0));
    const ended = new Map(books.stops.filter((event) => event.type === "machine_started").map((event) => [event.fields.stopped_at_us, event]));
    single.show(books.stops.filter((event) => event.type === "machine_stopped").map((event) => ({ at: event.at_us, state: event.fields?.state ?? null,
      reason: ended.get(event.at_us)?.fields.reason ?? event.fields?.reason ?? "unknown", stood: ended.get(event.at_us)?.fields.stood_s ?? null })));
  }

  function missingFactors(sum) {
    const made = [];
    if (sum.availability === null) made.push(t("why_availability"));
    if (sum.total === null) made.push(t("why_counts"));
    if (machine.ideal_rate_per_min === null) made.push(t("why_rate"));
    if (sum.total === 0) made.push(t("why_made"));
    return made;
  }

  function drawPareto(reasons) {
    if (!reasons.length) { fill(pareto, el("p", { class: "empty" }, t("no_stops"))); return; }
    const all = reasons.reduce((sum, each) => sum + each.stood_s, 0);
    let before = 0;
    const rows = reasons.map((each) => {
      const share = all ? each.stood_s / all : 0;
      before += share;
      return el("tr", {}, el("th", { scope: "row" }, reasonWord(t, each.reason)),
        el("td", { class: "wide-cell" }, svg("svg", { class: "share", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { x: 0, y: 0, width: Math.max(0.5, share * 100), height: 8 }))),
        el("td", { class: "n" }, duration(each.stood_s)), el("td", { class: "n" }, percent(share)), el("td", { class: "n" }, percent(before)), el("td", { class: "n" }, number(each.stops)));
    });
    const heads = [[t("reason")], [""], [t("stood"), true], [t("share"), true], [t("so_far"), true], [t("stops"), true]];
    fill(pareto, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("pareto") }, el("table", {},
      el("thead", {}, el("tr", {}, heads.map(([head, isNumber]) => (head ? el("th", { scope: "col", class: isNumber ? "n" : false }, head) : el("td", {}))))), el("tbody", {}, rows))));
  }

  show();
  return { elements, close() { closed = true; clearTimeout(timer); asking?.abort(); } };
}
