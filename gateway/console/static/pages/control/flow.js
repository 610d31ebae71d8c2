// An order from the first press to its outcome. What is shown is what the stream tells; each thing that is sent is one press.
import { ask } from "../../base/dialog.js";
import { el, write } from "../../base/dom.js";
import { duration, time } from "../../base/format.js";
import { actionWord, codeWord, orderText, shown, stateBadge, willText } from "./words.js";

const WAIT_S = 2;
const TICK_MS = 250;
const UNHEARD_MS = 10_000;
const REASON_MOST = 200;
const ON_ITS_WAY = ["confirming", "sending"];

/** A new id for one press: what comes twice is known by it. */
function press() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Orders of who is logged in. `row(key)` gives the row of a point as the stream tells it; `nowUs()` the console's clock. */
export class Flow {
  constructor({ t, api, say, me, row, nowUs }) {
    Object.assign(this, { t, api, say, me, row, nowUs });
    this.dialog = null;
    this.refresh = () => {};
    this.isOpen = true;
    this.isBusy = false;
    this.timer = setInterval(() => this.refresh(), TICK_MS);
  }

  /** The stream has told something. */
  changed() { this.refresh(); }

  /** The page is left. What waits armed in a dialogue is taken back. */
  close() {
    this.isOpen = false;
    clearInterval(this.timer);
    this.dialog?.close("left");
  }

  /** Asks what exactly, then arms it, or gives it where one step will do. */
  async begin(point, action) {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      const said = await this.#what(point, action);
      if (!said || said.value !== "go" || !this.isOpen) return;
      const { value = "", reason = "" } = said.fields;
      const order = { id: press(), kind: action.is_direct ? "direct" : "arm", device: point.device, point: point.point, action: action.action,
        reason: reason.trim(), ...(value.trim() ? { value: plain(value) } : {}) };
      if (!await this.#send("begin", order)) return;
      await this.#follow(point, order.id, order.reason);
    } finally {
      this.isBusy = false;
    }
  }

