// Numbers, times and units as people read them; in the language and the time zone of the browser.
import { locale } from "./text.js";

const DASH = "–";
const MISSING = (value) => value === null || value === undefined || value === "";

const formats = new Map();
function times(options) {
  const key = locale() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale(), { hourCycle: "h23", ...options }));
  return formats.get(key);
}

/** Time of day, with seconds. */
export const time = (us) => (MISSING(us) ? DASH : times({ hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(us / 1000));

/** Time of day with milliseconds. */
export const exactTime = (us) => (MISSING(us) ? DASH
  : times({ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 }).format(us / 1000));

/** Date and time of day. */
export const moment = (us) => (MISSING(us) ? DASH : times({
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
}).format(us / 1000));

/** Time alone today, with the date before. */
export const when = (us) => (MISSING(us) ? DASH
  : new Date(us / 1000).toDateString() === new Date().toDateString() ? time(us) : moment(us));

/** A machine-readable time, for <time datetime>. */
export const iso = (us) => (MISSING(us) ? "" : new Date(us / 1000).toISOString());

/** A duration: 120 ms, 4.2 s, 42 s, 3 min 20 s, 5 h 12 min, 3 d 4 h. */
export function duration(seconds) {
  if (MISSING(seconds)) return DASH;
  const s = Math.max(0, Number(seconds));
  if (s > 0 && s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** How long ago. */
export const age = (us) => (MISSING(us) ? DASH : duration(Date.now() / 1000 - us / 1e6));

/** A number with grouping and so many decimals at most. */
export function number(value, decimals = 0) {
  if (MISSING(value) || Number.isNaN(Number(value))) return DASH;
  return Number(value).toLocaleString(locale(), { maximumFractionDigits: decimals });
}

const SCALES = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
const SCALED = new Set(["W", "Wh", "var", "varh", "VA", "VAh", "B"]);

/** A value with its unit, scaled where the unit takes a prefix: 12.4 kW. `value` may be a decimal in a string. */
export function quantity(value, unit = "", decimals = 2) {
  if (MISSING(value)) return DASH;
  const plain = Number(value);
  if (Number.isNaN(plain)) return `${value} ${unit}`.trim();
  if (SCALED.has(unit)) {
    for (const [factor, prefix] of SCALES) {
      if (Math.abs(plain) >= factor) return `${number(plain / factor, decimals)} ${prefix}${unit}`;
    }
  }
  return `${number(plain, decimals)}${unit ? ` ${unit}` : ""}`;
}

/** Hex in groups of four, for reading aloud. */
export const hex = (text) => (MISSING(text) ? DASH : String(text).replace(/(.{4})(?=.)/g, "$1 "));
