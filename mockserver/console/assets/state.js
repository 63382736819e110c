// What the parts of the console share.
import { batch, computed, signal } from "./preact.js";
import { ask, follow as followMock, inSession } from "./api.js";
import { parse } from "./filter.js";

// most is how many requests the list keeps; the oldest go.
const most = 10_000;

// about is what does not change while the mock runs.
export const about = signal(null);
// rows are the requests, the oldest first; version changes with them.
let rows = [];
const version = signal(0);
// held are those that came while the list was paused.
let held = [];
export const heldCount = signal(0);
export const paused = signal(false);
// mock is what the stream says of the mock itself, and live whether there is one.
export const mock = signal(null);
export const live = signal("connecting");
// session is the name of the session that is looked at; empty for all.
export const session = signal("");
export const filterText = signal("");
// route is what the address says: {tab, id}.
export const route = signal(readRoute());
// following shows each request as it comes; an address of one request is followed by nobody.
export const following = signal(route.value.tab !== "requests" || route.value.id === "");
// selected is the id of a request.
export const selected = computed(() => (route.value.tab === "requests" ? route.value.id : ""));
// waiting are the responses that the next requests get; setup counts what may have changed them.
export const waiting = signal([]);
export const settings = signal(null);
export const scenarios = signal(null);
// said is the last message for the person, and spoken for who hears the page.
export const said = signal(null);
export const spoken = signal("");
// worst is the last request that went wrong, and unseen how many did while nobody looked.
export const worst = signal(null);
export const unseen = signal(0);

function readRoute() {
  const [, tab = "requests", id = ""] = location.hash.split("/");
  try {
    return { tab: tab || "requests", id: decodeURIComponent(id) };
  } catch {
    return { tab: "requests", id: "" }; // somebody's own address
  }
}
addEventListener("hashchange", () => {
  route.value = readRoute();
});

// go shows a tab, and a request or a line there.
export function go(tab, id = "") {
  const hash = `#/${tab}${id === "" ? "" : "/" + encodeURIComponent(id)}`;
  if (location.hash !== hash) history.pushState(null, "", hash);
  route.value = { tab, id: String(id) };
}

// show shows a request in the place of the one that is shown: the way back leads past both.
export function show(id) {
  history.replaceState(null, "", `#/requests/${encodeURIComponent(id)}`);
  route.value = { tab: "requests", id };
}

// follow shows each request as it comes, from the newest on, or no longer does.
export function follow(on) {
  following.value = on;
  const newest = folded.value[0];
  if (on && newest && route.value.tab === "requests") show(newest.row.id);
}

let leaving = 0;
// say shows a message for a while.
export function say(text, kind = "done") {
  said.value = { text, kind };
  clearTimeout(leaving);
  leaving = setTimeout(() => (said.value = null), kind === "done" ? 3500 : 10_000);
}

// attempt says what goes wrong.
export async function attempt(action) {
  try {
    return await action();
  } catch (problem) {
    if (problem.name !== "AbortError") say(problem.message, "problem");
    return undefined;
  }
}

// isWrong is a request that somebody may want to look at.
const isWrong = (row) => row.outcome !== "accepted" && row.outcome !== "preflight";

// reasonOf says in a few words why a request got what it got.
export function reasonOf(row) {
  if (row.fault) return row.fault;
  if (row.reason) return row.reason + (row.broken > 1 ? ` and ${row.broken - 1} more` : "");
  if (row.outcome === "preflight") return "preflight that no request followed";
  if (row.verdict && row.verdict !== "agree") return row.verdict;
  if (!row.operation && row.outcome === "rejected") return "no such operation";
  return "";
}

const textOf = (row) =>
  (row.searched ??= `${row.method} ${row.url} ${row.status ?? ""} ${row.outcome} ${reasonOf(row)} ${(row.rules ?? []).join(" ")} ${(row.scenarios ?? []).join(" ")} ${row.session ?? ""}`);
const valueOf = (row) => (key) =>
  key === "text" ? textOf(row)
  : key === "rule" ? (row.rules ?? []).join(" ")
  : key === "scenario" ? (row.scenarios ?? []).join(" ")
  : key === "reason" ? reasonOf(row)
  : key === "id" ? row.id
  : row[key] ?? "";

export const filterKeys = ["status", "outcome", "rule", "reason", "session", "scenario", "method", "url"];

// folded are the requests that the list shows, the newest first: those that repeat the one before are
// one, with all of them in rows.
export const unfolded = signal(new Set());
export const folded = computed(() => {
  version.value; // rows are not a signal: they change in place
  const test = parse(filterText.value);
  const of = session.value;
  const open = unfolded.value;
  const out = [];
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i];
    if (of && row.session !== of) continue;
    if (test && !test(valueOf(row))) continue;
    const before = out[out.length - 1];
    if (before && !open.has(before.key) && same(before.row, row)) {
      before.rows.push(row);
    } else {
      out.push({ row, key: (row.same ??= keyOf(row)), rows: [row] });
    }
  }
  return out;
});

