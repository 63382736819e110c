// The live list, of which what is in sight is drawn.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./preact.js";
import { oneLine } from "./text.js";
import * as state from "./state.js";

const rowHeight = 30;
const beyond = 8; // rows that are drawn above and below those in sight

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

const words = { accepted: "Accepted", rejected: "Rejected", scenario: "Scenario", fault: "Broken", preflight: "Preflight" };

// wordOf is the outcome in a word.
export const wordOf = (outcome) => words[outcome] ?? outcome;

function Row({ group, isSelected, index, of }) {
  const { row, rows } = group;
  const why = state.reasonOf(row);
  const place = row.operation ? "" : ` ${row.method} ${row.url}`;
  return html`<div
    role="option"
    id=${`row-${row.id}`}
    aria-selected=${isSelected}
    aria-posinset=${index + 1}
    aria-setsize=${of}
    class=${`row${isSelected ? " selected" : ""}`}
    onClick=${() => {
      state.following.value = false;
      state.go("requests", row.id);
    }}
    title=${`${row.method} ${oneLine(row.url, 200)}`}
  >
    <span class="soft mono">${time.format(new Date(row.time))}</span>
    <span class=${`status ${row.outcome}`}>${row.status ?? "✕"}</span>
    <span class="why">${why && oneLine(why, 120)}${(place || !why) && html`<span class="soft">${oneLine(place || wordOf(row.outcome), 120)}</span>`}</span>
    ${rows.length > 1 &&
    html`<span
      class="badge count"
      title="show each of them (right arrow)"
      onClick=${(e) => {
        e.stopPropagation();
        unfold(group, true);
      }}
      >×${rows.length}</span
    >`}
    ${row.preflight && html`<span class="badge" title="the browser asked first whether it may (a preflight)">pre</span>`}
    ${row.scenarios?.slice(0, 1).map((name) => html`<span class="badge scenario">${oneLine(name, 16)}</span>`)}
    <span class="soft mono took">${took(row.millis)}</span>
  </div>`;
}

// unfold shows each of the requests that repeat one, or folds them again.
function unfold(group, open) {
  const keys = new Set(state.unfolded.value);
  if (open) keys.add(group.key);
  else keys.delete(group.key);
  state.unfolded.value = keys;
}

// unfoldSelected does that with the one that is selected.
export function unfoldSelected(open) {
  const group = state.folded.value.find((g) => g.rows.some((r) => r.id === state.selected.value));
  if (group) unfold(group, open);
}

// took is a time in few letters.
export const took = (millis) => (millis < 1 ? "<1 ms" : millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`);

export function List() {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const groups = state.folded.value;
  const chosen = state.selected.value;
  const at = groups.findIndex((g) => g.row.id === chosen || (g.rows.length > 1 && g.rows.some((r) => r.id === chosen)));
  useEffect(() => {
    const resized = new ResizeObserver(() => setView((v) => ({ ...v, height: box.current.clientHeight })));
    resized.observe(box.current);
    return () => resized.disconnect();
  }, []);
  // Whoever looks at older ones keeps them in sight when others come.
  const anchor = useRef(null);
  useLayoutEffect(() => {
    const list = box.current;
    const was = anchor.current;
    if (was && list.scrollTop > rowHeight && !state.following.value) {
      const now = groups.findIndex((g) => g.rows.some((r) => r.id === was.id));
      if (now >= 0) list.scrollTop = now * rowHeight + was.offset;
    }
  }, [groups]);
  const keepAnchor = (top) => {
    const row = groups[Math.floor(top / rowHeight)]?.row;
    anchor.current = row ? { id: row.id, offset: top % rowHeight } : null;
  };
  useLayoutEffect(() => {
    if (at < 0) return;
    const top = at * rowHeight;
    if (top < box.current.scrollTop) box.current.scrollTop = top;
    else if (top + rowHeight > box.current.scrollTop + box.current.clientHeight) box.current.scrollTop = top + rowHeight - box.current.clientHeight;
  }, [chosen]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - beyond);
  const last = Math.min(groups.length, Math.ceil((view.top + view.height) / rowHeight) + beyond);
  return html`<div
    class="rows"
    ref=${box}
    role="listbox"
    aria-label="Requests, the newest first"
    tabindex="0"
    id="rows"
    aria-activedescendant=${at >= first && at < last ? `row-${groups[at].row.id}` : undefined}
    onScroll=${(e) => {
      keepAnchor(e.currentTarget.scrollTop);
      setView({ top: e.currentTarget.scrollTop, height: e.currentTarget.clientHeight });
    }}
  >
    <div style=${{ height: `${groups.length * rowHeight}px`, position: "relative" }} role="presentation">
      <div style=${{ position: "absolute", top: `${first * rowHeight}px`, left: 0, right: 0 }} role="presentation">
        ${groups.slice(first, last).map((group, i) => html`<${Row} key=${group.row.id} group=${group} index=${first + i} of=${groups.length} isSelected=${first + i === at} />`)}
      </div>
    </div>
  </div>`;
}

// move selects the next request in a direction.
export function move(by) {
  const groups = state.folded.value;
  if (groups.length === 0) return;
  const at = groups.findIndex((g) => g.rows.some((r) => r.id === state.selected.value));
  const to = Math.max(0, Math.min(groups.length - 1, at + by));
  state.following.value = false;
  state.show(groups[to].row.id);
}

export function Filter() {
  const isOn = state.filterText.value !== "";
  return html`<div class="filter">
    <input
      id="filter"
      type="search"
      aria-label="Filter requests"
      placeholder="status:400 rule:Reason text"
      title=${`keys: ${state.filterKeys.join(", ")}; a minus in front means not`}
      value=${state.filterText.value}
      onInput=${(e) => (state.filterText.value = e.target.value)}
      onKeyDown=${(e) => {
        if (e.key === "Escape") state.filterText.value = "";
        if (e.key === "Escape" || e.key === "Enter") document.getElementById("rows").focus();
      }}
    />
    <button aria-pressed=${state.paused.value} title="hold the list as it is" onClick=${() => state.pause(!state.paused.value)}>
      ${state.paused.value ? `Go on${state.heldCount.value ? ` (${state.heldCount.value})` : ""}` : "Pause"}
    </button>
    <button aria-pressed=${state.following.value} title="show each request as it comes (f)" onClick=${() => state.follow(!state.following.value)}>Follow</button>
    ${isOn && html`<span class="visually-hidden" role="status">${state.folded.value.length} shown</span>`}
  </div>`;
}
