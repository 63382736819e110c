// Where the fields of a body are in its text. What is not JSON is read as far as it goes.

// locate reads a body. It returns places, each with the pointer of a value, where its name and its
// value are, and for objects and lists where they end; whole says that all of it is one value, or stopped
// where it is none.
export function locate(text, contentType = "") {
  if (/x-www-form-urlencoded/i.test(contentType)) return locateForm(text);
  const places = [];
  let at = 0;
  const space = () => {
    while (at < text.length && " \t\r\n\ufeff".includes(text[at])) at++;
  };
  const string = () => {
    const start = at++;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    at = Math.min(at + 1, text.length);
    return text.slice(start, at);
  };
  const name = (raw) => {
    try {
      return JSON.parse(raw);
    } catch {
      return raw.replace(/^"|"$/g, "");
    }
  };
  // A stack, since a hostile body can go as deep as it is long.
  const stack = [];
  let ok = true;
  let stopped = 0;
  const fail = () => {
    if (ok) stopped = at;
    ok = false;
  };
  const finish = (place) => {
    place.value[1] = at;
  };
  const value = (pointer, key) => {
    space();
    const place = { pointer, key, value: [at, at], kind: "" };
    places.push(place);
    const c = text[at];
    if (c === "{" || c === "[") {
      place.kind = c;
      at++;
      stack.push({ place, pointer, index: 0 });
      return;
    }
    if (c === '"') {
      place.kind = "string";
      string();
    } else {
      while (at < text.length && !",:{}[]\" \t\r\n".includes(text[at])) at++;
      const word = text.slice(place.value[0], at);
      place.kind = /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(word) ? "number" : word;
      if (!["number", "true", "false", "null"].includes(place.kind)) {
        if (ok) stopped = place.value[0];
        ok = false;
      }
    }
    finish(place);
  };
  value("", null);
  while (stack.length > 0 && places.length < 20000) {
    const top = stack[stack.length - 1];
    space();
    const closer = top.place.kind === "{" ? "}" : "]";
    if (at >= text.length) {
      fail();
      for (const open of stack) finish(open.place);
      break;
    }
    if (text[at] === closer) {
      top.place.end = at++;
      finish(top.place);
      stack.pop();
      continue;
    }
    if (top.index > 0) {
      if (text[at] !== ",") {
        fail();
        for (const open of stack) finish(open.place);
        break;
      }
      at++;
      space();
    }
    top.index++;
    if (closer === "]") {
      value(`${top.pointer}/${top.index - 1}`, null);
      continue;
    }
    if (text[at] !== '"') {
      fail();
      for (const open of stack) finish(open.place);
      break;
    }
    const start = at;
    const key = name(string());
    const range = [start, at];
    space();
    if (text[at] !== ":") {
      fail();
      for (const open of stack) finish(open.place);
      break;
    }
    at++;
    value(`${top.pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, range);
    places[places.length - 1].name = key;
  }
  space();
  if (at < text.length) fail();
  return { places, whole: ok && stack.length === 0, stopped };
}

// locateForm reads a form, whose pairs may be on lines of their own.
function locateForm(text) {
  const places = [{ pointer: "", key: null, value: [0, text.length], kind: "{", end: text.length }];
  let at = 0;
  for (const [pair, separator] of text.matchAll(/[^&\n]+|(\n?&)/g)) {
    if (!separator) {
      const equals = pair.indexOf("=");
      const end = equals < 0 ? pair.length : equals;
      const name = decoded(pair.slice(0, end));
      const step = name.replaceAll("~", "~0").replaceAll("/", "~1");
      places.push({
        pointer: "/" + step.replace(/\[(\d+)\]\.?/g, "/$1/").replace(/\/$/, "").replaceAll(".", "/"),
        name,
        key: [at, at + end],
        value: [Math.min(at + end + 1, at + pair.length), at + pair.length],
        kind: "string",
      });
    }
    at += pair.length;
  }
  return { places, whole: true };
}

// decoded is a text of a form; as it is written where that is wrong.
export function decoded(text) {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

// find is the place of a pointer, whatever the case of its names; the last of several, which counts.
export function find(places, pointer) {
  const wanted = pointer.toLowerCase();
  return places.findLast((p) => p.pointer.toLowerCase() === wanted);
}

// pretty is JSON with one member a line and every value as it was written; null for what is not JSON,
// or has its lines already.
export function pretty(text) {
  if (text.includes("\n") || text.length > 500_000) return null;
  const { places, whole } = locate(text);
  if (!whole || places.length < 3) return null;
  let out = "";
  let depth = 0;
  let inText = false;
  const line = () => "\n" + "  ".repeat(Math.min(depth, 40));
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inText) {
      out += c;
      if (c === "\\") out += text[++i];
      else if (c === '"') inText = false;
    } else if (c === '"') {
      inText = true;
      out += c;
    } else if (c === "{" || c === "[") {
      const rest = text.slice(i + 1, i + 40).trimStart();
      if (rest[0] === "}" || rest[0] === "]") {
        out += c + rest[0];
        i = text.indexOf(rest[0], i + 1);
      } else {
        depth++;
        out += c + line();
      }
    } else if (c === "}" || c === "]") {
      depth--;
      out += line() + c;
    } else if (c === ",") {
      out += c + line();
    } else if (c === ":") {
      out += ": ";
    } else if (!" \t\r".includes(c)) {
      out += c;
    }
  }
  return out;
}
