// One exchange: a body with what is wrong in it marked in place, headers, and the rules behind it.
import { html, useMemo, useState } from "./preact.js";
import { find, locate, pretty } from "./body.js";
import { oneLine, Text } from "./text.js";

// longest is how much of a body is marked; what follows is shown plain.
const longest = 200_000;

// Body shows a body. Marks are {pointer, note, missing}: what is wrong where; a missing one is shown
// where it belongs.
export function Body({ text, type = "", marks = [], bytes = 0, label }) {
  const [asSent, setAsSent] = useState(false);
  const isForm = /x-www-form-urlencoded/i.test(type);
  const shaped = useMemo(() => (isForm ? (text.includes("&") ? text.replaceAll("&", "\n&") : null) : pretty(text)), [text, isForm]);
  const shown = shaped !== null && !asSent ? shaped : text;
  const parts = useMemo(() => cut(shown, type, marks, isForm), [shown, type, marks, isForm]);
  if (text === "" && marks.length === 0) return html`<p class="soft">${bytes > 0 ? `${bytes.toLocaleString("en")} bytes, which are no text or were not kept.` : "No body."}</p>`;
  return html`<div class="body">
    <pre tabindex="0" aria-label=${label}>${parts}</pre>
    ${shaped !== null &&
    html`<label class="soft"><input type="checkbox" checked=${asSent} onChange=${(e) => setAsSent(e.target.checked)} /> as it was sent</label>`}
    ${bytes > new Blob([text]).size && html`<p class="soft">The journal has the beginning of ${bytes.toLocaleString("en")} bytes.</p>`}
  </div>`;
}

// cut makes the parts of a body: plain text, marked values, and what is missing.
function cut(shown, type, marks, isForm) {
  if (marks.length === 0 || shown.length > longest) return html`<${Text} value=${shown} max=${20000} />`;
  const { places } = locate(shown, type);
  const spans = [];
  for (const mark of marks) {
    if (mark.at !== undefined) {
      const at = Math.min(mark.at, shown.length);
      const end = shown.indexOf("\n", at);
      spans.push({ from: at, to: end < 0 ? shown.length : Math.max(end, at), mark });
      continue;
    }
    if (mark.missing && find(places, mark.pointer)) continue; // it is there, and could not be read
    if (mark.missing) {
      const parent = find(places, mark.pointer.slice(0, mark.pointer.lastIndexOf("/")));
      const at = parent?.end ?? parent?.value[1] ?? shown.length;
      spans.push({ from: at, to: at, mark, name: mark.pointer.slice(mark.pointer.lastIndexOf("/") + 1) });
      continue;
    }
    const place = find(places, mark.pointer);
    if (!place) continue;
    spans.push({ from: place.value[0], to: Math.max(place.value[1], place.value[0]), mark });
  }
  spans.sort((a, b) => a.from - b.from || a.to - b.to);
  const out = [];
  let at = 0;
  for (const [i, span] of spans.entries()) {
    if (span.from < at) continue; // within one that is marked already
    const plain = shown.slice(at, span.from);
    if (span.to === span.from && span.name !== undefined) {
      const trimmed = plain.trimEnd();
      if (trimmed) out.push(html`<${Text} value=${trimmed} max=${20000} />`);
      out.push(html`<span class="missing">${"\n"}  <ins>${isForm ? "" : '"'}${oneLine(span.name)}${isForm ? "=" : '":'}</ins> <span class="note">${span.mark.note}</span></span>`);
      const next = spans[i + 1];
      if (next?.from !== span.from || next.name === undefined) out.push(shown[span.from] ? "\n" : "");
    } else {
      out.push(html`<${Text} value=${plain} max=${20000} />`);
      out.push(html`<mark><${Text} value=${shown.slice(span.from, span.to) || "∅"} max=${120} /></mark> <span class="note">${span.mark.note}</span>`);
    }
    at = Math.max(span.to, span.from);
  }
  out.push(html`<${Text} value=${shown.slice(at)} max=${20000} />`);
  return out;
}

// Headers are a table of names and values.
export function Headers({ headers, label }) {
  const names = Object.keys(headers ?? {}).sort();
  if (names.length === 0) return html`<p class="soft">None.</p>`;
  return html`<table class="headers" aria-label=${label}>
    <tbody>
      ${names.map((name) => html`<tr key=${name}><th scope="row"><${Text} value=${name} max=${100} /></th><td><${Text} value=${headers[name]} max=${1000} /></td></tr>`)}
    </tbody>
  </table>`;
}

// counted is a number of things.
export const counted = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;

// marksOf are the marks that violations make in a body.
export function marksOf(violations, about) {
  return (violations ?? [])
    .filter((v) => v.pointer)
    .map((v) => ({ pointer: v.pointer, note: about(v), missing: v.found === "nothing" }));
}

// sentAt is what a body has at a pointer, as it is written; undefined for nothing.
export function sentAt(located, text, pointer) {
  const place = pointer === "" ? undefined : find(located.places, pointer);
  return place && text.slice(place.value[0], place.value[1]);
}
