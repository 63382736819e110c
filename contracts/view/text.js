// Texts from requests, shown so that nothing in them acts: not on the page, not on the order of its
// letters.
import { html, useState } from "./preact.js";

// Control characters, and those that change the direction of text or have no width.
const hidden =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff]/;

const isHidden = (c) => {
  const code = c.codePointAt(0);
  return code > 0xffff ? code >= 0xe0000 && code <= 0xe0fff : hidden.test(c);
};

// segments cuts a text into what can be shown, and the code points that cannot.
export function segments(text) {
  const out = [];
  let plain = "";
  for (const c of text) {
    if (isHidden(c)) {
      if (plain) out.push(plain);
      plain = "";
      out.push({ code: "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") });
    } else {
      plain += c === "\r" ? "" : c;
    }
  }
  if (plain) out.push(plain);
  return out;
}

const needsSegments = new RegExp(hidden.source + "|[\\u{e0000}-\\u{e0fff}]", "u");

// most is how many characters are shown until somebody asks for more.
const most = 4000;

// Text shows a text. Each of its own direction, so that it cannot turn its neighbours around.
export function Text({ value, max = most }) {
  const [whole, setWhole] = useState(false);
  const text = String(value ?? "");
  const shown = whole || text.length <= max ? text : text.slice(0, max);
  return html`<bdi
      >${needsSegments.test(shown)
        ? segments(shown).map((s) => (typeof s === "string" ? s : html`<span class="code-point">${s.code}</span>`))
        : shown.replaceAll("\r", "")}</bdi
    >${shown.length < text.length &&
    html` <button class="link" onClick=${() => setWhole(true)}>${(text.length - shown.length).toLocaleString("en")} more characters</button>`}`;
}

// oneLine is a text for a place that has one line.
export function oneLine(text, max = 80) {
  const line = segments(text.length > 4 * max ? text.slice(0, 4 * max) : text)
    .map((s) => (typeof s === "string" ? s : `⟨${s.code}⟩`))
    .join("")
    .replace(/\s+/g, " ");
  return line.length > max ? line.slice(0, max - 1) + "…" : line;
}
