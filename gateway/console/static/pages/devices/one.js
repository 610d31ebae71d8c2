// One device: what it is, how it stands, what was asked of it, how its day was, and what it says now.
import { named } from "../../base/api.js";
import { Chart } from "../../base/chart.js";
import { el, fill, svg, write } from "../../base/dom.js";
import { age, duration, exactTime, hex, iso, moment, number, quantity, when } from "../../base/format.js";
import { Newest, Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { Rates, SEVERITY_TONES, TONES, offset, reasonText, stateBadge } from "./words.js";

const EVERY_MS = 1000;
const PAST_EVERY_MS = 30_000;
const AFTER_CHANGE_MS = 3000; // until the rules have written a change into the event journal
const SHOWN = 15;
const WIDTH = 1000, HEIGHT = 30;
const HEIGHTS = { __proto__: null, online: 1, degraded: 0.7, offline: 0.4, unknown: 0.15 }; // a state is seen by its height, too
const VERDICTS = { same: "good", differs: "bad", unasked: "soft", not_told: "soft" };

export async function open({ root, t, api, on, follow }, name) {
  const title = el("h1", {}, name);
  const back = el("a", { href: "/devices" }, t("all_devices"));
  const [{ devices: known, has_journal: hasJournal }, about] = await Promise.all([api("/devices/known"),
    api("/devices/about", { query: { device: name } }).catch((error) => { if (error.status === 404) return null; throw error; })]);
  const site = named(known)[name] ?? null;
  const isRfid = site?.kind === "rfid", isMeter = site?.kind === "meter" && !site.behind;
  const address = encodeURIComponent(name);
  const live = new Rows(), rates = new Rates(), timers = [];
  let row = null, heardFrom = "", settingsOf = "", isClosed = false;
  const card = (heading, ...body) => el("section", { class: "card" }, el("h2", {}, heading), body);
  const wide = (heading, ...body) => el("section", { class: "card wide" }, el("h2", {}, heading), body);
  const link = (to) => el("a", { href: `/devices/${encodeURIComponent(to)}` }, to);
  const fact = (label, value) => [el("dt", {}, t(label)), el("dd", {}, value)];
  const failed = (place) => (error) => { if (!isClosed) fill(place, el("p", { class: "bad" }, error.message)); };

  // --- how it stands, and what it is ----------------------------------------------------------------------------------
  const head = el("div", { class: "bar device-head" });
  const now = el("dl", { class: "facts" }), what = el("dl", { class: "facts" });
  const nowAt = new Map();
  const standing = (key) => { const value = el("dd", {}, "–"); nowAt.set(key, value); now.append(el("dt", {}, t(key)), value); };
  ["state", "reason", "since", "watched", "rate", "heard", "reconnects", "clock", "gateway"].forEach(standing);
  const conditions = new Table([
    { key: "severity", label: t("severity"), sort: (each) => Object.keys(SEVERITY_TONES).indexOf(each.severity), cell: (each) => ({ text: each.severity in SEVERITY_TONES ? t(`severity.${each.severity}`) : each.severity, class: SEVERITY_TONES[each.severity] ?? "" }) },
    { key: "name", label: t("condition"), head: true, sort: (each) => each.name, cell: (each) => each.name },
    { key: "key", label: t("about"), cell: (each) => each.key || "–" },
    { key: "detail", label: t("detail"), cell: (each) => each.detail || "–" },
    { key: "since", label: t("since"), number: true, sort: (each) => each.since_us, cell: (each) => ({ text: when(each.since_us), title: iso(each.since_us) }) },
  ], { caption: t("conditions_now"), empty: t("no_conditions"), key: (each) => `${each.name}/${each.key}` });

  const behind = site?.behind ? Object.keys(known).filter((each) => known[each].line === name).sort() : [];
  const members = new Table([
    { key: "name", label: t("device"), head: true, sort: (each) => each, cell: (each) => link(each) },
    { key: "state", label: t("state"), cell: (each) => stateBadge(t, live.get(each)?.state ?? "unknown") },
    { key: "reason", label: t("reason"), cell: (each) => reasonText(t, live.get(each)?.reason) },
    { key: "since", label: t("since"), number: true, cell: (each) => age(live.get(each)?.since_us) },
    { key: "heard", label: t("heard"), number: true, cell: (each) => number(live.get(each)?.heard) },
    { key: "serial", label: t("serial"), cell: (each) => live.get(each)?.serial || "–" },
  ], { caption: t("behind"), empty: t("none"), key: (each) => each });
  const antennas = new Table([
    { key: "port", label: t("antenna"), number: true, head: true, cell: (each) => String(each.antenna_port) },
    { key: "point", label: t("read_point"), cell: (each) => each.read_point },
    { key: "watched", label: t("watched_now"), cell: (each) => (!row ? "–" : row.watched.includes(each.read_point)
      ? { text: t("yes"), class: "good" } : { text: t("no"), class: "bad" }) },
  ], { caption: t("antennas"), empty: t("device_chooses"), key: (each) => each.antenna_port });

  function show() {
    for (const [key, value] of [["heard", number(row?.heard)], ["reconnects", number(row?.reconnects)], ["clock", offset(row?.clock_offset_us)],
      ["rate", row ? t("per_s", { rate: number(rates.of(name), 1) }) : "–"], ["gateway", row?.gateway ?? "–"],
      ["watched", row ? row.watched.join(", ") || t("nothing") : "–"],
      ["since", row ? t("since_at", { at: when(row.since_us), age: age(row.since_us) }) : "–"],
      ["reason", row ? [reasonText(t, row.reason), row.detail].filter(Boolean).join(": ") || "–" : t("never_heard")]]) write(nowAt.get(key), value);
    const state = row?.state ?? "unknown";
    write(nowAt.get("state"), t(`state.${state in TONES ? state : "unknown"}`));
    nowAt.get("state").className = TONES[state] ?? "";
    conditions.show(row?.conditions ?? []);
    antennas.show(about?.antennas ?? []);
    members.show(behind);
  }

  function describe() {
    fill(head, back, stateBadge(t, row?.state ?? "unknown"),
      site?.walk ? el("a", { class: "button", href: `/devices/${address}/walk` }, t("walk_test")) : null,
      isRfid ? el("a", { class: "button", href: `/reads?device=${address}` }, t("live_reads")) : null,
      isMeter ? el("a", { class: "button", href: `/meters/${address}` }, t("meter_page")) : null);
    const line = about?.serial_line;
    fill(what, [fact("manufacturer", row?.manufacturer || t("not_said")), fact("model", row?.model || t("not_said")),
      fact("firmware", row?.firmware || t("not_said")), fact("serial", row?.serial || t("not_said")),
      site ? fact("kind_only", t(`kind.${site.kind}`)) : null,
      about ? fact("driver", el("span", {}, about.driver, el("span", { class: "soft" }, ` – ${about.summary}`))) : null,
      about ? fact("port", el("code", {}, about.port)) : null,
      line ? fact("serial_line", Object.entries(line).map(([key, value]) => `${key} ${value}`).join(", ")) : null,
      about?.line ? fact("line", link(about.line)) : null].filter(Boolean));
  }

  // --- asked, and in force --------------------------------------------------------------------------------------------
  const columns = [
    { key: "name", label: t("setting"), head: true, cell: (each) => el("code", {}, each.name) },
    { key: "asked", label: t("asked"), cell: (each) => el("span", {}, each.asked ?? t("left_to_device"),
      each.is_default && each.asked !== null ? el("span", { class: "soft" }, ` (${t("default")})`) : null) },
    { key: "in_force", label: t("in_force"), cell: (each) => each.in_force ?? t("not_told") },
    { key: "told", label: t("verdict"), cell: (each) => ({ text: t(`told.${each.told}`) + (each.detail ? `: ${each.detail}` : ""), class: VERDICTS[each.told] }) },
  ];
  const settings = new Table(columns, { caption: t("settings"), empty: t("no_settings"), key: (each) => each.name });
  const defaults = new Table(columns, { caption: t("defaults"), empty: t("none"), key: (each) => each.name });
  const counted = el("p", { class: "hint" }), more = el("summary", {}, t("defaults"));
  const hidden = el("details", {}, more, defaults.element);
  function settle(rows) {
    const isQuiet = (each) => each.is_default && each.told === "not_told";
    settings.show(rows.filter((each) => !isQuiet(each)));
    defaults.show(rows.filter(isQuiet));
    hidden.hidden = !rows.some(isQuiet);
    write(more, t("defaults_count", { count: rows.filter(isQuiet).length }));
    const count = (told) => rows.filter((each) => each.told === told).length;
    write(counted, t("settings_count", { same: count("same"), differs: count("differs"), not_told: count("not_told") }));
    counted.className = count("differs") ? "bad" : "hint";
  }
  async function askSettings() {
    try {
      const found = await api("/devices/about", { query: { device: name } });
      if (!isClosed) settle(found.settings);
    } catch (error) {
      if (error.status !== 404 && !isClosed) write(counted, error.message);
    }
  }

  // --- the past -------------------------------------------------------------------------------------------------------
  const day = el("div"), rateAt = el("div");
  const chart = new Chart({ title: t("reads_per_s"), unit: t("reads_per_s_unit"), times: t("time"), asTable: t("as_table"), empty: t("no_data") });
  const chartNote = el("p", { class: "hint" });
  let daySpans = null;
  const spanTable = new Table([
    { key: "begin", label: t("since"), head: true, sort: (span) => span.from_us, cell: (span) => moment(span.from_us) },
    { key: "state", label: t("state"), cell: (span) => ({ text: t(`state.${span.state in TONES ? span.state : "unknown"}`), class: TONES[span.state] ?? "" }) },
    { key: "reason", label: t("reason"), cell: (span) => reasonText(t, span.reason) },
    { key: "lasted", label: t("lasted"), number: true, sort: (span) => span.to_us - span.from_us, cell: (span) => duration((span.to_us - span.from_us) / 1e6) },
  ], { caption: t("day"), empty: t("no_data"), key: (span) => span.from_us, sorted: ["begin", "descending"] });
  const spanDetails = el("details", { class: "numbers" }, el("summary", {}, t("as_table")), spanTable.element);

  async function askDay() {
    const answer = await api("/devices/states", { query: { device: name } });
    if (isClosed) return;
    const told = JSON.stringify(answer.spans.map((span) => [span.from_us, span.state]));
    const length = answer.to_us - answer.from_us;
    const x = (us) => ((us - answer.from_us) / length) * WIDTH;
    const known = length - (answer.lasted_us.unknown ?? 0);
    const shares = Object.entries(answer.lasted_us).filter(([state, us]) => us > 0 && state !== "unknown")
      .sort(([one], [other]) => (HEIGHTS[other] ?? 0) - (HEIGHTS[one] ?? 0))
      .map(([state, us]) => el("span", { class: TONES[state] ?? "" }, t("share", { state: t(`state.${state in TONES ? state : "unknown"}`), percent: number((us / known) * 100, 2), time: duration(us / 1e6) })));
    const notes = [answer.left_out ? t("left_out", { count: answer.left_out }) : "", answer.more ? t("day_cut") : "",
      answer.lasted_us.unknown ? t("unknown_for", { time: duration(answer.lasted_us.unknown / 1e6) }) : "", ...answer.damaged.map((text) => t("damaged", { text }))].filter(Boolean);
    const spoken = t("day_spoken", { changes: answer.changes });
    const bar = svg("svg", { class: "state-bar", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": spoken },
      answer.spans.map((span) => {
        const high = HEIGHT * (HEIGHTS[span.state] ?? HEIGHTS.unknown);
        return svg("rect", { class: span.state in TONES ? span.state : "unknown", x: x(span.from_us).toFixed(2), y: HEIGHT - high, width: Math.max(1.2, x(span.to_us) - x(span.from_us)).toFixed(2), height: high },
          svg("title", {}, `${moment(span.from_us)} ${t(`state.${span.state in TONES ? span.state : "unknown"}`)} ${reasonText(t, span.reason)}`));
      }));
    const ticks = el("div", { class: "state-ticks", "aria-hidden": "true" }, [0, 1, 2, 3, 4].map((n) => el("span", {}, when(answer.from_us + (length * n) / 4).replace(/:\d\d$/, ""))));
    fill(day, bar, ticks, el("p", { class: "state-shares" }, shares, el("span", {}, spoken)), notes.map((text) => el("p", { class: "hint" }, text)), spanDetails);
    if (told !== daySpans) spanTable.show(answer.spans);
    daySpans = told;
  }

  async function askRates() {
    const answer = await api("/devices/rates", { query: { device: name } });
    if (isClosed) return;
    const steps = [...new Set(answer.antennas.flatMap((each) => each.step))].sort((a, b) => a - b);
    const curves = answer.antennas.map((each) => {
      const at = new Map(each.step.map((step, n) => [step, each.mean[n]]));
      return { label: `${each.antenna_port} · ${each.read_point}`, values: steps.map((step) => at.get(step) ?? null) };
    });
    if (!chart.element.isConnected) fill(rateAt, chart.element, chartNote);
    chart.show({ times_us: steps.map((step) => answer.from_us + step * answer.step_us), curves });
    write(chartNote, [t("rate_hint", { step: duration(answer.step_us / 1e6) }), answer.more ? t("more_antennas", { count: answer.more }) : "", ...answer.damaged.map((text) => t("damaged", { text }))].filter(Boolean).join(" "));
  }

  function askPast() {
    if (!hasJournal) return;
    askDay().catch(failed(day));
    if (isRfid) askRates().catch(failed(rateAt));
  }

  // --- what it says now -----------------------------------------------------------------------------------------------
  const newest = new Newest(SHOWN);
  const reads = new Table([
    { key: "time", label: t("time"), cell: (each) => exactTime(each.seen_at_us) },
    { key: "epc", label: t("epc"), head: true, cell: (each) => ({ text: hex(each.epc), class: "epc" }) },
    { key: "antenna", label: t("antenna"), number: true, cell: (each) => String(each.antenna_port) },
    { key: "point", label: t("read_point"), cell: (each) => each.read_point },
    { key: "rssi", label: t("rssi"), number: true, cell: (each) => (each.rssi_dbm === undefined ? "–" : `${number(each.rssi_dbm, 1)} dBm`) },
  ], { caption: t("last_reads"), empty: t("no_reads") });
  const values = new Rows();
  const readings = new Table([
    { key: "quantity", label: t("quantity"), head: true, sort: (each) => each.quantity, cell: (each) => [each.quantity, each.phase, each.tariff ? `T${each.tariff}` : ""].filter(Boolean).join(" · ") },
    { key: "value", label: t("value"), number: true, cell: (each) => quantity(each.value, each.unit === "1" ? "" : each.unit, 3) },
    { key: "quality", label: t("quality"), cell: (each) => each.quality ?? "good" },
    { key: "time", label: t("time"), number: true, cell: (each) => when(each.received_at_us) },
  ], { caption: t("last_readings"), empty: t("no_readings"), key: (each) => `${each.quantity}/${each.phase ?? ""}/${each.tariff ?? ""}`, sorted: ["quantity", "ascending"] });
  let dirty = false;
  on("reads", (news) => { newest.take(news); dirty = true; });
  on("readings", (news) => { values.take(news); dirty = true; });

  on("devices", (news) => {
    const changed = live.take(news);
    for (const each of changed) if (live.get(each)) rates.take(each, live.get(each).heard);
    row = live.get(name) ?? null;
    const state = row ? `${row.state}/${row.reason}/${row.since_us}` : "";
    if (state !== heardFrom || news.whole) {
      if (heardFrom && state !== heardFrom) timers.push(setTimeout(askPast, AFTER_CHANGE_MS));
      heardFrom = state;
      describe();
      show();
    }
    const force = row ? JSON.stringify([row.in_force, row.conditions]) : "";
    if (force !== settingsOf && about) {
      if (settingsOf) askSettings();
      settingsOf = force;
    }
  });

  function tick() {
    show();
    if (!dirty) return;
    dirty = false;
    reads.show([...newest.rows].reverse());
    readings.show(values.values());
  }

  describe();
  show();
  settle(about?.settings ?? []);
  follow(["devices", ...(isRfid ? ["reads"] : []), ...(isMeter ? ["readings"] : [])], { reads: { device: name }, readings: { meter: name } });
  if (!hasJournal) {
    fill(day, el("p", { class: "empty" }, t("no_journal")));
    fill(rateAt, el("p", { class: "empty" }, t("no_journal")));
  }
  askPast();
  const clock = setInterval(tick, EVERY_MS), past = setInterval(askPast, PAST_EVERY_MS);
  fill(root, title, head, about || name in known ? null : el("p", { class: "warn wide" }, t("not_in_file")),
    card(t("how_it_stands"), now), card(t("what_it_is"), what),
    el("section", { class: "card wide device-conditions" }, el("h2", {}, t("conditions_now")), conditions.element),
    behind.length ? wide(t("behind"), members.element) : null,
    about ? wide(t("settings"), counted, settings.element, hidden) : null,
    wide(t("day"), day),
    isRfid ? wide(t("read_rate"), rateAt) : null,
    about?.walk ? card(t("antennas"), antennas.element) : null,
    isRfid ? el("section", { class: "card device-reads" }, el("h2", {}, t("last_reads")), reads.element) : null,
    isMeter ? wide(t("last_readings"), readings.element) : null);
  reads.show([]);
  readings.show([]);
  return () => {
    isClosed = true;
    clearInterval(clock);
    clearInterval(past);
    timers.forEach(clearTimeout);
    chart.close();
  };
}
