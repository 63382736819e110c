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
