// Curves, sparklines and gauges. Curves are drawn by uPlot; each has its numbers as a table for those who do not see it.
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { el, fill, svg } from "./dom.js";
import { moment, number, quantity } from "./format.js";
import { locale } from "./text.js";

const TABLE_ROWS = 200;
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The colour of the n-th curve; eight that are told apart by people who see colours otherwise. */
export const colour = (n) => style(`--curve-${(n % 8) + 1}`);

/** A chart of curves over time.
 *
 * options: { title, unit, height, band: draw low to high behind the first, times: "Time", asTable: "As a table",
 *   empty: "No data", limit: { value, label }, stepped, zoomed: (from_us, to_us) => what a drag does instead of a zoom }
 * `show({ times_us, curves: [{ label, values, low, high }] })`: columns of one length; null where nothing is known breaks a
 * curve, undefined is passed over. */
export class Chart {
  constructor(options) {
    this.options = { height: 220, times: "time", asTable: "table", empty: "–", ...options };
    this.plot = null;
    this.data = null;
    this.canvas = el("div", { class: "canvas", role: "img", "aria-label": options.title });
    this.note = el("p", { class: "empty" }, this.options.empty);
    this.numbers = el("details", { class: "numbers", ontoggle: () => this.#tabulate() }, el("summary", {}, this.options.asTable));
    this.element = el("figure", { class: "chart" }, el("figcaption", {}, options.title), this.canvas, this.note, this.numbers);
    this.watching = new ResizeObserver(() => this.#fit());
    this.watching.observe(this.canvas);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.restyle = () => this.#draw();
    this.scheme.addEventListener("change", this.restyle);
  }

  /** Shows data; see above. */
  show(data) {
    const sameForm = this.plot && this.data?.curves.length === data.curves.length
      && data.curves.every((curve, n) => curve.label === this.data.curves[n].label && !curve.low === !this.data.curves[n].low);
    this.data = data;
    const some = data.times_us.length > 0;
    this.note.hidden = some;
    this.canvas.hidden = this.numbers.hidden = !some;
    if (!some) return;
    if (sameForm) this.plot.setData(this.#columns());
    else this.#draw();
    if (this.numbers.open) this.#tabulate();
  }

  /** Takes it away. */
  close() {
    this.watching.disconnect();
    this.scheme.removeEventListener("change", this.restyle);
    this.plot?.destroy();
    this.plot = null;
  }

  #columns() {
    const columns = [this.data.times_us.map((us) => us / 1e6)];
    for (const curve of this.data.curves) {
      columns.push(curve.values);
      if (curve.low) columns.push(curve.low, curve.high);
    }
    if (this.options.limit) columns.push(this.data.times_us.map(() => this.options.limit.value));
    return columns;
  }

  #draw() {
    if (!this.data || !this.data.times_us.length) return;
    this.plot?.destroy();
    const { unit, stepped, limit, zoomed } = this.options;
    const shown = (_, value) => (value === null || value === undefined ? "–" : quantity(value, unit));
    const series = [{ label: this.options.times, value: (_, s) => (s === null ? "–" : moment(s * 1e6)) }];
    const bands = [];
    this.data.curves.forEach((curve, n) => {
      const paths = stepped ? uPlot.paths.stepped({ align: 1 }) : undefined;
      series.push({ label: curve.label, stroke: colour(n), width: 1.5, value: shown, points: { show: false }, paths, spanGaps: false });
      if (curve.low) {
        const at = series.length;
        const hidden = { stroke: "transparent", value: shown, points: { show: false }, width: 0 };
        series.push({ ...hidden, label: `${curve.label} ↓` }, { ...hidden, label: `${curve.label} ↑` });
        bands.push({ series: [at + 1, at], fill: `color-mix(in srgb, ${colour(n)} 22%, transparent)` });
      }
    });
    if (limit) series.push({ label: limit.label, stroke: style("--bad"), width: 1.5, dash: [6, 4], value: shown, points: { show: false } });
    const axis = { stroke: style("--soft"), grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line"), width: 1 },
      font: "12px system-ui, sans-serif" };
    const clock = new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const clockSeconds = new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    const day = new Intl.DateTimeFormat(locale(), { month: "2-digit", day: "2-digit" });
    const label = (splits, spacing) => splits.map((s) => (spacing >= 86400 ? day : spacing < 60 ? clockSeconds : clock).format(s * 1000));
    this.plot = new uPlot({
      width: Math.max(200, this.canvas.clientWidth), height: this.options.height, series, bands,
      axes: [
        { ...axis, values: (_, splits, __, ___, spacing) => label(splits, spacing) },
        { ...axis, size: 72, values: (_, splits) => splits.map((value) => quantity(value, unit)) },
      ],
      legend: { live: true }, cursor: { drag: { x: true, y: false, setScale: !zoomed } }, scales: { x: { time: true } },
      hooks: zoomed ? { setSelect: [(plot) => this.#zoom(plot, zoomed)] } : {},
    }, this.#columns(), this.canvas);
  }

  #zoom(plot, zoomed) {
    const { left, width } = plot.select;
    if (width < 4) return;
    const [from, to] = [left, left + width].map((x) => Math.round(plot.posToVal(x, "x") * 1e6));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (to > from) zoomed(from, to);
  }

  #fit() {
    const width = this.canvas.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.options.height });
  }

  #tabulate() {
    if (!this.numbers.open) return;
    const { times_us: all, curves } = this.data;
    const every = Math.max(1, Math.ceil(all.length / TABLE_ROWS));
    const rows = [];
    for (let n = 0; n < all.length; n += every) {
      rows.push(el("tr", {}, el("th", { scope: "row" }, moment(all[n])),
        curves.map((curve) => el("td", { class: "n" }, quantity(curve.values[n], this.options.unit)))));
    }
    const head = el("tr", {}, el("th", { scope: "col" }, this.options.times),
      curves.map((curve) => el("th", { scope: "col", class: "n" }, curve.label)));
    fill(this.numbers, this.numbers.firstElementChild,
      el("div", { class: "scroll", tabindex: "0" }, el("table", {}, el("thead", {}, head), el("tbody", {}, rows))));
  }
}

