// Alarms: those that stand, their past, and one of them with all that happened to it.
import { el, fill } from "../../base/dom.js";
import { Acting, mayAct } from "./acting.js";
import { openOne } from "./one.js";
import { openPast } from "./past.js";
import { openStanding } from "./standing.js";

export const parts = ["alarms"];

export async function open(page) {
  const { root, path, t } = page;
  const acting = mayAct(page) === null ? new Acting(page) : null;
  const body = el("div", { class: "page wide alarms-body" });
  const view = path[0] === "history" ? "history" : path[0] ? "one" : "standing";
  const link = (name, href) => el("a", { class: "button", href, "aria-current": view === name ? "page" : false }, t(name));
  fill(root, el("h1", {}, t("title")),
    el("nav", { class: "bar views", "aria-label": t("views") }, link("standing", "/alarms"), link("history", "/alarms/history")),
    body);
  const inside = { ...page, root: body, acting };
  if (view === "history") return openPast(inside);
  return view === "one" ? openOne(inside) : openStanding(inside);
}
