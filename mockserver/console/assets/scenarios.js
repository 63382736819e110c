// Scenarios: what there is, on and off, states, and an editor for new ones.
import { html, signal, useEffect, useState } from "./preact.js";
import { oneLine, Text } from "./text.js";
import { ask, inSession } from "./api.js";
import * as state from "./state.js";
import { toClipboard } from "./detail.js";

// edited is the YAML in the editor; null while it is closed.
const edited = signal(null);

export function editScenario(text) {
  edited.value = text;
  state.go("scenarios");
}

const example = `scenarios:
  - name: slot-taken
    when: {outcome: accepted}
    then: {status: 409, json: {Message: "The slot is taken."}}
`;

function Editor() {
  const text = edited.value;
  const [found, setFound] = useState(null);
  useEffect(() => {
    const stop = new AbortController();
    const soon = setTimeout(async () => {
      try {
        const { scenarios, problem } = await ask("POST", "/scenarios?check=true", { body: text, signal: stop.signal });
        setFound({ names: scenarios, problem });
      } catch (problem) {
        if (problem.name !== "AbortError") setFound({ problem: problem.message });
      }
    }, 150);
    return () => {
      clearTimeout(soon);
      stop.abort();
    };
  }, [text]);
  const apply = () =>
    state.attempt(async () => {
      const { scenarios } = await ask("POST", "/scenarios", { body: text });
      await state.refresh();
      state.say(`In effect, before all others: ${scenarios.join(", ")}.`);
    });
  return html`<section class="editor" aria-label="New scenario">
    <textarea class="mono" aria-label="Scenario in YAML" spellcheck="false" rows=${Math.min(24, text.split("\n").length + 2)} value=${text} onInput=${(e) => (edited.value = e.target.value)}></textarea>
    <p role="status" class=${found?.problem ? "rejected" : "accepted"}>${found?.problem ? html`<${Text} value=${found.problem} max=${400} />` : found ? `Valid: ${found.names.join(", ")}` : "…"}</p>
    <div class="actions">
      <button class="primary" disabled=${!found || found.problem} onClick=${apply}>Apply until a reset</button>
      <button onClick=${() => state.attempt(async () => { await toClipboard(text); state.say("Copied: put it into understudy.yaml to keep it."); })}>Copy for understudy.yaml</button>
      <button onClick=${() => (edited.value = null)}>Close</button>
    </div>
  </section>`;
}

const change = (method, path, body) =>
  state.attempt(async () => {
    await ask(method, path, { body: body && JSON.stringify(body) });
    await state.refresh();
  });

function Switch({ scenario }) {
  const { name, enabled, matched, about } = scenario;
  const id = `scenario-${name}`;
  return html`<li>
    <button role="switch" class="switch" id=${id} aria-checked=${enabled} aria-labelledby=${`${id}-name`} onClick=${() => change("PUT", `/scenarios/${encodeURIComponent(name)}`, { enabled: !enabled })}><span></span></button>
    <div>
      <strong id=${`${id}-name`}><${Text} value=${name} max=${80} /></strong>${about && html` <span class="soft">${about}</span>`}
    </div>
    <span class="soft">${matched === 0 ? "never matched" : matched === 1 ? "matched once" : `matched ${matched.toLocaleString("en")} times`}</span>
  </li>`;
}

function Configuration() {
  const [text, setText] = useState(null);
  const list = state.scenarios.value;
  useEffect(() => {
    ask("GET", "/config", { headers: { Accept: "application/yaml" }, as: "text" }).then(setText, () => {});
  }, [list]);
  return html`<section>
    <h3>Configuration</h3>
    <p class="soft">${list.file ? html`From <code>${list.file}</code>, which the mock takes up when it changes.` : html`There is no file. <code>understudy config example > understudy.yaml</code> makes one.`}</p>
    ${list.problem && html`<p class="differs" role="alert">The file was not taken up: <${Text} value=${list.problem} max=${600} /></p>`}
    ${text && text.trim() !== "{}" && html`<pre class="config" tabindex="0" aria-label="The configuration in effect"><${Text} value=${text} max=${20000} /></pre>`}
  </section>`;
}

export function Scenarios() {
  const list = state.scenarios.value;
  if (!list) return html`<p class="soft pad">…</p>`;
  const own = list.scenarios.filter((s) => !s.readyMade);
  const ready = list.scenarios.filter((s) => s.readyMade);
  const states = Object.entries(list.states).sort();
  const of = state.session.value;
  return html`<div class="pad scenarios">
    <h2>Scenarios</h2>
    <p class="soft">Looked at in this order; the first that matches makes the response.</p>
    <div class="actions">
      ${edited.value === null && html`<button onClick=${() => (edited.value = example)}>New scenario</button>`}
      <button onClick=${() => change("POST", inSession("/scenarios/reset", of))} title="states, counters, quotas, kept and next responses">Reset states and counters${of && ` of ${oneLine(of, 20)}`}</button>
      <button onClick=${() => change("POST", "/reset")} title="also what was changed here">Reset everything, journal too</button>
    </div>
    ${edited.value !== null && html`<${Editor} />`}
    ${own.length > 0 && html`<ul class="switches">${own.map((s) => html`<${Switch} key=${s.name} scenario=${s} />`)}</ul>`}
    ${states.length > 0 &&
    html`<h3>States${of && html` of session <code>${oneLine(of, 40)}</code>`}</h3>
      <table class="states"><tbody>${states.map(
        ([name, value]) => html`<tr key=${name}><th scope="row"><label for=${`state-${name}`}><${Text} value=${name} max=${60} /></label></th><td><select id=${`state-${name}`} value=${value} onChange=${(e) => change("PUT", inSession(`/scenarios/${encodeURIComponent(name)}/state`, of), { state: e.target.value })}>${[...new Set([...(list.values[name] ?? []), value])].map((v) => html`<option key=${v}>${v}</option>`)}</select></td></tr>`,
      )}</tbody></table>`}
    <h3>Ready-made</h3>
    <ul class="switches">${ready.map((s) => html`<${Switch} key=${s.name} scenario=${s} />`)}</ul>
    <${Configuration} />
  </div>`;
}
