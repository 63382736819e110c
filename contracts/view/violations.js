// Why a request was rejected: field, what was sent, what the page asks, what the server said.
import { html } from "./preact.js";
import { oneLine, Text } from "./text.js";

// rejectionOf are the messages of a rejection by key, as ASP.NET writes them; null for another body.
export function rejectionOf(body) {
  try {
    const { ModelState } = JSON.parse(body);
    if (ModelState && typeof ModelState === "object") return ModelState;
  } catch {
    // it is no such rejection
  }
  return null;
}

// messagesOf are those of a field: by its own key, which a parameter's name begins, or else by the key of
// the whole body.
export function messagesOf(messages, pointer) {
  if (!messages) return [];
  const path = pointer
    .slice(1)
    .split("/")
    .map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step.replaceAll("~1", "/").replaceAll("~0", "~")}`))
    .join("")
    .toLowerCase();
  const keys = Object.keys(messages);
  const key = (pointer && keys.find((k) => k.toLowerCase().endsWith(path) && !k.slice(0, -path.length).includes("."))) || keys.find((k) => !k.includes("."));
  return key === undefined ? [] : [...new Set([].concat(messages[key]))].map((text) => ({ key, text: String(text) }));
}

// once are violations without those that a value which could not be read has as well: it counts as
// missing then.
const once = (violations) => violations.filter((v) => v.found !== "nothing" || !violations.some((o) => o !== v && o.pointer === v.pointer && o.found !== "nothing"));

// Violations is the table. Rules are those of the operation; sent says what a body has at a pointer;
// Line shows a line of the page.
export function Violations({ violations, more, rules, sent, messages, Line }) {
  return html`<table class="violations" aria-label="Broken rules">
    <thead>
      <tr><th scope="col">Field</th><th scope="col">Sent</th><th scope="col">The page asks</th>${messages && html`<th scope="col">ModelState</th>`}</tr>
    </thead>
    <tbody>
      ${once(violations).map((v) => {
        const rule = rules.find((r) => r.id === v.rule);
        const was = sent(v.pointer);
        return html`<tr key=${v.rule + v.pointer}>
          <td><code>${v.pointer ? oneLine(v.pointer.slice(1), 60) : "request"}</code></td>
          <td>${was === undefined || was === "" ? html`<em>${v.found === "nothing" ? "nothing" : v.found}</em>` : html`<code><${Text} value=${oneLine(was, 48)} /></code>${!["nothing", was].includes(v.found) && html`<br /><span class="soft">${v.found}</span>`}`}</td>
          <td>${rule?.text ?? v.rule}<br /><span class="soft"><${Line} line=${v.line} /> <q>${oneLine(v.quote, 90)}</q>${v.source === "inferred" && ", inferred"}</span></td>
          ${messages && html`<td>${messagesOf(messages, v.pointer).map((m) => html`<div><code class="soft">${oneLine(m.key, 40)}</code> <${Text} value=${m.text} max=${200} /></div>`)}</td>`}
        </tr>`;
      })}
    </tbody>
    ${more > 0 && html`<tfoot><tr><td colspan="4" class="soft">and ${more} more</td></tr></tfoot>`}
  </table>`;
}
