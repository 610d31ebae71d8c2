// One event and everything that it rests on: a page to look into, to send on, and to print as a receipt.
import { el, fill, write } from "../../base/dom.js";
import { duration, exactTime, moment, number, quantity } from "../../base/format.js";
import { gauge } from "../../base/chart.js";
import { Table } from "../../base/table.js";
import { about, directionWord, reasons, tareOf, typeWord, verdictBadge } from "./words.js";
import { traced } from "../../base/trace.js";
import { Timeline } from "./timeline.js";

export const parts = [];

/** What a session tells of each of its parts beside its value. */
const OF_PART = ["count", "share", "invalid", "at_us", "epc"];
const PART_ORDER = ["truck", "plate", "container", "container_tag", "seal", "seal_state", "weight_kg", "driver", "holder", "card", "request"];
const HEADED = ["verdict", "reasons", "missing", "missing_count", "direction", "opened_at_us", "decided_at_us", "duration_s", "closed_by"];
const UNITS = { weight_kg: "kg", declared_kg: "kg", tare_kg: "kg", turn_s: "s", queue_s: "s", dwell_s: "s", stay_s: "s", held_s: "s" };
const AGAIN = ["arrived", "departed", "moved"];
const PROGRESS_MS = 500;
const TOO_SLOW = 504; // what the server says of a question that took longer than it may

export async function open({ root, path, t, api, mayBe, me }) {
  const id = path[0] ?? "";
  if (!id) {
    fill(root, el("h1", {}, t("title")), card(t("no_id_title"), el("p", {}, t("no_id")), el("p", {}, el("a", { href: "/gate" }, t("to_gate")))));
    return undefined;
  }
  let told;
  try {
    told = await api(`/event/${encodeURIComponent(id)}`);
  } catch (error) {
    fill(root, el("h1", {}, t("title")), unknown(t, id, error));
    return undefined;
  }
  const { event, lane } = told;
  const closers = [];
  const place = event.zone ?? lane?.name ?? event.read_point ?? event.device ?? "";
  const heading = [typeWord(t, event.type), place, about(event)];
  fill(root,
    el("h1", {}, [...new Set(heading.filter(Boolean))].join(" · ")),
    el("nav", { class: "bar event-bar", "aria-label": t("neighbours") },
      neighbour(t, told.neighbours.previous, "previous"), neighbour(t, told.neighbours.next, "next"),
      lane ? el("a", { class: "button", href: `/gate?lane=${encodeURIComponent(`${lane.kind}/${lane.name}`)}` }, t("all_of_lane")) : null,
      el("button", { type: "button", onclick: () => print() }, t("print"))),
    head(t, event, lane, place),
    readCard(t, event), weightCard(t, event, lane), lookedUp(t, event), measured(t, event),
    orderCard(t, told), await heardCard(t, api, told, closers),
    evidenceCard(t, event), aroundCards(t, told), whyCard(t, api, id, mayBe, me, closers),
    el("p", { class: "printed wide" }, t("printed", { at: moment(Date.now() * 1000), where: location.href })));
  return () => closers.forEach((close) => close());
}

const card = (title, ...body) => el("section", { class: "card" }, el("h2", {}, title), body);
const wide = (title, ...body) => el("section", { class: "card wide" }, el("h2", {}, title), body);
const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
  .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

function unknown(t, id, error) {
  const known = error.status === 404;
  return wide(known ? t("unknown_title") : t("failed"), el("p", { class: known ? "" : "bad" }, known ? t("unknown", { id }) : error.message),
    known ? el("ul", {}, ["unknown_old", "unknown_soon", "unknown_elsewhere"].map((key) => el("li", {}, t(key)))) : null,
    ["no_journal", "no_id"].includes(error.code) ? el("p", { class: "hint" }, t(`unknown_${error.code}`)) : null, el("p", {}, el("a", { href: "/gate" }, t("to_gate"))));
}

function neighbour(t, event, which) {
  if (!event) return el("span", { class: "button soft", "aria-disabled": "true" }, t(`no_${which}`));
  return el("a", { class: "button", href: `/event/${event.id}`, rel: which === "next" ? "next" : "prev", title: about(event) }, t(which, { time: exactTime(event.at_us).slice(0, 8) }));
}

