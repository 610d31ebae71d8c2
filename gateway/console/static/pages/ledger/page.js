// The loss ledger: where every read, card, reading, signal and point is.
import { el, fill, write } from "../../base/dom.js";
import { duration, number, time } from "../../base/format.js";
import { Rows } from "../../base/stream.js";
import { Table } from "../../base/table.js";

export const parts = ["ledgers"];

const KINDS = [["tag_reads", "reads"], ["cards", "cards"], ["readings", "readings"], ["signals", "signals"]];

export function open({ root, t, on }) {
  const ledgers = new Rows();
  const count = (key) => ({ key, label: t(key), number: true, cell: (row) => number(row[key]) });
  const verdict = { key: "verdict", label: t("verdict"), cell: (row) => (row.balanced
    ? { text: t("balanced"), class: "good" } : { text: t("differs"), class: "bad" }) };
  const items = new Table([
    { key: "gateway", label: t("gateway"), head: true, cell: (row) => row.gateway },
    { key: "kind", label: t("kind"), cell: (row) => t(`kind.${row.kind}`) },
    ...["heard", "judged", "dropped", "waiting", "unjudged"].map(count), verdict,
  ], { caption: t("items"), empty: t("nothing_yet"), key: (row) => `${row.gateway}/${row.kind}` });
  const dropped = new Table([
    { key: "gateway", label: t("gateway"), head: true, cell: (row) => row.gateway },
    { key: "kind", label: t("kind"), cell: (row) => t(`kind.${row.kind}`) },
    { key: "reason", label: t("reason"), cell: (row) => row.reason },
    count("items_count"),
  ], { caption: t("dropped_by_reason"), empty: t("nothing_dropped"), key: (row) => `${row.gateway}/${row.kind}/${row.reason}` });
  const points = new Table([
    { key: "sink", label: t("sink"), head: true, cell: (row) => row.sink },
    ...["made", "stored", "refused", "queued"].map(count), verdict,
  ], { caption: t("points"), empty: t("nothing_yet"), key: (row) => row.sink });
  const facts = el("dl", { class: "tiles" });
  const tiles = new Map();
  const tile = (key, text, tone = "") => {
    if (!tiles.has(key)) {
      const value = el("dd");
      tiles.set(key, value);
      facts.append(el("div", { class: "tile" }, el("dt", {}, t(key)), value));
    }
    write(tiles.get(key), text);
    tiles.get(key).className = tone;
  };

  on("ledgers", (news) => {
    ledgers.take(news);
    const rows = [], reasons = [];
    for (const [name, book] of ledgers.rows) {
      if (name === "rules") continue;
      for (const [field, kind] of KINDS) {
        const account = book[field];
        const lost = Object.values(account.dropped).reduce((sum, n) => sum + n, 0);
        const { heard, judged, waiting, unjudged } = account;
        rows.push({ gateway: name, kind, heard, judged, dropped: lost, waiting, unjudged,
          balanced: heard === judged + lost + waiting + unjudged });
        for (const [reason, n] of Object.entries(account.dropped)) reasons.push({ gateway: name, kind, reason, items_count: n });
      }
    }
    items.show(rows);
    dropped.show(reasons);
    const rules = ledgers.get("rules");
    if (!rules) return;
    points.show(Object.entries(rules.points).map(([sink, p]) => ({ sink, ...p, balanced: p.made === p.stored + p.refused + p.queued })));
    tile("latency_p50", duration((rules.latency_ms.p50 ?? 0) / 1000));
    tile("latency_p99", duration((rules.latency_ms.p99 ?? 0) / 1000));
    tile("duplicates", number(rules.duplicates));
    tile("gaps", number(rules.gaps), rules.gaps ? "bad" : "");
    tile("as_of", time(rules.at_us));
  });

  const card = (title, hint, ...body) => el("section", { class: "card wide" }, el("h2", {}, title), hint ? el("p", { class: "hint" }, hint) : null, body);
  fill(root, el("h1", {}, t("title")), card(t("items"), t("items_hint"), items.element),
    card(t("dropped_by_reason"), null, dropped.element), card(t("points"), t("points_hint"), points.element),
    card(t("rules_daemon"), null, facts));
}
