// One exchange: what was wrong, with the page's line, and what can be done with it.
import { html, signal, useEffect, useMemo, useState } from "./preact.js";
import { Body, counted, Headers, marksOf, sentAt } from "./exchange.js";
import { locate } from "./body.js";
import { oneLine, Text } from "./text.js";
import { ask } from "./api.js";
import * as state from "./state.js";
import { took, wordOf } from "./list.js";
import { compose } from "./compose.js";
import { Excerpt } from "./contract.js";
import { editScenario } from "./scenarios.js";
import { rejectionOf, Violations } from "./violations.js";

// shown is the exchange that is looked at: {entry, more}; gone where the journal has it no longer.
export const shown = signal(null);
// mended is the nearest valid request of it, with the changes; null until it is asked for.
export const mended = signal(null);

// pause is how long after one request the next is loaded at the earliest, in milliseconds: of those that
// come quickly only some are looked at.
const pause = 120;

let loading = null;
let loaded = 0;
async function load(id) {
  loading?.abort();
  loading = new AbortController();
  const { signal: stop } = loading;
  const path = encodeURIComponent(id);
  try {
    const wait = loaded + pause - Date.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    if (stop.aborted) return;
    loaded = Date.now();
    const entry = await ask("GET", `/requests/${path}`, { signal: stop });
    mended.value = null;
    shown.value = { id, entry, more: {} };
    const more = await ask("GET", `/console/requests/${path}`, { signal: stop });
    shown.value = { id, entry, more };
  } catch (problem) {
    if (problem.name === "AbortError") return;
    mended.value = null;
    shown.value = { id, problem: problem.message, isGone: problem.status === 404 };
  }
}

// requestOf is the request of an entry as the mock takes one.
export function requestOf({ request }) {
  const headers = Object.entries(request.headers).map(([name, value]) => ({ name, value }));
  return request.body || !request.bodyAsBase64
    ? { method: request.method, url: request.url, headers, body: request.body }
    : { method: request.method, url: request.url, headers, bodyAsBase64: request.bodyAsBase64 };
}

// isWhole reports that the journal has all of a request, so that it can be sent again; it says why not.
function isWhole({ request }) {
  const kept = (request.bodyAsBase64.length * 3) / 4 - (request.bodyAsBase64.match(/=*$/)[0].length);
  const isHidden = request.body.includes("[hidden]") || request.url.includes("[hidden]");
  if (isHidden) state.say("Values of this request are hidden in the journal: it cannot be sent again.", "problem");
  else if (kept < request.bodyBytes) state.say(`The journal has ${kept.toLocaleString("en")} of ${request.bodyBytes.toLocaleString("en")} bytes of this body: it cannot be sent again.`, "problem");
  else return true;
  return false;
}

// textOf is a body in the charset that it was sent in.
function textOf({ body, bodyAsBase64, headers }) {
  const charset = /charset="?([\w-]+)/i.exec(headers["Content-Type"] ?? "")?.[1];
  if (!charset || /^utf-?8$/i.test(charset)) return body;
  try {
    return new TextDecoder(charset, { fatal: true }).decode(Uint8Array.from(atob(bodyAsBase64), (c) => c.charCodeAt(0)));
  } catch {
    return body;
  }
}

// transport are headers that the mock's own connection has.
const transport = new Set(["host", "content-length", "connection", "accept-encoding", "expect", "transfer-encoding", "origin", "referer"]);
const sendable = (request) => ({
  ...request,
  headers: request.headers.filter(({ name, value }) => !transport.has(name.toLowerCase()) && !/^sec-/i.test(name) && value !== "[hidden]"),
});

// send sends a request to the mock, and shows what came back.
export async function send(request) {
  const got = await state.attempt(() => ask("POST", "/send", { body: JSON.stringify(sendable(request)) }));
  if (!got) return;
  state.say(got.response ? `Sent: ${got.response.status}` : `Sent: ${got.problem}`);
  if (got.id) {
    state.following.value = false;
    state.go("requests", got.id);
  }
}

// copy puts a request, written as code, on the clipboard.
export async function copy(kind) {
  const entry = shown.value?.entry;
  if (!entry || !isWhole(entry)) return;
  await state.attempt(async () => {
    const written = await ask("POST", `/console/code?base=${encodeURIComponent(state.base.value)}&status=${entry.response?.status ?? 200}`, {
      body: JSON.stringify(requestOf(entry)),
    });
    if (!written[kind]) throw new Error("This request cannot be written so.");
    await toClipboard(written[kind]);
    state.say(`Copied as ${kinds.find(([key]) => key === kind)[1]}.`);
  });
}

export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    throw new Error("The browser does not let this page use the clipboard.");
  }
}

const kinds = [
  ["curl", "curl", "c"],
  ["fetch", "fetch"],
  ["playwright", "Playwright test", "t"],
  ["go", "Go test"],
  ["http", ".http file"],
];

