// One meter: its demand, its registers now, its curves, its energy books.
import { named } from "../../base/api.js";
import { gauge } from "../../base/chart.js";
import { el, fill, write } from "../../base/dom.js";
import { duration, quantity, when } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { openBooks } from "./books.js";
import { openCurves } from "./curves.js";
import { GROUPS, groupOf, isLate, lateTitle, phaseWord, oldness, placeOf, qualityTone, qualityWord, quantityWord, register, standing, stateBadge, tariffWord } from "./words.js";

const DRAW_EVERY_MS = 1000;
const FORECAST_EVERY_MS = 5000;

export function openMeter(page) {
  const { root, t, api, on, follow, known, name, about } = page;
  const meter = known.meters.find((each) => each.name === name) ?? null;
  follow(["readings", "meters", "devices"], { readings: { meter: name }, meters: { meter: name } });
  const registers = new Rows(), devices = new Rows(), latest = new Rows();
  let forecast = null;

  const facts = aboutMeter({ t, meter, about, name });
  const demand = demandCard({ t, meter });
  const tables = registerTables({ t, known });
  const nothing = el("p", { class: "empty" }, meter ? t("registers_empty") : t("no_such_meter"));

  function draw() {
    const now = Date.now() * 1000;
    const rows = registers.values();
    const paces = latest.get(name)?.paces ?? {};
    nothing.hidden = rows.length > 0;
    facts.show(devices.get(name), latest.get(name)?.received_at_us ?? null);
    tables.show(rows, paces, now);
    demand.show(rows, forecast);
  }
  on("readings", (news) => { const isFirst = !registers.rows.size; registers.take(news); if (isFirst) draw(); });
  on("meters", (news) => latest.take(news));
  on("devices", (news) => devices.take(news));

  async function ask() {
    try {
      forecast = named((await api("/meters/forecasts", { query: { meter: name } })).meters)[name] ?? null;
    } catch {
      forecast = null; // the card then says that there is none
    }
  }
  const timers = [setInterval(draw, DRAW_EVERY_MS)];
  if (meter?.limit && known.has_journal) {
    ask();
    timers.push(setInterval(() => { if (!document.hidden) ask(); }, FORECAST_EVERY_MS));
  }
  const past = known.has_journal ? [openCurves(page, meter), openBooks(page, meter)] : [];
  const csv = el("a", { class: "button", href: `/api/meters/registers.csv?meter=${encodeURIComponent(name)}`, download: true }, t("export_registers"));
  fill(root,
    el("h1", {}, el("a", { href: "/meters" }, t("back")), " › ", name),
    el("section", { class: "card" }, el("h2", {}, t("about")), facts.element),
    el("section", { class: "card" }, el("h2", {}, t("demand_now")), demand.element),
    el("section", { class: "card wide" }, el("div", { class: "bar spread" }, el("h2", {}, t("registers")), csv), nothing, tables.element),
    past.map((each) => each.elements),
    known.has_journal ? null : el("section", { class: "card wide" }, el("p", { class: "empty" }, t("no_journal"))));
  draw();
  return () => { timers.forEach(clearInterval); past.forEach((each) => each.close()); };
}

function aboutMeter({ t, meter, about, name }) {
  const values = {};
  const pair = (key, value = el("dd")) => { values[key] = value; return [el("dt", {}, t(key)), value]; };
  const has = (page) => about.pages.some((each) => each.name === page);
  const element = el("div", {}, el("dl", { class: "facts" }, pair("state"), pair("last_heard"),
    meter ? [pair("reader", el("dd", {}, meter.reader)), pair("driver", el("dd", {}, meter.driver)), pair("limit", el("dd", {}, limitText(t, meter.limit)))] : null,
    meter?.nominal_v ? pair("nominal", el("dd", {}, quantity(meter.nominal_v, "V"))) : null),
  el("div", { class: "bar links" },
    has("devices") ? el("a", { class: "button", href: `/devices/${encodeURIComponent(name)}` }, t("device")) : null,
    meter?.is_controlled && has("control") ? el("a", { class: "button", href: `/control?device=${encodeURIComponent(name)}` }, t("control")) : null));
  let told = "";
  return {
    element,
    show(device, heard) {
      const why = device && device.state !== "online" ? device.detail || device.reason : "";
      const next = JSON.stringify([device?.state, device?.since_us, why]);
      if (next !== told) {
        told = next;
        fill(values.state, stateBadge(t, device), device?.since_us ? ` ${t("since", { time: when(device.since_us) })}` : "", why ? ` · ${why}` : "");
      }
      write(values.last_heard, heard === null ? "–" : `${when(heard)} · ${oldness(heard)}`);
    },
  };
}

function limitText(t, limit) {
  if (!limit) return t("no_limit");
  const words = { limit: quantity(limit.limit_w, "W"), interval: duration(limit.interval_s) };
  return limit.kind === "sliding" ? t("limit_sliding", words) : t("limit_block", words);
}