/** A value as people read it: with its unit, a time as a time. */
function shown(t, name, value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value !== "number") return String(value);
  if (/_us$/.test(name)) return moment(value);
  if (/(^|_)(valid_from|valid_until|not_before|not_after)$/.test(name) && value > 1e15) return moment(value);
  const unit = Object.keys(UNITS).find((each) => name === each || name.endsWith(`_${each}`));
  if (unit) return UNITS[unit] === "s" ? duration(value) : quantity(value, UNITS[unit]);
  if (name.endsWith("_s")) return duration(value);
  if (name.endsWith("_kg")) return quantity(value, "kg");
  return number(value, 3);
}

function head(t, event, lane, place) {
  const { fields = {} } = event;
  const why = reasons(t, fields.reasons);
  return el("section", { class: "card wide verdict-card" },
    el("div", { class: "verdict-line" }, verdictBadge(t, fields.verdict), el("strong", {}, about(event))),
    why.length ? el("ul", { class: "why" }, why.map((reason) => el("li", {}, reason))) : null,
    fields.missing ? el("p", { class: "warn" }, t("missing", { what: fields.missing.split(", ").map((name) => partWord(t, name)).join(", ") })) : null,
    event.historical ? el("p", { class: "hint" }, t("historical")) : null,
    facts([
      [t("when"), el("time", {}, moment(event.at_us))],
      [t("where"), [place, lane ? t(`lane_kind.${lane.kind}`) : "", event.read_point && event.read_point !== place ? event.read_point : ""].filter(Boolean).join(" · ")],
      [t("from_zone"), event.from_zone],
      [t("direction_name"), directionWord(t, event.direction ?? fields.direction)],
      [t("opened"), fields.opened_at_us ? exactTime(fields.opened_at_us) : null],
      [t("decided"), fields.decided_at_us ? `${exactTime(fields.decided_at_us)}${fields.opened_at_us ? ` (${t("after", { time: duration((fields.decided_at_us - fields.opened_at_us) / 1e6) })})` : ""}` : null],
      [t("lasted"), fields.duration_s !== undefined ? duration(fields.duration_s) : null],
      [t("closed_by"), fields.closed_by ? t(`closed.${["event", "quiet", "limit"].includes(fields.closed_by) ? fields.closed_by : "other"}`) : null],
      [t("rule"), event.rule ? el("a", { href: `/rules/${encodeURIComponent(event.rule)}` }, event.rule) : t("presence")],
      [t("id"), el("code", {}, event.id)],
    ]));
}

/** Parts that rules tell, and nobody reads. */
const CONCLUDED = ["request", "violation", "inside", "admitted"];
const PARTS = [...PART_ORDER, ...CONCLUDED];
const partWord = (t, name) => (PARTS.includes(name) ? t(`part.${name}`) : name);

function partsOf(fields) {
  const names = Object.keys(fields).filter((key) => key.endsWith("_count") && key !== "missing_count").map((key) => key.slice(0, -6));
  const rank = (name) => (PART_ORDER.includes(name) ? PART_ORDER.indexOf(name) : PART_ORDER.length);
  return names.sort((a, b) => rank(a) - rank(b));
}

function readCard(t, event) {
  const { fields = {} } = event;
  const names = partsOf(fields);
  if (!names.length) return null;
  const missing = String(fields.missing ?? "").split(", ");
  const table = new Table([
    { key: "part", label: t("part"), head: true, cell: (name) => partWord(t, name) },
    { key: "value", label: t("value"), cell: (name) => {
      if (fields[name] === undefined && CONCLUDED.includes(name)) return { text: t("none"), class: "soft" };
      if (fields[name] === undefined) return { text: t("not_read"), class: missing.includes(name) ? "bad" : "soft" };
      const epc = fields[`${name}_epc`];
      return epc ? el("span", {}, shown(t, name, fields[name]), el("br"), el("span", { class: "epc soft" }, epc)) : shown(t, name, fields[name]);
    } },
    { key: "share", label: t("agree"), number: true, cell: (name) => (fields[`${name}_share`] === undefined ? "" : `${number(fields[`${name}_share`] * 100)} %`) },
    { key: "count", label: t("readings"), number: true, cell: (name) => number(fields[`${name}_count`]) },
    { key: "invalid", label: t("invalid"), number: true, cell: (name) => (fields[`${name}_invalid`] === undefined ? "" : number(fields[`${name}_invalid`])) },
    { key: "at", label: t("heard_at"), cell: (name) => (fields[`${name}_at_us`] === undefined ? "" : exactTime(fields[`${name}_at_us`])) },
  ], { caption: t("read"), key: (name) => name });
  table.show(names);
  return wide(t("read"), el("p", { class: "hint" }, t("read_hint")), table.element);
}

