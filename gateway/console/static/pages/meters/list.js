// All meters: one row for each, and the demand of those that have a limit.
import { gauge } from "../../base/chart.js";
import { el, fill, write } from "../../base/dom.js";
import { number, quantity } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { isLate, isLost, lateTitle, oldness, quantityWord, register, standing, stateBadge } from "./words.js";

const DRAW_EVERY_MS = 1000;
const FORECAST_EVERY_MS = 10_000;
const MAIN_REGISTERS = ["active_energy_import", "active_energy_combined", "heat_energy", "cooling_energy", "gas_volume", "water_volume", "volume"];
const POWERS = ["active_power", "active_power_import", "thermal_power", "volume_flow"];

export function openList({ root, t, api, on, follow, known }) {
  follow(["meters", "devices"]);
  const latest = new Rows(), devices = new Rows();
  const byName = new Map(known.meters.map((meter) => [meter.name, meter]));
  const limited = known.meters.filter((meter) => meter.limit);
  let forecasts = {};
  let wanted = "";
  const first = (row, names) => names.map((name) => row.figures[name] && { name, figure: row.figures[name] }).find(Boolean);

  const valueCell = (row, found) => {
    if (!found) return "–";
    const [value, unit, quality, at, every] = found.figure;
    const late = isLate(at, every, row.now);
    return { text: `${late ? "◔ " : ""}${register(value, unit)}`, class: late ? "warn" : quality === "good" ? "" : "warn",
      title: late ? lateTitle(t, at, every, row.now) : quantityWord(t, found.name) };
  };
  const numeric = (found) => (found && found.figure[0] !== null ? Number(found.figure[0]) : null);
  const table = new Table([
    { key: "meter", label: t("meter"), head: true, cell: (row) => el("a", { href: `/meters/${encodeURIComponent(row.name)}` }, row.name), sort: (row) => row.name },
    { key: "state", label: t("state"), cell: (row) => stateBadge(t, row.device), sort: (row) => row.device?.state ?? "" },
    { key: "power", label: t("power"), number: true, cell: (row) => valueCell(row, row.power), sort: (row) => numeric(row.power) },
    { key: "demand", label: t("demand_limit"), number: true, cell: (row) => demandCell(row), sort: (row) => numeric(row.demand) },
    { key: "energy", label: t("energy"), number: true, cell: (row) => valueCell(row, row.energy), sort: (row) => numeric(row.energy) },
    { key: "voltage", label: t("voltage"), number: true, cell: (row) => voltageCell(row) },
    { key: "pf", label: t("pf"), number: true, cell: (row) => valueCell(row, row.pf), sort: (row) => numeric(row.pf) },
    { key: "age", label: t("age"), number: true, cell: (row) => (row.at
      ? { text: row.isLate ? t("stale", { age: oldness(row.at) }) : oldness(row.at), class: row.isLate ? "warn" : "soft" } : { text: "–", class: "soft" }),
    sort: (row) => row.at ?? 0 },
  ], { caption: t("title"), empty: t("no_meters"), key: (row) => row.name, sorted: ["meter", "ascending"] });

  function demandCell(row) {
    const limit = row.known?.limit?.limit_w;
    const made = valueCell(row, row.demand);
    if (!limit) return made;
    const { tone, word } = standing(numeric(row.demand), limit);
    const text = `${made.text ?? made} / ${quantity(limit, "W")}`;
    return { text: word === "over" ? `▲ ${text}` : text, class: tone === "good" ? "" : tone, title: word ? t(word) : null };
  }
  function voltageCell(row) {
    const phases = ["a", "b", "c"].map((phase) => row.figures[`voltage/${phase}`]).filter((figure) => figure && figure[0] !== null); // of one phase there are no others
    const all = phases.length ? phases : [row.figures.voltage].filter((figure) => figure && figure[0] !== null);
    if (!all.length) return "–";
    const late = all.find(([, , , at, every]) => isLate(at, every, row.now));
    const text = `${all.map(([value]) => number(value, 1)).join(" · ")} V`;
    if (!late && phases.length > 1 && isLost(phases.map(([value]) => Number(value)), row.known?.nominal_v)) return { text: `▼ ${text}`, class: "bad", title: t("phase_lost") };
    return late ? { text: `◔ ${text}`, class: "warn", title: lateTitle(t, late[3], late[4], row.now) } : text;
  }

  const tiles = el("dl", { class: "tiles" });
  const tileValues = new Map(["meters_heard", "meters_offline", "meters_stale", "meters_over"].map((key) => {
    const value = el("dd", {}, "–");
    if (key !== "meters_over" || limited.length) tiles.append(el("div", { class: "tile" }, el("dt", {}, t(key)), value));
    return [key, value];
  }));
  const tile = (key, text, tone = "") => { write(tileValues.get(key), text); tileValues.get(key).className = tone; };

  const gauges = el("div", { class: "demands" });
  function drawGauges(rows) {
    const made = rows.filter((row) => row.known?.limit).map((row) => {
      const limit = row.known.limit.limit_w;
      const found = row.demand ?? row.power;
      const value = numeric(found);
      const forecast = forecasts[row.name]?.forecast_w ?? null;
      const now = standing(value, limit), later = standing(forecast, limit);
      const most = Math.max(limit * 1.25, value ?? 0, forecast ?? 0);
      return el("div", { class: "demand" },
        el("h3", {}, el("a", { href: `/meters/${encodeURIComponent(row.name)}` }, t("demand_of", { meter: row.name })), " ",
          now.word ? el("span", { class: `badge ${now.tone}` }, t(now.word)) : null),
        found ? el("p", { class: "hint" }, t(row.demand ? "now" : "now_as_power")) : el("p", { class: "empty" }, t("no_demand")),
        found ? gauge({ value, limit, most, unit: "W", label: t(row.demand ? "now" : "now_as_power"), tone: now.tone }) : null,
        forecast === null ? null : [el("p", { class: "hint" }, t("forecast"), later.word ? ` · ${t(later.word)}` : ""),
          gauge({ value: forecast, limit, most, unit: "W", label: t("forecast"), tone: later.tone })]);
    });
    const told = made.map((node) => node.outerHTML).join("");
    if (told !== gauges.told && !gauges.contains(document.activeElement)) { gauges.told = told; fill(gauges, made); }
  }

  function draw() {
    const now = Date.now() * 1000;
    const names = new Set([...byName.keys(), ...latest.rows.keys()]);
    const rows = [...names].map((name) => {
      const heard = latest.get(name);
      const row = { name, now, known: byName.get(name), device: devices.get(name), figures: heard?.figures ?? {}, at: heard?.received_at_us ?? null };
      row.power = first(row, POWERS);
      row.energy = first(row, MAIN_REGISTERS);
      row.demand = first(row, ["active_demand"]);
      row.pf = first(row, ["power_factor"]);
      const paces = Object.values(row.figures).map(([, , , , every]) => every).filter(Boolean);
      row.isLate = row.at !== null && isLate(row.at, paces.length ? Math.min(...paces) : 0, now);
      return row;
    });
    tile("meters_heard", `${rows.filter((row) => row.at).length} / ${rows.length}`);
    const offline = rows.filter((row) => row.device?.state === "offline").length;
    const late = rows.filter((row) => row.isLate).length;
    const over = rows.filter((row) => standing(numeric(row.demand ?? row.power), row.known?.limit?.limit_w).word === "over").length;
    tile("meters_offline", offline, offline ? "bad" : "good");
    tile("meters_stale", late, late ? "warn" : "good");
    tile("meters_over", `${over} / ${limited.length}`, over ? "bad" : "good");
    table.show(wanted ? rows.filter((row) => row.name.toLowerCase().includes(wanted)) : rows);
    drawGauges(rows);
  }

  async function forecast() {
    try {
      forecasts = (await api("/meters/forecasts")).meters;
    } catch {
      forecasts = {}; // the gauge of the forecast goes; the page of the meter says why
    }
  }

  on("meters", (news) => { const whole = !latest.rows.size; latest.take(news); if (whole) draw(); });
  on("devices", (news) => devices.take(news));
  draw();
  const timers = [setInterval(draw, DRAW_EVERY_MS)];
  if (limited.length && known.has_journal) {
    forecast();
    timers.push(setInterval(() => { if (!document.hidden) forecast(); }, FORECAST_EVERY_MS));
  }
  const find = el("label", {}, t("find"), el("input", { type: "search", autocomplete: "off", oninput: (event) => { wanted = event.target.value.trim().toLowerCase(); draw(); } }));
  fill(root, el("h1", {}, t("title")),
    el("section", { class: "card wide" }, tiles),
    limited.length ? el("section", { class: "card wide" }, el("h2", {}, t("demand_now")), gauges) : null,
    el("section", { class: "card wide" }, el("h2", {}, t("back")), el("div", { class: "bar" }, find), table.element, el("p", { class: "hint" }, t("hint"))));
  return () => timers.forEach(clearInterval);
}
