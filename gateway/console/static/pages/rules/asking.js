// A question that takes long: it says how long already, can be given up, and has its answer below.
import { el, fill, write } from "../../base/dom.js";
import { duration } from "../../base/format.js";

const TICK_MS = 500;
export const MOST_S = 60;

/** One question at a time; `element` is where its answer stands. */
export class Asking {
  constructor({ t, api, label }) {
    this.t = t;
    this.api = api;
    this.element = el("div", { class: "answer", role: "region", "aria-label": label, tabindex: "-1" });
    this.asked = null;
  }

  /** Asks; `show(answer)` gives the nodes to show. Gives false when it was given up, or refused. */
  async ask(path, query, show) {
    this.close();
    const mine = new AbortController();
    this.asked = mine;
    const { t } = this;
    const began = performance.now();
    const bar = el("progress", { max: MOST_S, value: 0, "aria-label": t("working") });
    const state = el("p", { class: "hint" });
    const status = el("p", { class: "unseen", role: "status" }, t("working"));
    fill(this.element, el("div", { class: "bar" }, bar,
      el("button", { type: "button", onclick: () => mine.abort() }, t("cancel"))), state, status);
    const tick = () => {
      const seconds = (performance.now() - began) / 1000;
      bar.value = Math.min(MOST_S, seconds);
      write(state, t("working_since", { time: duration(Math.floor(seconds)), most: duration(MOST_S) }));
    };
    tick();
    const timer = setInterval(tick, TICK_MS);
    try {
      const answer = await this.api(path, { query, signal: mine.signal });
      if (this.asked === mine) fill(this.element, show(answer));
      return true;
    } catch (error) {
      if (this.asked === mine) fill(this.element, error.name === "AbortError" ? el("p", { class: "hint" }, t("given_up")) : refused(error.message));
      return false;
    } finally {
      clearInterval(timer);
      if (this.asked === mine) this.asked = null;
    }
  }

  /** Gives up what is being asked. */
  close() {
    this.asked?.abort();
    this.asked = null;
  }
}

/** What the server refused, line by line. */
export const refused = (text) => el("div", { class: "bad", role: "alert" }, String(text).split("\n").map((line) => el("p", {}, line)));
