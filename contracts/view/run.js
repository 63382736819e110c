// A run of the suite: its findings, and each failing case with what was sent and received.
import { html, useMemo, useState } from "./preact.js";
import { Body, counted, Headers } from "./exchange.js";
import { find, locate } from "./body.js";
import { parse } from "./filter.js";
import { oneLine, Text } from "./text.js";

// schema is the version of results that can be read.
const schema = 2;

// problemOf says why a file is no record of a run; empty if it is one.
export function problemOf(results) {
  if (!results || typeof results !== "object" || !Array.isArray(results.cases) || typeof results.conclusion !== "string") {
    return "This is not a results record: use the file of verify --report json=FILE.";
  }
  if (results.schema !== schema) return `This record is of version ${oneLine(String(results.schema), 20)}; version ${schema} can be read.`;
  return "";
}

const bytesOf = (body) => (body?.text !== undefined ? body.text : body?.base64 ? atob(body.base64) : "");

// pointerOf is the JSON pointer of a field's path, in the first element of a list.
const pointerOf = (path) => (path ? "/" + path.replace(/^\./, "").replaceAll("[]", "/0").replaceAll(".", "/") : "");

const headersOf = (headers) => Object.fromEntries((headers ?? []).map((h) => [h.name, h.value]));

// Sent shows a request and the response to it.
export function Sent({ exchange, path, note, curl }) {
  const { sent, received } = exchange;
  const headers = headersOf(sent.headers);
  const pointer = pointerOf(path);
  const body = bytesOf(sent.body);
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "";
  const marks = pointer && !sent.raw ? [{ pointer, note, missing: !find(locate(body, type).places, pointer) }] : [];
  return html`<div class="pair">
    <section aria-label="Request">
      <h4>Request</h4>
      <p class="mono"><${Text} value=${`${sent.method} ${sent.path}`} max=${300} /></p>
      <${Body} text=${body} type=${type} marks=${marks} bytes=${sent.body?.cut ? sent.body.bytes : 0} label="Request body" />
      ${Object.keys(headers).length > 0 && html`<details><summary>${counted(Object.keys(headers).length, "header")}</summary><${Headers} headers=${headers} label="Request headers" /></details>`}
    </section>
    <section aria-label="Response">
      <h4>Response</h4>
      ${received.problem
        ? html`<p class="rejected"><${Text} value=${received.problem} max=${300} /></p>`
        : html`<p class="mono">${received.status}</p>
            <${Body} text=${bytesOf(received.body)} bytes=${received.body?.cut ? received.body.bytes : 0} label="Response body" />
            ${received.headers?.length > 0 && html`<details><summary>${counted(received.headers.length, "header")}</summary><${Headers} headers=${headersOf(received.headers)} label="Response headers" /></details>`}`}
    </section>
    ${curl && html`<section class="across" aria-label="Again from a shell"><h4>Again from a shell</h4><pre tabindex="0"><${Text} value=${curl} max=${2000} /></pre></section>`}
  </div>`;
}

function Case({ of, exchange, Line }) {
  return html`<div class="case">
    <p>${of.why}</p>
    <dl>
      <dt>Page</dt><dd>${of.line > 0 ? html`<${Line} line=${of.line} /> <q>${oneLine(of.quote ?? "", 100)}</q>` : "no rule of the page"}</dd>
      <dt>Change</dt><dd><${Text} value=${of.change} max=${300} /></dd>
      <dt>Expected</dt><dd>${of.expected}</dd>
      <dt>Got</dt><dd><${Text} value=${of.got ?? "nothing was sent"} max=${300} /></dd>
      ${of.reason && html`<dt>Reason</dt><dd><${Text} value=${of.reason} max=${400} /></dd>`}
      ${of.known && html`<dt>Known</dt><dd><${Text} value=${of.known} max=${400} /></dd>`}
    </dl>
    ${exchange && html`<${Sent} exchange=${exchange} path=${of.field} note=${of.expect === "reject" ? "must be rejected" : of.expect === "accept" ? "must be accepted" : "open"} />`}
  </div>`;
}