const keyOf = (row) => `${row.method} ${row.url} ${row.status} ${row.outcome} ${reasonOf(row)} ${row.scenarios ?? ""} ${row.session ?? ""}`;
const same = (a, b) => (a.same ??= keyOf(a)) === (b.same ??= keyOf(b));

export const total = computed(() => {
  version.value;
  return rows.length;
});
export const sessions = computed(() => {
  version.value;
  return [...new Set(rows.map((row) => row.session).filter(Boolean))].sort();
});

function take(added) {
  if (added.length === 0) return;
  if (paused.value) {
    held = held.concat(added).slice(-most);
    heldCount.value = held.length;
    return;
  }
  rows = rows.concat(added).slice(-most);
  for (const row of added) {
    if (!isWrong(row) || Date.parse(row.time) < since) continue; // it was there before
    worst.value = row;
    if (document.hidden || !document.hasFocus()) unseen.value++;
  }
  version.value++;
  const newest = folded.value[0];
  if (following.value && wide.matches && route.value.tab === "requests" && newest) {
    show(newest.row.id);
  }
}

// wide is a window with room for list and request side by side.
export const wide = matchMedia("(min-width: 900px)");

// pause holds the list as it is, or goes on with what came meanwhile.
export function pause(on) {
  paused.value = on;
  if (on) return;
  const added = held;
  held = [];
  heldCount.value = 0;
  take(added);
}

// since is when the list began, in milliseconds of the clock: what is older is no news.
let since = Date.now();
// replacing says that the list comes again from its beginning: requests were removed, or the mock is
// another one. What there is stays until then.
let replacing = false;

// replaced empties the list when it comes again.
function replaced(isEmpty) {
  replacing = false;
  since = Date.now();
  rows = [];
  held = [];
  batch(() => {
    paused.value = false;
    heldCount.value = 0;
    version.value++;
    worst.value = null;
    unseen.value = 0;
    if (isEmpty && route.value.tab === "requests") {
      history.replaceState(null, "", "#/requests");
      route.value = { tab: "requests", id: "" };
    }
  });
}

let speaking = 0;
// speak says at most every two seconds what came.
function speak(added) {
  const now = Date.now();
  const wrong = added.findLast(isWrong);
  if (!wrong || now - speaking < 2000) return;
  speaking = now;
  spoken.value = `${wrong.status ?? wrong.outcome} ${reasonOf(wrong)}`;
}

// refresh asks for what scenarios, settings and next responses are now.
export async function refresh() {
  const of = session.value;
  const [next, now, list] = await Promise.all([
    ask("GET", inSession("/next", of)),
    ask("GET", "/settings"),
    ask("GET", inSession("/scenarios", of)),
  ]);
  batch(() => {
    waiting.value = next.next;
    settings.value = now.settings;
    scenarios.value = list;
  });
}

let refreshing = 0;
function refreshSoon() {
  refreshing ||= setTimeout(() => {
    refreshing = 0;
    refresh().catch(() => {});
  }, 60);
}

// start loads what the console needs, and follows the mock from then on.
export function start() {
  const load = async () => {
    about.value = await ask("GET", "/console/about");
    await refresh();
  };
  let loaded = false;
  followMock({
    state(now) {
      live.value = now;
      if (now === "live" && !loaded) {
        loaded = true;
        load().catch((problem) => {
          loaded = false;
          say(problem.message, "problem");
        });
      }
    },
    events(events) {
      const added = [];
      let again = false;
      batch(() => {
        for (const { name, data } of events) {
          if (name === "request") added.push(data);
          if (name !== "mock") continue;
          const before = mock.value;
          mock.value = data;
          if (!before) continue;
          if (before.instance !== data.instance) loaded = false;
          if (before.instance !== data.instance || before.removals !== data.removals) {
            replacing = true;
            added.length = 0;
            again = true;
            break;
          }
          if (before.changes !== data.changes) refreshSoon();
        }
        if (replacing && !again) replaced(added.length === 0);
        take(added);
      });
      if (added.some((row) => row.scenarios)) refreshSoon();
      speak(added);
      return again ? "again" : undefined;
    },
  });
}

// base is where the mock listens, as this browser reaches it; a socket has none.
export const base = computed(() => {
  const address = about.value?.address ?? "";
  if (address === "" || !address.startsWith("http")) return address || location.origin;
  const port = new URL(address).port;
  return port === location.port ? location.origin : address;
});
