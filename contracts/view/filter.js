// The filter of lists: words that must be somewhere, and key:value pairs. A minus in front means not.

// parse makes a test of an object whose texts are by key: {status: "400", rule: "Reason/length", ...}
// and whose text is what words are looked for in.
export function parse(filter) {
  const parts = [];
  for (const [, minus, key, quoted, plain] of filter.matchAll(/(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/gi)) {
    const text = (quoted ?? plain ?? "").toLowerCase();
    if (text) parts.push({ not: minus === "-", key: key?.toLowerCase(), text });
  }
  if (parts.length === 0) return null;
  return (of) =>
    parts.every(({ not, key, text }) => {
      const value = key ? of(key) : of("text");
      if (value === undefined) return of("text").toLowerCase().includes(`${key}:${text}`) !== not; // no key of ours
      const has = key === "status" ? matchesStatus(String(value), text) : String(value).toLowerCase().includes(text);
      return has !== not;
    });
}

// matchesStatus takes 4xx for every status from 400 to 499.
function matchesStatus(status, text) {
  return status.length === text.length ? [...text].every((c, i) => c === "x" || c === status[i]) : status.startsWith(text);
}
