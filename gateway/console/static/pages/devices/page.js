// Devices: all of them, one of them, or a walk test of one.
import { open as openList } from "./list.js";
import { open as openOne } from "./one.js";
import { open as openWalk } from "./walk.js";

export const parts = [];

export function open(page) {
  const [name, what] = page.path;
  if (!name) return openList(page);
  return what === "walk" ? openWalk(page, name) : openOne(page, name);
}
