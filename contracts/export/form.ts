/** What a text is to the reader of a kind of values. */
type Reading = "value" | "wrong" | "out of range";

/** A field of the page and what the server says where one of its rules is broken. */
interface Field {
  readonly name: string;
  /** The line of the type. */
  readonly line: number;
  /** Reads a text without the space around it; without a reader the text is the value. */
  readonly read?: (text: string) => Reading;
  /** May the value be empty? */
  readonly nullable: boolean;
  /** Required; by the binder it is where the type has no null. */
  readonly required?: { readonly line: number; readonly message: string; readonly byBinder: boolean };
  /** The bounds, in UTF-16 code units, which is what length counts. */
  readonly length?: { readonly min: number; readonly max: number; readonly line: number; readonly message: string };
  /** The fields of the elements of a list. */
  readonly elements?: readonly Field[];
}

/** A value as the text that a form has for it. */
function textOf(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    default:
      return "";
  }
}

/** White space as .NET has it. */
const space = "[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const blank = new RegExp(`^${space}*$`);
const around = new RegExp(`^${space}+|${space}+$`, "g");

/** The rules that the texts of one name break; undefined where the form has no such name. */
function check(field: Field, texts: readonly string[] | undefined): Omit<Violation, "field">[] {
  const broken: Omit<Violation, "field">[] = [];
  const text = texts?.[0];
  let bound = text !== undefined;
  let value = false;
  if (text !== undefined && !blank.test(text)) {
    const reading = field.read === undefined ? "value" : field.read(text.replace(around, ""));
    value = bound = reading === "value";
    if (reading === "wrong") {
      broken.push({ rule: "type", line: field.line, message: notValid(texts!.join(","), field.name) });
    } else if (reading === "out of range") {
      broken.push({ rule: "type", line: field.line, message: outOfRange });
    }
  }
  const required = field.required;
  if (required !== undefined && (required.byBinder ? !bound : !value)) {
    broken.push({ rule: "required", line: required.line, message: required.message });
  }
  if (bound && !value && !field.nullable && broken.length === 0) {
    broken.push({ rule: "type", line: field.line, message: valueRequired });
  }
  const length = field.length;
  if (length !== undefined && value && (text!.length < length.min || text!.length > length.max)) {
    broken.push({ rule: "length", line: length.line, message: length.message });
  }
  return broken;
}

/** The texts of a form by name, without regard to case; a[b] is a.b, a[] is a. */
function read(form: Iterable<readonly [string, unknown]>): Map<string, string[]> {
  const texts = new Map<string, string[]>();
  for (const [name, value] of form) {
    const key = name
      .replace(/\[([^\]]*)\]/g, (whole, inner: string) =>
        inner === "" ? "" : /^[0-9]/.test(inner) ? whole : `.${inner}`)
      .toUpperCase();
    texts.set(key, [...(texts.get(key) ?? []), textOf(value)]);
  }
  return texts;
}

/** What the names of the elements of a list begin with; undefined where the form has no list. */
function elementsOf(texts: Map<string, string[]>, name: string): string[] | undefined {
  const names = [...texts.keys()];
  const isThere = (key: string): boolean =>
    names.some((n) => n === key || n.startsWith(key + ".") || n.startsWith(key + "["));
  const key = name.toUpperCase();
  if (!isThere(key)) {
    return undefined;
  }
  const own = texts.get(key); // makes an element for each of its texts
  if (own !== undefined) {
    return own.map(() => name + ".");
  }
  const elements: string[] = [];
  while (isThere(`${key}[${elements.length}]`)) {
    elements.push(`${name}[${elements.length}].`);
  }
  return elements;
}
