// States of a machine as a drawing: each has a height of its own, so that nothing is told by colour alone.
import { el, fill, svg } from "../../base/dom.js";
import { duration, moment } from "../../base/format.js";
import { locale } from "../../base/text.js";

const STATES = ["execute", "idle", "held", "stopped", "aborted"];
const HEIGHTS = { __proto__: null, execute: 1, idle: 0.75, held: 0.55, stopped: 0.4, aborted: 0.3 };
const TONES = { __proto__: null, execute: "good", idle: "", held: "warn", stopped: "warn", aborted: "bad" };
const WIDTH = 1000, HEIGHT = 92, BASE = 70, TOP = 6;
const TICKS = 8;
const TABLE_MOST = 200;

/** What a state is called; one that is not of PackML is shown as it is. */
export function stateWord(t, state) {
  if (state === null || state === undefined || state === "") return t("state.unknown");
  return STATES.includes(state) ? t(`state.${state}`) : state;
}

export const stateTone = (state) => TONES[state] ?? "";

/** A drawing of spans, and when nobody watched, of [from, to); with the same as a table. */
export function timeline({ t, title }) {
  const picture = el("div");
  const legend = el("ul", { class: "keys" });
  const rows = el("tbody");
  const numbers = el("details", { class: "numbers" }, el("summary", {}, t("as_table")), el("div", { class: "scroll", tabindex: "0" }, el("table", {},
    el("thead", {}, el("tr", {}, [t("span"), t("began"), t("lasted")].map((head, n) => el("th", { scope: "col", class: n === 2 ? "n" : false }, head)))), rows)));
  const empty = el("p", { class: "empty", hidden: true }, t("no_states"));
  const element = el("figure", { class: "chart" }, el("figcaption", {}, title), picture, empty, legend, numbers);
  return {
    element,
    show(found, from, to) {
      const spans = found.spans.filter((span) => span.to_us > from && span.from_us < to);
      picture.hidden = legend.hidden = numbers.hidden = !spans.length && !found.offline.length;
      empty.hidden = !picture.hidden;
      const x = (us) => (WIDTH * (Math.min(Math.max(us, from), to) - from)) / (to - from);
      const wide = (span) => Math.max(0.6, x(span.to_us) - x(span.from_us));
      const clock = new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(to - from > 86400e6 ? { month: "2-digit", day: "2-digit" } : {}) });
      const ticks = Array.from({ length: TICKS + 1 }, (_, n) => from + ((to - from) * n) / TICKS);
      const seconds = (span) => (Math.min(span.to_us, to) - Math.max(span.from_us, from)) / 1e6;
      const said = (span, word) => `${word}: ${moment(span.from_us)}, ${duration(seconds(span))}`;
      const drawn = spans.map((span) => {
        const height = (BASE - TOP) * (HEIGHTS[span.state] ?? 0.2);
        return svg("rect", { class: `state ${span.state in HEIGHTS ? span.state : "other"}`, x: x(span.from_us), width: wide(span), y: BASE - height, height },
          svg("title", {}, said(span, stateWord(t, span.state))));
      });
      const dark = found.offline.map((span) => svg("rect", { class: "dark", x: x(span.from_us), width: wide(span), y: TOP, height: BASE - TOP, fill: "url(#hatch)" },
        svg("title", {}, said(span, t("not_known")))));
      fill(picture, svg("svg", { class: "states", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": title },
        svg("defs", {}, svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
          svg("rect", { class: "hatch-ground", width: 6, height: 6 }), svg("line", { class: "hatch-line", x1: 0, y1: 0, x2: 0, y2: 6 }))),
        svg("line", { class: "base", x1: 0, x2: WIDTH, y1: BASE, y2: BASE }), drawn, dark,
        ticks.map((us) => svg("line", { class: "tick", x1: x(us), x2: x(us), y1: BASE, y2: BASE + 5 }))),
      el("div", { class: "hours-under", "aria-hidden": "true" }, ticks.map((us) => el("span", {}, clock.format(us / 1000)))));
      const sums = new Map();
      for (const span of spans) sums.set(span.state, (sums.get(span.state) ?? 0) + seconds(span));
      const lost = found.offline.reduce((sum, span) => sum + seconds(span), 0);
      fill(legend, [...sums].sort((a, b) => b[1] - a[1]).map(([state, s]) => el("li", {}, el("span", { class: `key state-key ${state in HEIGHTS ? state : "other"}` }), `${stateWord(t, state)} · ${duration(s)}`)),
        lost > 0 ? el("li", {}, `▨ ${t("not_known")} · ${duration(lost)}`) : null);
      const all = [...spans.map((span) => [span, stateWord(t, span.state)]), ...found.offline.map((span) => [span, t("not_known")])]
        .sort((a, b) => b[0].from_us - a[0].from_us).slice(0, TABLE_MOST);
      fill(rows, all.map(([span, word]) => el("tr", {}, el("th", { scope: "row" }, word), el("td", {}, moment(span.from_us)), el("td", { class: "n" }, duration(seconds(span))))));
    },
  };
}