function weightCard(t, event, lane) {
  const { fields = {} } = event;
  const weighed = fields.weight_kg;
  if (weighed === undefined) return null;
  const tare = tareOf(event);
  const declared = fields.declared_kg;
  const load = tare === null ? weighed : weighed - tare;
  const differs = declared === undefined ? null : load - declared;
  const bounds = lane?.weighing;
  const allowed = bounds && declared !== undefined ? Math.max(bounds.tolerance_kg, (declared * bounds.tolerance_percent) / 100) : null;
  const isOver = allowed !== null && Math.abs(differs) > allowed;
  const sign = differs > 0 ? "+" : differs < 0 ? "−" : "";
  return card(t("weight"), facts([
    [t("weighed"), quantity(weighed, "kg")],
    [t("tare"), tare === null ? null : quantity(tare, "kg")],
    [t("load"), tare === null ? null : quantity(load, "kg")],
    [t("declared"), declared === undefined ? t("not_declared") : quantity(declared, "kg")],
    [t("difference"), differs === null ? null : el("span", { class: isOver ? "bad" : "good" }, `${sign}${quantity(Math.abs(differs), "kg")}${allowed === null ? "" : ` · ${t(isOver ? "beyond" : "within")}`}`)],
    [t("allowed"), allowed === null ? null : `±${quantity(allowed, "kg")}`],
  ]), declared === undefined ? null : gauge({ value: load, limit: declared, unit: "kg", label: t("load_of_declared"), tone: isOver ? "bad" : "good" }),
  allowed === null ? null : el("p", { class: "hint" }, t("allowed_hint", { kg: quantity(bounds.tolerance_kg, "kg"), percent: number(bounds.tolerance_percent, 2) })));
}

function lookUpsOf(fields) {
  return Object.keys(fields).filter((key) => key.endsWith("_found")).map((key) => key.slice(0, -6));
}

function lookedUp(t, event) {
  const { fields = {} } = event;
  const names = lookUpsOf(fields);
  if (!names.length) return null;
  const KNOWN = ["appointment", "customs", "vehicle", "licence", "listed"];
  const columns = (name) => Object.keys(fields).filter((key) => key.startsWith(`${name}_`) && !["found", "version"].includes(key.slice(name.length + 1)));
  const table = new Table([
    { key: "what", label: t("looked_up_in"), head: true, cell: (name) => (KNOWN.includes(name) ? t(`lookup.${name}`) : name) },
    { key: "found", label: t("found"), cell: (name) => ({ text: t(fields[`${name}_found`] ? "yes" : "no"), class: fields[`${name}_found`] ? "good" : "warn" }) },
    { key: "says", label: t("says"), cell: (name) => columns(name).map((key) => `${key.slice(name.length + 1)}: ${shown(t, key, fields[key])}`).join(" · ") },
    { key: "version", label: t("version"), cell: (name) => fields[`${name}_version`] ?? "–" },
  ], { caption: t("looked_up"), key: (name) => name });
  table.show(names);
  return card(t("looked_up"), el("p", { class: "hint" }, t("looked_up_hint")), table.element);
}

/** What no other card has told: nothing of an event is hidden. */
function measured(t, event) {
  const { fields = {} } = event;
  const parts = partsOf(fields), lookUps = lookUpsOf(fields);
  const isTold = (key) => HEADED.includes(key) || key === "declared_kg" || parts.some((part) => key === part || OF_PART.some((each) => key === `${part}_${each}`))
    || lookUps.some((name) => key.startsWith(`${name}_`));
  const rest = Object.keys(fields).filter((key) => !isTold(key));
  if (!rest.length) return null;
  return card(t("fields"), facts(rest.map((key) => [key.replace(/_(us|s|kg)$/, "").replaceAll("_", " "), key === "value" && fields.unit ? quantity(fields.value, fields.unit) : shown(t, key, fields[key])])));
}

