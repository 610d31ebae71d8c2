// Live reads: what the antennas hear now. The table has so many rows and no more: their texts change, once for each frame.
import { ask } from "../../base/dialog.js";
import { el, fill, write } from "../../base/dom.js";
import { exactTime, hex, moment, number } from "../../base/format.js";
import { Newest } from "../../base/stream.js";
import { Table } from "../../base/table.js";

export const parts = ["reads"];

const SHOWN = 60;
const RATE_OVER_MS = 4000, RATE_LEAST_MS = 1000, RATE_EVERY_MS = 500;
const FIELDS = ["mask", "scheme", "device", "read_point", "antenna_port", "rssi_least_dbm"];
const CHOSEN = ["scheme", "device", "read_point", "antenna_port"];

export async function open({ root, query, t, api, on, follow, go, say }) {
  const newest = new Newest(SHOWN);
  const asked = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? ""]).filter(([, value]) => value));
  let isPaused = false, meanwhile = 0, frame = 0, timer = 0, isFresh = true;
  const arrivals = []; // [when, how many]

  // --- the filter ------------------------------------------------------------------------------------------------
  const choices = await api("/reads/choices");
  const fields = {
    mask: el("input", { name: "mask", maxlength: "497", size: "26", spellcheck: "false", autocomplete: "off", class: "epc", value: asked.mask ?? "", "aria-describedby": "mask-hint" }),
    rssi_least_dbm: el("input", { name: "rssi_least_dbm", type: "number", step: "any", min: "-150", max: "50", value: asked.rssi_least_dbm ?? "" }),
  };
  for (const name of CHOSEN) {
    const values = new Set([...choices[name].map(String), ...(asked[name] ? [asked[name]] : [])]);
    fields[name] = el("select", { name }, el("option", { value: "" }, t("any")),
      [...values].map((value) => el("option", { value }, name === "scheme" && value === "none" ? t("scheme_none") : value)));
    fields[name].value = asked[name] ?? "";
  }
  const wrong = el("p", { class: "bad", role: "alert" });
  const form = el("form", { class: "bar", onsubmit: async (event) => {
    event.preventDefault();
    const wanted = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()]).filter(([, value]) => value));
    try {
      await api("/reads/check", { query: wanted });
    } catch (error) {
      write(wrong, error.message);
      return;
    }
    const parameters = new URLSearchParams(wanted).toString();
    go(parameters ? `/reads?${parameters}` : "/reads", { replace: true });
  } }, FIELDS.map((name) => el("label", {}, t(name), fields[name])),
  el("button", { type: "submit", class: "main" }, t("apply")), el("a", { class: "button", href: "/reads" }, t("clear")));

  // --- the table -------------------------------------------------------------------------------------------------
  const columns = [
    { key: "time", label: t("time"), text: (read) => exactTime(read.seen_at_us) },
    { key: "epc", label: t("epc") },
    { key: "rssi", label: t("rssi"), number: true, text: (read) => (read.rssi_dbm === undefined ? "–" : t("dbm", { value: number(read.rssi_dbm, 1) })) },
    { key: "antenna_port", label: t("antenna_port"), number: true, text: (read) => String(read.antenna_port) },
    { key: "read_point", label: t("read_point"), text: (read) => read.read_point },
    { key: "device", label: t("device"), text: (read) => read.device },
    { key: "count", label: t("count"), number: true, text: (read) => number(read.count ?? 1) },
  ];
  let pressed = null; // the read that was there when the button went down: the row may show another when it comes up
  const lines = Array.from({ length: SHOWN }, () => {
    const line = { read: null };
    line.button = el("button", { type: "button", class: "link epc", onpointerdown: () => { pressed = line.read; },
      onclick: (event) => { if (line.read) openTag(event.detail && pressed ? pressed : line.read); } });
    line.cells = columns.map((column) => el(column.key === "epc" ? "th" : "td", { class: column.number ? "n" : false, scope: column.key === "epc" ? "row" : false },
      column.key === "epc" ? line.button : null));
    line.tr = el("tr", { hidden: true }, line.cells);
    return line;
  });
  const table = el("table", {}, el("caption", { class: "unseen" }, t("reads")),
    el("thead", {}, el("tr", {}, columns.map((column) => el("th", { scope: "col", class: column.number ? "n" : false }, column.label)))),
    el("tbody", {}, lines.map((line) => line.tr)));
  const empty = el("p", { class: "empty" });
  const state = el("p", { class: "hint", role: "status" }), rate = el("b"), total = el("span"), lost = el("span", { class: "warn" });
  const pause = el("button", { type: "button", "aria-pressed": "false", onclick: () => {
    isPaused = !isPaused;
    meanwhile = 0;
    pause.setAttribute("aria-pressed", String(isPaused));
    write(pause, t(isPaused ? "go_on" : "pause"));
    paint();
    figures();
  } }, t("pause"));

  function paint() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (!isPaused) {
        const { rows } = newest;
        lines.forEach((line, index) => show(line, rows[rows.length - 1 - index]));
        empty.hidden = rows.length > 0;
      }
    });
  }

  function show(line, read) {
    if (line.read === read) return;
    line.read = read ?? null;
    line.tr.hidden = !read;
    if (!read) return;
    columns.forEach((column, index) => { if (column.text) write(line.cells[index], column.text(read)); });
    write(line.button, hex(read.epc));
  }

  function figures() {
    const now = performance.now();
    while (arrivals.length && arrivals[0][0] < now - RATE_OVER_MS) arrivals.shift();
    const span = Math.max(RATE_LEAST_MS, Math.min(RATE_OVER_MS, now - began));
    write(rate, t("rate", { rate: number((arrivals.reduce((sum, [, count]) => sum + count, 0) * 1000) / span) }));
    write(total, t("matched", { count: number(newest.matched) }));
    write(lost, newest.leftOut ? t("left_out", { count: number(newest.leftOut) }) : "");
    write(state, isPaused ? t("paused", { count: number(meanwhile) }) : t("running", { shown: SHOWN }));
  }

  const began = performance.now();
  on("reads", (news) => {
    newest.take(news);
    if (!isFresh) {
      arrivals.push([performance.now(), news.matched]);
      if (isPaused) meanwhile += news.matched;
    }
    isFresh = false;
    paint();
  });
  on("summary", (now) => write(empty, t(now.reads_heard ? "nothing_yet" : "nothing_at_all")));

  // --- one tag ---------------------------------------------------------------------------------------------------
  async function openTag(read) {
    let answer;
    try {
      answer = await api("/reads/tag", { query: { epc: read.epc, pc_bits: read.pc_bits } });
    } catch (error) {
      say(error.message, "bad");
      return;
    }
    const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== undefined && value !== null && value !== "")
      .flatMap(([key, value]) => [el("dt", {}, t(key)), el("dd", {}, value)]));
    const { said, events, damaged } = answer;
    const was = new Table([
      { key: "time", label: t("time"), head: true, cell: (event) => moment(event.at_us) },
      { key: "event", label: t("event"), cell: (event) => el("a", { href: `/event/${encodeURIComponent(event.id)}` }, event.type) },
      { key: "where", label: t("where"), cell: (event) => [event.from_zone, event.zone ?? event.read_point].filter(Boolean).join(" → ") },
    ], { caption: t("was"), empty: t("was_empty"), key: (event) => event.id });
    was.show(events ?? []);
    await ask({ title: t("tag_of", { epc: hex(read.epc) }), buttons: [{ value: "close", label: t("close"), tone: "main" }], body: [
      el("h3", {}, t("tag")),
      said ? facts([["said", said.scheme], ["container", said.container_code], ["uri", el("code", {}, said.uri)]]) : el("p", {}, t("says_nothing")),
      el("h3", {}, t("this_read")),
      facts([["time", exactTime(read.seen_at_us)], ["device", read.device], ["read_point", read.read_point], ["antenna_port", String(read.antenna_port)],
        ["rssi", read.rssi_dbm === undefined ? null : t("dbm", { value: number(read.rssi_dbm, 1) })], ["pc_bits", read.pc_bits?.toString(16).toUpperCase().padStart(4, "0")],
        ["tid", read.tid], ["user_memory", read.user_memory], ["phase", read.phase_deg === undefined ? null : `${number(read.phase_deg, 1)}°`],
        ["doppler", read.doppler_hz === undefined ? null : `${number(read.doppler_hz, 1)} Hz`], ["channel", read.channel_index?.toString()]]),
      el("h3", {}, t("was")),
      events === null ? el("p", { class: "warn" }, t("no_journal")) : was.element,
      damaged.map((text) => el("p", { class: "warn" }, t("damaged", { text }))),
      events?.length ? el("a", { href: `/?find=${encodeURIComponent(read.epc)}` }, t("whole_way")) : null,
    ] });
  }

  const save = (format) => el("a", { class: "button", download: true, href: `/api/reads/export?${new URLSearchParams({ format, ...asked })}` }, t(`export_${format}`));
  fill(root, el("h1", {}, t("title")),
    el("section", { class: "card wide" }, el("h2", {}, t("filter")), form, el("p", { class: "hint", id: "mask-hint" }, `${t("mask")}: ${t("mask_hint")}`), wrong),
    el("section", { class: "card wide" }, el("h2", {}, t("reads")),
      el("div", { class: "bar running" }, pause, rate, total, lost, el("span", { class: "save" }, save("csv"), " ", save("jsonl"))),
      state, el("p", { class: "hint" }, t("export_hint")),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("reads") }, table, empty)));
  write(empty, t("nothing_yet"));
  try {
    await api("/reads/check", { query: asked });
    follow(parts, { reads: asked });
  } catch (error) {
    write(wrong, error.message);
    follow([]);
  }
  figures();
  timer = setInterval(figures, RATE_EVERY_MS);
  return () => {
    clearInterval(timer);
    cancelAnimationFrame(frame);
    for (const each of document.querySelectorAll("dialog[open]")) each.close();
  };
}
