// The console: what every request to the mock was, as it comes.
import { html, render, signal, useEffect, useRef, useState } from "./preact.js";
import { Theme } from "./theme.js";
import { oneLine } from "./text.js";
import { ask, inSession, needsToken, setToken, wasRejected } from "./api.js";
import * as state from "./state.js";
import { Filter, List, move, unfoldSelected } from "./list.js";
import { again, copy, Detail, edit, mend, send, shown, toClipboard } from "./detail.js";
import { Compose, sendDraft } from "./compose.js";
import { Scenarios } from "./scenarios.js";
import { Contract } from "./contract.js";
import { Conformance } from "./conformance.js";

const tabs = [
  ["requests", "Request", Exchange],
  ["compose", "Compose", Compose],
  ["scenarios", "Scenarios", Scenarios],
  ["contract", "Contract", Contract],
  ["conformance", "Conformance", Conformance],
];

// ahead are the responses that a key asks for, for the next request.
const ahead = {
  1: ["slow", { delay: "2s" }],
  2: ["503", { status: 503 }],
  3: ["401", { status: 401, json: { Message: "Authorization has been denied for this request." }, headers: { "WWW-Authenticate": "Bearer" } }],
  4: ["429", { status: 429, json: { Message: "Too many requests. Try again later." }, headers: { "Retry-After": "5" } }],
  5: ["drop", { fault: "connection-reset" }],
  6: ["flaky", { status: 503, times: 2 }],
  7: ["taken", { status: 409, json: { Message: "Conflict." } }],
};

const arming = signal(false);
const helping = signal(false);

function arm(key) {
  arming.value = false;
  return state.attempt(async () => {
    const of = state.session.value;
    if (key === "0") await ask("DELETE", inSession("/next", of));
    else await ask("PUT", inSession("/next", of), { body: JSON.stringify(ahead[key][1]) });
    await state.refresh();
  });
}

// inWords is a response that waits, in a few words.
function inWords({ response, times }) {
  const what = response.status ?? response.fault ?? (response.delay ? `after ${response.delay}` : "changed");
  return times > 1 ? `${what} × ${times}` : String(what);
}

function Armed() {
  const waiting = state.waiting.value;
  return html`<div class="menu armed">
    ${waiting.length > 0
      ? html`<span class="chip" role="status">next: ${waiting.slice(0, 3).map(inWords).join(", ")}${waiting.length > 3 && ` and ${waiting.length - 3} more`}, then real
          <button class="icon" aria-label="forget the next responses" title="real again (n 0)" onClick=${() => arm("0")}>✕</button></span>`
      : html`<button aria-expanded=${arming.value} onClick=${() => (arming.value = !arming.value)} title=${`the response to the next request ${state.session.value ? "of this session" : "without a session"} (n)`}>Next response${state.session.value && ` of ${oneLine(state.session.value, 16)}`} ▾</button>`}
    ${arming.value &&
    html`<div class="items">
      ${Object.entries(ahead).map(([key, [name]]) => html`<button key=${key} onClick=${() => arm(key)}><kbd>${key}</kbd> ${name}${key === "6" ? " (503 twice)" : ""}</button>`)}
      <button onClick=${() => arm("0")}><kbd>0</kbd> real</button>
    </div>`}
  </div>`;
}

const delays = ["0", "300ms", "1s", "300ms..900ms", "3s"];

function Top() {
  const about = state.about.value;
  const first = about?.operations[0];
  const delay = state.settings.value?.delay ?? "0";
  const delayText = typeof delay === "string" ? delay : "varying";
  const sessions = state.sessions.value;
  const clear = () => state.attempt(() => ask("DELETE", inSession("/requests", state.session.value)));
  return html`<header>
    <h1><img src="/__admin/console/assets/favicon.svg" alt="" width="20" height="20" />Understudy</h1>
    ${first && html`<button class="link endpoint mono" title="copy the address" onClick=${() => state.attempt(async () => { await toClipboard(state.base.value + first.path); state.say("The address is copied."); })}>${first.method} <bdi>${state.base.value}${first.path}</bdi></button>`}
    ${about?.passesOn && html`<span class="chip">passed on to ${oneLine(about.passesOn, 40)}</span>`}
    <span class="space"></span>
    ${state.scenarios.value?.problem && html`<a class="chip broken" href="#/scenarios" role="status">${state.scenarios.value.file || "understudy.yaml"} was not taken up</a>`}
    <${Armed} />
    <label class="delay">Delay <select value=${delayText} onChange=${(e) => state.attempt(async () => {
      await ask("POST", "/settings", { body: JSON.stringify(e.target.value === "0" ? { fixedDelay: 0 } : { delay: e.target.value }) });
      await state.refresh();
    })}>${[...new Set([...delays, delayText])].map((d) => html`<option key=${d} value=${d}>${d === "0" ? "none" : d}</option>`)}</select></label>
    ${(sessions.length > 0 || state.session.value) && html`<label>Session <select value=${state.session.value} onChange=${(e) => { state.session.value = e.target.value; state.refresh().catch(() => {}); }}>
      <option value="">all</option>${[...new Set([...sessions, state.session.value])].filter(Boolean).map((s) => html`<option key=${s} value=${s}>${oneLine(s, 30)}</option>`)}</select></label>`}
    <button onClick=${clear} title="remove the requests from the journal (x)">Clear</button>
    <${Theme} />
    <button class="icon" onClick=${() => (helping.value = true)} aria-label="keys" title="keys (?)">?</button>
  </header>`;
}

