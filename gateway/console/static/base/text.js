// The words of the page, in the language of whoever looks.

export const LANGUAGES = { en: "English", zh: "中文" };
const CHOICE = "tagwharf.language";

let language = chosen();

function chosen() {
  let kept = null;
  try {
    kept = localStorage.getItem(CHOICE);
  } catch {
    // A browser that keeps nothing shows the language of its own.
  }
  if (kept in LANGUAGES) return kept;
  const own = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in LANGUAGES);
  return own ?? "en";
}

/** For numbers and times: the browser's own form of the language, else that which the world reads best. */
export const locale = () => navigator.languages.find((tag) => tag.toLowerCase().startsWith(language)) ?? { en: "en-GB", zh: "zh-CN" }[language];

/** `en` or `zh`. */
export const currentLanguage = () => language;

/** Keeps another language for this browser. */
export function chooseLanguage(wanted) {
  language = wanted in LANGUAGES ? wanted : "en";
  try {
    localStorage.setItem(CHOICE, language);
  } catch {
    // As above: it holds for this page only.
  }
}

const loaded = new Map();

async function words(path) {
  if (!loaded.has(path)) {
    loaded.set(path, fetch(path).then((answer) => {
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      return answer.json();
    }));
  }
  return loaded.get(path);
}

/** A function that gives the text of a key, with `{name}` filled in: the page's own words first, then the common. */
export async function texts(page) {
  const common = await words(`/static/text/${language}.json`);
  const own = page ? await words(`/static/pages/${page}/${language}.json`) : {};
  return (key, values = {}) => {
    const text = own[key] ?? common[key];
    if (text === undefined) {
      const prefix = key.slice(0, key.indexOf(".") + 1);
      if (prefix && [own, common].some((words) => Object.keys(words).some((each) => each.startsWith(prefix)))) {
        return key.slice(prefix.length); // a word that a device or a later version gives: it stands for itself
      }
      console.error(`no text: ${page ?? ""} ${key}`);
      return key;
    }
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
}

/** The text of a key where there is one, else the word itself: for names that the site gives. */
export function orWord(t, prefix, word, known) {
  return known.includes(word) ? t(`${prefix}.${word}`) : word;
}
