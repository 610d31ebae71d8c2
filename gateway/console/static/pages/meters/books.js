// The energy books of a meter: bars by tariff, sums and costs, gaps, largest demands, and one day by intervals.
import { el, fill, svg, write } from "../../base/dom.js";
import { duration, moment, number, quantity } from "../../base/format.js";
import { locale } from "../../base/text.js";
import { Table } from "../../base/table.js";
import { qualityTone, qualityWord, quantityWord, register, tariffName } from "./words.js";

const RANGES = [1, 7, 31];
const AGAIN_MS = 60_000;
const WIDTH = 720, HEIGHT = 200, BOTTOM = 22, TOP = 16, LEFT = 62;
const COLOURS = 8;
const IMPORT = "active_energy_import";

const money = (cost, currency) => (cost === null || cost === undefined ? "–" : `${number(cost, 2)} ${currency ?? ""}`.trim());

export function openBooks({ t, api, known, name }, meter) {
  const zone = known.timezone;
  let closed = false;
  let days = 1;
  let quantityName = IMPORT;
  let quantities = [IMPORT];
  const today = () => new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(new Date());
  const inZone = (options) => new Intl.DateTimeFormat(locale(), { timeZone: zone, hourCycle: "h23", ...options });
  const dayWord = (us) => inZone({ month: "2-digit", day: "2-digit" }).format(us / 1000);
  const hourWord = (us) => inZone({ hour: "2-digit", minute: "2-digit" }).format(us / 1000);
  const barWord = (us) => (days === 1 ? hourWord(us) : dayWord(us));
  let last = today();

  const buttons = new Map(RANGES.map((each) => [each, el("button", { type: "button", onclick: () => { days = each; show(); } }, t(`books.${each}`))]));
  const day = el("input", { type: "date", value: last, required: true, onchange: () => { if (day.value) { last = day.value; show(); } } });
  const which = el("select", { onchange: () => { quantityName = which.value; show(); } });
  const sheet = el("a", { class: "button", download: true }, t("export_bars"));
  const trouble = el("p", { class: "bad", role: "status" });
  const cut = el("p", { class: "hint" });
  const picture = el("div", { class: "bars" });
  const costColumn = (unit) => ({ key: "cost", label: t("cost"), number: true, cell: (row) => money(row.cost, row.currency), unit });
  const energyCell = (value, unit) => (value === null || value === undefined ? "–" : quantity(value, unit));
  const totals = new Table([
    { key: "tariff", label: t("tariff"), head: true, cell: (row) => (row.tariff ? tariffName(t, row.tariff) : t("total")) },
    { key: "sum", label: t("sum"), number: true, cell: (row) => quantity(row.energy, row.unit) },
    { key: "estimated", label: t("estimated"), number: true, cell: (row) => quantity(row.estimated, row.unit) },
    { key: "intervals", label: t("intervals_count"), number: true, cell: (row) => number(row.intervals) },
    { key: "quality", label: t("quality"), cell: (row) => Object.entries(row.qualities).map(([quality, n]) => `${qualityWord(t, quality)} ${n}`).join(", ") },
    costColumn(),
  ], { caption: t("totals"), empty: t("bars_empty", { minutes: known.interval_min }), key: (row) => `${row.tariff}/${row.source}` });
  const gaps = new Table([
    { key: "from", label: t("from"), head: true, cell: (row) => moment(row.from_us) },
    { key: "until", label: t("until"), cell: (row) => moment(row.to_us) },
    { key: "length", label: t("length"), number: true, cell: (row) => duration((row.to_us - row.from_us) / 1e6) },
    { key: "quality", label: t("quality"), cell: (row) => ({ text: qualityWord(t, row.quality), class: "bad" }) },
    { key: "energy", label: t("sum"), number: true, cell: (row) => energyCell(row.energy, row.unit) },
  ], { caption: t("gaps"), empty: t("no_gaps"), key: (row) => `${row.from_us}` });
  const largest = new Table([
    { key: "kind", label: t("kind"), head: true, cell: (row) => (["block", "sliding_max", "max"].includes(row.kind) ? t(`kind.${row.kind}`) : row.kind) },
    { key: "tariff", label: t("tariff"), cell: (row) => (row.tariff ? tariffName(t, row.tariff) : t("total")) },
    { key: "demand", label: t("demand"), number: true, cell: (row) => ({ text: `${row.is_over ? "▲ " : ""}${quantity(row.demand_w, "W")}`, class: row.is_over ? "bad" : "", title: row.is_over ? t("over") : null }) },
    { key: "ended", label: t("ended"), cell: (row) => moment(row.ended_at_us ?? row.at_us) },
    { key: "quality", label: t("quality"), cell: (row) => qualityWord(t, row.quality ?? "") || "–" },
  ], { caption: t("largest"), empty: t("no_largest"), key: (row) => `${row.kind}/${row.tariff}/${row.source}` });
  const over = el("p", { class: "bad" });
  const element = el("section", { class: "card wide", "aria-labelledby": "books" }, el("h2", { id: "books" }, t("books")),
    el("div", { class: "bar" }, el("div", { role: "group", "aria-label": t("books_range"), class: "bar" }, [...buttons.values()]),
      el("label", {}, t("last_day"), day), el("label", {}, t("quantity"), which), sheet),
    trouble, picture, el("p", { class: "hint" }, t("books_hint", { zone })), cut,
    el("h3", {}, t("totals")), totals.element, el("p", { class: "hint" }, t("tariffs_divide")),
    el("h3", {}, t("gaps")), gaps.element,
    el("h3", {}, t("largest")), over, largest.element);

  const intervalHead = el("h2", { id: "intervals" });
  const intervalBody = el("div");
  const intervalSheet = el("a", { class: "button", download: true }, t("export_intervals"));
  const intervalCard = el("section", { class: "card wide", "aria-labelledby": "intervals" }, el("div", { class: "bar spread" }, intervalHead, intervalSheet), intervalBody);
  let intervalTable = null;

  function firstDay() {
    const at = new Date(`${last}T00:00:00Z`);
    at.setUTCDate(at.getUTCDate() - (days - 1));
    return at.toISOString().slice(0, 10);
  }

  async function show() {
    for (const [each, button] of buttons) button.setAttribute("aria-pressed", String(days === each));
    const asked = { meter: name, quantity: quantityName, day: firstDay(), days };
    const ofDay = { meter: name, quantity: quantityName, day: last };
    sheet.href = `/api/meters/books.csv?${new URLSearchParams(asked)}`;
    intervalSheet.href = `/api/meters/intervals.csv?${new URLSearchParams(ofDay)}`;
    write(intervalHead, t("intervals", { day: last }));
    try {
      const [found, single] = await Promise.all([api("/meters/books", { query: asked }), api("/meters/intervals", { query: ofDay })]);
      if (closed) return;
      draw(found);
      drawIntervals(single);
      const damaged = [...new Set([...found.damaged, ...single.damaged])];
      write(trouble, damaged.length ? t("damaged", { text: damaged.join("; ") }) : "");
      write(cut, found.more.length || single.more ? t("cut") : "");
    } catch (error) {
      if (!closed) write(trouble, error.message);
    }
  }

  function draw(found) {
    quantities = [...new Set([IMPORT, ...found.totals.map((total) => total.quantity)])];
    if (which.dataset.of !== quantities.join()) {
      which.dataset.of = quantities.join();
      fill(which, quantities.map((each) => el("option", { value: each }, quantityWord(t, each))));
      which.value = quantityName;
    }
    const mine = found.totals.filter((total) => total.quantity === quantityName && !total.phase);
    const unit = mine[0]?.unit ?? "";
    totals.show(mine.sort((a, b) => rank(a.tariff) - rank(b.tariff)));
    gaps.show(found.gaps.map((gap) => ({ ...gap, unit })));
    largest.show(found.largest);
    over.hidden = !found.over;
    if (found.over) write(over, t("over_count", { n: found.over, limit: quantity(meter?.limit?.limit_w, "W") }));
    const open = picture.querySelector("details")?.open ?? false;
    fill(picture, found.bars.length ? bars(found, unit, open) : el("p", { class: "empty" }, t("bars_empty", { minutes: known.interval_min })));
  }

  /** Stacked bars: the tariffs of each day or hour, or the total where there are none. */
  function bars(found, unit, isOpen) {
    const split = found.bars.filter((bar) => bar.tariff);
    const names = [...new Set(split.map((bar) => bar.tariff))].sort((a, b) => place(a) - place(b) || a.localeCompare(b));
    const tariffs = names.length ? names : [""];
    const slots = found.edges_us.slice(0, -1).map((begin) => {
      const mine = found.bars.filter((bar) => bar.from_us === begin);
      const total = mine.find((bar) => !bar.tariff) ?? null;
      return { begin, total, parts: tariffs.map((tariff) => mine.find((bar) => bar.tariff === tariff) ?? null), all: mine };
    });
    const sum = (slot) => slot.parts.reduce((so, bar) => so + Math.max(0, bar?.energy ?? 0), 0) || Math.max(0, slot.total?.energy ?? 0);
    const top = Math.max(...slots.map(sum), 1e-9);
    const each = (WIDTH - LEFT) / slots.length;
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
    const every = Math.ceil(slots.length / 12);
    const drawn = slots.map((slot, n) => {
      let at = 0;
      const x = LEFT + n * each;
      const pieces = slot.parts.map((bar, colour) => {
        const value = Math.max(0, bar?.energy ?? 0);
        if (!value) return null;
        const node = svg("rect", { class: `t${colour % COLOURS}`, x: x + each * 0.12, width: each * 0.76, y: y(at + value), height: Math.max(0.5, y(at) - y(at + value)) },
          svg("title", {}, `${barWord(slot.begin)} · ${tariffs[colour] ? tariffName(t, tariffs[colour]) : t("total")}: ${quantity(value, unit)}`));
        at += value;
        return node;
      });
      const worst = slot.all.some((bar) => bar.quality === "gap" || bar.quality === "suspect") ? "!" : slot.all.some((bar) => bar.estimated > 0 || bar.quality === "estimated") ? "≈" : "";
      return [pieces, worst ? svg("text", { class: "mark", x: x + each / 2, y: y(sum(slot)) - 3 }, worst) : null,
        n % every === 0 ? svg("text", { class: "under", x: x + each / 2, y: HEIGHT - 6 }, barWord(slot.begin)) : null];
    });
    const grid = [0, 0.5, 1].map((part) => [svg("line", { x1: LEFT, x2: WIDTH, y1: y(top * part), y2: y(top * part) }),
      svg("text", { class: "scale", x: LEFT - 6, y: y(top * part) + 4 }, quantity(top * part, unit, 1))]);
    const title = t("bars_of", { quantity: quantityWord(t, quantityName), meter: name });
    const keys = tariffs[0] ? tariffs.map((tariff, colour) => el("li", {}, el("span", { class: `key t${colour % COLOURS}` }), tariffName(t, tariff))) : [];
    const marks = [slots.some((slot) => slot.all.some((bar) => bar.estimated > 0)) ? t("mark_estimated") : null,
      slots.some((slot) => slot.all.some((bar) => bar.quality === "gap" || bar.quality === "suspect")) ? t("mark_bad") : null].filter(Boolean);
    const rows = slots.filter((slot) => slot.all.length).map((slot) => el("tr", {}, el("th", { scope: "row" }, barWord(slot.begin)),
      tariffs[0] ? slot.parts.map((bar) => el("td", { class: "n" }, energyCell(bar?.energy, unit))) : null,
      el("td", { class: "n" }, energyCell(slot.total?.energy, unit)), el("td", { class: "n" }, quantity(slot.total?.estimated ?? 0, unit)),
      el("td", { class: "n" }, money(costOf(slot), slot.all.find((bar) => bar.currency)?.currency))));
    const heads = [days === 1 ? t("hour") : t("day"), ...tariffs.filter(Boolean).map((tariff) => tariffName(t, tariff)), t("total"), t("estimated"), t("cost")];
    const numbers = el("details", { class: "numbers", open: isOpen }, el("summary", {}, t("as_table")), el("div", { class: "scroll", tabindex: "0" }, el("table", {},
      el("thead", {}, el("tr", {}, heads.map((head, n) => el("th", { scope: "col", class: n ? "n" : false }, head)))), el("tbody", {}, rows))));
    return el("figure", { class: "chart" }, el("figcaption", {}, title),
      svg("svg", { class: "energy-bars", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title }, grid, drawn),
      el("ul", { class: "keys" }, keys, marks.map((mark) => el("li", {}, mark))), numbers);
  }

  const rank = (tariff) => (tariff ? place(tariff) : -1);
  const place = (tariff) => { const at = known.tariff_names.indexOf(tariff); return at < 0 ? 99 : at; };
  const costOf = (slot) => slot.total?.cost ?? (slot.parts.some((bar) => (bar?.cost ?? null) !== null) ? slot.parts.reduce((so, bar) => so + (bar?.cost ?? 0), 0) : null);

  function drawIntervals(single) {
    const { unit } = single;
    const tariffs = [...single.tariffs].sort((a, b) => place(a) - place(b));
    const form = `${tariffs.join()} ${unit}`;
    if (!intervalTable || intervalTable.form !== form) {
      intervalTable = Object.assign(new Table([
        { key: "interval", label: t("interval"), head: true, cell: (row) => `${hourWord(row.from_us)} – ${hourWord(row.to_us)}` },
        { key: "quality", label: t("quality"), cell: (row) => ({ text: `${{ bad: "! ", warn: "≈ " }[qualityTone(row.quality)] ?? ""}${qualityWord(t, row.quality)}`, class: qualityTone(row.quality) }) },
        { key: "total", label: t("total"), number: true, cell: (row) => energyCell(row.energy, unit) },
        { key: "estimated", label: t("estimated"), number: true, cell: (row) => (row.estimated ? quantity(row.estimated, unit) : "–") },
        ...tariffs.map((tariff) => ({ key: tariff, label: tariffName(t, tariff), number: true, cell: (row) => energyCell(row.tariffs[tariff], unit) })),
        { key: "register_from", label: t("register_from"), number: true, cell: (row) => register(row.register_start, unit) },
        { key: "register_to", label: t("register_to"), number: true, cell: (row) => register(row.register_end, unit) },
        costColumn(),
      ], { caption: t("intervals", { day: last }), empty: t("no_intervals"), key: (row) => `${row.from_us}/${row.quality === "missing"}`,
        rowClass: (row) => (row.quality === "missing" ? "missing" : "") }), { form });
      fill(intervalBody, intervalTable.element);
    }
    intervalTable.show(single.intervals);
  }

  show();
  const timer = setInterval(() => { if (!document.hidden && last === today()) show(); }, AGAIN_MS);
  return { elements: [element, intervalCard], close() { closed = true; clearInterval(timer); } };
}
