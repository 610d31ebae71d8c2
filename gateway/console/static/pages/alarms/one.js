// One alarm: what it is, what happened to it, what lies around it, and why the rules raised it.
import { el, fill, write } from "../../base/dom.js";
import { duration, exactTime, iso, moment, number, quantity, when } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";
import { traced } from "../../base/trace.js";
import { mayAct } from "./acting.js";
import { aboutText, people, severityBadge, severityWord, statusBadge } from "./words.js";

const STORED_AFTER_MS = 1500; // the journal keeps a change a moment after it was told
const PROGRESS_MS = 500;

export async function openOne(page) {
  const { root, path, t, api, on, acting } = page;
  const id = path[0];
  const live = new Rows();
  const closers = [];
  let told = null, last = null, isClosed = false, pending = null;
  const head = el("div", {});
  const facts = el("div", {});
  const line = el("div", {});
  const around = new Table([
    { key: "at", label: t("time"), head: true, cell: (row) => el("a", { href: `/event/${row.id}` }, exactTime(row.at_us)) },
    { key: "type", label: t("event"), cell: (row) => row.type },
    { key: "place", label: t("place"), cell: (row) => row.zone ?? row.read_point ?? row.device ?? "" },
    { key: "rule", label: t("rule"), cell: (row) => row.rule ?? "" },
  ], { caption: t("around"), empty: t("around_none"), key: (row) => row.id, rowClass: (row) => (row.rule && row.rule === last?.rule ? "exception" : "") });

  const act = el("button", { type: "button", class: "main", hidden: true, onclick: () => acting.one(last) }, t("do"));

  function show() {
    const alarm = live.get(id) ?? told?.alarm ?? null;
    last = alarm ?? told?.changes.at(-1) ?? null;
    if (!last) return;
    const status = `${last.at_us} ${last.state}`;
    if (head.dataset.told !== status) {
      head.dataset.told = status;
      fill(head, el("h2", {}, last.message),
        el("p", { class: "verdict-line" }, severityBadge(t, last.severity), statusBadge(t, alarm ?? last), el("strong", {}, aboutText(last))),
        el("p", {}, people(t, last).map((text) => el("span", { class: "line" }, text))));
      fill(facts, factList(t, last, told));
    }
    act.hidden = !acting || last.state !== "raised";
  }

  async function learn() {
    try {
      const found = await api(`/alarms/one/${encodeURIComponent(id)}`);
      if (isClosed) return true;
      told = found;
      delete head.dataset.told;
      show();
      fill(line, timeline(t, told));
      around.show(told.events);
      return true;
    } catch (error) {
      if (isClosed) return true;
      if (told === null) {
        const isUnknown = error.status === 404;
        fill(root, el("section", { class: "card wide" }, el("h2", {}, t(isUnknown ? "not_found" : "one_title")),
          el("p", { class: isUnknown ? "" : "bad" }, isUnknown ? t("not_found_text") : error.message), el("p", {}, el("a", { href: "/alarms" }, t("back")))));
        return false;
      }
      page.say(error.message, "warn");
      return true;
    }
  }

  const card = (title, ...body) => el("section", { class: "card" }, el("h2", {}, title), body);
  if (!await learn()) return undefined;
  fill(root, el("section", { class: "card wide" }, head, mayAct(page), el("p", {}, act)),
    card(t("timeline"), line), card(t("facts"), facts),
    el("section", { class: "card wide" }, el("h2", {}, t("around")), around.element),
    whyCard(page, () => last, closers));
  on("alarms", (news) => {
    const before = live.get(id);
    live.take(news);
    if (live.get(id) === before && !news.whole) return;
    if (!live.get(id) && told) told.alarm = null; // it stands no longer; the journal tells how it ended
    show();
    clearTimeout(pending);
    pending = setTimeout(learn, STORED_AFTER_MS);
  });
  return () => { isClosed = true; clearTimeout(pending); closers.forEach((close) => close()); };
}

/** The event that the same rule made when it raised the alarm, if it made one. */
function eventOf(alarm, told) {
  const own = (told?.events ?? []).filter((event) => event.rule === alarm.rule);
  return own.sort((a, b) => Math.abs(a.at_us - alarm.since_us) - Math.abs(b.at_us - alarm.since_us))[0];
}

