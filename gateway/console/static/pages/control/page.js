// Control: what may be ordered, what it shows now, and ordering it.
import { el, fill, write } from "../../base/dom.js";
import { age, duration, when } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { orWord } from "../../base/text.js";
import { Flow } from "./flow.js";
import { actionWord, codeWord, interlockNow, orderText, shownText, stateBadge, valueText } from "./words.js";

export const parts = ["control", "devices"];

const TICK_MS = 1000, LATEST_EVERY_MS = 5000;
const STATES = ["online", "degraded", "offline"];
const DEVICE_TONES = { online: "good", degraded: "warn", offline: "bad" };
const QUANTITIES = ["active_power", "current", "voltage"], PHASES = ["a", "b", "c"];
const key = (point) => `${point.device}/${point.point}`;

export async function open({ root, t, api, on, say, me }) {
  const told = await api("/control/points");
  const aheadUs = told.now_us - Date.now() * 1000;
  const nowUs = () => Date.now() * 1000 + aheadUs;
  const rows = new Rows(), devices = new Rows();
  let latest = {}, isClosed = false;

  /** The row of a point; its last order is the later of what the console heard and what the audit says. */
  function row(point) {
    const found = rows.get(key(point)) ?? { values: {}, order: null, last: null };
    const audited = latest[key(point)];
    const last = audited && (!found.last || (audited.at_us > found.last.at_us && audited.id !== found.last.id)) ? audited : found.last;
    return { ...found, last };
  }
  const flow = new Flow({ t, api, say, me, row, nowUs });
  const cards = told.points.map((point) => pointCard({ t, me, told, point, flow, nowUs }));
  const waiting = waitingCard({ t, me, told, flow, row, nowUs });
  const trouble = el("p", { class: "warn wide", hidden: true });

  function paint() {
    for (const card of cards) card.show(row(card.point), devices.get(card.point.device));
    waiting.show();
  }
  async function askLatest() {
    try {
      const answer = await api("/control/latest");
      if (isClosed) return;
      latest = answer.rows;
      write(trouble, answer.fault ? t("no_audit", { text: answer.fault }) : "");
    } catch (error) {
      write(trouble, error.message);
    }
    trouble.hidden = trouble.textContent === "";
    paint();
  }
  on("control", (news) => { rows.take(news); flow.changed(); paint(); });
  on("devices", (news) => { devices.take(news); paint(); });

  const hints = [
    told.is_enabled ? null : el("p", { class: "warn wide" }, t("disabled")),
    told.person ? null : el("p", { class: "warn wide" }, t("no_person")),
    trouble,
  ];
  fill(root, el("h1", {}, t("title")), el("p", { class: "hint wide" }, t("no_safety")), hints, waiting.element,
    cards.length ? cards.map((card) => card.element) : el("section", { class: "card wide" }, el("p", { class: "empty" }, t("nothing_listed"))));
  paint();
  askLatest();
  const timers = [setInterval(paint, TICK_MS), setInterval(askLatest, LATEST_EVERY_MS)];
  return () => {
    isClosed = true;
    timers.forEach(clearInterval);
    flow.close();
  };
}

const secondsLeft = (t, order, nowUs) => t("seconds", { seconds: Math.max(0, Math.ceil((order.expires_at_us - nowUs()) / 1e6)) });