function demandCard({ t, meter }) {
  const element = el("div", { class: "demand" });
  const limit = meter?.limit?.limit_w ?? null;
  let told = "";
  return {
    element,
    show(rows, forecast) {
      const of = (quantityName) => rows.find((row) => row.quantity === quantityName && !row.phase && !row.tariff);
      const found = of("active_demand") ?? of("active_power");
      const value = found && found.value !== null ? Number(found.value) : null;
      const later = forecast?.forecast_w ?? null;
      const next = JSON.stringify([value, found?.quantity, forecast]);
      if (next === told) return;
      told = next;
      const key = found?.quantity === "active_power" ? "now_as_power" : "now";
      const now = standing(value, limit), then = standing(later, limit);
      const most = limit ? Math.max(limit * 1.25, value ?? 0, later ?? 0) : undefined;
      const line = (label, amount, stand) => [el("p", { class: "hint" }, t(label), " ", stand.word ? el("span", { class: `badge ${stand.tone}` }, t(stand.word)) : null),
        gauge({ value: amount, limit, most, unit: "W", label: t(label), tone: stand.tone })];
      const excess = forecast?.excess_w ?? null;
      fill(element, value === null ? el("p", { class: "empty" }, t("no_demand"))
        : limit ? line(key, value, now) : el("p", { class: "figure" }, quantity(value, "W"), el("span", { class: "hint" }, ` ${t(key)}`)),
      limit && later !== null ? line("forecast", later, then) : null,
      limit && later === null ? el("p", { class: "empty" }, t("no_forecast")) : null,
      limit && excess !== null ? el("p", { class: excess > 0 ? "bad" : "good" },
        excess > 0 ? `▲ ${t("must_go", { power: quantity(excess, "W") })}` : t("may_come", { power: quantity(-excess, "W") })) : null,
      limit ? null : el("p", { class: "hint" }, `${t("limit")}: ${t("no_limit")}`));
    },
  };
}

/** A table for each group: quantities down, phases and tariffs across. */
function registerTables({ t, known }) {
  const element = el("div", { class: "registers" });
  const groups = new Map();

  function make(group, columns) {
    const body = el("tbody");
    const table = el("table", {}, el("caption", {}, t(`group.${group}`)),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("quantity")), columns.map((column) => el("th", { scope: "col", class: "n" }, column.label)),
        el("th", { scope: "col", class: "n" }, t("age")))), body);
    const made = { node: el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t(`group.${group}`) }, table), body, rows: new Map(), columns };
    return made;
  }

  function columnsOf(rows) {
    const keys = [...new Set(rows.map((row) => `${row.phase ?? ""}/${row.tariff ?? ""}`))].sort((a, b) => {
      const [pa, ta] = a.split("/"), [pb, tb] = b.split("/");
      return pa.localeCompare(pb) || Number(ta) - Number(tb);
    });
    return keys.map((key) => {
      const [phase, tariff] = key.split("/");
      const label = tariff ? [phase ? phaseWord(t, phase) : null, tariffWord(t, tariff, known.tariff_names)].filter(Boolean).join(", ") : phaseWord(t, phase);
      return { key, label };
    });
  }

  return {
    element,
    show(rows, paces, now) {
      const byGroup = new Map(Object.keys(GROUPS).map((group) => [group, []]));
      for (const row of rows) byGroup.get(groupOf(row.quantity)).push(row);
      for (const [group, mine] of byGroup) {
        if (!mine.length) continue;
        const columns = columnsOf(mine);
        const form = columns.map((column) => column.key).join(" ");
        let table = groups.get(group);
        if (!table || table.form !== form) {
          const fresh = Object.assign(make(group, columns), { form });
          if (table) table.node.replaceWith(fresh.node);
          groups.set(group, fresh);
          table = fresh;
          if (!table.node.isConnected) fill(element, Object.keys(GROUPS).map((each) => groups.get(each)?.node));
        }
        const names = [...new Set(mine.map((row) => row.quantity))].sort((a, b) => placeOf(a) - placeOf(b) || a.localeCompare(b));
        names.forEach((quantityName, place) => {
          let line = table.rows.get(quantityName);
          if (!line) {
            const cells = new Map(table.columns.map((column) => [column.key, el("td", { class: "n" })]));
            const old = el("td", { class: "n soft" });
            line = { tr: el("tr", {}, el("th", { scope: "row" }, quantityWord(t, quantityName)), [...cells.values()], old), cells, old };
            table.rows.set(quantityName, line);
            table.body.insertBefore(line.tr, table.body.children[place] ?? null);
          }
          let newest = 0;
          for (const row of mine.filter((each) => each.quantity === quantityName)) {
            const key = `${row.phase ?? ""}/${row.tariff ?? ""}`;
            const cell = line.cells.get(key);
            const every = paces[`${quantityName}/${key}`] ?? 0;
            const late = isLate(row.received_at_us, every, now);
            const quality = row.quality ?? "good";
            const bad = quality === "good" || quality === "computed" ? "" : ` (${qualityWord(t, quality)})`;
            write(cell, `${late ? "◔ " : ""}${row.value === null ? "–" : register(row.value, row.unit)}${bad}`);
            cell.className = `n ${late ? "warn" : qualityTone(quality)}`;
            cell.title = late ? lateTitle(t, row.received_at_us, every, now) : row.obis;
            newest = Math.max(newest, row.received_at_us);
          }
          write(line.old, oldness(newest));
        });
      }
    },
  };
}
