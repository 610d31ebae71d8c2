// Asks before something is done. The dialogue is the browser's own: it keeps the focus, and Escape leaves it.
import { el } from "./dom.js";

/** Shows a dialogue; gives the value of the button that ended it, or null when it was left.
 *
 * options: { title, body: nodes, buttons: [{ value, label, tone, wait, isFree, isReady: (form) => bool }], onOpen: (dialog) => {} }
 * With `wait` (seconds) a button can be pressed only after that time: nobody confirms by a double click. The fields need
 * not be complete for a button without a value, nor for one that `isFree`. With `isReady` it waits for that, too, asked
 * whenever something is typed. Whoever keeps the dialogue of `onOpen` may end it by `dialog.close(value)`. */
export function ask({ title, body, buttons, label, onOpen = () => {} }) {
  return new Promise((resolve) => {
    const heading = el("h2", { id: "dialog-title" }, title);
    const timers = [];
    const checks = [];
    const row = buttons.map(({ value, label: text, tone = "", wait = 0, isFree = false, isReady = () => true }) => {
      const button = el("button", { type: "submit", value, class: tone, formnovalidate: !value || isFree }, text);
      let isWaiting = wait > 0;
      const check = () => { button.disabled = isWaiting || !isReady(form); };
      checks.push(check);
      if (isWaiting) timers.push(setTimeout(() => { isWaiting = false; check(); }, wait * 1000));
      return button;
    });
    const form = el("form", { method: "dialog" }, heading, el("div", { class: "body" }, body), el("div", { class: "buttons" }, row));
    const dialog = el("dialog", { "aria-labelledby": "dialog-title", "aria-label": label ?? false }, form);
    dialog.addEventListener("close", () => {
      timers.forEach(clearTimeout);
      const fields = Object.fromEntries(new FormData(form));
      dialog.remove();
      resolve(dialog.returnValue ? { value: dialog.returnValue, fields } : null);
    });
    const checkAll = () => checks.forEach((check) => check());
    form.addEventListener("input", checkAll);
    checkAll();
    document.body.append(dialog);
    dialog.showModal();
    onOpen(dialog);
  });
}
