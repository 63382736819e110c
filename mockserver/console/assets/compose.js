// A request made by hand: a form of the contract's fields, with what page and framework say of it before
// it is sent.
import { html, signal, useEffect, useState } from "./preact.js";
import { decoded, locate } from "./body.js";
import { counted } from "./exchange.js";
import { oneLine, Text } from "./text.js";
import { ask } from "./api.js";
import * as state from "./state.js";
import { Line, send } from "./detail.js";

const formMedia = "application/x-www-form-urlencoded";

// draft is the request: {operation, method, url, headers, media, body, base64}; null until it is begun.
export const draft = signal(null);
// verdict is what page and framework say of it.
const verdict = signal(null);

// compose begins with a request.
export function compose(request) {
  const about = state.about.value;
  const media = request.headers.find((h) => h.name.toLowerCase() === "content-type")?.value ?? "";
  const path = request.url.split("?")[0].toLowerCase();
  const operation = about.operations.find((o) => o.path.toLowerCase() === path) ?? about.operations[0];
  draft.value = {
    operation: operation.id,
    method: request.method,
    url: request.url,
    headers: request.headers.filter((h) => !/^(content-type|content-length|host|connection|user-agent|accept-encoding|accept-language|origin|referer|sec-.*|cache-control|pragma)$/i.test(h.name) && !(h.name.toLowerCase() === "accept" && h.value === "*/*")),
    media,
    body: request.body ?? "",
    base64: request.bodyAsBase64 ?? "",
  };
  state.go("compose");
}

const requestOf = (d) => ({
  method: d.method,
  url: d.url,
  headers: [...(d.media ? [{ name: "Content-Type", value: d.media }] : []), ...d.headers],
  ...(d.base64 ? { bodyAsBase64: d.base64 } : { body: d.body }),
});

const operationOf = (d) => state.about.value.operations.find((o) => o.id === d.operation);
const isForm = (d) => d.media.toLowerCase().startsWith(formMedia);

// fieldsIn are the fields of an object at a pointer: "" for the body, /Reasons/* for a list's elements.
const fieldsIn = (operation, pointer) => operation.fields.filter((f) => f.pointer.startsWith(pointer + "/") && !f.pointer.slice(pointer.length + 1).includes("/"));

// read makes values of a body: {name: {raw}} or {name: {items: [...]}}; null for one that a form of fields
// cannot say.
function read(d) {
  if (d.base64) return null;
  const operation = operationOf(d);
  if (d.body.trim() === "") return {};
  const { places, whole } = locate(d.body, d.media);
  if (!whole || places[0]?.kind !== "{") return null;
  const byPointer = new Map();
  for (const place of places.slice(1)) {
    if (byPointer.has(place.pointer)) return null;
    byPointer.set(place.pointer, place);
  }
  let known = 0;
  const form = isForm(d);
  const raw = (place) => {
    const text = d.body.slice(...place.value);
    return form ? JSON.stringify(decoded(text)) : text;
  };
  const object = (at, pattern) => {
    const out = {};
    for (const field of fieldsIn(operation, pattern)) {
      const pointer = `${at}/${field.name}`;
      if (field.kind === "list" && (form ? byPointer.has(`${pointer}/0/${fieldsIn(operation, field.pointer + "/*")[0]?.name}`) : byPointer.get(pointer)?.kind === "[")) {
        if (!form) known++;
        const items = [];
        const inner = fieldsIn(operation, field.pointer + "/*");
        for (let i = 0; form ? inner.some((f) => byPointer.has(`${pointer}/${i}/${f.name}`)) : byPointer.has(`${pointer}/${i}`); i++) {
          if (!form) {
            if (byPointer.get(`${pointer}/${i}`).kind !== "{") return null;
            known++;
          }
          const item = object(`${pointer}/${i}`, `${field.pointer}/*`);
          if (!item) return null;
          items.push(item);
        }
        out[field.name] = { items };
        continue;
      }
      const place = byPointer.get(pointer);
      if (!place) continue;
      if (place.kind === "{" || place.kind === "[") return null;
      out[field.name] = { raw: raw(place) };
      known++;
    }
    return out;
  };
  const values = object("", "");
  return values && known === places.length - 1 ? values : null;
}

