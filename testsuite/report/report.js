// What the report does where scripts run: a filter, a switch of colours, and each request with what was
// changed in it marked. Without scripts the report says the same.
import { html, render, useEffect, useState } from "understudy/preact.js";
import { parse } from "understudy/filter.js";
import { Sent } from "understudy/run.js";
import { Theme } from "understudy/theme.js";

const exchanges = JSON.parse(document.getElementById("exchanges").textContent);

const words = { reject: "must be rejected", accept: "must be accepted" };

for (const box of document.querySelectorAll("[data-exchange]")) {
  const { exchange, field, expect, curl } = exchanges[box.dataset.exchange];
  const details = box.closest("details");
  const show = () => {
    if (!details.open || box.dataset.shown) return;
    box.dataset.shown = "yes";
    box.replaceChildren();
    render(html`<${Sent} exchange=${exchange} path=${field} note=${words[expect] ?? "open"} curl=${curl} />`, box);
  };
  details.addEventListener("toggle", show);
  show();
}

const findings = [...document.querySelectorAll("details.finding")].map((element) => ({
  element,
  text: element.textContent,
  rule: element.dataset.rules ?? "",
  level: element.closest("section").dataset.level ?? "",
}));

function Tools() {
  const [filter, setFilter] = useState("");
  const [shown, setShown] = useState(findings.length);
  useEffect(() => {
    const test = parse(filter);
    let count = 0;
    for (const finding of findings) {
      const isShown = !test || test((key) => (key === "text" ? finding.text : finding[key]));
      finding.element.hidden = !isShown;
      if (isShown) count++;
    }
    for (const section of document.querySelectorAll("section.part")) section.hidden = !section.querySelector("details.finding:not([hidden])");
    setShown(count);
  }, [filter]);
  return html`${findings.length > 0 &&
    html`<input type="search" aria-label="Filter findings" placeholder="rule:Reason text" value=${filter} onInput=${(e) => setFilter(e.target.value)} />
      <span class="soft" role="status">${filter && `${shown} of ${findings.length} findings`}</span>`}
    <${Theme} />`;
}

render(html`<${Tools} />`, document.getElementById("tools"));
