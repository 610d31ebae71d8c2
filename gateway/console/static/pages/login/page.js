// Log in. After it, the page that was wanted.
import { el, fill, write } from "../../base/dom.js";

export function open({ root, query, t, api, me }) {
  const to = ownAddress(query.get("to") ?? "/");
  const wrong = el("p", { class: "bad", role: "alert" });
  const name = el("input", { name: "name", autocomplete: "username", required: true, autofocus: true, maxlength: 64 });
  const password = el("input", { name: "password", type: "password", autocomplete: "current-password", required: true, maxlength: 256 });
  const button = el("button", { class: "main" }, t("enter"));
  const form = el("form", { class: "card", onsubmit: async (event) => {
    event.preventDefault();
    write(wrong, "");
    button.disabled = true;
    try {
      await api("/login", { body: { name: name.value, password: password.value } });
      dispatchEvent(new CustomEvent("tagwharf-login", { detail: { to } }));
    } catch (error) {
      write(wrong, error.status === 401 ? t("wrong") : error.message);
      password.value = "";
      password.focus();
    } finally {
      button.disabled = false;
    }
  } }, el("h1", {}, t("title")), el("label", {}, t("name"), name), el("label", {}, t("password"), password), wrong, button);
  fill(root, me.login_possible ? form : el("p", { class: "card" }, t("no_users")));
  name.focus();
}

/** Where to go after the login: an address of this console, whatever somebody wrote into a link. */
function ownAddress(wanted) {
  if (!wanted.startsWith("/") || !URL.canParse(wanted, location.origin)) return "/";
  const found = new URL(wanted, location.origin);
  return found.origin === location.origin ? (found.pathname + found.search).replace(/^\/+/, "/") : "/";
}
