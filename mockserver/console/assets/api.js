// Requests to the mock, and the stream of what happens there.
import { signal } from "./preact.js";

const admin = "/__admin";
const tokenKey = "understudy-token";

// token lets requests in where the mock asks for one; it is kept for this tab.
let token = "";
try {
  token = sessionStorage.getItem(tokenKey) ?? "";
} catch {
  // it holds until the page is left
}

// needsToken is set when a request was rejected for want of one.
export const needsToken = signal(false);
// wasRejected says that there was one.
export const wasRejected = signal(false);

function askForToken() {
  wasRejected.value = token !== "";
  needsToken.value = true;
}

export function setToken(text) {
  token = text;
  try {
    sessionStorage.setItem(tokenKey, text);
  } catch {
    // as above
  }
  needsToken.value = false;
}

const authorized = () => (token ? { Authorization: `Bearer ${token}` } : {});

// ask sends a request to the admin API, and returns what it says as JSON, or as text. It throws an
// Error that says what the mock says.
export async function ask(method, path, { body, headers = {}, as = "json", signal: stop } = {}) {
  let response;
  try {
    response = await fetch(admin + path, { method, body, headers: { ...authorized(), ...headers }, signal: stop, cache: "no-store" });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Error("The mock does not respond: is it still running?");
  }
  if (response.status === 401) askForToken();
  if (response.ok && as === "text") return response.text();
  const text = await response.text();
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (!response.ok) throw Object.assign(new Error(value?.errors?.[0]?.title ?? `status ${response.status}`), { status: response.status });
  return value;
}

// inSession adds the name of a session to a path.
export const inSession = (path, session) => (session ? `${path}${path.includes("?") ? "&" : "?"}session=${encodeURIComponent(session)}` : path);

const longestWait = 4000;

// many is how many events are shown before the page gets its turn.
const many = 50;

// tokenGiven waits until somebody has given a token.
function tokenGiven() {
  return new Promise((done) => {
    const stop = needsToken.subscribe((needed) => {
      if (needed) return;
      queueMicrotask(() => stop());
      done();
    });
  });
}

// eventsOf reads server-sent events. It yields those that came together, each as {name, id, data}.
async function* eventsOf(stream) {
  let rest = "";
  for await (const text of chunks(stream.pipeThrough(new TextDecoderStream()))) {
    const parts = (rest + text).split("\n\n");
    rest = parts.pop();
    yield parts.map((part) => {
      const event = {};
      for (const line of part.split("\n")) {
        const colon = line.indexOf(": ");
        event[line.slice(0, colon)] = line.slice(colon + 2);
      }
      return { name: event.event, id: event.id, data: event.event && JSON.parse(event.data) };
    });
  }
}

// chunks are those of a stream, which not every browser can iterate.
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// follow calls on.events with the events that came together, and on.state with live or lost. It goes on
// where it was when the connection was lost, and begins again when on.events returns "again".
export async function follow(on) {
  let last = "0";
  let wait = 250;
  for (;;) {
    let again = false;
    try {
      const headers = { ...authorized(), "Last-Event-ID": last };
      const response = await fetch(`${admin}/events?view=row`, { headers, cache: "no-store" });
      if (response.status === 401) {
        askForToken();
        await tokenGiven();
        continue;
      }
      if (!response.ok) throw new Error(`status ${response.status}`);
      on.state("live");
      wait = 250;
      for await (const events of eventsOf(response.body)) {
        for (const event of events) last = event.id ?? last;
        if (on.events(events) === "again") {
          again = true;
          last = "0";
          break;
        }
        // What is there already would come in one go, and hold the page for as long.
        if (events.length > many) await new Promise((done) => setTimeout(done));
      }
    } catch {
      // the mock is away
    }
    if (again) continue;
    on.state("lost");
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, longestWait);
  }
}