// most is how many cases of a finding are listed at first.
const most = 40;

function Finding({ finding, cases, exchanges, Line, isOpen }) {
  const [all, setAll] = useState(false);
  const shown = all ? finding.cases : finding.cases.slice(0, most);
  return html`<details class="finding" open=${isOpen}>
    <summary><strong>${finding.title}</strong> <span class=${`badge ${finding.counts ? "rejected" : ""}`}>${finding.level}</span> <span class="soft">${finding.cases.length} ${finding.cases.length === 1 ? "case" : "cases"}${!finding.counts && ", does not fail the run"}</span></summary>
    ${finding.hint && html`<p>${finding.hint}</p>`}
    ${shown.map((id) => {
      const of = cases.get(id);
      return of && html`<${Opened} key=${id} of=${of} exchange=${exchanges.get(of.sends)} Line=${Line} isOpen=${isOpen && id === finding.example} />`;
    })}
    ${shown.length < finding.cases.length && html`<button onClick=${() => setAll(true)}>${finding.cases.length - shown.length} more</button>`}
  </details>`;
}

// Opened makes what is in a case when somebody opens it.
function Opened({ of, exchange, Line, isOpen }) {
  const [open, setOpen] = useState(isOpen);
  return html`<details open=${open} onToggle=${(e) => setOpen(e.currentTarget.open)}>
    <summary><code>${of.id}</code> <span class="soft">${oneLine(of.reason ?? "", 120)}</span></summary>
    ${open && html`<${Case} of=${of} exchange=${exchange} Line=${Line} />`}
  </details>`;
}

const valueOf = (finding, cases) => (key) => {
  const of = finding.cases.map((id) => cases.get(id)).filter(Boolean);
  if (key === "rule") return finding.rules.join(" ");
  if (key === "field") return (finding.fields ?? []).join(" ");
  if (key === "level") return finding.level;
  if (key === "part") return finding.part;
  if (key === "case") return finding.cases.join(" ");
  if (key === "text") return `${finding.title} ${finding.rules.join(" ")} ${finding.cases.join(" ")} ${of[0]?.reason ?? ""}`;
  return undefined;
};

// Results shows a run. Line shows a line of the page.
export function Results({ results, Line }) {
  const [filter, setFilter] = useState("");
  const cases = useMemo(() => new Map(results.cases.map((c) => [c.id, c])), [results]);
  const exchanges = useMemo(() => new Map((results.exchanges ?? []).map((e) => [e.id, e])), [results]);
  const test = parse(filter);
  const findings = (results.findings ?? []).filter((f) => !test || test(valueOf(f, cases)));
  const count = (verdict) => results.cases.filter((c) => c.verdict === verdict).length;
  return html`<div class="results">
    <p class=${`conclusion ${results.exit === 0 ? "takes" : "rejects"}`}><strong><${Text} value=${results.conclusion.slice(0, 1).toUpperCase() + results.conclusion.slice(1)} max=${400} /></strong>. Exit code ${results.exit}.</p>
    <p class="soft"><code><${Text} value=${results.endpoint} max=${200} /></code> of <code><${Text} value=${results.target} max=${200} /></code>, ${new Date(results.started).toLocaleString()}, ${results.requests} requests, ${count("pass")} cases pass, ${count("fail")} fail</p>
    ${(results.findings ?? []).length > 0
      ? html`<input type="search" aria-label="Filter findings" placeholder="rule:Reason level:MUST text" value=${filter} onInput=${(e) => setFilter(e.target.value)} />
          <p class="visually-hidden" role="status">${findings.length} findings</p>
          ${findings.map((f, i) => html`<${Finding} key=${f.id} finding=${f} cases=${cases} exchanges=${exchanges} Line=${Line} isOpen=${i === 0} />`)}
          ${findings.length === 0 && html`<p class="soft">No finding matches.</p>`}`
      : html`<p>Nothing fails.</p>`}
  </div>`;
}