function Exchange() {
  if (state.selected.value) return html`<div class="pad"><${Detail} /></div>`;
  const about = state.about.value;
  const first = about?.operations[0];
  if (state.total.value > 0 || !first) return html`<div class="pad soft"><p>${first ? "Choose a request, or press f to see each as it comes." : "…"}</p></div>`;
  const url = state.base.value + first.path;
  const isSocket = state.base.value.startsWith("unix:");
  const curl = isSocket
    ? `curl --unix-socket ${state.base.value.slice(5)} http://localhost${first.path} -H 'Content-Type: ${first.formats[0]}' -d '{}'`
    : `curl -i ${url} -H 'Content-Type: ${first.formats[0]}' -d '{}'`;
  const script = `await fetch("${url}", {\n  method: "${first.method}",\n  headers: { "Content-Type": "${first.formats[0]}" },\n  body: JSON.stringify(values),\n});`;
  return html`<div class="pad first">
    <h2>No request yet</h2>
    <p>Point your form at the mock. Every request appears here as it comes, with the field, the rule and the line of the page where it was rejected.</p>
    ${first.sample && html`<p><button class="primary" onClick=${() => send({ method: first.method, url: first.path, headers: [{ name: "Content-Type", value: first.formats[0] }], body: first.sample })}>Send the page's sample</button></p>`}
    <h3>From a shell</h3>
    <pre tabindex="0"><code>${curl}</code></pre>
    ${!isSocket && html`<h3>From a page or a test</h3><pre tabindex="0"><code>${script}</code></pre>`}
  </div>`;
}

function Tabs() {
  const { tab } = state.route.value;
  const onKey = (e) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!by) return;
    const all = [...e.currentTarget.querySelectorAll("[role=tab]")].filter((t) => t.offsetParent);
    const to = all[(all.indexOf(document.activeElement) + by + all.length) % all.length];
    to.focus();
    to.click();
    e.preventDefault();
  };
  return html`<div class="tabs" role="tablist" aria-label="Parts of the console" onKeyDown=${onKey}>
    ${tabs.map(([name, title]) => html`<button key=${name} role="tab" id=${`tab-${name}`} aria-selected=${tab === name} aria-controls="main" tabindex=${tab === name ? 0 : -1} onClick=${() => {
      state.go(name, name === "requests" && state.wide.matches && !state.following.value ? shown.value?.id ?? "" : "");
      if (name === "requests" && state.wide.matches && state.following.value) state.follow(true);
    }}>${title}</button>`)}
  </div>`;
}

function Bottom() {
  const live = state.live.value;
  const dropped = state.mock.value?.dropped ?? 0;
  return html`<footer>
    <span class=${`dot ${live}`} aria-hidden="true"></span>
    <span role="status">${live === "live" ? "live" : live === "lost" ? "the mock is away: trying again" : "connecting"}</span>
    <span>${state.total.value.toLocaleString("en")} ${state.total.value === 1 ? "request" : "requests"}${state.filterText.value && `, ${state.folded.value.length.toLocaleString("en")} ${state.folded.value.length === 1 ? "line" : "lines"} shown`}</span>
    ${dropped > 0 && html`<span title="the journal had no room for them; --journal-entries">${dropped.toLocaleString("en")} dropped</span>`}
    <span class="space"></span>
    <span class="hints"><kbd>j</kbd><kbd>k</kbd> move <kbd>/</kbd> filter <kbd>n</kbd> next response <kbd>c</kbd> curl <kbd>m</kbd> mend <kbd>?</kbd> keys</span>
  </footer>`;
}

const keys = [
  ["j k", "next and previous request"], ["Enter", "to the request, Escape back to the list"], ["→ ←", "each of those that repeat, or together again"], ["/", "filter"], ["f", "follow: show each as it comes"],
  ["n", "then 1 slow, 2 503, 3 401, 4 429, 5 drop, 6 flaky, 7 taken, 0 real: the next response"], ["c", "copy as curl"], ["t", "copy as a Playwright test"],
  ["r", "send again"], ["e", "edit and send"], ["m", "mend: the nearest valid request; again to send it"], ["x", "clear"], ["?", "these keys"],
];

// Dialog is a modal one that Escape closes.
function Dialog({ label, onClose, children }) {
  const box = useRef(null);
  useEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return html`<dialog ref=${box} aria-label=${label} onCancel=${(e) => !onClose && e.preventDefault()} onClose=${onClose} onClick=${(e) => e.target === box.current && onClose?.()}>${children}</dialog>`;
}

function Token() {
  const [text, setText] = useState("");
  return html`<${Dialog} label="Token">
    <form method="dialog" onSubmit=${(e) => { e.preventDefault(); setToken(text); }}>
      <h2>This mock asks for a token</h2>
      ${wasRejected.value && html`<p class="rejected" role="alert">The mock rejected this token.</p>`}
      <p class="soft">It is that of --admin-token or UNDERSTUDY_ADMIN_TOKEN, and is kept for this tab alone.</p>
      <label>Token <input type="password" autocomplete="off" value=${text} onInput=${(e) => setText(e.target.value)} /></label>
      <button class="primary">Go on</button>
    </form>
  </${Dialog}>`;
}

function App() {
  const { tab } = state.route.value;
  const [, , Shown] = tabs.find(([name]) => name === tab) ?? tabs[0];
  const message = state.said.value;
  return html`<${Top} />
    <div class=${`split tab-${tab}${state.selected.value ? " one" : ""}`}>
      <nav class="left" aria-label="Requests">
        <${Filter} />
        <${List} />
      </nav>
      <div class="right">
        <${Tabs} />
        <main id="main" role="tabpanel" aria-labelledby=${`tab-${tab}`} tabindex="-1"><${Shown} key=${tab} /></main>
      </div>
    </div>
    <${Bottom} />
    <div class="visually-hidden" aria-live="polite">${state.spoken.value}</div>
    ${message && html`<div class=${`toast ${message.kind}`} role=${message.kind === "done" ? "status" : "alert"}>${message.text} <button class="icon" aria-label="close" onClick=${() => (state.said.value = null)}>✕</button></div>`}
    ${helping.value && html`<${Dialog} label="Keys" onClose=${() => (helping.value = false)}><h2>Keys</h2><table>${keys.map(([key, what]) => html`<tr key=${key}><td>${key.split(" ").map((k) => html`<kbd>${k}</kbd> `)}</td><td>${what}</td></tr>`)}</table></${Dialog}>`}
    ${needsToken.value && html`<${Token} />`}`;
}

// ofRequest are the keys that do something with the request that is shown.
const ofRequest = new Set(["c", "t", "r", "e", "m", "x"]);

addEventListener("click", (e) => {
  if (arming.value && !e.target.closest(".armed")) arming.value = false;
});

const actions = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  ArrowRight: () => unfoldSelected(true),
  ArrowLeft: () => unfoldSelected(false),
  "/": () => document.getElementById("filter").focus(),
  f: () => state.follow(!state.following.value),
  n: () => (arming.value = !arming.value),
  c: () => copy("curl"),
  t: () => copy("playwright"),
  r: again,
  e: edit,
  m: mend,
  x: () => state.attempt(() => ask("DELETE", inSession("/requests", state.session.value))),
  "?": () => (helping.value = true),
};

addEventListener("keydown", (e) => {
  const isTyping = e.target.closest("input, textarea, select, [contenteditable]");
  if (e.key === "Enter" && e.ctrlKey && state.route.value.tab === "compose") {
    sendDraft();
    return;
  }
  if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
  if (isTyping && isTyping.type !== "checkbox") return;
  if (e.key === "Escape") {
    arming.value = false;
    document.getElementById("rows")?.focus();
    return;
  }
  if (arming.value && /^[0-7]$/.test(e.key)) {
    arm(e.key);
    e.preventDefault();
    return;
  }
  const inList = document.activeElement === document.body || document.activeElement?.closest(".left");
  if (e.key === "Enter" && inList && e.target.tagName !== "BUTTON") {
    document.getElementById("main").focus();
    e.preventDefault();
    return;
  }
  if (/^Arrow/.test(e.key) && !inList) return;
  const action = actions[e.key];
  if (!action || (ofRequest.has(e.key) && state.route.value.tab !== "requests")) return;
  e.preventDefault();
  action();
});

// The tab's title says the last thing that went wrong, and how many did while nobody looked.
const seen = () => (state.unseen.value = 0);
addEventListener("focus", seen);
document.addEventListener("visibilitychange", () => !document.hidden && document.hasFocus() && seen());

function Title() {
  const worst = state.worst.value;
  const count = state.unseen.value;
  useEffect(() => {
    const text = worst ? `${worst.status ?? worst.outcome} ${oneLine(state.reasonOf(worst), 60)}`.trim() : "";
    document.title = `${count ? `(${count}) ` : ""}${text || "Understudy"}`;
  }, [worst, count]);
  return null;
}

state.start();
render(html`<${App} /><${Title} />`, document.getElementById("app"));
