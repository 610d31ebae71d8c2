// The drawing: the places of the site, as its file draws them, or arranged by kind.
import { el, fill, svg, write } from "../../base/dom.js";

const LEAST_PX = 720; // a drawn plan is not made smaller: it scrolls
const BOX = { width: 176, height: 74, gap: 10, head: 30 };
const LINE_PX = 17, PAD_PX = 7, MARK_PX = 20, DIGIT_PX = 9;
const KINDS = ["portal", "zone", "read_point", "device", "elsewhere"];

/** plan: what the server tells; label: the accessible name; onOpen(place): it was chosen. */
export class Drawing {
  constructor({ plan, t, label, onOpen }) {
    Object.assign(this, { plan, t, onOpen });
    this.isDrawn = plan.width_m !== null;
    this.more = [];
    this.shown = new Map();
    this.texts = new Map();
    this.found = null;
    this.width = 0;
    this.svg = svg("svg", { class: "plan", role: "group", "aria-label": label });
    this.element = el("div", { class: "scroll planned" }, this.svg);
    this.watcher = new ResizeObserver(() => this.#lay());
    this.watcher.observe(this.element);
  }

  close() { this.watcher.disconnect(); }

  /** Places that only events know; drawn where everything is arranged. */
  add(places) {
    this.more = places;
    if (!this.isDrawn) this.#lay(true);
  }

  /** What a place says: { title, lines, tone, alarms, label }. */
  show(name, said) {
    this.texts.set(name, said);
    const place = this.shown.get(name);
    if (place) this.#write(place, said);
  }

  /** Marks one place as found; null for none. */
  mark(name) {
    this.found = name;
    for (const [each, place] of this.shown) place.g.classList.toggle("found", each === name);
  }

  #lay(isForced = false) {
    const width = Math.floor(this.element.clientWidth);
    if (!width || (width === this.width && !isForced)) return;
    this.width = width;
    const focused = this.shown.size ? document.activeElement?.closest?.("g.place")?.dataset.name : undefined;
    this.shown.clear();
    const { nodes, height, across } = this.isDrawn ? this.#drawn(width) : this.#arranged(width);
    for (const [key, value] of Object.entries({ viewBox: `0 0 ${across} ${height}`, width: across, height })) this.svg.setAttribute(key, value);
    fill(this.svg, nodes);
    for (const [name, place] of this.shown) if (this.texts.has(name)) this.#write(place, this.texts.get(name));
    this.mark(this.found);
    if (focused) this.shown.get(focused)?.g.focus({ preventScroll: true });
  }

  #drawn(width) {
    const across = Math.max(width, LEAST_PX);
    const scale = across / this.plan.width_m, height = Math.round(this.plan.height_m * scale);
    const ground = this.plan.has_picture
      ? svg("image", { href: "/api/site/picture", x: 0, y: 0, width: across, height, preserveAspectRatio: "none" })
      : svg("rect", { class: "ground", x: 0, y: 0, width: across, height, rx: 6 });
    const places = this.plan.places.filter((place) => place.at);
    return { across, height, nodes: [ground, places.map((place) => this.#place(place, {
      x: place.at.x_m * scale, y: place.at.y_m * scale, width: place.at.width_m * scale, height: place.at.height_m * scale,
    }))] };
  }

  #arranged(width) {
    const columns = Math.max(1, Math.floor((width + BOX.gap) / (BOX.width + BOX.gap)));
    const across = Math.floor((width - BOX.gap * (columns - 1)) / columns);
    const nodes = [];
    let y = 0;
    for (const kind of KINDS) {
      const places = [...this.plan.places, ...this.more].filter((place) => place.kind === kind);
      if (!places.length) continue;
      nodes.push(svg("text", { class: "group", x: 0, y: y + 19 }, this.t(`group.${kind}`)));
      y += BOX.head;
      const height = kind === "device" ? BOX.height - LINE_PX : BOX.height;
      places.forEach((place, index) => nodes.push(this.#place(place, {
        x: (index % columns) * (across + BOX.gap), y: y + Math.floor(index / columns) * (height + BOX.gap), width: across, height,
      })));
      y += Math.ceil(places.length / columns) * (height + BOX.gap) + BOX.gap;
    }
    return { across: width, height: Math.max(1, y - BOX.gap), nodes };
  }

  #place(place, { x, y, width, height }) {
    const fits = Math.max(1, Math.floor((height - PAD_PX) / LINE_PX));
    const inner = Math.max(1, width - 2 * PAD_PX), top = y + Math.max(0, Math.min(PAD_PX - 2, (height - LINE_PX) / 2));
    const lines = Array.from({ length: Math.min(3, fits) }, (_, index) => svg("text", { class: index ? "line" : "title", x: 0, y: LINE_PX - 4 }));
    // Each line in a frame of its own, which cuts what is too long; that of the title leaves room for the mark.
    const clips = lines.map((line, index) => svg("svg", { x: x + PAD_PX, y: top + LINE_PX * index, width: inner, height: LINE_PX }, line));
    const mark = svg("text", { class: "mark", x: x + width - PAD_PX, y: top + LINE_PX - 4, "text-anchor": "end" });
    const open = (event) => { event.preventDefault(); this.onOpen(place); };
    const g = svg("g", { class: "place", tabindex: "0", role: "button", "data-name": place.name, onclick: open,
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") open(event); } },
    svg("rect", { x: x + 1, y: y + 1, width: Math.max(1, width - 2), height: Math.max(1, height - 2), rx: 5 }), clips, mark);
    this.shown.set(place.name, { g, lines, mark, clip: clips[0], inner });
    return g;
  }

  #write({ g, lines, mark, clip, inner }, { title, said, tone, alarms, label }) {
    const words = lines.length === 1 ? [[title, said[0]].filter(Boolean).join(" · ")] : [title, ...said];
    lines.forEach((line, index) => write(line, words[index] ?? ""));
    write(mark, alarms ? `⚠ ${alarms}` : "");
    clip.setAttribute("width", Math.max(1, alarms ? inner - MARK_PX - DIGIT_PX * String(alarms).length : inner));
    g.setAttribute("class", `place ${tone}${alarms ? " alarmed" : ""}${g.dataset.name === this.found ? " found" : ""}`);
    if (g.getAttribute("aria-label") !== label) g.setAttribute("aria-label", label);
  }
}
