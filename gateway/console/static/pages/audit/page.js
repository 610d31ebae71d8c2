// The audit of control: who ordered what, when and why, what became of it, and whether the chain is sound.
import { el, fill, write } from "../../base/dom.js";
import { duration, number, when } from "../../base/format.js";
import { Table } from "../../base/table.js";
import { orWord } from "../../base/text.js";
import { actionWord, codeWord, shownText, stateBadge, valueText } from "../control/words.js";

export const parts = [];

const STATES = ["armed", "sending", "verified", "failed", "unknown", "refused", "cancelled", "expired"];
const KINDS = ["arm", "confirm", "direct", "cancel"];
const FIELDS = ["by", "at", "state", "from", "to", "order"];
const HASH_SHOWN = 8;
const MOST = 2000;

export async function open({ root, t, api, query, say }) {
  const about = await api("/audit/about");
  const asked = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? ""]));
  const option = (value, label) => el("option", { value }, label);
  const by = el("select", { name: "by" }, option("", t("any")), about.people.map((name) => option(name, name)));
  const at = el("select", { name: "at" }, option("", t("any")), about.points.map(([device, point]) => option(`${device}/${point}`, `${device} · ${point}`)));
  const state = el("select", { name: "state" }, option("", t("any")), STATES.map((name) => option(name, t(`order.${name}`))));
  const from = el("input", { name: "from", type: "datetime-local" }), to = el("input", { name: "to", type: "datetime-local" });
  const fields = { by, at, state, from, to };
  for (const [name, field] of Object.entries(fields)) field.value = asked[name];
  const exporting = el("a", { class: "button", download: true }, t("export"));
  const only = el("p", { class: "hint", hidden: true });
  const bar = el("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); asked.order = ""; choose(); } },
    el("label", {}, t("person"), by), el("label", {}, t("device_point"), at), el("label", {}, t("outcome"), state),
    el("label", {}, t("from"), from), el("label", {}, t("to"), to),
    el("button", { type: "submit", class: "main" }, t("show")),
    el("button", { type: "button", onclick: () => { for (const field of Object.values(fields)) field.value = ""; asked.order = ""; choose(); } }, t("reset")), exporting);
  const table = new Table([
    { key: "when", label: t("when"), head: true, cell: (row) => when(row.at_us) },
    { key: "who", label: t("who"), cell: (row) => row.by || t(row.is_damaged ? "of_gateway" : "of_nobody") },
    { key: "what", label: t("what"), cell: (row) => what(t, row) },
    { key: "state", label: t("state"), cell: (row) => stateBadge(t, row.state) },
    { key: "why", label: t("why"), cell: (row) => details(t, row) },
    { key: "shows", label: t("shows"), cell: (row) => shownText(t, row.shows) },
    { key: "receipt", label: t("receipt"), cell: (row) => receipt(t, row.receipt) },
  ], { caption: t("records"), empty: t("empty"), key: (row) => row.sequence, rowClass: (row) => (row.is_damaged ? "missing" : "") });
  table.element.addEventListener("click", (event) => {
    const text = event.target.closest("[data-receipt]")?.dataset.receipt;
    if (text) copy(t, say, text);
  });
  const more = el("button", { type: "button", hidden: true, onclick: () => ask(true) }, t("more_records"));
  const trouble = el("p", { class: "warn", hidden: true, role: "status" }), head = el("p", { class: "hint receipt" });
  let rows = [], before = null, turn = 0, isClosed = false;

  const selection = () => {
    const [device = "", point = ""] = at.value.split("/");
    return { by: by.value, device, point, state: state.value, order: asked.order, from_us: us(from.value), to_us: us(to.value) };
  };
  const parameters = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "")).toString();

  function choose() {
    const shown = parameters({ ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])), order: asked.order });
    history.replaceState(null, "", `/audit${shown ? `?${shown}` : ""}`);
    ask();
  }

  async function ask(isMore = false) {
    const mine = ++turn;
    const wanted = selection();
    const exported = parameters(wanted);
    exporting.href = `/api/audit/export${exported ? `?${exported}` : ""}`;
    only.hidden = !asked.order;
    write(only, asked.order ? t("order_only", { id: asked.order }) : "");
    more.disabled = true;
    try {
      const answer = await api("/audit/records", { query: { ...wanted, before: isMore ? before : "" } });
      if (mine !== turn || isClosed) return;
      rows = isMore ? rows.concat(answer.records.map(whole)) : answer.records.map(whole);
      before = answer.before;
      table.show(rows);
      more.hidden = before === null || rows.length >= MOST;
      write(head, answer.head ? t("shown_to", { head: answer.head }) : "");
      trouble.hidden = true;
    } catch (error) {
      if (mine !== turn || isClosed) return;
      write(trouble, error.code === "no_audit" ? t("elsewhere", { text: error.message, gateway: about.gateway }) : error.message);
      trouble.hidden = false;
      exporting.hidden = error.code === "no_audit";
      if (!isMore) { rows = []; table.show(rows); }
    } finally {
      more.disabled = false;
    }
  }

  const kept = el("input", { name: "receipt", type: "text", size: 40, maxlength: 100, autocomplete: "off", spellcheck: "false" });
  const verdict = el("div", { role: "status" });
  const press = el("button", { type: "submit", class: "main" }, t("verify"));
  const verifying = el("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); verify(); } }, el("label", {}, t("compare"), kept), press);
  async function verify() {
    press.disabled = true;
    fill(verdict, el("p", {}, t("verifying")));
    try {
      const found = await api("/audit/verify", { body: { receipt: kept.value.trim() } });
      if (isClosed) return;
      const isSound = found.faults_count === 0;
      fill(verdict,
        el("p", { class: isSound ? "good" : "bad" }, isSound ? `✓ ${t("sound", { records: number(found.records), time: duration(found.took_s) })}`
          : `✕ ${t("faulty", { count: number(found.faults_count), records: number(found.records) })}`),
        isSound ? null : el("ul", { lang: "en" }, found.faults.map((fault) => el("li", {}, fault)),
          found.faults_count > found.faults.length ? el("li", {}, t("faults_more", { count: number(found.faults_count - found.faults.length) })) : null),
        el("p", { class: "hint receipt" }, `${t("end_receipt")} `, el("code", {}, found.head)));
    } catch (error) {
      if (!isClosed) fill(verdict, el("p", { class: "bad" }, error.code === "no_audit" ? t("elsewhere", { text: error.message, gateway: about.gateway }) : error.message));
    } finally {
      press.disabled = false;
    }
  }

  fill(root, el("h1", {}, t("title")),
    el("div", { class: "wide" }, el("p", { class: "hint" }, t("intro")), about.is_enabled ? null : el("p", { class: "warn" }, t("off")),
      el("p", { class: "hint" }, `${t("alarm_orders")} `, el("a", { href: "/alarms" }, t("to_alarms")))),
    el("section", { class: "card wide" }, el("h2", {}, t("records")), bar, el("p", { class: "hint" }, t("export_hint")), only, trouble, table.element, more, head),
    el("section", { class: "card wide" }, el("h2", {}, t("verify_title")), el("p", { class: "hint" }, t("verify_hint")), verifying, verdict));
  table.show([]);
  await ask();
  return () => { isClosed = true; };
}

