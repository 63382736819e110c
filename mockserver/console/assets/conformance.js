// Looks through the results of a run of verify, from a file that is dropped here. It stays in this page.
import { html, signal, useState } from "./preact.js";
import { problemOf, Results } from "./run.js";
import { Line } from "./detail.js";
import * as state from "./state.js";

const results = signal(null);

// most is the largest file that is read, in bytes.
const most = 200 << 20;

async function open(file) {
  if (!file) return;
  await state.attempt(async () => {
    if (file.size > most) throw new Error("The file is larger than 200 MiB.");
    let read;
    try {
      read = JSON.parse(await file.text());
    } catch {
      throw new Error("This is not JSON: use the file of verify --report json=FILE.");
    }
    const problem = problemOf(read);
    if (problem) throw new Error(problem);
    results.value = read;
  });
}

export function Conformance() {
  const [over, setOver] = useState(false);
  const drop = {
    onDragOver: (e) => {
      e.preventDefault();
      setOver(true);
    },
    onDragLeave: () => setOver(false),
    onDrop: (e) => {
      e.preventDefault();
      setOver(false);
      open(e.dataTransfer.files[0]);
    },
  };
  return html`<div class=${`pad conformance${over ? " over" : ""}`} ...${drop}>
    <h2>Conformance</h2>
    <p>Verify a real server, and drop its results record here: <code>understudy verify https://test.example.com --report json=results.json</code></p>
    <p><label class="file">Open results.json <input type="file" accept=".json,application/json" onChange=${(e) => open(e.target.files[0])} /></label></p>
    ${results.value && html`<${Results} results=${results.value} Line=${Line} />`}
  </div>`;
}
