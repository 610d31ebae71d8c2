// The site now: what is where, on its plan; what happened last, what is wrong, and where something is.
import { ask } from "../../base/dialog.js";
import { el, fill, write } from "../../base/dom.js";
import { age, number, time, when } from "../../base/format.js";
import { Newest, Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { orWord } from "../../base/text.js";
import { happened, searchCard, showWay, whereabouts } from "./finding.js";
import { Drawing } from "./plan.js";

export const parts = ["site", "devices", "alarms", "events"];

const EVENTS_SHOWN = 12, ALARMS_SHOWN = 5;
const LOUDNESS = ["critical", "warning", "info"];
const STATES = ["online", "degraded", "offline"];
/** Which way a thing went, as it is drawn in the width of a place; the list says it in words. */
const WAYS = { __proto__: null, arrived: "→", moved: "↷", departed: "←", passage: "⇥" };
const AGAIN_MS = 1000, MINUTE_MS = 60000, RATE_AFTER_MS = 5000;

export async function open(given) {
  const { root, query, t, api, on, say } = given;
  const { plan, has_journal: hasJournal } = await api("/site/plan");
  const rows = new Rows(), devices = new Rows(), alarms = new Rows(), events = new Newest(EVENTS_SHOWN);
  const known = new Map(plan.places.map((place) => [place.name, place]));
  let watched = new Set(), alarmsOf = new Map(), elsewhere = [];
  let frame = 0, dialog = null;
  const drawing = new Drawing({ plan, t, label: t("plan"), onOpen: openPlace });

  function watchOf(place) {
    if (place.kind === "device") return devices.get(place.name)?.state ?? "unknown";
    if (!place.read_points.length) return "unknown";
    if (place.devices.length && place.devices.every((name) => !devices.get(name))) return "unknown";
    const count = place.read_points.filter((point) => watched.has(point)).length;
    return count === 0 ? "not_watched" : count < place.read_points.length ? "partly" : "watched";
  }

  function watchText(place, watch) {
    if (watch === "partly") return t("partly_watched", { watched: place.read_points.filter((point) => watched.has(point)).length, all: place.read_points.length });
    if (watch === "watched") return t("watched");
    return watch === "not_watched" ? t("not_watched") : watch === "unknown" ? t("unknown") : orWord(t, "state", watch, STATES);
  }

  function contentText(place, row, watch) {
    const count = row?.count ?? 0;
    if (place.kind === "device") return watchText(place, watch);
    if (place.kind === "read_point" && place.zone !== place.name) {
      return watch === "watched" ? t("in_zone", { zone: place.zone ?? "" }) : watchText(place, watch);
    }
    const content = place.kind === "portal" ? (row?.passed ? t("passed", { count: row.passed }) : t("nothing_passed"))
      : count ? t("here", { count: number(count) }) : t("empty");
    if (watch === "watched") return content;
    if (watch === "partly") return `${content} · ${watchText(place, watch)}`;
    const before = place.kind !== "portal" && count ? ` · ${t("before_that", { count: number(count) })}` : "";
    return place.kind === "elsewhere" ? content : `${watchText(place, watch)}${before}`;
  }

  const lastText = (last) => (last ? `${last.name ?? last.subject} ${happened(t, last)} ${time(last.at_us)}` : "");
  const alarmCount = (place) => {
    const names = place.kind === "device" ? [place.name] : [place.name, ...place.read_points, ...place.devices];
    return new Set(names.flatMap((name) => [...alarmsOf.get(name) ?? []])).size;
  };
  const alarmText = (count) => (count === 1 ? t("one_alarm") : count ? t("alarms_here", { count }) : "");
  const TONES = { watched: "good", online: "good", partly: "warn", degraded: "warn", not_watched: "off", offline: "off", unknown: "idle" };

  /** The last event in the width of a place: which way, who, when. */
  function briefly(last) {
    return last ? `${WAYS[last.type] ?? "·"} ${last.name ?? last.subject} ${time(last.at_us)}` : "";
  }

  function said(place) {
    const row = rows.get(place.name), watch = watchOf(place), count = alarmCount(place);
    const title = place.label ?? place.name, content = contentText(place, row, watch);
    const last = place.kind === "device" ? devices.get(place.name)?.detail ?? "" : briefly(row?.last);
    return { title, said: [content, last], tone: TONES[watch] ?? "idle", alarms: count,
      label: [title, orWord(t, "kind", place.kind, ["portal", "zone", "read_point", "device", "elsewhere"]), content, alarmText(count)].filter(Boolean).join(", "),
      place, watch, row };
  }

  const list = new Table([
    { key: "place", label: t("place"), head: true, sort: (row) => row.title, cell: (row) => el("button", { type: "button", class: "link", "data-place": row.place.name }, row.title) },
    { key: "kind", label: t("kind"), sort: (row) => row.place.kind, cell: (row) => t(`kind.${row.place.kind}`) },
    { key: "things", label: t("things"), number: true, sort: (row) => row.row?.count ?? -1,
      cell: (row) => (["zone", "elsewhere"].includes(row.place.kind) || row.place.zone === row.place.name ? number(row.row?.count ?? 0) : "–") },
    { key: "watch", label: t("watch"), sort: (row) => row.watch, cell: (row) => ({ text: watchText(row.place, row.watch),
      class: { good: "good", warn: "warn", off: "bad" }[row.tone] ?? "soft" }) },
    { key: "alarms", label: t("standing"), number: true, sort: (row) => row.alarms, cell: (row) => ({ text: number(row.alarms), class: row.alarms ? "bad" : "" }) },
    { key: "last", label: t("last"), sort: (row) => row.row?.last?.at_us ?? 0, cell: (row) => lastText(row.row?.last) },
  ], { caption: t("list"), empty: t("list_empty"), key: (row) => row.place.name });
  list.element.addEventListener("click", (event) => {
    const name = event.target.closest("[data-place]")?.dataset.place;
    if (name) openPlace(find(name));
  });
  const find = (name) => known.get(name) ?? elsewhere.find((place) => place.name === name) ?? stray(name);
  const stray = (name) => ({ name, kind: "elsewhere", zone: name, read_points: [], devices: [], at: null });
  const details = el("details", { ontoggle: () => paint() }, el("summary", {}, t("list")), list.element);

  // --- one place -------------------------------------------------------------------------------------------------
  async function openPlace(place) {
    closeDialog();
    const things = new Table([
      { key: "thing", label: t("thing"), head: true, sort: (row) => row.name ?? row.subject, cell: (row) => el("span", {}, row.name ?? "", el("span", { class: "epc soft" }, ` ${row.subject}`)) },
      { key: "since", label: t("since"), sort: (row) => -row.since_us, cell: (row) => el("a", { href: `/event/${encodeURIComponent(row.id)}` }, when(row.since_us)) },
      { key: "for", label: t("for"), number: true, sort: (row) => -row.since_us, cell: (row) => age(row.since_us) },
      { key: "way", label: t("way"), cell: (row) => el("button", { type: "button", "data-subject": row.subject, "data-thing": row.name ?? "" }, t("show_way")) },
    ], { caption: t("things_here"), empty: "", key: (row) => row.subject });
    const passed = new Table([
      { key: "time", label: t("time"), head: true, cell: (row) => el("a", { href: `/event/${encodeURIComponent(row.id)}` }, when(row.at_us)) },
      { key: "thing", label: t("thing"), cell: (row) => el("span", {}, row.name ?? "", el("span", { class: "epc soft" }, ` ${row.subject}`)) },
      { key: "direction", label: t("direction"), cell: (row) => (row.direction ? orWord(t, "direction", row.direction, ["in", "out"]) : "–") },
    ], { caption: t("passed_here"), empty: t("none_passed_here"), key: (row) => row.id });
    const head = el("p"), hint = el("p", { class: "hint" }), watchedBy = el("p", { class: "hint" });
    const holds = place.kind !== "device", isLane = place.kind === "portal";
    const link = (name) => el("a", { href: `/devices/${encodeURIComponent(name)}` }, name);
    fill(watchedBy, `${t("watched_by")}: `, place.devices.flatMap((name, index) => [index ? ", " : "", link(name)]));
    const body = [head, hint, holds && !isLane ? things.element : null, isLane ? passed.element : null, place.devices.length ? watchedBy : null];
    let shown = null;
    const refresh = async () => {
      const now = said(place);
      write(head, [now.said[0], alarmText(now.alarms)].filter(Boolean).join(" · "));
      head.className = { warn: "warn", off: "bad" }[now.tone] ?? "";
      if (!holds || (shown && shown.row === now.row && shown.watch === now.watch)) return;
      shown = now;
      try {
        const answer = await api("/site/at", { query: { place: place.name } });
        things.show(answer.things);
        passed.show(answer.passed);
        things.element.hidden = !answer.things.length;
        const isOff = ["not_watched", "unknown"].includes(now.watch);
        write(hint, isLane ? "" : !answer.things.length ? t(isOff ? "none_here_unwatched" : "none_here") : isOff ? t("maybe_here")
          : answer.count > answer.things.length ? t("shown_of", { shown: answer.things.length, count: number(answer.count) }) : "");
        if (answer.unanswered) write(hint, t("unanswered", { text: answer.unanswered }));
      } catch (error) {
        shown = null;
        write(hint, error.message);
      }
    };
    things.element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-subject]");
      if (!button) return;
      closeDialog();
      showWay({ api, t, say }, button.dataset.subject, button.dataset.thing || null);
    });
    await refresh();
    const mine = { timer: setInterval(refresh, AGAIN_MS) };
    dialog = mine;
    await ask({ title: `${place.label ?? place.name} · ${t(`kind.${place.kind}`)}`, body, buttons: [{ value: "close", label: t("close"), tone: "main" }] });
    clearInterval(mine.timer);
    if (dialog === mine) dialog = null;
  }
  function closeDialog() {
    for (const each of document.querySelectorAll("dialog[open]")) each.close();
  }

  // --- beside the plan -------------------------------------------------------------------------------------------
  const happenings = el("ol", { class: "feed" }), noEvents = el("p", { class: "empty" }, t("last_events_empty"));
  const standing = el("ul", { class: "feed" }), noAlarms = el("p", { class: "empty" }, t("standing_none"));
  const allAlarms = el("a", { href: "/alarms" });
  const figures = new Map(["f.things", "f.places", "f.events", "f.devices"].map((key) => [key, el("dd", {}, "–")]));
  const tiles = el("dl", { class: "tiles" }, [...figures].map(([key, value]) => el("div", { class: "tile" }, el("dt", {}, t(key)), value)));
  const counted = [], began = performance.now();

  function paintEvents() {
    const shown = [...events.rows].reverse();
    const made = new Map([...happenings.children].map((item) => [item.dataset.id, item]));
    happenings.replaceChildren(...shown.map((event) => made.get(event.id) ?? el("li", { "data-id": event.id },
      el("time", { class: "soft" }, time(event.at_us)), " ", el("a", { href: `/event/${encodeURIComponent(event.id)}` }, happened(t, event)),
      ` ${event.name ?? event.subject}`, el("span", { class: "soft" }, ` ${whereabouts(t, event)}`))));
    noEvents.hidden = shown.length > 0;
  }

  function paintAlarms() {
    const all = alarms.values();
    const rank = (alarm) => (alarm.acknowledged_by || alarm.ended ? 10 : 0) + Math.max(0, LOUDNESS.indexOf(alarm.severity));
    const shown = [...all].sort((a, b) => rank(a) - rank(b) || b.since_us - a.since_us).slice(0, ALARMS_SHOWN);
    fill(standing, shown.map((alarm) => el("li", { class: `alarm ${alarm.severity}${alarm.acknowledged_by ? " seen" : ""}` },
      el("span", { class: "badge" }, orWord(t, "severity", alarm.severity, LOUDNESS)), " ", alarm.message,
      el("span", { class: "soft" }, ` ${alarm.fields?.name ?? alarm.subject} · ${when(alarm.since_us)} · ${alarm.acknowledged_by ? t("seen_by", { name: alarm.acknowledged_by }) : t("unseen")}`))));
    noAlarms.hidden = all.length > 0;
    allAlarms.hidden = all.length === 0;
    write(allAlarms, t("all_alarms", { count: number(all.length) }));
  }

  function paintFigures(states) {
    const clock = performance.now();
    while (counted.length && counted[0][0] < clock - MINUTE_MS) counted.shift();
    const span = Math.min(MINUTE_MS, clock - began);
    const places = states.filter(({ place }) => place.kind !== "device" && place.kind !== "elsewhere");
    const machines = devices.values();
    write(figures.get("f.things"), number(rows.values().reduce((sum, row) => sum + row.count, 0)));
    write(figures.get("f.places"), `${places.filter(({ watch }) => watch === "watched").length} / ${places.length}`);
    write(figures.get("f.events"), span < RATE_AFTER_MS ? "–" : number(counted.reduce((sum, [, n]) => sum + n, 0) * MINUTE_MS / span));
    write(figures.get("f.devices"), `${machines.filter((row) => row.state === "online").length} / ${machines.length}`);
  }

  // --- all of it, once for each frame in which something changed ------------------------------------------------------
  const due = new Set();
  function paint(...what) {
    for (const each of what.length ? what : ["places"]) due.add(each);
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (due.has("events")) paintEvents();
      if (due.has("alarms")) paintAlarms();
      due.clear();
      const states = [...known.values(), ...elsewhere].map(said);
      for (const state of states) drawing.show(state.place.name, state);
      if (details.open) list.show(states);
      paintFigures(states);
    });
  }

  on("site", (news) => {
    rows.take(news);
    const strays = [...rows.rows].filter(([name, row]) => row.count && !known.has(name)).map(([name]) => name);
    if (strays.join() !== elsewhere.map((place) => place.name).join()) {
      elsewhere = strays.map(stray);
      drawing.add(elsewhere);
    }
    paint();
  });
  on("devices", (news) => {
    devices.take(news);
    watched = new Set(devices.values().flatMap((row) => row.watched));
    paint();
  });
  on("alarms", (news) => {
    alarms.take(news);
    alarmsOf = new Map();
    for (const alarm of alarms.values()) {
      const { zone, read_point: point, device } = alarm.fields ?? {};
      for (const name of new Set([alarm.subject, zone, point, device, ...alarm.evidence?.read_points ?? []])) {
        if (!name) continue;
        if (!alarmsOf.has(name)) alarmsOf.set(name, new Set());
        alarmsOf.get(name).add(alarm.id);
      }
    }
    paint("alarms");
  });
  on("events", (news) => {
    events.take(news);
    if (!news.whole) counted.push([performance.now(), news.matched]);
    paint("events");
  });

  const search = searchCard({ api, t, say, onFound: (zone) => {
    drawing.mark(zone);
    if (zone) drawing.svg.querySelector(".found")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  } });
  const card = (title, ...body) => el("section", { class: "card" }, el("h2", {}, title), body);
  const hint = plan.places.length < 2 ? t("nothing_to_draw") : drawing.isDrawn ? t("plan_hint") : `${t("plan_hint")} ${t("plan_arranged")}`;
  fill(root, el("h1", {}, t("title")),
    el("section", { class: "card drawn" }, el("h2", {}, t("plan")), drawing.element, el("p", { class: "hint" }, hint),
      hasJournal ? null : el("p", { class: "warn" }, t("no_journal")), details),
    el("div", { class: "beside" }, search.element, card(t("figures"), tiles), card(t("standing"), standing, noAlarms, allAlarms),
      card(t("last_events"), happenings, noEvents)));
  allAlarms.hidden = true;
  paint();
  if (query.get("find")) search.find(query.get("find"));
  if (query.get("place")) openPlace(find(query.get("place")));
  return () => {
    cancelAnimationFrame(frame);
    clearInterval(dialog?.timer);
    closeDialog();
    drawing.close();
  };
}
