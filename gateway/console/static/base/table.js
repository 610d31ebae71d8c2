// A table whose rows are changed in place: what does not change keeps its focus, its selection and its place.
import { el, fill } from "./dom.js";

/** columns: [{ key, label, cell: (row) => text | node | { text, class, title }, number, sort: (row) => value, head }]
 * options: { caption, empty, key: (row) => id, sorted: [key, "ascending"|"descending"], rowClass, label } */
export class Table {
  constructor(columns, { caption, empty = "", key = (row, index) => index, sorted = null, rowClass = () => "" } = {}) {
    this.columns = columns;
    this.key = key;
    this.sorted = sorted;
    this.rowClass = rowClass;
    this.shown = new Map();
    this.rows = [];
    this.body = el("tbody");
    this.heads = columns.map((column) => this.#head(column));
    this.empty = el("p", { class: "empty", hidden: true }, empty);
    const table = el("table", {}, caption ? el("caption", { class: "unseen" }, caption) : null,
      el("thead", {}, el("tr", {}, this.heads)), this.body);
    this.element = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption ?? false }, table, this.empty);
  }

  #head(column) {
    const head = el("th", { scope: "col", class: column.number ? "n" : false });
    if (!column.sort) return fill(head, column.label);
    return fill(head, el("button", { type: "button", class: "sort", onclick: () => this.#sortBy(column.key) }, column.label));
  }

  #sortBy(key) {
    const [now, direction] = this.sorted ?? [null, null];
    this.sorted = [key, now === key && direction === "ascending" ? "descending" : "ascending"];
    this.show(this.rows);
  }

  /** Shows these rows, in their order or in that which was chosen. */
  show(rows) {
    this.rows = rows;
    let ordered = rows;
    const column = this.sorted && this.columns.find((each) => each.key === this.sorted[0]);
    if (column) {
      const sign = this.sorted[1] === "ascending" ? 1 : -1;
      ordered = [...rows].sort((a, b) => sign * compare(column.sort(a), column.sort(b)));
    }
    this.columns.forEach((each, index) => {
      if (each.sort) this.heads[index].setAttribute("aria-sort", this.sorted?.[0] === each.key ? this.sorted[1] : "none");
    });
    const wanted = new Set();
    let before = null;
    ordered.forEach((row, index) => {
      const id = this.key(row, index);
      wanted.add(id);
      let kept = this.shown.get(id);
      if (!kept) {
        kept = { tr: el("tr", {}, this.columns.map((each) => el(each.head ? "th" : "td",
          { class: each.number ? "n" : false, scope: each.head ? "row" : false }))), told: [] };
        this.shown.set(id, kept);
      }
      this.#update(kept, row);
      const place = before ? before.nextSibling : this.body.firstChild;
      if (place !== kept.tr) this.body.insertBefore(kept.tr, place);
      before = kept.tr;
    });
    for (const [id, kept] of this.shown) {
      if (!wanted.has(id)) { kept.tr.remove(); this.shown.delete(id); }
    }
    this.empty.hidden = rows.length > 0;
  }

  #update(kept, row) {
    kept.tr.className = this.rowClass(row);
    this.columns.forEach((column, index) => {
      const made = column.cell(row);
      const cell = kept.tr.children[index];
      if (made instanceof Node) {
        const told = made.outerHTML;
        if (told !== kept.told[index]) { fill(cell, made); kept.told[index] = told; }
        return;
      }
      const { text, class: tone = "", title = null } = made !== null && typeof made === "object" ? made : { text: made };
      const told = `${text}\u0000${tone}\u0000${title}`;
      if (told === kept.told[index]) return;
      kept.told[index] = told;
      cell.textContent = text ?? "";
      cell.className = [column.number ? "n" : "", tone].filter(Boolean).join(" ");
      if (title) cell.title = title;
      else cell.removeAttribute("title");
    });
  }
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
}