// write makes a body of values.
function write(d, values) {
  const operation = operationOf(d);
  if (isForm(d)) {
    const pairs = [];
    const visit = (of, pattern, prefix) => {
      for (const field of fieldsIn(operation, pattern)) {
        const value = of[field.name];
        if (!value) continue;
        const name = prefix + field.name;
        if (value.items) value.items.forEach((item, i) => visit(item, `${field.pointer}/*`, `${name}[${i}].`));
        else if (value.raw !== "null") pairs.push(`${encodeURIComponent(name).replaceAll("%5B", "[").replaceAll("%5D", "]")}=${encodeURIComponent(textOf(value.raw)).replaceAll("%20", "+")}`);
      }
    };
    visit(values, "", "");
    return pairs.join("&");
  }
  const object = (of, pattern, indent) => {
    const lines = fieldsIn(operation, pattern)
      .filter((field) => of[field.name])
      .map((field) => {
        const value = of[field.name];
        const text = value.items ? list(value.items, `${field.pointer}/*`, indent + "  ") : value.raw;
        return `${indent}  ${JSON.stringify(field.name)}: ${text}`;
      });
    return lines.length ? `{\n${lines.join(",\n")}\n${indent}}` : "{}";
  };
  const list = (items, pattern, indent) =>
    items.length ? `[\n${items.map((item) => `${indent}  ${object(item, pattern, indent + "  ")}`).join(",\n")}\n${indent}]` : "[]";
  return object(values, "", "");
}

// textOf is what a value says, without the quotes of JSON.
function textOf(raw) {
  if (!raw.startsWith('"')) return raw;
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}

const isNumber = (text) => /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(text);

// rawOf is a text as the value of a field: what is no number stays a text.
const rawOf = (field, text) => (["decimal", "integer"].includes(field.kind) && (isNumber(text) || ["true", "false"].includes(text)) ? text : JSON.stringify(text));

let checking = null;
async function check(request) {
  checking?.abort();
  checking = new AbortController();
  try {
    verdict.value = await ask("POST", "/console/check", { body: JSON.stringify(request), signal: checking.signal });
  } catch (problem) {
    if (problem.name !== "AbortError") verdict.value = { problem: problem.message };
  }
}

function Field({ field, pointer, value, onChange, wrong }) {
  const isNull = value?.raw === "null";
  const id = `field${pointer.replaceAll("/", "-")}`;
  const limits = [field.required ? "required" : "", field.max !== undefined ? `${field.min} to ${field.max} characters` : ""].filter(Boolean).join(", ");
  if (value?.items || (field.kind === "list" && value === undefined)) return null;
  return html`<div class=${`field${wrong ? " wrong" : ""}`}>
    <input type="checkbox" aria-label=${`send ${field.name}`} checked=${value !== undefined} onChange=${(e) => onChange(e.target.checked ? { raw: field.kind === "list" ? "[]" : rawOf(field, "") } : undefined)} />
    <label for=${id}>${field.name}${field.required && html`<span class="required" title="required">*</span>`}</label>
    <input
      id=${id}
      value=${value === undefined || isNull ? "" : textOf(value.raw)}
      placeholder=${value === undefined ? "not sent" : isNull ? "null" : ""}
      onInput=${(e) => onChange({ raw: rawOf(field, e.target.value) })}
      aria-invalid=${Boolean(wrong)}
      aria-describedby=${`${id}-about`}
    />
    <button class="null" title="send null" aria-pressed=${isNull} onClick=${() => onChange(isNull ? { raw: rawOf(field, "") } : { raw: "null" })}>null</button>
    <span class="about soft" id=${`${id}-about`}>
      ${wrong ? html`<strong class="rejected">${wrong.found === "nothing" ? "missing" : wrong.found}</strong>` : html`${field.kind}${limits && `, ${limits}`}`} <${Line} line=${wrong?.line ?? field.line} />
    </span>
  </div>`;
}

function Fields({ operation, values, pattern, at, wrongs, onChange }) {
  return fieldsIn(operation, pattern).map((field) => {
    const pointer = `${at}/${field.name}`;
    const value = values[field.name];
    const set = (to) => {
      const next = { ...values };
      if (to === undefined) delete next[field.name];
      else next[field.name] = to;
      onChange(next);
    };
    if (field.kind !== "list" || (value && !value.items)) {
      return html`<${Field} key=${pointer} field=${field} pointer=${pointer} value=${value} onChange=${set} wrong=${wrongs.get(pointer.toLowerCase())} />`;
    }
    const items = value?.items ?? [];
    return html`<fieldset key=${pointer} class="list">
      <legend>
        <label><input type="checkbox" checked=${value !== undefined} onChange=${(e) => set(e.target.checked ? { items: [] } : undefined)} /> ${field.name}</label>
        <span class="soft">${counted(items.length, "element")} <${Line} line=${field.line} /></span>
        <button onClick=${() => set({ items: [...items, {}] })}>Add one</button>
      </legend>
      ${wrongs.get(pointer.toLowerCase()) && html`<p class="rejected">${wrongs.get(pointer.toLowerCase()).found}</p>`}
      ${items.map(
        (item, i) => html`<div class="item" key=${i}>
          <div class="soft">${field.name}[${i}] <button class="link" onClick=${() => set({ items: items.filter((_, k) => k !== i) })}>remove</button></div>
          <${Fields} operation=${operation} values=${item} pattern=${`${field.pointer}/*`} at=${`${pointer}/${i}`} wrongs=${wrongs} onChange=${(to) => set({ items: items.map((was, k) => (k === i ? to : was)) })} />
        </div>`,
      )}
    </fieldset>`;
  });
}

