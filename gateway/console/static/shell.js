// The frame of every page: menu, head, language, login, and the one stream that the open page follows.
import { ApiError, api, identify } from "./base/api.js";
import { Attention } from "./base/attention.js";
import { el, fill, write } from "./base/dom.js";
import { number } from "./base/format.js";
import { Siren } from "./base/sound.js";
import { openStream } from "./base/stream.js";
import { LANGUAGES, chooseLanguage, currentLanguage, texts } from "./base/text.js";

const RATE_EVERY_MS = 1000;
const AGAIN_MS = 5000;
const ROLES = ["viewer", "operator", "engineer"];
const NOTICE_MS = 8000;

const at = (id) => document.getElementById(id);
const siren = new Siren();
const attention = new Attention();
const rate = { count: null, at: 0 };
let about = null;
let me = null;
let t = (key) => key;
let open = null; // { name, close, stopStream }
let turn = 0;

/** Says something for a few seconds; errors stay until they are closed. */
function say(text, tone = "") {
  const notice = el("p", { class: `notice ${tone}` }, text,
    el("button", { type: "button", class: "close", "aria-label": t("close"), onclick: () => notice.remove() }, "×"));
  at("notices").append(notice);
  if (tone !== "bad") setTimeout(() => notice.remove(), NOTICE_MS);
}

const mayBe = (role) => Boolean(me) && ROLES.indexOf(me.role) >= ROLES.indexOf(role);

function where() {
  const [name, ...path] = location.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  return { name: name ?? about.home, path, query: new URLSearchParams(location.search) };
}

/** Goes to an address of this console. */
function go(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  return show();
}

function toLogin() {
  if (where().name !== "login") go(`/login?to=${encodeURIComponent(location.pathname + location.search)}`, { replace: true });
}

async function learn() {
  me = await api("/me");
  identify(me.csrf, toLogin, learn);
  about ??= await api("/shell");
}

async function show() {
  const mine = ++turn;
  open?.stopStream();
  open?.close();
  open = null;
  const { name, path, query } = where();
  const known = about.pages.find((page) => page.name === name);
  const main = at("page");
  const isLogin = name === "login";
  t = await texts(null);
  frame(name);
  if (!isLogin && (!known || !mayBe(known.least))) {
    if (known && me.login_possible && !me.name) return toLogin();
    fill(main, el("h1", {}, t(known ? "not_allowed" : "no_such_page")));
    open = { name, close: () => {}, stopStream: follow([], {}, () => {}) };
    return;
  }
  try {
    const [page, text] = await Promise.all([import(`./pages/${name}/page.js`), texts(name)]);
    if (mine !== turn) return;
    attention.name(`${text("title")} · ${about.site} · Tagwharf`);
    const root = el("div", { class: `page ${name}` });
    fill(main, root);
    if (document.activeElement !== document.body) main.focus({ preventScroll: true });
    const handlers = new Map();
    const filters = {};
    let parts = page.parts ?? [];
    let isRunning = false;
    const restart = () => {
      if (mine !== turn) return;
      open.stopStream();
      open.stopStream = follow(parts, filters, (part, data) => handlers.get(part)?.(data));
    };
    open = { name, close: () => {}, stopStream: () => {} };
    const close = await page.open({
      root, path, query, me, about, say, go, mayBe,
      t: text,
      api: (to, options) => api(to, options).catch((error) => { throw worded(error); }),
      /** Hears what the stream tells of a part. */
      on(part, handler) { handlers.set(part, handler); },
      /** Follows other parts, or with other filters: the stream begins anew. */
      follow(wanted, asked = {}) {
        parts = wanted;
        for (const key of Object.keys(filters)) delete filters[key];
        Object.assign(filters, asked);
        if (isRunning) restart();
      },
    });
    if (mine !== turn) { close?.(); return; }
    open.close = close ?? (() => {});
    isRunning = true;
    restart();
  } catch (error) {
    console.error(error);
    fill(main, el("h1", {}, t("page_failed")), el("p", { class: "bad" }, String(error.message ?? error)));
  }
}

function worded(error) {
  if (error instanceof ApiError && error.message === "console_away") return new ApiError(t("console_away"), 0);
  return error;
}

