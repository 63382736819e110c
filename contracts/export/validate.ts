/** The texts of a form by name, without regard to case; a[b] is a.b, a[] is a. */
function read(form: Iterable<readonly [string, unknown]>): Map<string, string[]> {
  const texts = new Map<string, string[]>();
  for (const [name, value] of form) {
    const key = name
      .replace(/\[([^\]]*)\]/g, (whole, inner: string) =>
        inner === "" ? "" : /^[0-9]/.test(inner) ? whole : `.${inner}`)
      .toUpperCase();
    texts.set(key, [...(texts.get(key) ?? []), typeof value === "string" ? value : ""]);
  }
  return texts;
}

function validate(fields: readonly Field[], line: number, form: Iterable<readonly [string, unknown]>): Violation[] {
  const texts = read(form);
  if (texts.size === 0) {
    return [{ field: "", rule: "body", line, message: invalidRequest }];
  }
  const names = [...texts.keys()];
  const isThere = (key: string): boolean =>
    names.some((name) => name === key || name.startsWith(key + ".") || name.startsWith(key + "["));
  const violations: Violation[] = [];
  const visit = (all: readonly Field[], under: string): void => {
    for (const field of all) {
      const name = under + field.name;
      const key = name.toUpperCase();
      if (field.elements !== undefined) {
        // A list's own name makes an element for each of its texts.
        texts.get(key)?.forEach(() => visit(field.elements!, name + "."));
        for (let i = 0; !texts.has(key) && isThere(`${key}[${i}]`); i++) {
          visit(field.elements, `${name}[${i}].`);
        }
        if (field.required !== undefined && !isThere(key)) {
          violations.push({ field: name, rule: "required", line: field.required.line, message: field.required.message });
        }
        continue;
      }
      for (const broken of check(field, texts.get(key))) {
        violations.push({ field: name, ...broken });
      }
    }
  };
  visit(fields, "");
  return violations;
}