function orderCard(t, { event, siblings, orders }) {
  if (!siblings.length && !orders.orders.length && !orders.elsewhere.length && !orders.fault) return null;
  const steps = new Table([
    { key: "at", label: t("time"), head: true, cell: (row) => exactTime(row.at_us) },
    { key: "what", label: t("order"), cell: (row) => `${row.action} ${row.device}/${row.point}` },
    { key: "state", label: t("state"), cell: (row) => ({ text: t(`order.${row.state}`), class: { verified: "good", failed: "bad", refused: "bad", unknown: "warn" }[row.state] ?? "" }) },
    { key: "detail", label: t("detail"), cell: (row) => row.detail ?? "" },
    { key: "by", label: t("by"), cell: (row) => row.by ?? "" },
    { key: "audit", label: t("audit_record"), number: true, cell: (row) => number(row.sequence) },
  ], { caption: t("orders"), empty: t("no_orders"), key: (row, n) => n });
  steps.show(orders.orders.flatMap((order) => order.steps.map((step) => ({ ...step, action: order.action, device: order.device, point: order.point, sequence: step.audit_sequence }))));
  return wide(t("decision_and_order"),
    siblings.map((other) => el("p", {}, typeWord(t, other.type), " ", verdictBadge(t, other.fields?.verdict), " ",
      el("a", { href: `/event/${other.id}` }, moment(other.at_us)))),
    steps.element,
    orders.fault ? el("p", { class: "warn" }, t("audit_fault", { text: orders.fault })) : null,
    orders.elsewhere.length ? el("p", { class: "hint" }, t("orders_elsewhere", { gateways: orders.elsewhere.join(", ") })) : null,
    event.historical ? el("p", { class: "hint" }, t("no_order_late")) : null);
}

async function heardCard(t, api, told, closers) {
  const { event, siblings, around, orders } = told;
  const body = el("div", {}, el("p", { class: "empty" }, t("looking")));
  const section = wide(t("heard_title"), el("p", { class: "hint" }, t("heard_hint")), body);
  const names = Object.create(null); // a subject may be called `constructor`
  for (const each of [event, ...siblings]) {
    for (const [key, value] of Object.entries(each.fields ?? {})) {
      const of = key.endsWith("_epc") ? each.fields[key.slice(0, -4)] : null;
      if (of) names[value] = String(of);
    }
    names[each.subject] ??= each.name ?? each.subject;
  }
  const own = new Set(Object.keys(names));
  for (const each of around?.events ?? []) if (each.name) names[each.subject] ??= each.name;
  const marks = [];
  const mark = (at, label, tone = "") => { if (at) marks.push({ at_us: at, label, tone }); };
  const { fields = {} } = event;
  mark(fields.opened_at_us, t("mark.opened"));
  mark(fields.decided_at_us, t("mark.decided"), "accent");
  if (event.at_us !== fields.decided_at_us) mark(event.at_us, fields.closed_by ? t("mark.closed") : typeWord(t, event.type), "accent");
  for (const order of orders.orders) for (const step of order.steps) mark(step.at_us, t(`order.${step.state}`), step.state === "verified" ? "good" : "warn");
  const timeline = new Timeline({ t, names, own });
  closers.push(() => timeline.close());
  api(`/event/${event.id}/raw`).then((raw) => {
    const fromStore = !raw.reads.length && around?.reads.length;
    const reads = fromStore ? around.reads.map((read) => ({ ...read, at_us: read.seen_at_us, count: read.count ?? 1 })) : raw.reads;
    const values = raw.values.length ? raw.values : (around?.signals ?? []).map((each) => ({ at_us: each.at_us, what: "signal", device: each.device, name: each.signal,
      value: each.state ?? each.text ?? (each.value === null ? null : String(each.value)), unit: each.unit }));
    const notes = [
      raw.why_none ? t(`raw_none.${raw.why_none}`) : t("raw_batches", { n: number(raw.batches), reads: number(reads.reduce((sum, read) => sum + (read.count ?? 1), 0)), rows: number(reads.length), values: number(values.length) }),
      fromStore || (raw.why_none && values.length) ? t("raw_from_store") : "",
      ...raw.more.map((what) => t(`raw_more.${what}`)), ...raw.damaged.map((text) => t("damaged", { text })),
    ].filter(Boolean);
    fill(body, notes.map((text) => el("p", { class: raw.why_none ? "warn" : "hint" }, text)), reads.length || values.length ? timeline.element : el("p", { class: "empty" }, t("no_raw")));
    timeline.show({ reads: reads.map((read) => ({ rssi_dbm: null, count: 1, ...read })), values, marks });
  }).catch((error) => fill(body, el("p", { class: "bad" }, error.message)));
  return section;
}

function evidenceCard(t, event) {
  const { evidence } = event;
  return card(t("evidence"), facts([
    [t("reads"), evidence.reads ? number(evidence.reads) : t("none")],
    [t("read_points"), (evidence.read_points ?? []).join(", ")],
    [t("strongest"), evidence.rssi_max_dbm === undefined ? null : quantity(evidence.rssi_max_dbm, "dBm", 1)],
    [t("first_seen"), evidence.first_seen_at_us ? exactTime(evidence.first_seen_at_us) : null],
    [t("last_seen"), evidence.last_seen_at_us ? exactTime(evidence.last_seen_at_us) : null],
    [t("confidence"), evidence.confidence === undefined ? null : `${number(evidence.confidence * 100, 1)} %`],
    [t("gateway"), evidence.gateway],
    [t("batches"), t("batch_range", { from: evidence.sequence_from, to: evidence.sequence_to, since: moment(evidence.epoch) })],
  ]));
}