/** Orders that need a second person. */
function waitingCard({ t, me, told, flow, row, nowUs }) {
  const two = told.points.filter((point) => point.second_person);
  const list = el("ul", { class: "waiting" }), none = el("p", { class: "empty" }, t("none_waiting"));
  const element = el("section", { class: "card wide", hidden: two.length === 0, "aria-live": "polite" }, el("h2", {}, t("waiting_title")), list, none);
  const kept = new Map();
  return { element, show() {
    const now = two.map((point) => ({ point, order: row(point).order })).filter(({ order }) => order?.state === "armed");
    for (const [id, each] of kept) if (!now.some(({ order }) => order.id === id)) { each.item.remove(); kept.delete(id); }
    for (const { point, order } of now) {
      if (!kept.has(order.id)) {
        const left = el("span", { role: "timer", "aria-live": "off" });
        const isMine = order.by === me.person;
        const item = el("li", {}, el("strong", {}, orderText(t, order, point.unit)), ` · ${t("armed_by")} ${order.by} · `, left, " ",
          el("button", { type: "button", class: isMine ? "" : "main", onclick: () => flow.goOn(point, order) }, t(isMine ? "show_it" : "look_and_confirm")));
        kept.set(order.id, { item, left });
        list.append(item);
      }
      write(kept.get(order.id).left, secondsLeft(t, order, nowUs));
    }
    none.hidden = now.length > 0;
  } };
}

/** One point: changed in place, so that nothing loses the focus. */
function pointCard({ t, me, told, point, flow, nowUs }) {
  const state = el("a", { class: "badge soft", href: `/devices/${encodeURIComponent(point.device)}` }, t("device_unknown"));
  const values = el("dl", { class: "facts" });
  const interlocks = el("ul", { class: "interlocks" });
  const standing = el("div", { class: "standing" }), last = el("div", { class: "last" });
  const why = el("p", { class: "hint" });
  const buttons = point.actions.map((action) => ({ action, button: el("button", { type: "button", onclick: () => flow.begin(point, action) },
    `${actionWord(t, action.action)}…`) }));
  const rules = [
    [t("may_order"), point.roles.join(", ")],
    point.close_roles.length ? [t("may_close"), point.close_roles.join(", ")] : null,
    [t("steps"), t(point.second_person ? "steps.two_people" : point.actions.every((each) => each.is_direct) ? "steps.one" : "steps.two")],
    [t("pause"), t("pause_text", { pause: duration(point.least_pause_s), most: point.most_per_hour })],
    point.interlocks.length ? null : [t("interlocks"), t("none")],
  ].filter(Boolean);
  const element = el("section", { class: "card point" },
    el("div", { class: "point-head" }, el("h2", {}, `${point.device} · ${point.point}`), state),
    point.locked ? el("p", { class: "warn" }, `⚿ ${t("locked")}: ${point.locked}`) : null,
    values, standing,
    el("div", { class: "bar" }, buttons.map((each) => each.button)), why,
    point.interlocks.length ? [el("h3", {}, t("interlocks")), interlocks] : null,
    el("details", {}, el("summary", {}, t("rules")), el("dl", { class: "facts" }, rules.map(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]))),
    el("h3", {}, t("last_order")), last);
  const marks = {};

  /** Puts children in place only when they say something else. */
  function put(place, name, made) {
    const said = made.map((each) => each?.outerHTML ?? "").join("");
    if (marks[name] !== said) { marks[name] = said; fill(place, made); }
  }

  function whyNot(order) {
    if (!told.is_enabled) return t("disabled");
    if (!told.person) return t("no_person");
    if (point.locked) return t("locked_hint");
    if (order) return t("held");
    const out = buttons.filter(({ action }) => !action.may).map(({ action }) => t("role_missing", { action: actionWord(t, action.action), roles: action.needs.join(", ") }));
    const lacking = buttons.filter(({ action }) => !action.is_offered).map(({ action }) => t("not_offered", { action: actionWord(t, action.action) }));
    return [...out, ...lacking].join(" ");
  }

  function standingNow(order) {
    if (!order) return [];
    const isSecond = point.second_person && order.by !== me.person, isMine = order.user === me.name;
    const who = order.user && order.user !== order.by ? `${order.by} (${order.user})` : order.by;
    const line = el("p", {}, stateBadge(t, order.state), ` ${orderText(t, order, point.unit)} · ${who}`);
    const left = order.state === "armed" ? el("p", {}, secondsLeft(t, order, nowUs)) : null;
    const refused = order.state === "armed" && order.code && order.code !== "armed" ? el("p", { class: "warn" }, `${codeWord(t, order.code)}: ${order.detail}`) : null;
    const isArmed = order.state === "armed";
    return [line, left, refused, isArmed && me.person ? el("div", { class: "bar" },
      isMine || isSecond ? el("button", { type: "button", class: "main", "data-do": "on" }, t("go_on")) : null,
      el("button", { type: "button", "data-do": "back" }, t("take_back"))) : null];
  }
  let held = null;
  standing.addEventListener("click", (event) => {
    const what = event.target.closest("[data-do]")?.dataset.do;
    if (!held || !what) return;
    if (what === "on") flow.goOn(point, held);
    else flow.takeBack(held);
  });

  return { element, point, show(now, device) {
    held = now.order;
    write(state, device ? orWord(t, "state", device.state, STATES) : t("device_unknown"));
    state.className = `badge ${DEVICE_TONES[device?.state] ?? "soft"}`;
    const lines = valuesNow(t, point, now.values, nowUs() - Date.now() * 1000);
    put(values, "values", lines.length ? lines.flatMap(([what, text]) => [el("dt", {}, what), el("dd", {}, text)])
      : [el("dt", {}, t("now")), el("dd", { class: "soft" }, t("asked_when_ordered"))]);
    put(interlocks, "interlocks", point.interlocks.map((each) => {
      const found = interlockNow(t, each, now.values, point.fresh_s, nowUs());
      return el("li", {}, el("span", { class: found.tone }, found.mark), ` ${found.text} — `, el("span", { class: found.tone }, found.now));
    }));
    for (const { action, button } of buttons) button.disabled = !told.is_enabled || !told.person || !action.may || !action.is_offered || Boolean(point.locked) || Boolean(now.order);
    write(why, whyNot(now.order));
    put(standing, "standing", standingNow(now.order).filter(Boolean));
    put(last, "last", now.last ? lastLines(t, now.last, point) : [el("p", { class: "empty" }, t("no_last"))]);
  } };
}

