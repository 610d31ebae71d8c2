// What was heard around an event, on one line of time: a row for each tag at each antenna, each signal, each card.
import { el, fill, svg } from "../../base/dom.js";
import { exactTime, number, quantity } from "../../base/format.js";
import { Table } from "../../base/table.js";

const LABEL = 210, ROW = 34, TOP = 46, RIGHT = 16, AXIS = 26;
const NARROW = 620, NARROW_LABEL = 120;
const ROWS_MOST = 24;
const WEAK_DBM = -85, STRONG_DBM = -25;
const TABLE_MOST = 500;
const MARGIN_PART = 0.04;
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400];
const TICKS_WIDE = 8;

/** options: { t, names: { tag or card: what people call it }, own: those that the event itself tells of }
 * `show({ reads, values, marks })`: reads and values as the server tells them; marks: [{ at_us, label, tone }]. */
export class Timeline {
  constructor({ t, names, own }) {
    this.own = own;
    this.t = t;
    this.names = names;
    this.canvas = el("div", { class: "timeline" });
    this.note = el("p", { class: "hint" });
    this.table = new Table([
      { key: "at", label: t("time"), head: true, cell: (row) => exactTime(row.at), sort: (row) => row.at },
      { key: "text", label: t("heard"), cell: (row) => row.text, sort: (row) => row.text },
      { key: "place", label: t("place"), cell: (row) => row.place, sort: (row) => row.place },
      { key: "value", label: t("value"), number: true, cell: (row) => row.value },
    ], { caption: t("raw"), empty: t("no_raw"), key: (row, n) => `${n}/${row.at}` });
    this.numbers = el("details", { class: "numbers", ontoggle: () => this.#tabulate() }, el("summary", {}, t("as_table")), this.table.element);
    this.element = el("div", {}, this.canvas, this.note, this.numbers);
    this.watching = new ResizeObserver(() => this.#draw());
    this.watching.observe(this.canvas);
    this.wide = 0;
  }

  show(data) {
    this.data = data;
    this.rows = this.#rows();
    this.wide = 0;
    this.#draw();
    this.#tabulate();
  }

  close() { this.watching.disconnect(); }

  #rows() {
    const { reads, values } = this.data;
    const rows = new Map();
    const row = (key, make) => {
      if (!rows.has(key)) rows.set(key, { items: [], ...make() });
      return rows.get(key);
    };
    for (const read of reads) {
      const known = this.names[read.epc];
      row(`r/${known ? read.epc : "other"}/${read.device}/${read.antenna_port}`, () => ({
        kind: "reads", label: known ?? this.t("other_tags"), place: `${read.read_point} · ${this.t("antenna_n", { n: read.antenna_port })}`,
        order: this.own.has(read.epc) ? 0 : 4,
      })).items.push(read);
    }
    for (const value of values) {
      if (value.what === "card") {
        row(`c/${value.name}`, () => ({ kind: "cards", label: this.t("cards"), place: value.name, order: 1 })).items.push(value);
      } else if (value.what === "state") {
        row(`s/${value.device}`, () => ({ kind: "texts", label: this.t("state"), place: value.device, order: 5 })).items.push(value);
      } else {
        row(`v/${value.device}/${value.name}`, () => ({
          kind: typeof value.value === "boolean" ? "switch" : Number.isNaN(Number(value.value ?? "x")) ? "texts" : "numbers",
          label: value.name, place: value.device, order: value.what === "signal" ? 2 : 3,
        })).items.push(value);
      }
    }
    return [...rows.values()].sort((a, b) => a.order - b.order || b.items.length - a.items.length);
  }

  #span() {
    const { reads, values, marks } = this.data;
    let low = Infinity, high = -Infinity;
    for (const list of [reads, values, marks]) {
      for (const { at_us: at } of list) { low = Math.min(low, at); high = Math.max(high, at); }
    }
    const margin = Math.max(100_000, (high - low) * MARGIN_PART);
    return [low - margin, high + margin];
  }

  #draw() {
    if (!this.data) return;
    const width = Math.max(300, Math.floor(this.canvas.clientWidth));
    if (width === this.wide) return;
    this.wide = width;
    const { t } = this;
    const rows = this.rows.slice(0, ROWS_MOST);
    const [low, high] = this.#span();
    if (!rows.length || !(high > low)) { fill(this.canvas); this.canvas.hidden = true; return; }
    this.canvas.hidden = false;
    const label = width < NARROW ? NARROW_LABEL : LABEL;
    const x = (us) => label + ((us - low) / (high - low)) * (width - label - RIGHT);
    const bottom = TOP + rows.length * ROW;
    const shapes = [];
    rows.forEach((row, n) => {
      const y = TOP + n * ROW;
      shapes.push(svg("line", { class: "ground", x1: 0, x2: width, y1: y + ROW, y2: y + ROW }),
        svg("text", { class: "label", x: 2, y: y + 14 }, cut(row.label, label)), svg("text", { class: "place", x: 2, y: y + 28 }, cut(row.place, label)));
      shapes.push(...this.#items(row, x, y, high));
    });
    shapes.push(...axis(low, high, x, bottom, width - label));
    shapes.push(...marks(this.data.marks, x, bottom, label));
    const said = t("timeline_is", { rows: number(this.rows.length), reads: number(this.data.reads.length), from: exactTime(low), to: exactTime(high) });
    fill(this.canvas, svg("svg", { viewBox: `0 0 ${width} ${bottom + AXIS}`, width, height: bottom + AXIS, role: "img", "aria-label": said }, shapes));
    const left = this.rows.length - rows.length;
    fill(this.note, t("timeline_hint", { weak: WEAK_DBM, strong: STRONG_DBM }), left ? ` ${t("rows_left", { n: number(left) })}` : "");
  }

  #items(row, x, y, high) {
    const foot = y + ROW - 2, height = ROW - 6;
    if (row.kind === "reads") {
      return row.items.map((read) => {
        const part = read.rssi_dbm === null ? 0.5 : Math.max(0.12, Math.min(1, (read.rssi_dbm - WEAK_DBM) / (STRONG_DBM - WEAK_DBM)));
        return svg("line", { class: row.order ? "tick other" : "tick", x1: x(read.at_us), x2: x(read.at_us), y1: foot, y2: foot - part * height });
      });
    }
    const items = row.items;
    if (row.kind === "switch") {
      return items.flatMap((item, n) => {
        const until = items[n + 1]?.at_us ?? high;
        return item.value ? [svg("rect", { class: "on", x: x(item.at_us), y: y + 8, width: Math.max(2, x(until) - x(item.at_us)), height: ROW - 16 },
          svg("title", {}, `${exactTime(item.at_us)} ${this.t("yes")}`))]
          : [svg("line", { class: "off", x1: x(item.at_us), x2: x(until), y1: y + ROW / 2, y2: y + ROW / 2 })];
      });
    }
    if (row.kind === "numbers") {
      const known = items.map((item) => Number(item.value)).filter((value) => !Number.isNaN(value));
      const least = Math.min(...known, 0), most = Math.max(...known, least + 1e-9);
      const points = items.filter((item) => item.value !== null)
        .map((item) => `${x(item.at_us).toFixed(1)},${(foot - ((Number(item.value) - least) / (most - least)) * (height - 8)).toFixed(1)}`);
      const last = items.at(-1);
      return [svg("polyline", { class: "curve", points: points.join(" "), fill: "none" }),
        ...points.map((point) => svg("circle", { class: "dot", cx: point.split(",")[0], cy: point.split(",")[1], r: 2.5 })),
        svg("text", { class: "value", x: x(last.at_us) - 4, y: y + 12, "text-anchor": "end" }, quantity(last.value, last.unit))];
    }
    let free = 0;
    return items.flatMap((item) => {
      const at = x(item.at_us);
      const shape = [svg("path", { class: "diamond", d: `M${at} ${y + 8}l6 7l-6 7l-6 -7z` }, svg("title", {}, `${exactTime(item.at_us)} ${item.value}`))];
      if (at > free) {
        const text = cut(this.names[item.value] ?? String(item.value), 150);
        shape.push(svg("text", { class: "value", x: at + 9, y: y + 20 }, text));
        free = at + 16 + text.length * 7;
      }
      return shape;
    });
  }