function aroundCards(t, told) {
  const { event, around, slow, damaged, siblings } = told;
  const notes = [...slow.map((what) => t(`slow.${what}`)), ...damaged.map((text) => t("damaged", { text })), ...(around?.more ?? []).length ? [t("around_cut")] : []];
  const known = new Set([event.id, ...siblings.map((each) => each.id)]);
  const events = (around?.events ?? []).filter((each) => !known.has(each.id));
  const alarms = new Table([
    { key: "at", label: t("time"), head: true, cell: (row) => exactTime(row.at_us) },
    { key: "severity", label: t("severity"), cell: (row) => ({ text: t(`severity.${row.severity}`), class: { critical: "bad", warning: "warn" }[row.severity] ?? "" }) },
    { key: "state", label: t("state"), cell: (row) => t(row.state === "raised" ? "raised" : "cleared") },
    { key: "message", label: t("message"), cell: (row) => el("a", { href: `/alarms/${encodeURIComponent(row.id)}` }, row.message) },
    { key: "subject", label: t("subject"), cell: (row) => row.subject },
  ], { caption: t("alarms_around"), empty: t("no_alarms"), key: (row) => `${row.id}/${row.at_us}` });
  alarms.show(around?.alarms ?? []);
  const list = new Table([
    { key: "at", label: t("time"), head: true, cell: (row) => el("a", { href: `/event/${row.id}` }, exactTime(row.at_us)) },
    { key: "type", label: t("what"), cell: (row) => typeWord(t, row.type) },
    { key: "subject", label: t("subject"), cell: (row) => row.name ?? row.subject },
    { key: "place", label: t("place"), cell: (row) => row.zone ?? row.read_point ?? row.device ?? "" },
    { key: "verdict", label: t("verdict"), cell: (row) => verdictBadge(t, row.fields?.verdict) ?? "" },
  ], { caption: t("around"), empty: t("nothing_around"), key: (row) => row.id, rowClass: (row) => (AGAIN.includes(row.type) ? "soft" : "") });
  list.show(events);
  return [wide(t("alarms_around"), alarms.element),
    el("section", { class: "card wide around-card" }, el("h2", {}, t("around")), notes.map((text) => el("p", { class: "warn" }, text)),
      around ? el("p", { class: "hint" }, t("around_hint", { from: exactTime(around.from_us), to: exactTime(around.to_us) })) : null, list.element)];
}

function whyCard(t, api, id, mayBe, me, closers) {
  const answer = el("div", { class: "trace", role: "region", "aria-live": "polite", "aria-label": t("why") });
  const button = el("button", { type: "button", class: "main" }, t("ask_why"));
  const asking = new AbortController();
  let timer = null;
  closers.push(() => { asking.abort(); clearInterval(timer); });
  button.addEventListener("click", async () => {
    button.disabled = true;
    const began = performance.now();
    const state = el("p", { class: "hint" });
    fill(answer, el("progress", { "aria-label": t("working") }), state);
    const tick = () => write(state, t("working_since", { time: duration(Math.floor((performance.now() - began) / 1000)) }));
    tick();
    timer = setInterval(tick, PROGRESS_MS);
    try {
      const trace = await api(`/event/${id}/why`, { signal: asking.signal });
      fill(answer, traced(t, trace));
      button.hidden = true;
    } catch (error) {
      if (error.name === "AbortError") return;
      fill(answer, el("p", { class: "bad" }, error.message), error.status === TOO_SLOW ? el("p", {}, t("why_slow"), " ", el("code", {}, `tagwharf rules trace ${id}`)) : null);
      button.disabled = false;
    } finally {
      clearInterval(timer);
    }
  });
  const may = mayBe("operator");
  return el("section", { class: "card wide why-card" }, el("h2", {}, t("why")), el("p", { class: "hint" }, t("why_hint")),
    may ? el("p", {}, button) : el("p", {}, t("why_role"), " ", me.login_possible && !me.name ? el("a", { href: `/login?to=${encodeURIComponent(location.pathname)}` }, t("login")) : null), may ? answer : null);
}