const whole = () => shown.value?.entry && isWhole(shown.value.entry) && requestOf(shown.value.entry);
export const again = () => {
  const request = whole();
  if (request) send(request);
};
export async function mend() {
  if (mended.value) return send(mended.value.request);
  const request = whole();
  if (!request) return;
  const { id } = shown.value;
  const found = await state.attempt(() => ask("POST", "/console/mend", { body: JSON.stringify(request) }));
  if (shown.value?.id !== id) return; // somebody looks at another one
  mended.value = found;
  if (mended.value?.changes.length === 0) {
    mended.value = null;
    state.say("This request is valid as it is.");
  }
}
export const edit = () => {
  const request = whole();
  if (request) compose(request);
};

function Actions({ entry, more }) {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    if (!open) return;
    const close = (e) => {
      if (e.key === "Escape" || (e.type === "click" && !e.target.closest(".menu"))) setOpen(false);
    };
    addEventListener("click", close);
    addEventListener("keydown", close);
    return () => {
      removeEventListener("click", close);
      removeEventListener("keydown", close);
    };
  }, [open]);
  const isInvalid = entry.violations?.length > 0 || entry.outcome === "rejected";
  return html`<div class="actions">
    ${isInvalid && html`<button class="primary" onClick=${mend} title="the nearest valid request (m)">Mend</button>`}
    <button onClick=${again} title="send it again (r)">Send again</button>
    <button onClick=${edit} title="change it and send it">Edit and send</button>
    <div class="menu">
      <button aria-expanded=${open} onClick=${() => setOpen(!open)}>Copy as ▾</button>
      ${open &&
      html`<div class="items">
        ${kinds.map(
          ([kind, name, key]) =>
            html`<button key=${kind} onClick=${() => { setOpen(false); copy(kind); }}>${name}${key && html` <kbd>${key}</kbd>`}</button>`,
        )}
      </div>`}
    </div>
    <button onClick=${() => editScenario(more.draft)} disabled=${!more.draft} title="respond to requests like this one in this way">Make a scenario</button>
  </div>`;
}

// excerpt cuts two texts to where they differ.
function excerpt(before, after) {
  const context = 16;
  let from = 0;
  while (from < before.length && before[from] === after[from]) from++;
  let end = 0;
  while (end < Math.min(before.length, after.length) - from && before.at(-1 - end) === after.at(-1 - end)) end++;
  const start = from > 2 * context ? from - context : 0;
  const cut = (text) => `${start > 0 ? "…" : ""}${text.slice(start, Math.max(text.length - end + (end > 2 * context ? context : end), start))}${end > 2 * context ? "…" : ""}`;
  return before && after ? [cut(before), cut(after)] : [before, after];
}

