// Meters: all of them, or one with its registers, curves and energy books.
import { el, fill } from "../../base/dom.js";
import { openList } from "./list.js";
import { openMeter } from "./meter.js";

export const parts = [];

export async function open(page) {
  let known;
  try {
    known = await page.api("/meters/known");
  } catch (error) {
    fill(page.root, el("h1", {}, page.t("title")), el("p", { class: "bad" }, error.message));
    return undefined;
  }
  return page.path[0] ? openMeter({ ...page, known, name: page.path[0] }) : openList({ ...page, known });
}
