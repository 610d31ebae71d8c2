// Curves of a meter's registers: which, over which time, closer by a drag, going on while one looks.
import { Chart } from "../../base/chart.js";
import { el, fill, write } from "../../base/dom.js";
import { duration, number } from "../../base/format.js";
import { groupOf, GROUPS, phaseWord, placeOf, quantityWord, registerWord } from "./words.js";

const HOUR_US = 3600e6;
const RANGES = [1, 6, 24, 168];
const POINTS = 720;
const SERIES_MOST = 24;
const AGAIN_LEAST_MS = 5000;
const AGAIN_MOST_MS = 60_000;
const BAND_MOST = 2;
const BROKEN_AFTER = 3; // steps without a value that break a curve: one that comes every second step does not
const SETTLE_US = 10e6; // a curve that ends now is asked for to a little later, so that its last step is whole

export function openCurves({ t, api, known, name }, meter) {
  let series = [];
  const chosen = new Set();
  let hours = 1;
  let custom = null; // [from_us, to_us]
  let before = null; // what a zoom came from
  let isLive = true;
  let closed = false;
  let timer = null;
  let asking = null;
  const charts = new Map();

  const buttons = new Map(RANGES.map((each) => [each, el("button", { type: "button", onclick: () => { hours = each; custom = before = null; isLive = true; show(); } }, t(`range.${each}`))]));
  const from = el("input", { type: "datetime-local", step: 1 }), to = el("input", { type: "datetime-local", step: 1 });
  const custom_ = el("button", { type: "submit" }, t("show"));
  const own = el("form", { class: "bar", onsubmit: (event) => {
    event.preventDefault();
    const asked = [from.value, to.value].map((text) => new Date(text).getTime() * 1000);
    if (asked.every(Number.isFinite) && asked[0] < asked[1]) { custom = asked; before = null; show(); } else from.focus();
  } }, el("label", {}, t("from"), from), el("label", {}, t("to"), to), custom_);
  const back = el("button", { type: "button", hidden: true, onclick: () => { ({ hours, custom, isLive } = before); before = null; show(); } }, t("whole_range"));
  const live = el("button", { type: "button", onclick: () => { isLive = !isLive; show(); } }, t("live"));
  const sheet = el("a", { class: "button", download: true }, t("as_sheet"));
  const summary = el("summary");
  const choice = el("details", { class: "choice" }, summary);
  const note = el("p", { class: "hint" });
  const trouble = el("p", { class: "bad", role: "status" });
  const pictures = el("div", { class: "curves" });
  const element = el("section", { class: "card wide", "aria-labelledby": "curves" }, el("h2", { id: "curves" }, t("curves")),
    el("div", { class: "bar" }, el("div", { role: "group", "aria-label": t("range"), class: "bar" }, [...buttons.values()]), own, live, back, sheet),
    choice, trouble, pictures, note);

  const label = ({ name: quantityName, phase, tariff }) => registerWord(t, { name: quantityName, phase, tariff }, known.tariff_names);
  const keyOf = ({ device, name: quantityName, phase = "", tariff = "" }) => `${device}/${quantityName}/${phase}/${tariff}`;

  async function learn() {
    try {
      const found = await api("/meters/series", { query: { meter: name } });
      series = found.series.map((each) => ({ ...each, id: keyOf(each.key) }));
    } catch (error) {
      write(trouble, error.message);
      return;
    }
    if (closed) return;
    const all = series.map((each) => each.id);
    const wishes = [`${name}/active_power//`, ...["a", "b", "c"].map((phase) => `${name}/voltage/${phase}/`)];
    const wanted = wishes.filter((id) => all.includes(id));
    (wanted.length ? wanted : all.slice(0, 1)).forEach((id) => chosen.add(id));
    fill(choice, summary, Object.keys(GROUPS).map((group) => {
      const mine = series.filter((each) => groupOf(each.key.name) === group)
        .sort((a, b) => placeOf(a.key.name) - placeOf(b.key.name) || a.id.localeCompare(b.id));
      return mine.length ? el("fieldset", {}, el("legend", {}, t(`group.${group}`)), mine.map((each) => el("label", { class: "check" },
        el("input", { type: "checkbox", checked: chosen.has(each.id), onchange: (event) => choose(each.id, event.target) }), label(each.key)))) : null;
    }));
    if (!series.length) fill(pictures, el("p", { class: "empty" }, t("no_past")));
    else show();
  }

  function choose(id, box) {
    if (box.checked && chosen.size >= SERIES_MOST) {
      box.checked = false;
      write(trouble, t("series_most", { n: SERIES_MOST }));
      return;
    }
    if (box.checked) chosen.add(id);
    else chosen.delete(id);
    show();
  }

  function span() {
    if (custom) return custom;
    const now = Date.now() * 1000;
    return [now - hours * HOUR_US, now + SETTLE_US];
  }

  function query([begin, end]) {
    const asked = new URLSearchParams({ from_us: String(Math.round(begin)), to_us: String(Math.round(end)), points: String(POINTS) });
    for (const id of chosen) asked.append("series", id);
    return asked;
  }

  function show() {
    clearTimeout(timer);
    for (const [each, button] of buttons) button.setAttribute("aria-pressed", String(!custom && hours === each));
    live.setAttribute("aria-pressed", String(isLive && !custom));
    live.disabled = custom !== null;
    back.hidden = before === null;
    write(summary, t("series", { n: chosen.size }));
    if (!own.contains(document.activeElement)) [from.value, to.value] = span().map(localInput);
    write(trouble, "");
    ask();
  }

  async function ask() {
    clearTimeout(timer);
    asking?.abort();
    if (!chosen.size) {
      charts.forEach((chart) => chart.close());
      charts.clear();
      fill(pictures, el("p", { class: "empty" }, t("choose_series")));
      write(note, "");
      return;
    }
    const mine = asking = new AbortController();
    const asked = query(span());
    sheet.href = `/api/meters/curves.csv?${asked}`;
    let stepMs = AGAIN_LEAST_MS;
    try {
      const began = performance.now();
      const found = await api(`/meters/curves?${asked}`, { signal: mine.signal });
      if (closed || mine.signal.aborted) return;
      const ms = performance.now() - began;
      draw(found);
      stepMs = found.step_us / 1000;
      write(note, t("curves_hint", { step: duration(found.step_us / 1e6), ms: number(ms) }));
      write(trouble, found.damaged.length ? t("damaged", { text: found.damaged.join("; ") }) : "");
    } catch (error) {
      if (error.name === "AbortError" || closed) return;
      write(trouble, error.message);
    }
    if (isLive && !custom) timer = setTimeout(again, Math.min(AGAIN_MOST_MS, Math.max(AGAIN_LEAST_MS, stepMs)));
  }

  function again() {
    if (document.hidden) timer = setTimeout(again, AGAIN_LEAST_MS);
    else ask();
  }

  function draw(found) {
    const groups = new Map();
    for (const curve of found.curves) {
      const unit = series.find((each) => each.id === keyOf(curve.key))?.unit ?? curve.unit;
      const key = `${groupOf(curve.key.name)} ${unit}`;
      if (!groups.has(key)) groups.set(key, { unit, curves: [] });
      groups.get(key).curves.push(curve);
    }
    for (const [key, chart] of charts) {
      if (!groups.has(key)) { chart.close(); chart.element.remove(); charts.delete(key); }
    }
    if (!charts.size) fill(pictures);
    for (const [key, group] of groups) {
      const unit = group.unit === "1" ? "" : group.unit;
      let chart = charts.get(key);
      if (!chart) {
        const limit = meter?.limit && unit === "W" ? { value: meter.limit.limit_w, label: t("limit") } : undefined;
        chart = new Chart({ title: `${t(`group.${key.split(" ")[0]}`)}${unit ? ` [${unit}]` : ""}`, unit, limit, times: t("time"), asTable: t("as_table"), empty: t("no_curve"),
          zoomed: (begin, end) => { before ??= { hours, custom, isLive }; custom = [begin, Math.max(end, begin + 10e6)]; show(); } });
        charts.set(key, chart);
        pictures.append(chart.element);
      }
      chart.show(columns(found, group.curves));
    }
  }

  /** Columns of one length over all steps in which any of the curves has a value. */
  function columns(found, curves) {
    const steps = [...new Set(curves.flatMap((curve) => curve.step))].sort((a, b) => a - b);
    const times = [], places = new Map();
    let last = null;
    for (const step of steps) {
      if (last !== null && step - last > BROKEN_AFTER) times.push((last + step) / 2);
      places.set(step, times.length);
      times.push(step);
      last = step;
    }
    const banded = curves.length <= BAND_MOST;
    const made = curves.map((curve) => {
      const empty = () => new Array(times.length).fill(undefined);
      const values = empty(), low = empty(), high = empty();
      curve.step.forEach((step, n) => {
        const at = places.get(step);
        [values[at], low[at], high[at]] = [curve.mean[n], curve.low[n], curve.high[n]];
        const next = curve.step[n + 1];
        if (next !== undefined && next - step > BROKEN_AFTER) values[at + 1] = low[at + 1] = high[at + 1] = null;
      });
      return { label: shortLabel(curve.key, curves), values, ...(banded ? { low, high } : {}) };
    });
    return { times_us: times.map((step) => found.from_us + step * found.step_us), curves: made };
  }

  /** Of curves of one quantity, what tells them apart. */
  function shortLabel(key, curves) {
    const isOne = curves.every((curve) => curve.key.name === key.name);
    if (isOne && curves.length > 1 && !key.tariff) return phaseWord(t, key.phase ?? "");
    return key.phase || key.tariff ? label(key) : quantityWord(t, key.name);
  }

  learn();
  return {
    elements: [element],
    close() {
      closed = true;
      clearTimeout(timer);
      asking?.abort();
      charts.forEach((chart) => chart.close());
    },
  };
}

/** A time as <input type="datetime-local"> has it. */
function localInput(us) {
  const at = new Date(us / 1000);
  const two = (n) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
