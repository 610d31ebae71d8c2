// The walk test: someone carries a tag and looks at a phone. It listens to what the gateway hears; the reader is left alone.
import { spark } from "../../base/chart.js";
import { el, fill, write } from "../../base/dom.js";
import { duration, number } from "../../base/format.js";
import { Table } from "../../base/table.js";

const KEPT = 240; // half seconds: two minutes
const PER_S = 2;
const SCALE_LEAST = 10; // reads/s at the top of a sparkline at least
const SAY_EVERY_MS = 5000;
const TONES = { good: "good", patchy: "warn", weak: "warn", silent: "bad", not_watched: "bad" };

export async function open({ root, t, api, on, follow, query, say }, name) {
  const { devices } = await api("/devices/known");
  const device = encodeURIComponent(name);
  const back = el("p", { class: "bar" }, el("a", { href: `/devices/${device}` }, t("back_to", { name })));
  if (!devices[name]?.walk) {
    fill(root, el("h1", {}, t("walk.title", { name })), back, el("p", { class: "empty" }, t("walk.not_here")));
    return () => {};
  }
  let walk = query.get("walk"), isRunning = false, newest = null, wake = null, saidAt = 0;
  const panels = new Map(); // antenna port: { reads: [], parts of the panel }

  const mask = el("input", { name: "mask", maxlength: "500", size: "28", spellcheck: "false", autocomplete: "off", autocapitalize: "characters", class: "epc", "aria-describedby": "walk-mask-hint" });
  const begin = el("button", { type: "submit", class: "main" }, t("walk.begin"));
  const stop = el("button", { type: "button", class: "bad", hidden: true, onclick: () => end() }, t("walk.stop"));
  const reset = el("button", { type: "button", hidden: true, onclick: () => start() }, t("walk.reset"));
  const wrong = el("p", { class: "bad", role: "alert" });
  const clock = el("output", { class: "walk-clock" });
  const form = el("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); start(); } },
    el("label", {}, t("walk.mask"), mask), begin, stop, reset, clock);
  const status = el("p", { class: "unseen", role: "status" });
  const note = el("p", { class: "empty" }, t("walk.hint"));
  const panelsAt = el("div", { class: "walk-antennas wide" });

  const dbm = (value, decimals = 0) => (value === null || value === undefined ? "–" : `${number(value, decimals)} dBm`);
  const at = (s) => (s === null ? "–" : t("walk.at", { time: duration(s) }));
  const table = new Table([
    { key: "antenna", label: t("antenna"), head: true, sort: (row) => row.antenna_port, cell: (row) => `${row.antenna_port} · ${row.read_point}` },
    { key: "verdict", label: t("verdict"), sort: (row) => Object.keys(TONES).indexOf(row.verdict), cell: (row) => ({ text: t(`verdict.${row.verdict}`), class: TONES[row.verdict] }) },
    { key: "reads", label: t("walk.reads"), number: true, sort: (row) => row.reads, cell: (row) => number(row.reads) },
    { key: "share", label: t("walk.share"), number: true, sort: (row) => row.share, cell: (row) => (row.share === null ? "–" : `${number(row.share * 100)} %`) },
    { key: "tags", label: t("walk.tags"), number: true, sort: (row) => row.tags, cell: (row) => number(row.tags) },
    { key: "weakest", label: t("walk.weakest"), number: true, sort: (row) => row.rssi_dbm_weakest, cell: (row) => dbm(row.rssi_dbm_weakest) },
    { key: "median", label: t("walk.median"), number: true, sort: (row) => row.rssi_dbm_median, cell: (row) => dbm(row.rssi_dbm_median, 1) },
    { key: "strongest", label: t("walk.strongest"), number: true, sort: (row) => row.rssi_dbm_max, cell: (row) => dbm(row.rssi_dbm_max) },
    { key: "best", label: t("walk.best"), number: true, sort: (row) => row.best_at_s, cell: (row) => at(row.best_at_s) },
    { key: "silence", label: t("walk.silence"), number: true, sort: (row) => row.silence_s, cell: (row) => (row.silence_s ? `${duration(row.silence_s)}, ${at(row.silence_at_s)}` : "–") },
  ], { caption: t("walk.result"), empty: t("walk.nothing"), key: (row) => row.antenna_port, sorted: ["antenna", "ascending"] });
  const summary = el("p", { class: "hint" });
  const exports = el("p", { class: "bar" });
  const result = el("section", { class: "card wide walk-result", hidden: true }, el("h2", {}, t("walk.result")), summary, table.element,
    el("p", { class: "hint" }, t("walk.verdict_hint")), exports);

  async function start() {
    write(wrong, "");
    begin.disabled = reset.disabled = true;
    try {
      if (walk && isRunning) await api("/devices/stop", { body: { walk } });
      ({ walk } = await api("/devices/walk", { body: { device: name, mask: mask.value.trim() } }));
      history.replaceState(null, "", `/devices/${device}/walk?walk=${encodeURIComponent(walk)}`); // a reload goes on with it
      listen();
    } catch (error) {
      write(wrong, error.message);
    } finally {
      begin.disabled = reset.disabled = false;
    }
  }

  async function end() {
    stop.disabled = true;
    try {
      await api("/devices/stop", { body: { walk } });
    } catch (error) {
      say(error.message, "bad");
    } finally {
      stop.disabled = false;
    }
  }

  function listen() {
    panels.clear();
    fill(panelsAt);
    follow(["devices-walk"], { "devices-walk": { walk } });
    navigator.wakeLock?.request("screen").then((lock) => { wake?.release(); wake = lock; }).catch(() => { /* the screen goes dark as it likes */ });
  }

  function panel(row) {
    const made = { reads: [], rate: el("dd", { class: "walk-big" }), rssi: el("dd", { class: "walk-big" }), max: el("dd"), mean: el("dd"), tags: el("dd"), all: el("dd"),
      line: el("div", { class: "walk-line" }), verdict: el("span"), watched: el("p", { class: "bad walk-unwatched" }, t("walk.not_watched")) };
    const fact = (key, value) => el("div", {}, el("dt", {}, t(key)), value);
    made.element = el("section", { class: "card walk-antenna" },
      el("h2", {}, t("walk.antenna", { number: row.antenna_port }), " · ", row.read_point, " ", made.verdict), made.watched,
      el("dl", { class: "walk-now" }, fact("walk.rate", made.rate), fact("walk.rssi", made.rssi)), made.line,
      el("dl", { class: "walk-facts" }, fact("walk.max", made.max), fact("walk.mean", made.mean), fact("walk.tags", made.tags), fact("walk.all_reads", made.all)));
    panels.set(row.antenna_port, made);
    fill(panelsAt, [...panels.keys()].sort((a, b) => a - b).map((port) => panels.get(port).element));
    return made;
  }

  on("devices-walk", (news) => {
    if (news.gone) {
      walk = null;
      history.replaceState(null, "", `/devices/${device}/walk`);
      follow([]);
      fill(panelsAt);
      show(false);
      write(note, t("walk.forgotten"));
      note.hidden = false;
      return;
    }
    newest = news;
    if (news.whole) {
      for (const each of panels.values()) each.reads = [];
      if (!mask.value) mask.value = news.mask;
    }
    for (const row of news.antennas) {
      const made = panels.get(row.antenna_port) ?? panel(row);
      made.reads = made.reads.concat(row.fresh.map((count) => count * PER_S)).slice(-KEPT);
    }
    const most = Math.max(SCALE_LEAST, ...[...panels.values()].flatMap((each) => each.reads));
    for (const row of news.antennas) draw(panels.get(row.antenna_port), row, most);
    write(clock, duration(news.seconds));
    note.hidden = true;
    show(news.running);
    if (news.running && performance.now() - saidAt > SAY_EVERY_MS) {
      saidAt = performance.now();
      write(status, news.antennas.map((row) => t("walk.spoken", { point: row.read_point, rate: number(row.rate), rssi: dbm(row.rssi_dbm) })).join("; "));
    }
  });

  function draw(made, row, most) {
    write(made.rate, number(row.rate));
    write(made.rssi, dbm(row.rssi_dbm));
    write(made.max, dbm(row.rssi_dbm_max));
    write(made.mean, dbm(row.rssi_dbm_mean, 1));
    write(made.tags, number(row.tags));
    write(made.all, number(row.reads));
    write(made.verdict, t(`verdict.${row.verdict}`));
    made.verdict.className = `badge ${TONES[row.verdict]}`;
    made.watched.hidden = row.watched;
    made.element.classList.toggle("quiet", !row.rate);
    const drawn = spark([...Array(KEPT - made.reads.length).fill(null), ...made.reads], { label: t("walk.line", { most: number(most) }), width: 600, height: 64, least: 0, most });
    drawn.setAttribute("preserveAspectRatio", "none");
    fill(made.line, drawn);
  }

  function show(running) {
    isRunning = running;
    begin.hidden = running;
    begin.textContent = t(newest ? "walk.again" : "walk.begin");
    stop.hidden = reset.hidden = !running;
    mask.readOnly = running;
    root.classList.toggle("walking", running);
    if (!running) { wake?.release(); wake = null; }
    result.hidden = running || !walk || !newest;
    if (result.hidden) return;
    table.show(newest.antennas);
    const silent = newest.antennas.filter((row) => !row.reads).map((row) => row.read_point);
    write(summary, [t("walk.summary", { seconds: duration(newest.seconds), reads: number(newest.reads) }),
      newest.mask ? t("walk.others", { mask: newest.mask, count: number(newest.others) }) : "",
      newest.late ? t("walk.late", { count: number(newest.late) }) : "",
      silent.length ? t("walk.silent", { points: silent.join(", ") }) : ""].filter(Boolean).join(" "));
    const to = (form) => `/api/devices/report?walk=${encodeURIComponent(walk)}&format=${form}`;
    fill(exports, el("a", { class: "button", href: to("json"), download: true }, t("walk.export_json")), el("a", { class: "button", href: to("md"), download: true }, t("walk.export_md")));
  }

  fill(root, el("h1", {}, t("walk.title", { name })), back,
    el("section", { class: "card wide" }, el("h2", { class: "unseen" }, t("walk.what")), form, wrong, el("p", { class: "hint", id: "walk-mask-hint" }, t("walk.mask_hint")), status, note),
    panelsAt, result);
  if (walk) listen();
  return () => wake?.release();
}
