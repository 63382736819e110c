// The contract: fields, rules and the lines of the page behind them.
import { html, useEffect } from "./preact.js";
import { ask } from "./api.js";
import * as state from "./state.js";
import { Line } from "./detail.js";
import { Text } from "./text.js";

const cited = (operation) => {
  const lines = new Set([operation.line]);
  for (const field of operation.fields) for (const line of [field.line, ...field.constraints.map((c) => c.line)]) lines.add(line);
  for (const rule of operation.rules) lines.add(rule.fact.line);
  return lines;
};

async function download(name) {
  await state.attempt(async () => {
    const text = await ask("GET", `/console/exports/${name}`, { as: "text" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = files[name] ?? `contract-${name}.txt`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

const files = {
  openapi: "openapi.json", "openapi3.0": "openapi-3.0.json", jsonschema: "body.schema.json", typescript: "contract.ts",
  zod: "contract.zod.ts", csharp: "Contract.cs", markdown: "contract.md",
};

// around is how many lines are shown before and after one that is cited.
const around = 1;

// Excerpt shows the lines of the page that are cited, with those around them.
export function Excerpt({ lines }) {
  const page = state.about.value?.page ?? [];
  const shown = new Set();
  for (const line of lines) for (let n = line - around; n <= line + around; n++) if (n >= 1 && n <= page.length) shown.add(n);
  if (shown.size === 0) return null;
  const cited = new Set(lines);
  return html`<section aria-label="The page at the lines cited">
    <h3>The page</h3>
    <ol class="page">${[...shown].sort((a, b) => a - b).map((n) => html`<li key=${n} value=${n} class=${`${cited.has(n) ? "now" : ""}${shown.has(n - 1) || n === 1 ? "" : " gap"}`}><${Text} value=${page[n - 1] || " "} max=${300} /></li>`)}</ol>
  </section>`;
}

export function Contract() {
  const about = state.about.value;
  const at = Number(state.route.value.id) || 0;
  useEffect(() => {
    if (at) document.getElementById(`line-${at}`)?.scrollIntoView({ block: "center" });
  }, [at, about]);
  if (!about) return html`<p class="soft pad">…</p>`;
  const lines = new Set(about.operations.flatMap((o) => [...cited(o)]));
  return html`<div class="pad contract">
    <h2>Contract</h2>
    <div class="actions">${about.exports.map((e) => html`<button key=${e.name} title=${e.about} onClick=${() => download(e.name)}>${e.name}</button>`)}</div>
    ${about.operations.map(
      (o) => html`<section key=${o.id} aria-label=${o.id}>
        <h3><code>${o.method} ${o.path}</code> <${Line} line=${o.line} /></h3>
        <div class="wide"><table>
          <thead><tr><th scope="col">Field</th><th scope="col">Type</th><th scope="col">Rules</th><th scope="col">Null</th><th scope="col">Page</th></tr></thead>
          <tbody>${o.fields.map(
            (f) => html`<tr key=${f.path}>
              <td><code>${f.path}</code></td>
              <td>${f.kind}</td>
              <td>${[f.required && "required", f.max !== undefined && `${f.min} to ${f.max} characters`].filter(Boolean).join(", ")}</td>
              <td>${f.required ? "no" : f.open ? "open" : f.nullable ? "yes" : "no"}</td>
              <td>${[...new Set([f.line, ...f.constraints.map((c) => c.line)])].map((line) => html`<${Line} line=${line} /> `)}</td>
            </tr>`,
          )}</tbody>
        </table></div>
        <details><summary>${o.rules.length} rules</summary>
          <table><tbody>${o.rules.map((r) => html`<tr key=${r.id}><td><code>${r.id}</code></td><td>${r.text}${r.fact.source === "inferred" && html` <span class="soft">inferred: ${r.fact.because}</span>`}</td><td><${Line} line=${r.fact.line} /></td></tr>`)}</tbody></table>
        </details>
      </section>`,
    )}
    <h3>The page</h3>
    <ol class="page">${about.page.map((line, i) => html`<li key=${i} value=${i + 1} id=${`line-${i + 1}`} class=${[lines.has(i + 1) && "cited", at === i + 1 && "now"].filter(Boolean).join(" ")}><${Text} value=${line || " "} max=${2000} /></li>`)}</ol>
  </div>`;
}
