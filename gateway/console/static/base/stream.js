// The one stream of a page: what the server tells of each part, as it changes.

/** Opens a stream. `parts`: names; `filters`: { part: { key: value } }; `on(part, data)`; `onState(isLive)`. */
export function openStream(parts, filters, on, onState) {
  const query = new URLSearchParams({ parts: parts.join(",") });
  for (const [part, asked] of Object.entries(filters)) {
    for (const [key, value] of Object.entries(asked)) if (value !== "" && value != null) query.set(`${part}.${key}`, value);
  }
  const source = new EventSource(`/api/stream?${query}`);
  for (const part of parts) source.addEventListener(part, (message) => on(part, JSON.parse(message.data)));
  source.addEventListener("open", () => onState(true));
  source.addEventListener("ended", () => { source.close(); onState(false, "ended"); });
  source.addEventListener("error", () => onState(false, source.readyState === EventSource.CLOSED ? "refused" : "away"));
  return () => source.close();
}

/** Rows by key, kept from what a part tells. */
export class Rows {
  constructor() { this.rows = new Map(); }

  /** Takes a message; gives the keys that changed. */
  take({ whole, rows }) {
    if (whole) this.rows.clear();
    for (const [key, row] of Object.entries(rows)) {
      if (row === null) this.rows.delete(key);
      else this.rows.set(key, row);
    }
    return Object.keys(rows);
  }

  values() { return [...this.rows.values()]; }

  get(key) { return this.rows.get(key); }
}

/** The newest of many, kept from what a part tells: at most `most`. */
export class Newest {
  constructor(most) { this.most = most; this.rows = []; this.matched = 0; this.leftOut = 0; }

  take({ whole, rows, matched, left_out: leftOut }) {
    if (whole) { this.rows = []; this.matched = 0; this.leftOut = 0; }
    this.rows = this.rows.concat(rows).slice(-this.most);
    this.matched += matched;
    this.leftOut += leftOut;
  }
}