  #tabulate() {
    if (!this.numbers.open || !this.data) return;
    const { t } = this;
    const items = [
      ...this.data.reads.map((read) => ({ at: read.at_us, text: this.names[read.epc] ?? read.epc,
        place: `${read.read_point} · ${t("antenna_n", { n: read.antenna_port })}`, value: read.rssi_dbm === null ? "–" : quantity(read.rssi_dbm, "dBm", 1) })),
      ...this.data.values.map((item) => ({ at: item.at_us, text: item.name, place: item.device,
        value: typeof item.value === "boolean" ? t(item.value ? "yes" : "no") : item.unit ? quantity(item.value, item.unit) : item.value ?? "–" })),
    ].sort((a, b) => a.at - b.at);
    const every = Math.max(1, Math.ceil(items.length / TABLE_MOST));
    this.table.show(items.filter((_, n) => n % every === 0));
  }
}

const cut = (text, wide) => {
  const most = Math.floor(wide / 7.4);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
};

function axis(low, high, x, bottom, wide) {
  const span = (high - low) / 1e6;
  const most = Math.max(2, Math.min(TICKS_WIDE, Math.floor(wide / 90)));
  const step = (STEPS_S.find((each) => span / each <= most) ?? Math.ceil(span / most / 86400) * 86400) * 1e6;
  const shapes = [];
  for (let at = Math.ceil(low / step) * step; at < high; at += step) {
    shapes.push(svg("line", { class: "grid", x1: x(at), x2: x(at), y1: TOP - 4, y2: bottom }),
      svg("text", { class: "axis", x: x(at), y: bottom + 17, "text-anchor": "middle" }, step < 1e6 ? exactTime(at).slice(3) : exactTime(at).slice(0, 8)));
  }
  return shapes;
}

/** Upright lines with words; words that would meet stand on two lines. */
function marks(list, x, bottom, left) {
  const free = [left, left];
  return [...list].sort((a, b) => a.at_us - b.at_us).flatMap(({ at_us: at, label, tone }) => {
    const place = x(at), width = label.length * 7.5 + 12;
    const start = Math.max(left, place - width / 2);
    const line = start >= free[0] ? 0 : start >= free[1] ? 1 : -1;
    if (line >= 0) free[line] = start + width;
    return [svg("line", { class: `mark ${tone}`, x1: place, x2: place, y1: line === 1 ? 34 : 18, y2: bottom }, svg("title", {}, `${label} ${exactTime(at)}`)),
      line < 0 ? null : svg("text", { class: `mark-word ${tone}`, x: start + 4, y: line === 1 ? 31 : 14 }, label)];
  }).filter(Boolean);
}