/** What the point's own signal and readings say, the phases of a quantity in one line. */
function valuesNow(t, point, values, aheadUs) {
  const told = (parts, atUs) => `${parts.join(" · ")} (${t("ago", { age: age(atUs - aheadUs) })})`;
  const lines = [];
  const signal = values[`signal ${point.device} ${point.point}`];
  if (signal) lines.push([t(typeof signal.value === "boolean" ? "is_on_now" : "now"), told([valueText(t, signal.value, signal.unit)], signal.at_us)]);
  for (const quantity of QUANTITIES) {
    const start = `reading ${point.device} ${quantity}`;
    const whole = values[start];
    const phases = PHASES.map((phase) => [phase, values[`${start}:${phase}`]]).filter(([, found]) => found);
    if (!whole && !phases.length) continue;
    const parts = whole ? [valueText(t, whole.value, whole.unit)] : phases.map(([phase, found]) => `${phase.toUpperCase()} ${valueText(t, found.value, found.unit)}`);
    lines.push([t(`quantity.${quantity}`), told(parts, (whole ?? phases[0][1]).at_us)]);
  }
  return lines;
}

function lastLines(t, last, point) {
  const shows = shownText(t, last.shows, point.unit);
  const who = last.confirmed_by && last.confirmed_by !== last.by ? t("armed_and_confirmed", { by: last.by, confirmed: last.confirmed_by }) : last.by;
  return [
    el("p", {}, stateBadge(t, last.state), ` ${actionWord(t, last.action)}${last.value ? ` ${valueText(t, last.value, point.unit)}` : ""} · ${who} · ${when(last.at_us)}`),
    last.state === "unknown" ? el("p", { class: "bad look" }, el("strong", {}, t("look_at_device"))) : null,
    el("p", { class: "hint" }, `${codeWord(t, last.code)}: `, el("span", { lang: "en" }, last.detail)),
    shows ? el("p", { class: "hint" }, `${t("device_showed")}: ${shows}`) : null,
    el("p", {}, el("a", { href: `/audit?order=${encodeURIComponent(last.id)}` }, t("in_audit"))),
  ].filter(Boolean);
}
