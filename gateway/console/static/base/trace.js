// The account that the rules give of something: lines, set in as they depend on each other, raw items folded away where they are many.
import { el } from "./dom.js";
import { number } from "./format.js";

const DEEPEST = 6;
const SHOWN_RAW = 3;
const RAW = ["raw", "more"];

/** What `rules trace --json` answered, as nodes. `t` knows why_empty, why_left_out {n} and damaged {text}; with `folded`,
 * which gives the words for so many raw items, these are folded away where they are many. */
export function traced(t, trace, { folded = null } = {}) {
  const lines = trace.lines ?? [];
  const made = [];
  for (let n = 0; n < lines.length;) {
    let end = n;
    while (folded && end < lines.length && RAW.includes(lines[end].kind)) end += 1;
    if (end - n > SHOWN_RAW) {
      made.push(el("details", { class: `in-${depth(lines[n])}` }, el("summary", {}, folded(counted(lines.slice(n, end)))),
        lines.slice(n, end).map((line) => shown(line, depth(lines[n])))));
      n = end;
    } else {
      made.push(shown(lines[n]));
      n += 1;
    }
  }
  return [made.length ? el("div", { class: "trace-lines" }, made) : el("p", { class: "empty" }, t("why_empty")),
    trace.rests_on_left_out ? el("p", { class: "hint" }, t("why_left_out", { n: number(trace.rests_on_left_out) })) : null,
    ...(trace.recording?.damaged ?? []).map((text) => el("p", { class: "warn" }, t("damaged", { text })))];
}

const depth = (line) => Math.min(DEEPEST, Math.floor((line.indent ?? 0) / 2));
const counted = (lines) => lines.reduce((sum, line) => sum + (line.count ?? 1), 0);

function shown(line, above = 0) {
  const kind = /^[a-z_]+$/.test(line.kind) ? line.kind : "";
  const holds = line.is_true === undefined ? "" : line.is_true ? "holds" : "holds-not";
  return el("p", { class: `trace-line ${kind} ${holds} in-${Math.max(0, depth(line) - above)}` }, line.text);
}