  /** Goes on with an order that stands: one's own after a reload, or as the second person. */
  async goOn(point, order) {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      let reason = "";
      try {
        ({ reason } = await this.api(`/control/reason/${order.id}`));
      } catch {
        // It is over already: what became of it is shown.
      }
      await this.#follow(point, order.id, reason);
    } finally {
      this.isBusy = false;
    }
  }

  /** Takes an armed order back. */
  async takeBack(order) {
    await this.#send("cancel", { id: press(), order: order.id });
  }

  async #send(what, body) {
    try {
      await this.api(`/control/${what}`, { body });
      return true;
    } catch (error) {
      this.say(error.code ? `${codeWord(this.t, error.code)}: ${error.message}` : error.message, "bad");
      return false;
    }
  }

  #what(point, action) {
    const { t } = this;
    const isSet = action.action === "set";
    const number = isSet ? el("input", { name: "value", type: "text", inputmode: "decimal", required: true, maxlength: 25, autocomplete: "off",
      pattern: "\\s*-?[0-9]{1,15}([.][0-9]{1,9})?\\s*" }) : null;
    const bounds = isSet && point.minimum !== null && point.maximum !== null ? t("bounds", { from: point.minimum, to: point.maximum, unit: point.unit ?? "" }) : "";
    const change = isSet && point.most_change !== null ? t("most_change", { value: point.most_change, unit: point.unit ?? "" }) : "";
    const isWithin = () => !isSet || (number.checkValidity() && Number(number.value) >= Number(point.minimum) && Number(number.value) <= Number(point.maximum));
    const reason = el("input", { name: "reason", type: "text", required: !action.is_direct, maxlength: REASON_MOST, autocomplete: "off" });
    for (const field of [number, reason]) noEnter(field);
    const order = { action: action.action, device: point.device, point: point.point, value: "" };
    return this.#ask({
      title: orderText(t, order),
      body: [
        el("p", {}, isSet ? t("will_set", { device: point.device, point: point.point }) : willText(t, order)),
        isSet ? el("label", {}, t("value_in", { unit: point.unit ?? t("no_unit") }), number, el("span", { class: "hint" }, [bounds, change].filter(Boolean).join(" · "))) : null,
        el("label", {}, t(action.is_direct ? "reason_free" : "reason"), reason),
        el("p", { class: "hint" }, t(action.is_direct ? "direct_hint" : point.second_person ? "arm_hint_two" : "arm_hint", { person: this.me.person })),
      ],
      buttons: [
        { value: "", label: t("cancel") },
        action.is_direct ? { value: "go", label: t("do_it", { action: actionWord(t, action.action) }), tone: "bad", wait: WAIT_S }
          : { value: "go", label: t("arm"), tone: "main", isReady: () => reason.value.trim() !== "" && isWithin() },
      ],
    });
  }

  /** The order as the stream tells it; null when it tells nothing of it. */
  #told(point, id) {
    const row = this.row(point);
    return [row?.order, row?.last].find((order) => order?.id === id) ?? null;
  }

  async #follow(point, id, reason) {
    const { t } = this;
    const began = performance.now();
    let wasTold = false, isLeft = false, wasArmed = false;
    while (this.isOpen && !isLeft) {
      const told = this.#told(point, id);
      wasTold ||= told !== null;
      wasArmed ||= told?.state === "armed";
      const isLost = told === null && (wasTold || performance.now() - began > UNHEARD_MS);
      const said = isLost ? await this.#lost() : told === null || told.state === "arming" || told.state === "cancelling" ? await this.#waiting(point, id, told)
        : told.state === "armed" ? await this.#armed(point, told, reason)
          : ON_ITS_WAY.includes(told.state) ? await this.#going(point, told) : await this.#over(point, told, wasArmed);
      isLeft = isLost || told?.is_over || said === "leave";
      if (said === "confirm") {
        if (await this.#send("confirm", { id: press(), order: id })) await this.#moved(point, id, "armed");
      } else if (said === "cancel") {
        if (await this.#send("cancel", { id: press(), order: id })) await this.#moved(point, id, told?.state ?? null);
      }
    }
  }

  /** Waits for the stream to tell that an order is in another state than it was, but not for ever. */
  #moved(point, id, state) {
    const until = performance.now() + UNHEARD_MS;
    return new Promise((resolve) => {
      const look = () => {
        const told = this.#told(point, id);
        if (this.isOpen && performance.now() < until && told?.state === state) return;
        this.refresh = () => {};
        resolve();
      };
      this.refresh = look;
      look();
    });
  }

  /** A dialogue that lasts while the order is in this state; gives what was pressed, `next` when the state changed. */
  async #stage({ point, id, state, onTick = () => {}, unheardUntil = Infinity, ...options }) {
    const dialog = this.#ask({ ...options, onOpen: () => {
      this.refresh = () => {
        const told = this.#told(point, id);
        if ((told?.state ?? null) !== state || performance.now() > unheardUntil) this.dialog?.close("next");
        else onTick(told);
      };
      this.refresh();
    } });
    const said = await dialog;
    this.refresh = () => {};
    return said?.value ?? "";
  }

  async #waiting(point, id, told) {
    const { t } = this;
    const isCancelling = told?.state === "cancelling";
    const said = await this.#stage({ point, id, state: told?.state ?? null, unheardUntil: told ? Infinity : performance.now() + UNHEARD_MS,
      title: t(isCancelling ? "taking_back" : "asking"), body: [el("p", { role: "status" }, t(isCancelling ? "taking_back_hint" : "asking_hint"))],
      buttons: [{ value: "wait", label: isCancelling ? t("close") : t("take_back") }] });
    if (said === "next") return "next";
    if (said === "left") { if (!isCancelling) this.#takeBackLeaving(id); return "leave"; }
    return isCancelling ? "leave" : "cancel";
  }

  async #armed(point, told, reason) {
    const { t, me } = this;
    const isMine = told.user === me.name, isSecond = point.second_person && told.by !== me.person;
    const mayConfirm = point.second_person ? isSecond : isMine;
    const isTyped = mayConfirm && point.actions.some((each) => each.action === told.action && each.is_typed);
    const typed = isTyped ? noEnter(el("input", { name: "typed", type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "none" })) : null;
    const left = el("strong", { class: "countdown", role: "timer" });
    const note = told.code && told.code !== "armed" ? el("p", { class: "warn" }, `${codeWord(t, told.code)}: ${told.detail}`) : null;
    const buttons = [{ value: "cancel", label: t("take_back"), isFree: true }];
    if (!isMine || (point.second_person && !isSecond)) buttons.unshift({ value: "leave", label: t(isMine ? "let_it_wait" : "close") });
    if (mayConfirm) {
      buttons.push({ value: "confirm", label: t("confirm_it", { action: actionWord(t, told.action) }), tone: "bad", wait: WAIT_S,
        isReady: () => !isTyped || typed.value.trim() === told.point });
    }
    const said = await this.#stage({ point, id: told.id, state: "armed",
      title: `${t("armed_title")} ${orderText(t, told, point.unit)}`,
      body: [
        el("p", { class: "tight" }, t("seconds_left"), " ", left),
        el("p", { class: "will" }, willText(t, told, point.unit)),
        el("dl", { class: "facts" },
          el("dt", {}, t("armed_by")), el("dd", {}, told.user && told.user !== told.by ? `${told.by} (${told.user})` : told.by),
          reason ? [el("dt", {}, t("reason_was")), el("dd", {}, reason)] : null,
          el("dt", {}, t("device_shows")), el("dd", {}, t("at_time", { time: time(told.shown_at_us) })),
          shown(t, told.shows, point.unit).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
        Object.keys(told.shows).length ? null : el("p", { class: "warn" }, t("shows_nothing")),
        note,
        point.second_person && !isSecond ? el("p", { class: "warn" }, t("needs_second", { person: told.by })) : null,
        isTyped ? el("label", {}, t("type_point", { point: told.point }), typed) : null,
      ],
      buttons,
      onTick: (now) => write(left, t("seconds", { seconds: Math.max(0, Math.ceil((now.expires_at_us - this.nowUs()) / 1e6)) })),
    });
    if (said === "next" || said === "confirm" || said === "cancel" || said === "leave") return said;
    if (said === "left") { if (isMine && !point.second_person) this.#takeBackLeaving(told.id); return "leave"; }
    return isMine ? "cancel" : "leave"; // Escape
  }

  async #going(point, told) {
    const { t } = this;
    const began = performance.now();
    const since = el("span");
    const said = await this.#stage({ point, id: told.id, state: told.state, title: `${t(`order.${told.state}`)} · ${orderText(t, told, point.unit)}`,
      body: [el("p", { role: "status" }, t(told.state === "sending" ? "sending_hint" : "confirming_hint")), el("p", { class: "hint" }, since)],
      buttons: [{ value: "leave", label: t("close_goes_on") }],
      onTick: () => write(since, t("for_so_long", { time: duration(Math.floor((performance.now() - began) / 1000)) })) });
    return said === "next" ? "next" : "leave";
  }

  async #over(point, told, wasArmed) {
    const { t } = this;
    if (told.state === "cancelled" && (wasArmed || told.code === "cancelled")) {
      this.say(`${orderText(t, told, point.unit)}: ${t("order.cancelled")}. ${told.code === "forgotten" ? told.detail : t("nothing_sent")}`);
      return "leave";
    }
    await this.#ask({ title: orderText(t, told, point.unit), body: outcomeBody(t, told, point.unit), buttons: [{ value: "ok", label: t("close"), tone: "main" }] });
    return "leave";
  }

  async #lost() {
    const { t } = this;
    await this.#ask({ title: t("lost_title"), body: [el("p", { class: "bad" }, t("lost"))], buttons: [{ value: "ok", label: t("close"), tone: "main" }] });
  }

  #takeBackLeaving(id) {
    this.api("/control/cancel", { body: { id: press(), order: id } }).catch(() => {}); // it is over by itself within the minute
  }

  async #ask(options) {
    const { onOpen = () => {} } = options;
    const asked = ask({ ...options, onOpen: (dialog) => { this.dialog = dialog; onOpen(dialog); } });
    const said = await asked;
    this.dialog = null;
    return said;
  }
}

/** How an order ended, for a dialogue or a card. */
export function outcomeBody(t, told, unit) {
  const facts = shown(t, told.shows, unit);
  return [
    el("p", { class: "tight" }, stateBadge(t, told.state), " ", t(`means.${told.state}`)),
    told.state === "unknown" ? el("p", { class: "bad look" }, el("strong", {}, t("look_at_device"))) : null,
    el("p", { class: "tight" }, `${codeWord(t, told.code)}: `, el("span", { lang: "en" }, told.detail)),
    facts.length ? el("dl", { class: "facts" }, el("dt", {}, t("device_shows")), el("dd", {}, t("at_time", { time: time(told.shown_at_us) })),
      facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])) : null,
    told.receipt ? el("p", { class: "hint receipt" }, `${t("receipt")} `, el("code", {}, told.receipt)) : null,
  ];
}

/** A field in which Enter does nothing: nobody lets an order go, or takes it back, by a habit. */
function noEnter(field) {
  field?.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  return field;
}

/** A number as commands have it. */
const plain = (text) => text.trim();