function factList(t, alarm, told) {
  const { evidence = {}, fields = {} } = alarm;
  const event = eventOf(alarm, told);
  const pairs = [
    [t("since"), el("time", { datetime: iso(alarm.since_us) }, moment(alarm.since_us))],
    [t("rule"), el("a", { href: `/rules/${encodeURIComponent(alarm.rule)}` }, alarm.rule)],
    ...Object.entries(fields).filter(([name]) => name !== "unit").map(([name, value]) => [name, valueText(t, name, value, fields)]),
    [t("evidence"), event ? el("a", { href: `/event/${event.id}` }, `${event.type} ${exactTime(event.at_us)}`) : null],
    [t("read_points"), (evidence.read_points ?? []).join(", ")],
    [t("reads"), evidence.reads ? number(evidence.reads) : ""],
    [t("batches", { gateway: evidence.gateway ?? "" }), `${evidence.sequence_from}–${evidence.sequence_to}`],
    [t("id"), el("code", {}, alarm.id)],
  ];
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== "" && value !== null).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function valueText(t, name, value, fields) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value !== "number") return value === null ? "" : String(value);
  if (name.endsWith("_us")) return moment(value);
  if (name.endsWith("_s")) return duration(value);
  if (name.endsWith("_kg")) return quantity(value, "kg");
  return quantity(value, name === "value" && fields.unit !== "1" ? fields.unit ?? "" : "", 3);
}

/** Every change, newest first, in the words of what differs from the one before. */
function timeline(t, told) {
  const notes = [
    told.kept_here ? null : t("no_journal"), told.slow ? t("slow") : null,
    told.more ? t("timeline_cut", { n: number(told.changes.length) }) : null,
    told.kept_here && !told.slow && !told.changes.length ? t("timeline_none") : null,
    ...told.damaged.map((text) => t("damaged", { text })),
  ].filter(Boolean).map((text) => el("p", { class: "hint" }, text));
  const items = told.changes.map((now, n) => {
    const before = n ? told.changes[n - 1] : null;
    const isFirst = !before || before.state === "cleared" || now.since_us !== before.since_us;
    const age = isFirst ? "" : t("after", { time: duration((now.at_us - now.since_us) / 1e6) });
    return el("li", {}, el("time", { datetime: iso(now.at_us) }, when(now.at_us)), el("span", { class: "soft" }, ` ${age}`),
      words(t, isFirst ? null : before, now).map((text) => el("span", { class: "line" }, text)));
  });
  return [notes, el("ol", { class: "changes", reversed: true }, items.reverse())];
}

function words(t, before, now) {
  const severity = severityWord(t, now.severity);
  if (now.state === "cleared") return [t("change.cleared"), before && now.message !== before.message ? now.message : ""].filter(Boolean);
  if (!before) return [t("change.raised", { severity }), now.message, ...(now.comment ? [t("change.comment", { who: now.comment_by ?? "", comment: now.comment })] : [])];
  const found = [];
  if (before.ended && !now.ended) found.push(t("change.again"));
  if (!before.ended && now.ended) found.push(t("change.ended"));
  if (now.severity !== before.severity && now.escalated) found.push(now.escalated_by ? t("change.escalated_by", { who: now.escalated_by, severity }) : t("change.escalated", { severity }));
  if (now.acknowledged_by && now.acknowledged_by !== before.acknowledged_by) found.push(t("change.acknowledged", { who: now.acknowledged_by }));
  if (!now.acknowledged_by && before.acknowledged_by) found.push(t("change.unacknowledged"));
  if (now.comment && (now.comment !== before.comment || now.comment_by !== before.comment_by)) found.push(t("change.comment", { who: now.comment_by ?? "", comment: now.comment }));
  if (now.message !== before.message) found.push(now.message);
  return found.length ? found : [t("change.other")];
}

function whyCard({ t, api, mayBe }, alarm, closers) {
  const answer = el("div", { class: "trace", role: "region", "aria-live": "polite", "aria-label": t("why") });
  const button = el("button", { type: "button" }, t("ask_why"));
  const asking = new AbortController();
  let timer = null;
  closers.push(() => { asking.abort(); clearInterval(timer); });
  button.addEventListener("click", async () => {
    button.disabled = true;
    const began = performance.now();
    const state = el("p", { class: "hint" });
    fill(answer, el("progress", { "aria-label": t("why") }), state);
    const tick = () => write(state, t("working_since", { time: duration(Math.floor((performance.now() - began) / 1000)) }));
    tick();
    timer = setInterval(tick, PROGRESS_MS);
    try {
      const { id, at_us: at } = alarm();
      fill(answer, traced(t, await api(`/alarms/why/${id}`, { query: { at_us: at }, signal: asking.signal })));
    } catch (error) {
      if (error.name === "AbortError") return;
      fill(answer, el("p", { class: "bad" }, error.message));
    } finally {
      clearInterval(timer);
      button.disabled = false;
    }
  });
  const may = mayBe("operator");
  return el("section", { class: "card wide" }, el("h2", {}, t("why")), el("p", { class: "hint" }, t("why_hint")),
    may ? [el("p", {}, button), answer] : el("p", {}, t("why_role")));
}
