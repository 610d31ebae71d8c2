// "Where is X": the search, what it found, and the way that something took.
import { ask } from "../../base/dialog.js";
import { el, fill } from "../../base/dom.js";
import { moment, when } from "../../base/format.js";
import { Table } from "../../base/table.js";
import { orWord } from "../../base/text.js";

const LEAST = 2;
const TYPES = ["arrived", "moved", "departed", "passage"];

/** What an event says happened, in words where there are some. */
export const happened = (t, event) => orWord(t, "type", event.type, TYPES);

/** Where an event was: a zone, the way between two, a lane with its direction. */
export function whereabouts(t, event) {
  const zone = event.zone ?? event.read_point ?? "";
  if (event.from_zone) return `${event.from_zone} → ${zone}`;
  return event.direction ? `${zone} · ${orWord(t, "direction", event.direction, ["in", "out"])}` : zone;
}

/** Asks for the way of one thing, and shows it in a dialogue. */
export async function showWay({ api, t, say }, subject, name) {
  const table = new Table([
    { key: "time", label: t("time"), head: true, cell: (event) => moment(event.at_us) },
    { key: "event", label: t("event"), cell: (event) => el("a", { href: `/event/${encodeURIComponent(event.id)}` }, happened(t, event)) },
    { key: "where", label: t("where"), cell: (event) => whereabouts(t, event) },
  ], { caption: t("way"), empty: t("way_empty"), key: (event) => event.id });
  let events = [], next = null;
  const earlier = el("button", { type: "button", onclick: () => load() }, t("earlier"));
  async function load() {
    try {
      const page = await api("/site/way", { query: { subject, before: next } });
      events = events.concat(page.events);
      next = page.next;
      for (const text of page.damaged) say(t("damaged", { text }), "warn");
    } catch (error) {
      say(error.message, "bad");
    }
    table.show(events);
    earlier.hidden = !next;
  }
  await load();
  const body = [name && name !== subject ? el("p", { class: "epc" }, subject) : null, table.element, earlier];
  return ask({ title: t("way_of", { name: name ?? subject }), body, buttons: [{ value: "close", label: t("close"), tone: "main" }] });
}

/** The search card. `onFound(zone)`: where the only thing found is now, null for nowhere. */
export function searchCard({ api, t, say, onFound }) {
  const input = el("input", { type: "search", name: "text", maxlength: "128", autocomplete: "off", spellcheck: "false", placeholder: "MSKU… 3035…" });
  const said = el("div", { class: "found", "aria-live": "polite" });
  let turn = 0;

  function hit(each) {
    const where = each.now
      ? el("span", {}, `${t("now_at")}: `, el("b", {}, each.now.zone), ` · ${t("since")} ${when(each.now.since_us)}`)
      : el("span", { class: "soft" }, `${t("in_no_zone")}; ${t("last_seen")} ${when(each.at_us)}${each.zone ? ` · ${each.zone}` : ""}`);
    return el("li", {}, el("div", {}, el("b", { class: "epc" }, each.text), " ", el("span", { class: "badge soft" }, t(`hit.${each.kind}`)),
      each.name && each.name !== each.text ? ` ${each.name}` : ""), el("div", {}, where), el("div", { class: "buttons" },
      each.now ? el("button", { type: "button", onclick: () => onFound(each.now.zone) }, t("plan")) : null,
      el("button", { type: "button", onclick: () => showWay({ api, t, say }, each.subject, each.name) }, t("show_way"))));
  }

  async function find(text) {
    const mine = ++turn;
    input.value = text;
    if (text.length < LEAST) { fill(said, text ? el("p", { class: "hint" }, t("find_short")) : null); onFound(null); return; }
    try {
      const { hits, more, damaged } = await api("/site/find", { query: { text } });
      if (mine !== turn) return;
      fill(said, hits.length ? el("ul", { class: "hits" }, hits.map(hit)) : el("p", { class: "empty" }, t("find_none", { text })),
        more ? el("p", { class: "hint" }, t("found_more")) : null, damaged.map((line) => el("p", { class: "warn" }, t("damaged", { text: line }))));
      onFound(hits.length && new Set(hits.map((each) => each.subject)).size === 1 ? hits[0].now?.zone ?? null : null);
    } catch (error) {
      if (mine === turn) fill(said, el("p", { class: "bad" }, error.message));
    }
  }

  const form = el("form", { role: "search", class: "finding", onsubmit: (event) => { event.preventDefault(); find(input.value.trim()); } },
    el("label", {}, t("find_label"), input), el("button", { type: "submit" }, t("search")));
  return { element: el("section", { class: "card" }, el("h2", {}, t("find")), form, said), find };
}
