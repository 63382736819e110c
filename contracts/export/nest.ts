/** The object of a form that a schema reads: Reasons[0].ReasonId becomes { Reasons: [{ ReasonId }] }. */
function objectOf(fields: readonly Field[], texts: Map<string, string[]>, under: string): Record<string, unknown> {
  const object: Record<string, unknown> = Object.create(null);
  for (const field of fields) {
    const name = under + field.name;
    const value = field.elements === undefined
      ? texts.get(name.toUpperCase())?.[0]
      : elementsOf(texts, name)?.map((element) => objectOf(field.elements!, texts, element));
    if (value !== undefined) {
      object[field.name] = value;
    }
  }
  return object;
}

/** A text with what the server says of it. */
function text(field: Field) {
  const error = (issue: { input?: unknown }) =>
    issue.input === undefined ? (field.required?.message ?? valueRequired) : "Expected the text of a form.";
  return z.string({ error }).superRefine((value, context) => {
    for (const broken of check(field, [value])) {
      context.addIssue({ code: "custom", message: broken.message, params: { rule: broken.rule, line: broken.line } });
    }
  });
}
