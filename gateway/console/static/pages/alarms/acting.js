// Orders about alarms: the dialogue, what is sent, and what became of it. Nothing is ever sent twice by itself.
import { ask } from "../../base/dialog.js";
import { el } from "../../base/dom.js";
import { duration, number, when } from "../../base/format.js";
import { aboutText, people, severityBadge, statusOf } from "./words.js";

/** At once: a person may order 60 times a minute. */
export const SELECTED_MOST = 50;
const AT_ONCE = 4;
const LISTED_MOST = 8;
const COMMENT_MOST = 500;
const WORDED = ["standing", "unknown", "loudest", "role", "comment", "rate", "expired", "ahead", "replayed", "no_person", "no_key",
  "busy", "broker_away", "broker_lost", "silent", "unproven", "signature", "person", "console_away"];
/** After these the next order would end in the same way. */
const ENDING = ["rate", "role", "no_person", "no_key", "busy", "broker_away", "broker_lost", "silent", "unproven", "login", "console_away"];

/** Whether this visitor may act, and if not what he can do about it. */
export function mayAct({ me, mayBe, t }) {
  if (mayBe("operator")) return me.person ? null : el("p", { class: "hint" }, t("no_person"));
  if (me.name) return el("p", { class: "hint" }, t("viewer"));
  if (!me.login_possible) return el("p", { class: "hint" }, t("anonymous_closed"));
  const to = `/login?to=${encodeURIComponent(location.pathname + location.search)}`;
  return el("p", { class: "hint" }, t("anonymous"), " ", el("a", { href: to }, t("login")));
}

/** Acts on alarms in the name of who is logged in. */
export class Acting {
  constructor({ t, api, say, me }) {
    Object.assign(this, { t, api, say, me });
    this.busy = new Set();
  }

  /** Asks what to do about one alarm, and does it. `alarm()` gives it as it is when asked for. */
  async one(alarm) {
    const { t } = this;
    if (this.busy.has(alarm.id)) return;
    this.busy.add(alarm.id);
    try {
      const seen = statusOf(alarm) !== "unseen" && Boolean(alarm.acknowledged_by);
      const comment = this.#comment();
      comment.required = true;
      const actions = [seen ? null : "acknowledge", "comment", alarm.severity === "critical" ? null : "escalate", "clear"].filter(Boolean);
      const said = await ask({
        title: alarm.message,
        body: [
          el("p", {}, severityBadge(t, alarm.severity), ` ${aboutText(alarm)}`),
          el("p", { class: "hint" }, `${t("since")} ${when(alarm.since_us)} · ${t("lasts")} ${duration(Date.now() / 1000 - alarm.since_us / 1e6)}`),
          people(t, alarm).map((line) => el("p", {}, line)),
          el("label", {}, t("comment_field"), comment),
          el("ul", { class: "hint" }, actions.map((action) => el("li", {}, t(`hint.${action}`)))),
          el("p", { class: "hint" }, t("in_name_of", { person: this.me.person })),
        ],
        buttons: [
          ...actions.map((action, n) => ({ value: action, label: t(action), tone: n ? "" : "main", isFree: action !== "comment" })),
          { value: "", label: t("cancel") },
        ],
      });
      if (!said) return;
      const result = await this.#send(alarm, said.value, said.fields.comment ?? "");
      this.#tellOne(alarm, said.value, result);
    } finally {
      this.busy.delete(alarm.id);
    }
  }

  /** The same for many at once; gives the ids of those that are done. */
  async many(alarms, action) {
    const { t } = this;
    const free = alarms.filter((alarm) => !this.busy.has(alarm.id)).slice(0, SELECTED_MOST);
    if (!free.length) return [];
    const n = number(free.length);
    const said = await ask({
      title: t(`many.${action}`, { n }),
      body: [
        el("ul", {}, free.slice(0, LISTED_MOST).map((alarm) => el("li", {}, severityBadge(t, alarm.severity), ` ${alarm.message} · ${aboutText(alarm)}`))),
        free.length > LISTED_MOST ? el("p", {}, t("many_more", { n: number(free.length - LISTED_MOST) })) : null,
        el("label", {}, t("comment_field"), this.#comment()),
        el("p", { class: "hint" }, `${t(`hint.${action}`)} ${t("in_name_of", { person: this.me.person })}`),
      ],
      buttons: [{ value: action, label: t(action), tone: "main" }, { value: "", label: t("cancel") }],
    });
    if (!said) return [];
    for (const alarm of free) this.busy.add(alarm.id);
    this.say(t("sending", { n }));
    const results = [];
    const waiting = [...free];
    let isOver = false;
    const work = async () => {
      while (waiting.length && !isOver) {
        const alarm = waiting.shift();
        const result = await this.#send(alarm, action, said.fields.comment ?? "");
        results.push({ alarm, ...result });
        if (ENDING.includes(result.code)) isOver = true;
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    } finally {
      for (const alarm of free) this.busy.delete(alarm.id);
    }
    this.#tellMany(free.length, results, waiting.length);
    return results.filter(({ state }) => state === "done").map(({ alarm }) => alarm.id);
  }

  #comment() {
    return el("input", { name: "comment", maxlength: String(COMMENT_MOST), autocomplete: "off", size: "40" });
  }

  /** What became of one order: { state: done | refused | unknown | not_sent, code, detail }. */
  async #send(alarm, action, comment) {
    try {
      return await this.api("/alarms/order", { body: { alarm: alarm.id, action, comment } });
    } catch (error) {
      if (error.status === 0) return { state: "unknown", code: "console_away", detail: error.message };
      const code = error.status === 401 ? "login" : error.code;
      return { state: "not_sent", code, detail: error.message };
    }
  }

  #why({ code, detail }) {
    return WORDED.includes(code) ? this.t(`why.${code}`) : detail || code;
  }

  #tellOne(alarm, action, result) {
    const { t } = this;
    if (result.state === "done") this.say(t(`done.${action}`, { message: alarm.message }), "good");
    else if (result.state === "refused") this.say(t("refused", { why: this.#why(result) }), "bad");
    else if (result.state === "not_sent") this.say(t("not_sent", { why: this.#why(result) }), "bad");
    else this.say(`${this.#why(result)}. ${t("look")}`, "bad");
  }

  #tellMany(asked, results, left) {
    const { t } = this;
    const of = (state) => results.filter((result) => result.state === state);
    const done = of("done").length;
    this.say(t("done_many", { done: number(done), n: number(asked) }), done === asked ? "good" : "warn");
    const reasons = (found) => [...new Set(found.map((result) => this.#why(result)))].join("; ");
    for (const [state, key] of [["refused", "refused_some"], ["unknown", "unknown_some"]]) {
      const found = of(state);
      if (found.length) this.say(t(key, { n: number(found.length), why: reasons(found) }), "bad");
    }
    const unsent = of("not_sent");
    if (unsent.length + left) {
      const why = reasons(unsent.length ? unsent : results.filter(({ code }) => ENDING.includes(code)));
      this.say(t("not_sent_some", { n: number(unsent.length + left), why }), "bad");
    }
  }
}