/** Fields that are as they are by default do not travel. */
const whole = (row) => ({ by: "", device: "", point: "", kind: "", action: null, value: null, reason: "", code: "", detail: "", shows: {}, is_damaged: false, ...row });

/** A local time as microseconds; empty where none was given. */
const us = (text) => (text ? new Date(text).getTime() * 1000 : "");

function what(t, row) {
  const place = [row.device, row.point].filter(Boolean).join(" · ");
  const action = row.action ? `${actionWord(t, row.action)}${row.value ? ` ${valueText(t, row.value)}` : ""}` : "";
  const kind = row.kind ? ` (${orWord(t, "kind", row.kind, KINDS)})` : "";
  return `${action}${kind} ${place}`.trim();
}

function details(t, row) {
  if (row.is_damaged) return el("span", { class: "bad" }, t("damaged_record"));
  return el("div", {}, codeWord(t, row.code), el("div", { class: "hint", lang: "en" }, row.detail), row.reason ? el("div", {}, t("reason", { text: row.reason })) : null);
}

function receipt(t, text) {
  const [sequence, hash] = text.split(":");
  return el("span", { class: "receipt-short" }, el("code", { title: text }, `${sequence}:${hash.slice(0, HASH_SHOWN)}…`), " ",
    el("button", { type: "button", "data-receipt": text, "aria-label": `${t("copy")} ${sequence}` }, t("copy")));
}

async function copy(t, say, text) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${t("copied")}: ${text}`);
  } catch {
    say(`${t("not_copied")} ${text}`);
  }
}
