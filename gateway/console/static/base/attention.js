// The title and the mark of the tab: they tell of alarms that nobody has seen, also to somebody who looks elsewhere.

const BLINK_MS = 1000;
const MARKS = { false: "/static/mark.svg", true: "/static/mark-alarm.svg" };

/** Writes the title: `(3) Alarms`; while the page is in the background, in turns with `▲ 3`. */
export class Attention {
  constructor() {
    this.title = document.title;
    this.unseen = 0;
    this.timer = null;
    this.isOdd = false;
    document.addEventListener("visibilitychange", () => this.#plan());
  }

  /** The title of the page that is open. */
  name(title) {
    this.title = title;
    this.#write();
  }

  /** How many alarms nobody has acknowledged. */
  show(unseen) {
    if (unseen === this.unseen) return;
    this.unseen = unseen;
    document.querySelector('link[rel="icon"]')?.setAttribute("href", MARKS[unseen > 0]);
    this.#plan();
  }

  #plan() {
    clearInterval(this.timer);
    this.timer = null;
    this.isOdd = false;
    if (document.hidden && this.unseen > 0) {
      this.timer = setInterval(() => { this.isOdd = !this.isOdd; this.#write(); }, BLINK_MS);
    }
    this.#write();
  }

  #write() {
    if (this.unseen === 0) document.title = this.title;
    else document.title = this.isOdd ? `▲ ${this.unseen}` : `(${this.unseen}) ${this.title}`;
  }
}