// Diff shows what was mended.
function Diff({ found }) {
  return html`<section class="mended" aria-label="The nearest valid request">
    <h3>The nearest valid request</h3>
    <table>
      <thead><tr><th scope="col">Where</th><th scope="col">Sent</th><th scope="col">Valid</th><th scope="col">Why</th></tr></thead>
      <tbody>
        ${found.changes.map(
          (c) => {
            const [before, after] = excerpt(c.before, c.after);
            return html`<tr key=${c.what}>
            <th scope="row"><code>${oneLine(c.what.replace(/^\//, ""), 60)}</code></th>
            <td>${before ? html`<del><${Text} value=${before} max=${90} /></del>` : html`<span class="soft">nothing</span>`}</td>
            <td>${after ? html`<ins><${Text} value=${after} max=${90} /></ins>` : html`<span class="soft">nothing</span>`}</td>
            <td>${c.why}${c.line > 0 && html` <${Line} line=${c.line} />`}</td>
          </tr>`;
          },
        )}
      </tbody>
    </table>
    <div class="actions">
      <button class="primary" onClick=${() => send(found.request)}>Send it <kbd>m</kbd></button>
      <button onClick=${() => compose(found.request)}>Edit it first</button>
    </div>
  </section>`;
}

// Line is a line of the page, as a link to it.
export function Line({ line }) {
  return html`<a class="line" href=${`#/contract/${line}`}>line ${line}</a>`;
}

// lineOf is the line and column of a place in a text.
function lineOf(text, at) {
  const lines = text.slice(0, at).split("\n");
  return `${lines.length}, column ${lines[lines.length - 1].length + 1}`;
}

function Expectation({ page, entry }) {
  if (!page) return null;
  const accepted = entry.outcome === "accepted";
  const differs = !entry.upstream && (page.outcome === "accept") !== accepted && (entry.outcome === "accepted" || entry.outcome === "rejected") && page.outcome !== "unspecified";
  return html`<p class=${differs ? "differs" : "soft"}>
    By the page alone: <strong>${page.outcome}</strong>, ${page.basis}${page.latitude && html` (${page.latitude})`}${page.line > 0 && html` <${Line} line=${page.line} />`}.
    ${differs && " The framework reads it otherwise."}
  </p>`;
}

export function Detail() {
  const id = state.selected.value;
  useEffect(() => {
    if (id) {
      load(id);
    } else {
      loading?.abort();
      shown.value = null;
    }
  }, [id]);
  const now = shown.value;
  const entry = now?.entry;
  const request = entry?.request;
  const text = useMemo(() => request && textOf(request), [entry]);
  const located = useMemo(() => request && locate(text, request.headers["Content-Type"]), [entry]);
  if (!id) return null;
  if (!now || (now.id !== id && !entry)) return html`<p class="soft pad">…</p>`;
  if (now.problem && !now.isGone) return html`<p class="differs pad">${now.problem}</p>`;
  if (now.problem) {
    return html`<div class="pad"><h2>No longer there</h2><p>The journal has no request ${oneLine(id, 20)}: it was cleared, or others came. <code>--journal-entries</code> says how many are kept.</p><p class="soft">${now.problem}</p></div>`;
  }
  const { more } = now;
  const operations = state.about.value?.operations ?? [];
  const operation = operations.find((o) => o.id === entry.operation) ?? operations[0];
  const type = request.headers["Content-Type"] ?? "";
  // Where text is no JSON, the server names the value that it read last; the fault is where it stops.
  const isMalformed = !located.whole && text !== "" && entry.violations?.some((v) => v.rule === operation?.bodyRule);
  const marks = isMalformed ? [{ at: located.stopped, note: `not JSON from here: line ${lineOf(text, located.stopped)}` }] : marksOf(entry.violations, (v) => (v.found === "nothing" ? "missing" : v.found));
  const broken = entry.broken ?? 0;
  const status = entry.response?.status;
  return html`<article class="detail" aria-label="Request ${id}">
    <h2><span class=${`status ${entry.outcome}`}>${status ?? "No response"}</span> ${wordOf(entry.outcome)}${broken > 0 && `, breaks ${broken} ${broken === 1 ? "rule" : "rules"}`}${entry.fault && `: ${entry.fault}`}</h2>
    <p class="target mono"><${Text} value=${`${request.method} ${request.url}`} max=${300} /></p>
    <${Actions} entry=${entry} more=${more} />
    ${entry.scenarios?.map((s) => html`<p class="because"><span class="badge scenario"><${Text} value=${s.name} max=${60} /></span> ${s.why ? html`<${Text} value=${s.why} max=${300} />` : "had a part in the response"}</p>`)}
    ${entry.upstream && html`<p class="because"><span class="badge">real server</span> ${entry.upstream.status || entry.upstream.problem}: ${entry.upstream.verdict}</p>`}
    ${entry.notes?.map((note) => html`<p class="because soft"><${Text} value=${note} max=${400} /></p>`)}
    ${mended.value && html`<${Diff} found=${mended.value} />`}
    ${broken > 0 &&
    html`<${Violations}
      violations=${entry.violations}
      more=${broken - entry.violations.length}
      rules=${operation?.rules ?? []}
      sent=${(pointer) => sentAt(located, text, pointer)}
      messages=${rejectionOf(entry.response?.body)}
      Line=${Line}
    />`}
    <${Expectation} page=${more.page} entry=${entry} />
    <div class="pair">
      <section aria-label="Request">
        <h3>Request</h3>
        <${Body} text=${text} type=${type} bytes=${state.about.value?.hides ? 0 : request.bodyBytes} label="Request body" marks=${marks} />
        <details><summary>${counted(Object.keys(request.headers).length, "header")}</summary><${Headers} headers=${request.headers} label="Request headers" /></details>
      </section>
      <section aria-label="Response">
        <h3>Response</h3>
        ${entry.response
          ? html`<${Body} text=${entry.response.body} type=${entry.response.headers["Content-Type"]} bytes=${entry.response.bodyAsBase64 ? 1 : 0} label="Response body" />
              <details><summary>${counted(Object.keys(entry.response.headers).length, "header")}</summary><${Headers} headers=${entry.response.headers} label="Response headers" /></details>`
          : html`<p class="soft">The connection was broken: ${entry.fault || "there is no response"}.</p>`}
      </section>
    </div>
    ${broken > 0 && html`<${Excerpt} lines=${entry.violations.map((v) => v.line)} />`}
    <p class="soft">
      ${new Date(request.loggedDateString).toLocaleString()}, ${took(entry.timing.totalTime)}${entry.timing.addedDelay > 0 && `, ${took(entry.timing.addedDelay)} of it added`}
      ${request.clientIp && `, from ${request.clientIp}`}${entry.session && html`, session <code><${Text} value=${entry.session} max=${60} /></code>`}${entry.preflight && ", after a preflight"}
    </p>
  </article>`;
}