function Verdict({ now }) {
  if (!now) return html`<p class="soft">…</p>`;
  if (now.problem) return html`<p class="differs" role="status">${now.problem}</p>`;
  const { page, framework } = now;
  const takes = framework.status < 400;
  const differ = page && page.outcome !== "unspecified" && (page.outcome === "accept") !== takes;
  return html`<div class=${`verdict ${takes ? "takes" : "rejects"}`} role="status">
    <div>
      <span class="soft">The page</span>
      <strong class=${page?.outcome === "accept" ? "accepted" : page?.outcome === "reject" ? "rejected" : "scenario"}>${page?.outcome ?? "not read"}</strong>
      ${page && html` ${page.basis}${page.latitude && ` (${page.latitude})`}${page.line > 0 && html` <${Line} line=${page.line} />`}`}
    </div>
    <div>
      <span class="soft">The framework</span>
      <strong class=${takes ? "accepted" : "rejected"}>${framework.status}</strong>
      ${framework.violations.length > 0 && html` ${framework.violations.slice(0, 3).map((v) => oneLine(`${v.pointer.slice(1) || "request"}: ${v.found}`, 60)).join("; ")}${framework.broken > 3 && ` and ${framework.broken - 3} more`}`}
      ${!takes && framework.violations.length === 0 && html` <${Text} value=${framework.body} max=${160} />`}
    </div>
    ${page?.outcome === "unspecified" && html`<p class="differs">The page leaves this open: the real server may decide otherwise.</p>`}
    ${differ && html`<p class="differs">They differ: a server of another framework may decide as the page does.</p>`}
  </div>`;
}

// cases are those to choose from, by operation.
const cases = signal({});
async function loadCases(operation) {
  if (cases.value[operation]) return;
  const found = await state.attempt(() => ask("GET", `/console/cases?operation=${encodeURIComponent(operation)}`));
  if (found) cases.value = { ...cases.value, [operation]: found };
}

let row = Math.floor(Math.random() * 10_000);

function Fill({ d }) {
  const [tag, setTag] = useState("");
  const of = cases.value[d.operation];
  const fill = async (query) => {
    const media = state.about.value.operations.find((o) => o.id === d.operation).formats.find((f) => d.media.toLowerCase().startsWith(f)) ?? "";
    const request = await state.attempt(() => ask("GET", `/console/payload?operation=${encodeURIComponent(d.operation)}&media=${encodeURIComponent(media)}&${query}`));
    if (request) compose(request);
  };
  useEffect(() => {
    loadCases(d.operation);
  }, [d.operation]);
  const operation = operationOf(d);
  const shown = of?.cases.filter((c) => !tag || c.tags.includes(tag)) ?? [];
  return html`<div class="fill">
    <button onClick=${() => fill(`row=${row++}`)} title="a made-up valid request">Valid</button>
    ${operation.sample && html`<button onClick=${() => compose({ method: operation.method, url: operation.path, headers: [{ name: "Content-Type", value: operation.formats[0] }], body: operation.sample })}>Sample</button>`}
    <label>Case <select value=${tag} onChange=${(e) => setTag(e.target.value)} aria-label="Tag">
      <option value="">all tags</option>
      ${of?.tags.map((t) => html`<option key=${t}>${t}</option>`)}
    </select></label>
    <select aria-label="Case" onChange=${(e) => e.target.value && fill(`case=${encodeURIComponent(e.target.value)}`)}>
      <option value="">${of ? `${shown.length} cases` : "a case"}</option>
      ${shown.slice(0, 1500).map((c) => html`<option key=${c.id} value=${c.id}>${`${c.outcome}: ${c.id}`}</option>`)}
    </select>
  </div>`;
}

