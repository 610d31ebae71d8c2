// Talks to the console's own server. Anything that changes something carries the token of this session.

/** The same object, in which only what it was given can be found: a device may be called `constructor`. */
export const named = (object) => Object.setPrototypeOf(object, null);

export class ApiError extends Error {
  constructor(text, status, code = "") {
    super(text);
    this.status = status;
    this.code = code;
  }
}

let token = "";
let onLoginNeeded = () => {};
let onOldToken = async () => {};

/** Who asks: the token of `/api/me`, what happens when a login is needed, and when the token is an old one. */
export function identify(csrf, loginNeeded, oldToken) {
  token = csrf ?? "";
  onLoginNeeded = loginNeeded;
  onOldToken = oldToken;
}

/** Asks the server; gives the decoded answer. `path` is below /api; `query` an object; a `body` makes it a POST.
 * Throws ApiError, whose message is the server's own words. */
export async function api(path, { query = {}, body, signal, isAgain = false } = {}) {
  const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const parameters = new URLSearchParams(asked).toString();
  const options = { signal, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.headers["X-CSRF-Token"] = token;
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`/api${path}${parameters ? `?${parameters}` : ""}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("console_away", 0);
  }
  const text = await answer.text();
  let said = null;
  try {
    said = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(`${answer.status}`, answer.status);
  }
  if (answer.ok) return said;
  if (answer.status === 401) onLoginNeeded();
  if (said?.code === "csrf" && !isAgain) { // another page logged in: nothing was done, so it may be asked again
    await onOldToken();
    return api(path, { query, body, signal, isAgain: true });
  }
  throw new ApiError(said?.error ?? `${answer.status} ${answer.statusText}`, answer.status, said?.code ?? said?.reason);
}
