// Draws a board of Grafana from its JSON and from the answers to its queries: what a person would see there, about.
const COLOURS = { green: "#56a64b", yellow: "#f2cc0c", orange: "#ff780a", red: "#e02f44", blue: "#5794f2" };
const CURVES = ["#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#37872d", "#8ab8ff", "#ffb357", "#e0b400"];
const HIGH = 38; // pixels of one row of the grid, with the gap
const LEGEND = 40;

const colour = (name) => COLOURS[name] ?? name;
const hour = (ms) => new Date(ms).toISOString().slice(11, 16);

function el(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

function svg(tag, attributes = {}, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

// --- values ---

function scaled(value, units, step = 1000) {
  let place = 0;
  while (Math.abs(value) >= step && place < units.length - 1) {
    value /= step;
    place += 1;
  }
  return [value, units[place]];
}

function duration(seconds) {
  const size = Math.abs(seconds);
  if (size < 60) return [seconds, " s"];
  if (size < 3600) return [seconds / 60, " min"];
  if (size < 86400) return [seconds / 3600, " h"];
  return [seconds / 86400, " d"];
}

const UNITS = {
  watt: (v) => scaled(v, [" W", " kW", " MW"]),
  watth: (v) => scaled(v, [" Wh", " kWh", " MWh"]),
  short: (v) => scaled(v, ["", " K", " Mil"]),
  bytes: (v) => scaled(v, [" B", " KiB", " MiB", " GiB"], 1024),
  masskg: (v) => (Math.abs(v) >= 1000 ? [v / 1000, " t"] : [v, " kg"]),
  s: duration,
  ms: (v) => (Math.abs(v) >= 1000 ? duration(v / 1000) : [v, " ms"]),
  "µs": (v) => scaled(v, [" µs", " ms", " s"]),
  percent: (v) => [v, "%"],
  percentunit: (v) => [v * 100, "%"],
  dBm: (v) => [v, " dBm"],
  celsius: (v) => [v, " °C"],
  volt: (v) => [v, " V"],
  amp: (v) => scaled(v, [" A", " kA"]),
  hertz: (v) => [v, " Hz"],
  rps: (v) => [v, " rd/s"],
};

function text(value, unit, decimals) {
  if (value === null || value === undefined) return "";
  if (unit === "dateTimeAsIso") return new Date(value).toISOString().slice(0, 19).replace("T", " ");
  if (typeof value !== "number") return String(value);
  const [number, end] = (UNITS[unit] ?? ((v) => [v, ""]))(value);
  const size = Math.abs(number);
  const digits = decimals ?? (Number.isInteger(number) ? 0 : size >= 100 ? 0 : size >= 10 ? 1 : 2);
  return number.toFixed(digits) + end;
}

function step(steps, value) {
  let found = steps[0];
  for (const each of steps) if (each.value === null || value >= each.value) found = each;
  return colour(found.color);
}

function mapped(mappings, value) {
  for (const each of mappings ?? []) {
    if (each.type === "value" && String(value) in each.options) return each.options[String(value)];
    if (each.type === "regex" && value !== null && new RegExp(each.options.pattern).test(String(value))) return each.options.result;
  }
  return null;
}

// --- panels ---

const none = (defaults) => el("div", { class: "none" }, defaults.noValue ?? "No data");

function stat(panel, data) {
  const { defaults } = panel.fieldConfig;
  const entries = Object.entries(data.numbers);
  if (!entries.length || entries.every(([, value]) => value === null)) {
    if (!("noValue" in defaults)) return none(defaults);
    entries.splice(0, entries.length, ["", Number(defaults.noValue)]);
  }
  const isFilled = panel.options.colorMode === "background";
  return el("div", { class: "stats" }, ...entries.map(([name, value]) => {
    const shade = step(defaults.thresholds.steps, value);
    const style = isFilled ? `background:${shade};color:#fff` : `color:${shade}`;
    const label = entries.length > 1 ? [el("small", {}, name)] : [];
    return el("div", { class: "stat", style }, ...label, el("b", {}, text(value, defaults.unit, defaults.decimals)));
  }));
}

function gauge(panel, data) {
  const { defaults } = panel.fieldConfig;
  const entries = Object.entries(data.numbers);
  if (!entries.length) return none(defaults);
  const { min = 0, max = 1, thresholds } = defaults;
  const arc = (from, to, radius, width, shade) => {
    const at = (share) => [100 - radius * Math.cos(share * Math.PI), 100 - radius * Math.sin(share * Math.PI)];
    const [x, y] = at(from);
    const [endX, endY] = at(to);
    return svg("path", { d: `M${x} ${y} A${radius} ${radius} 0 0 1 ${endX} ${endY}`, fill: "none", stroke: shade, "stroke-width": width });
  };
  return el("div", { class: "stats" }, ...entries.map(([name, value]) => {
    const share = Math.min(1, Math.max(0, (value - min) / (max - min)));
    const shade = step(thresholds.steps, value);
    const marks = thresholds.steps.map((each, n) => {
      const from = each.value === null ? 0 : (each.value - min) / (max - min);
      const next = thresholds.steps[n + 1];
      return arc(from, next ? (next.value - min) / (max - min) : 1, 92, 4, colour(each.color));
    });
    const drawn = svg("svg", { viewBox: "0 0 200 128", width: "100%", height: "100%" }, ...marks, arc(0, 1, 76, 22, "#25282e"), arc(0, Math.max(share, 0.001), 76, 22, shade));
    const number = svg("text", { x: 100, y: 98, "text-anchor": "middle", style: `font-size:30px;font-weight:600;fill:${shade}` }, text(value, defaults.unit, defaults.decimals));
    const label = svg("text", { x: 100, y: 122, "text-anchor": "middle", style: "font-size:14px;fill:#ccccdc" }, name);
    drawn.append(number, label);
    return drawn;
  }));
}

function bargauge(panel, data) {
  const { defaults } = panel.fieldConfig;
  const entries = Object.entries(data.numbers).filter(([, value]) => value !== null);
  if (!entries.length) return none(defaults);
  const values = entries.map(([, value]) => value);
  const low = defaults.min ?? Math.min(0, ...values);
  const high = defaults.max ?? Math.max(...values, low + 1e-9);
  return el("div", {}, ...entries.map(([name, value]) => {
    const shade = step(defaults.thresholds.steps, value);
    const width = Math.max(0.5, Math.min(100, (100 * (value - low)) / (high - low || 1)));
    return el("div", { class: "bar" }, el("span", {}, name), el("i", {}, el("u", { style: `width:${width}%;background:${shade}` })),
      el("b", { style: `color:${shade}` }, text(value, defaults.unit, defaults.decimals)));
  }));
}

function table(panel, data) {
  const { defaults, overrides } = panel.fieldConfig;
  const [frame] = data.frames;
  if (!frame || !frame.columns.length || !frame.columns[0].values.length) return none(defaults);
  const columns = frame.columns.map(({ name, values }) => {
    const set = Object.fromEntries((overrides.find((each) => each.matcher.options === name)?.properties ?? []).map((each) => [each.id, each.value]));
    return { values, title: set.displayName ?? name, unit: set.unit, decimals: set.decimals, width: set["custom.width"], steps: set.thresholds?.steps, mappings: set.mappings, isLink: "links" in set,
      isNumber: values.some((value) => typeof value === "number") && set.unit !== "dateTimeAsIso" };
  });
  const head = el("tr", {}, ...columns.map((each) => el("th", { class: each.isNumber ? "number" : "", style: each.width ? `width:${each.width}px` : "" }, each.title)));
  const rows = columns[0].values.slice(0, 60).map((_, row) => el("tr", {}, ...columns.map((each) => {
    const value = each.values[row];
    const found = mapped(each.mappings, value);
    const shown = found?.text ?? text(value, each.unit, each.decimals);
    const shade = found?.color ? colour(found.color) : each.steps && typeof value === "number" ? step(each.steps, value) : "";
    return el("td", { class: each.isNumber ? "number" : "", style: shade ? `background:${shade};color:#fff` : "" }, each.isLink ? el("a", {}, shown) : shown);
  })));
  return el("table", {}, head, ...rows);
}

function reduced(calc, values) {
  const known = values.filter((value) => value !== null);
  if (!known.length) return null;
  const sum = known.reduce((total, value) => total + value, 0);
  return { sum, mean: sum / known.length, max: Math.max(...known), min: Math.min(...known), lastNotNull: known.at(-1) }[calc];
}

function legend(panel, curves) {
  const { defaults } = panel.fieldConfig;
  return el("div", { class: "legend" }, ...curves.map((curve) => {
    const numbers = panel.options.legend.calcs.map((calc) => `${calc === "lastNotNull" ? "last" : calc} ${text(reduced(calc, curve.values), defaults.unit, defaults.decimals)}`);
    return el("span", {}, el("i", { style: `background:${curve.shade}` }), curve.name, el("em", {}, numbers.length ? `  ${numbers.join(" · ")}` : ""));
  }));
}

function nice(low, high, most) {
  const raw = (high - low) / most || 1;
  const size = 10 ** Math.floor(Math.log10(raw));
  const by = [1, 2, 5, 10].find((each) => each * size >= raw) * size;
  const ticks = [];
  for (let at = Math.ceil(low / by) * by; at <= high + by / 1e6; at += by) ticks.push(Number(at.toPrecision(12)));
  return ticks;
}

function timeseries(panel, data, width, height) {
  const { defaults } = panel.fieldConfig;
  const custom = defaults.custom;
  const curves = data.frames.map((frame, n) => ({ name: frame.columns[1].name, times: frame.columns[0].values, values: frame.columns[1].values, shade: CURVES[n % CURVES.length] }));
  if (!curves.some((curve) => curve.values.some((value) => value !== null))) return none(defaults);
  const isStacked = custom.stacking.mode === "normal";
  const isBars = custom.drawStyle === "bars";
  const below = new Map();
  for (const curve of curves) {
    curve.base = curve.times.map((time) => (isStacked ? below.get(time) ?? 0 : 0));
    curve.top = curve.values.map((value, n) => (value === null ? null : value + curve.base[n]));
    if (isStacked) curve.times.forEach((time, n) => below.set(time, (below.get(time) ?? 0) + (curve.values[n] ?? 0)));
  }
  const all = curves.flatMap((curve) => curve.top).filter((value) => value !== null);
  const limits = custom.thresholdsStyle.mode === "line" ? defaults.thresholds.steps.filter((each) => each.value !== null) : [];
  let low = defaults.min ?? Math.min(...all, ...(isBars ? [0] : []));
  let high = defaults.max ?? Math.max(...all);
  if (high - low < 1e-9) [low, high] = [defaults.min ?? low - 1, high + 1];
  else [low, high] = [defaults.min ?? low - (high - low) * 0.05, defaults.max ?? high + (high - low) * 0.05];
  const inner = { left: 58, top: 6, right: width - 8, bottom: height - LEGEND - 18 };
  const x = (time) => inner.left + ((time - data.from_ms) / (data.to_ms - data.from_ms)) * (inner.right - inner.left);
  const y = (value) => inner.bottom - ((value - low) / (high - low)) * (inner.bottom - inner.top);
  const drawn = svg("svg", { width, height: height - LEGEND });
  const part = defaults.unit !== "s" ? 1 : [86400, 3600, 60, 1].find((each) => high > 2 * each) ?? 1;
  for (const tick of nice(low / part, high / part, Math.max(2, (inner.bottom - inner.top) / 45)).map((each) => each * part)) {
    drawn.append(svg("line", { x1: inner.left, x2: inner.right, y1: y(tick), y2: y(tick), stroke: "#25282e" }), svg("text", { x: inner.left - 6, y: y(tick) + 4, "text-anchor": "end" }, text(tick, defaults.unit)));
  }
  const hours = [60, 300, 900, 1800, 3600, 7200, 10800, 21600].map((s) => s * 1000).find((each) => (data.to_ms - data.from_ms) / each <= width / 75) ?? 21600000;
  for (let at = Math.ceil(data.from_ms / hours) * hours; at < data.to_ms; at += hours) {
    drawn.append(svg("line", { x1: x(at), x2: x(at), y1: inner.top, y2: inner.bottom, stroke: "#1f2228" }), svg("text", { x: x(at), y: inner.bottom + 15, "text-anchor": "middle" }, hour(at)));
  }
  const clip = svg("g");
  drawn.append(clip);
  for (const each of limits) {
    if (each.value < low || each.value > high) continue;
    clip.append(svg("line", { x1: inner.left, x2: inner.right, y1: y(each.value), y2: y(each.value), stroke: colour(each.color), "stroke-dasharray": "6 4" }));
  }
  const gaps = curves.flatMap((curve) => curve.times.slice(1).map((time, n) => time - curve.times[n])).filter((gap) => gap > 0);
  const gap = gaps.length ? Math.min(...gaps) : (data.to_ms - data.from_ms) / 20;
  const slot = x(data.from_ms + gap) - inner.left;
  curves.forEach((curve, number) => (isBars ? bars : custom.drawStyle === "points" ? points : line)(clip, curve, number));
  function bars(to, curve, number) {
    const wide = (isStacked ? slot : slot / curves.length) * 0.8;
    curve.top.forEach((value, n) => {
      if (value === null || value === curve.base[n]) return;
      const left = x(curve.times[n]) + slot * 0.1 + (isStacked ? 0 : number * wide);
      if (left + wide < inner.left) return;
      const from = Math.max(left, inner.left);
      to.append(svg("rect", { x: from, y: Math.min(y(value), y(curve.base[n])), width: Math.max(1, Math.min(left + wide, inner.right) - from), height: Math.abs(y(curve.base[n]) - y(value)), fill: curve.shade, opacity: 0.85 }));
    });
  }
  function points(to, curve) {
    curve.top.forEach((value, n) => {
      if (value !== null && curve.times[n] >= data.from_ms) to.append(svg("circle", { cx: x(curve.times[n]), cy: y(value), r: 3, fill: curve.shade }));
    });
  }
  function line(to, curve) {
    let path = "";
    let isOn = false;
    let last = null;
    curve.top.forEach((value, n) => {
      if (value === null) {
        if (isOn && n > 1 && curve.top[n - 2] === null) dot(n - 1);
        isOn = false;
        return;
      }
      const [atX, atY] = [Math.max(x(curve.times[n]), inner.left), y(value)];
      if (!isOn) path += `M${atX} ${atY}`;
      else path += custom.lineInterpolation === "stepAfter" ? `H${atX}V${atY}` : `L${atX} ${atY}`;
      isOn = true;
      last = atX;
    });
    function dot(n) {
      to.append(svg("circle", { cx: x(curve.times[n]), cy: y(curve.top[n]), r: 2.5, fill: curve.shade }));
    }
    if (curve.top.filter((value) => value !== null).length < 3) curve.top.forEach((value, n) => value !== null && dot(n));
    if (last !== null) to.append(svg("path", { d: path, fill: "none", stroke: curve.shade, "stroke-width": 1.6 }));
  }
  return el("div", {}, drawn, legend(panel, curves));
}

function stateTimeline(panel, data, width, height) {
  const { defaults } = panel.fieldConfig;
  if (!data.frames.length) return none(defaults);
  const left = 150;
  const x = (time) => left + ((Math.max(time, data.from_ms) - data.from_ms) / (data.to_ms - data.from_ms)) * (width - left - 4);
  const rows = [...data.frames].sort((a, b) => a.columns[1].name.localeCompare(b.columns[1].name));
  const high = Math.min(34, (height - 20) / rows.length);
  const drawn = svg("svg", { width, height });
  rows.forEach((frame, row) => {
    const [times, states] = frame.columns.map((each) => each.values);
    drawn.append(svg("text", { x: left - 8, y: row * high + high / 2 + 4, "text-anchor": "end", style: "fill:#ccccdc" }, frame.columns[1].name.slice(0, 22)));
    times.forEach((time, n) => {
      const end = x(times[n + 1] ?? data.to_ms);
      const found = mapped(defaults.mappings, states[n]);
      drawn.append(svg("rect", { x: x(time), y: row * high + 2, width: Math.max(1, end - x(time)), height: high - 4, fill: colour(found?.color ?? "#808080"), opacity: 0.85 }));
      if (end - x(time) > 55 && high > 14) drawn.append(svg("text", { x: x(time) + 5, y: row * high + high / 2 + 4, style: "fill:#fff" }, found?.text ?? String(states[n])));
    });
  });
  const hours = [60, 300, 900, 1800, 3600, 7200, 10800, 21600].map((s) => s * 1000).find((each) => (data.to_ms - data.from_ms) / each <= width / 75) ?? 21600000;
  for (let at = Math.ceil(data.from_ms / hours) * hours; at < data.to_ms; at += hours) drawn.append(svg("text", { x: x(at), y: Math.min(height - 4, rows.length * high + 14), "text-anchor": "middle" }, hour(at)));
  return drawn;
}

const KINDS = { stat, gauge, bargauge, table, timeseries, "state-timeline": stateTimeline };

/** Draws a board: `answers` holds, by id of a panel, its frames, its numbers and the time that it shows. */
window.drawBoard = (board, answers, chosen) => {
  document.title = board.title;
  document.querySelector("header").replaceChildren(el("h1", {}, board.title), el("p", {}, board.description), el("p", {}, chosen));
  const main = document.querySelector("main");
  main.replaceChildren();
  const isPhone = innerWidth < 700;
  main.classList.toggle("phone", isPhone);
  for (const panel of board.panels) {
    const { x, y, w, h } = panel.gridPos;
    const place = `grid-column:${x + 1}/span ${w};grid-row:${y + 1}/span ${h}`;
    if (panel.type === "row") {
      main.append(el("h2", { style: place }, panel.title));
      continue;
    }
    const body = el("div", { class: "body" });
    const made = el("section", { style: isPhone ? `height:${h * HIGH - 8}px;flex:none` : place }, el("h3", {}, panel.title), body);
    main.append(made);
    body.append(KINDS[panel.type](panel, answers[panel.id], body.clientWidth, body.clientHeight));
  }
};