export function Compose() {
  const about = state.about.value;
  if (!about) return html`<p class="soft pad">…</p>`;
  const d = draft.value;
  useEffect(() => {
    if (draft.value) return;
    const first = about.operations[0];
    draft.value = { operation: first.id, method: first.method, url: first.path, headers: [], media: first.formats[0], body: first.sample || "{}", base64: "" };
  }, []);
  useEffect(() => {
    if (!d) return;
    const soon = setTimeout(() => check(requestOf(d)), 120);
    return () => clearTimeout(soon);
  }, [d]);
  const [asText, setAsText] = useState(false);
  if (!d) return null;
  const operation = operationOf(d);
  const values = asText ? null : read(d);
  const set = (to) => (draft.value = { ...d, ...to });
  const setMedia = (media) => {
    const now = read(d);
    const next = { ...d, media };
    draft.value = now && isForm(d) !== isForm(next) ? { ...next, body: write(next, now) } : next;
  };
  const wrongs = new Map();
  for (const v of verdict.value?.framework?.violations ?? []) wrongs.set(v.pointer.toLowerCase(), v);
  const chosen = operation.formats.find((f) => d.media.toLowerCase() === f);
  return html`<div class="compose pad">
    <h2>Compose</h2>
    ${about.operations.length > 1 &&
    html`<label>Operation <select value=${d.operation} onChange=${(e) => {
      const o = about.operations.find((x) => x.id === e.target.value);
      draft.value = { ...d, operation: o.id, method: o.method, url: o.path, body: o.sample || "{}", base64: "", media: o.formats[0] };
    }}>${about.operations.map((o) => html`<option key=${o.id} value=${o.id}>${o.method} ${o.path}</option>`)}</select></label>`}
    <div class="line-of">
      <input class="method mono" aria-label="Method" value=${d.method} onInput=${(e) => set({ method: e.target.value })} />
      <input class="url mono" aria-label="Path and query" value=${d.url} onInput=${(e) => set({ url: e.target.value })} />
    </div>
    <div class="line-of">
      <label>Body as <select value=${chosen ?? "other"} onChange=${(e) => e.target.value !== "other" && setMedia(e.target.value)}>
        ${operation.formats.map((f) => html`<option key=${f} value=${f}>${f === formMedia ? "form" : f}</option>`)}
        ${!chosen && html`<option value="other">${oneLine(d.media || "no Content-Type", 40)}</option>`}
      </select></label>
      <${Fill} d=${d} />
    </div>
    <${Verdict} now=${verdict.value} />
    <div class="actions">
      <button class="primary" onClick=${() => send(requestOf(d))} title="Ctrl+Enter">Send</button>
      <label><input type="checkbox" checked=${!values} disabled=${!asText && !values} onChange=${(e) => setAsText(e.target.checked)} /> as text${!asText && !values && html` <span class="soft">(no form of fields says this body)</span>`}</label>
      ${about.passesOn && html`<span class="differs">It is passed on to ${oneLine(about.passesOn, 60)}.</span>`}
    </div>
    ${values
      ? html`<div class="fields"><${Fields} operation=${operation} values=${values} pattern="" at="" wrongs=${wrongs} onChange=${(to) => set({ body: write(d, to), base64: "" })} /></div>`
      : html`<textarea class="mono" aria-label="Body" spellcheck="false" rows="18" value=${d.base64 ? "" : d.body} placeholder=${d.base64 ? "bytes that are no text; typing replaces them" : ""} onInput=${(e) => set({ body: e.target.value, base64: "" })}></textarea>`}
    ${d.headers.length > 0 && html`<details><summary>${counted(d.headers.length, "further header")}</summary>
      <table class="headers"><tbody>${d.headers.map((h, i) => html`<tr key=${i}><th scope="row"><${Text} value=${h.name} max=${60} /></th><td><${Text} value=${h.value} max=${200} /> <button class="link" onClick=${() => set({ headers: d.headers.filter((_, k) => k !== i) })}>remove</button></td></tr>`)}</tbody></table></details>`}
    ${operation.differences.length > 0 && html`<details><summary>Where page and framework differ: ${operation.differences.length} places</summary>
      <table><thead><tr><th scope="col">Field</th><th scope="col">The page</th><th scope="col">The framework</th></tr></thead>
      <tbody>${operation.differences.map((x, i) => html`<tr key=${i}><td><code>${x.field || "request"}</code></td><td>${x.page}</td><td>${x.framework}</td></tr>`)}</tbody></table></details>`}
  </div>`;
}

// sendDraft sends what is composed.
export const sendDraft = () => draft.value && send(requestOf(draft.value));