/** A small line of the last values: numbers, null where nothing is known. `label` says it to those who do not see it. */
export function spark(values, { label, width = 160, height = 32, least = null, most = null }) {
  const known = values.filter((value) => value !== null && value !== undefined);
  const low = least ?? Math.min(...known, 0);
  const high = most ?? Math.max(...known, low + 1);
  const x = (n) => (values.length < 2 ? 0 : (n / (values.length - 1)) * (width - 2) + 1);
  const y = (value) => height - 2 - ((Math.min(high, Math.max(low, value)) - low) / (high - low || 1)) * (height - 4);
  const runs = [];
  let run = [];
  values.forEach((value, n) => {
    if (value === null || value === undefined) {
      if (run.length) runs.push(run);
      run = [];
    } else run.push(`${x(n).toFixed(1)},${y(value).toFixed(1)}`);
  });
  if (run.length) runs.push(run);
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    runs.map((points) => svg("polyline", { points: points.join(" "), fill: "none" })));
}

/** A bar from 0 to `most` with a mark at `limit`: how much of what is allowed is used. */
export function gauge({ value, limit, most, unit, label, tone }) {
  const top = most ?? Math.max(limit ? limit * 1.25 : 0, value ?? 0, 1e-9);
  const part = (amount) => Math.max(0, Math.min(100, (100 * (amount ?? 0)) / top)) || 0; // of what is endless nothing is drawn
  const said = quantity(value, unit);
  return el("div", { class: `gauge ${tone ?? ""}`, role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": top,
    "aria-valuenow": value ?? 0, "aria-valuetext": said },
    svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "ground", x: 0, y: 0, width: 100, height: 10 }),
      svg("rect", { class: "bar", x: 0, y: 0, width: part(value), height: 10 }),
      limit ? svg("rect", { class: "limit", x: part(limit) - 0.4, y: 0, width: 0.8, height: 10 }) : null),
    el("span", { class: "value" }, said, limit ? ` / ${quantity(limit, unit)}` : ""));
}

export { number };