function follow(parts, filters, on) {
  let close = () => {};
  let again = null;
  if (!mayBe("viewer")) { link("away"); return close; }
  const begin = () => {
    close = openStream([...new Set(["summary", ...parts])], filters, (part, data) => {
      if (part === "summary") summary(data);
      on(part, data);
    }, (isLive, why) => {
      if (isLive) return;
      link("away");
      if (why === "ended") toLogin();
      if (why === "refused") again = setTimeout(begin, AGAIN_MS); // a browser gives up after an answer that is no stream
    });
  };
  begin();
  return () => { clearTimeout(again); close(); };
}

function link(state) {
  write(at("link"), t(`link.${state}`));
  at("link").className = state === "live" ? "good" : "bad";
}

function summary(now) {
  link(now.connected ? "live" : "no_broker");
  const clock = performance.now();
  if (rate.count === null || now.reads_heard < rate.count) Object.assign(rate, { count: now.reads_heard, at: clock });
  else if (clock - rate.at >= RATE_EVERY_MS) {
    write(at("f-rate"), number(((now.reads_heard - rate.count) * 1000) / (clock - rate.at)));
    Object.assign(rate, { count: now.reads_heard, at: clock });
  }
  write(at("f-online"), `${now.online} / ${now.devices}`);
  write(at("f-alarms"), now.unseen ? `${now.unseen} / ${now.alarms}` : now.alarms);
  at("f-alarms").className = now.unseen ? "bad" : now.alarms ? "warn" : "good";
  write(at("f-ledger"), now.balanced === null ? "–" : t(now.balanced ? "balanced" : "differs"));
  at("f-ledger").className = now.balanced === false ? "bad" : "good";
  siren.show(now.loudest, now.newest_unseen_us);
  attention.show(now.unseen);
}

function frame(name) {
  document.documentElement.lang = currentLanguage() === "zh" ? "zh-CN" : "en";
  write(at("skip"), t("skip"));
  write(at("site"), about.site);
  if (!at("f-rate") || at("figures").lang !== currentLanguage()) {
    at("figures").lang = currentLanguage();
    fill(at("figures"), [["f-rate", "reads_per_s"], ["f-online", "devices_online"], ["f-alarms", "alarms_unseen"], ["f-ledger", "ledger"]]
      .map(([id, key]) => el("div", {}, el("dt", {}, t(key)), el("dd", { id }, "–"))));
  }
  at("menu").setAttribute("aria-label", t("menu"));
  const inMenu = about.pages.filter((page) => page.is_in_menu && mayBe(page.least));
  fill(at("menu"), el("ul", {}, inMenu.map((page) => el("li", {}, el("a", {
    href: page.name === about.home ? "/" : `/${page.name}`, "aria-current": page.name === name ? "page" : false,
  }, t(`menu.${page.name}`))))));
  fill(at("tools"), soundButton(), languageButton(), loginButton());
}

function soundButton() {
  return el("button", { type: "button", id: "sound", "aria-pressed": String(siren.isOn), onclick: (event) => {
    event.currentTarget.setAttribute("aria-pressed", String(siren.switch()));
  } }, t("sound"));
}

function languageButton() {
  const other = Object.keys(LANGUAGES).find((language) => language !== currentLanguage());
  return el("button", { type: "button", id: "language", lang: other, onclick: () => { chooseLanguage(other); show(); } }, LANGUAGES[other]);
}

function loginButton() {
  if (me?.name) {
    return el("button", { type: "button", id: "logout", onclick: async () => {
      try {
        await api("/logout", { body: {} });
        await learn();
        await go("/");
      } catch (error) {
        say(worded(error).message, "bad");
      }
    } }, `${me.name} · ${t("logout")}`);
  }
  return me?.login_possible ? el("a", { id: "login", class: "button", href: "/login" }, t("login")) : null;
}

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("a[href]");
  if (!target || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (target.target || target.hasAttribute("download") || target.origin !== location.origin) return;
  if (target.pathname.startsWith("/api/") || target.pathname.startsWith("/static/")) return;
  if (target.hash && target.pathname === location.pathname) return;
  event.preventDefault();
  go(target.pathname + target.search);
});
addEventListener("popstate", () => show());
/** Somebody has logged in: learn who, and go where he wanted. */
addEventListener("tagwharf-login", async (event) => {
  await learn();
  await go(event.detail.to, { replace: true });
});

async function start() {
  try {
    t = await texts(null);
    await learn();
  } catch (error) {
    fill(at("page"), el("h1", {}, t("console_away")), el("p", {}, String(error.message)));
    setTimeout(start, AGAIN_MS);
    return;
  }
  await show();
}

start();
