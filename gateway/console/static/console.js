// The page of the console. What devices say goes into text nodes only, never into markup.

const SHOWN_EVENTS = 14, SHOWN_READS = 16;
const state = { devices: {}, readings: {}, events: [], reads: [], alarms: {}, ledgers: {}, reads_heard: 0 };
let paused = false;
let lastCount = null, lastAt = 0;

const at = (id) => document.getElementById(id);
const time = (us) => new Date(us / 1000).toLocaleTimeString([], { hour12: false });

function row(...cells) {
  const tr = document.createElement("tr");
  for (const cell of cells) {
    const td = document.createElement("td");
    const [text, kind] = Array.isArray(cell) ? cell : [cell, ""];
    td.textContent = text ?? "";
    if (kind) td.className = kind;
    tr.append(td);
  }
  return tr;
}

function fill(id, rows) { at(id).replaceChildren(...rows); }

function showDevices() {
  const tones = { online: "good", degraded: "warn", offline: "bad" };
  const devices = Object.values(state.devices).sort((a, b) => a.device.localeCompare(b.device));
  at("online").textContent = `${devices.filter((d) => d.state === "online").length} of ${devices.length}`;
  fill("devices", devices.map((d) => row(
    d.device,
    [d.state === "online" ? "online" : `${d.state}: ${d.detail || d.reason}`, tones[d.state] ?? ""],
    time(d.since_us), [d.heard ?? 0, "n"])));
}

function showMeters() {
  const meters = {};
  for (const reading of Object.values(state.readings)) {
    const meter = (meters[reading.meter] ??= { values: {}, at: 0 });
    meter.values[`${reading.quantity}/${reading.phase ?? ""}/${reading.tariff ?? ""}`] = reading.value;
    meter.at = Math.max(meter.at, reading.received_at_us);
  }
  const kilo = (value, digits) => (value == null ? "–" : (Number(value) / 1000).toFixed(digits));
  fill("meters", Object.keys(meters).sort().map((name) => {
    const { values, at: heard } = meters[name];
    return row(name, [kilo(values["active_energy_import//"], 2), "n"], [kilo(values["active_power//"], 3), "n"],
      [values["voltage/a/"] ?? "–", "n"], [Math.max(0, Date.now() / 1000 - heard / 1e6).toFixed(0), "n"]);
  }));
}

function showEvents() {
  fill("events", state.events.slice(-SHOWN_EVENTS).reverse().map((e) => row(
    time(e.at_us), e.type, [e.name ?? e.subject, e.name ? "" : "epc"], e.from_zone ? `${e.from_zone} → ${e.zone}` : e.zone ?? e.device,
    e.direction, [e.evidence?.reads ?? "", "n"], [e.evidence?.confidence?.toFixed(2) ?? "", "n"])));
}

function showAlarms() {
  const alarms = Object.values(state.alarms);
  at("alarm-count").textContent = alarms.length;
  at("alarm-count").className = alarms.length ? "bad" : "";
  at("alarms").replaceChildren(...alarms.map((alarm) => {
    const p = document.createElement("p");
    p.className = `alarm ${alarm.severity}`;
    p.textContent = `${alarm.message || alarm.rule}: ${alarm.subject}, since ${time(alarm.since_us)}`;
    return p;
  }));
}

function showReads() {
  if (paused) return;
  fill("reads", state.reads.slice(-SHOWN_READS).reverse().map((r) => row(
    time(r.seen_at_us), r.read_point, [r.epc, "epc"], [r.rssi_dbm?.toFixed(1) ?? "", "n"], [r.count ?? 1, "n"])));
}

function showLedger() {
  const rows = [], points = [];
  let balanced = null;
  for (const [name, book] of Object.entries(state.ledgers)) {
    if (name === "rules") {
      for (const [sink, p] of Object.entries(book.points)) points.push(row(sink, [p.made, "n"], [p.stored, "n"], [p.refused, "n"], [p.queued, "n"]));
      continue;
    }
    for (const [kind, title] of [["tag_reads", "tag reads"], ["readings", "readings"], ["signals", "signals"], ["cards", "cards"]]) {
      const a = book[kind];
      const dropped = Object.values(a.dropped).reduce((sum, n) => sum + n, 0);
      const queued = a.waiting + a.unjudged;
      rows.push(row(`${name} ${title}`, [a.heard, "n"], [a.judged, "n"], [dropped, dropped ? "n warn" : "n"], [queued, "n"],
        a.heard === a.judged + dropped + queued ? ["balanced", "good"] : ["differs", "bad"]));
    }
    balanced = (balanced ?? true) && book.balanced;
  }
  fill("ledger", rows);
  fill("points", points);
  at("balance").textContent = balanced === null ? "–" : balanced ? "balanced" : "differs";
  at("balance").className = balanced === false ? "bad" : "good";
}

function showRate() {
  const now = performance.now();
  if (lastCount !== null && now - lastAt >= 1000) {
    at("rate").textContent = Math.round((state.reads_heard - lastCount) * 1000 / (now - lastAt)).toLocaleString();
    lastCount = state.reads_heard; lastAt = now;
  } else if (lastCount === null) { lastCount = state.reads_heard; lastAt = now; }
}

function take(news) {
  for (const part of ["devices", "readings", "alarms", "ledgers"]) if (news[part]) state[part] = news[part];
  for (const part of ["events", "reads"]) if (news[part]) state[part] = state[part].concat(news[part]).slice(-200);
  if (news.reads_heard !== undefined) state.reads_heard = news.reads_heard;
  if (news.devices) showDevices();
  if (news.readings) showMeters();
  if (news.events) showEvents();
  if (news.alarms) showAlarms();
  if (news.reads) showReads();
  if (news.ledgers) showLedger();
  showRate();
  link(news.connected ? "live" : "no broker", news.connected);
}

function link(text, good) { at("link").textContent = text; at("link").className = good ? "good" : "bad"; }

at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  showReads();
});

const stream = new EventSource("/api/stream");
stream.addEventListener("whole", (message) => {
  const whole = JSON.parse(message.data);
  at("site").textContent = whole.site;
  Object.assign(state, { events: [], reads: [] });
  lastCount = null;
  take(whole);
});
stream.addEventListener("changes", (message) => take(JSON.parse(message.data)));
stream.addEventListener("error", () => link("console away", false));
