/** A form as the object that the schemas read: Reasons[0].ReasonId becomes { Reasons: [{ ReasonId }] }. */
export function fromForm(form: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const root: Record<string, unknown> = Object.create(null);
  for (const [name, value] of form) {
    const steps = (name.match(/[^.[\]]+/g) ?? []).map((step) => spellings.get(step.toUpperCase()) ?? step);
    let at: Record<string, unknown> = root;
    steps.forEach((step, i) => {
      if (i === steps.length - 1) {
        // A list's own name makes an element without fields.
        at[step] ??= lists.has(step) ? [{}] : typeof value === "string" ? value : "";
        return;
      }
      const isList = /^[0-9]+$/.test(steps[i + 1]!);
      const next = (at[step] ??= isList ? [] : Object.create(null));
      at = typeof next === "object" && next !== null ? (next as Record<string, unknown>) : {};
    });
  }
  return root;
}

/** A text with what the server says of it. */
function text(field: Field) {
  return z.string({ error: field.required?.message ?? "" }).superRefine((value, context) => {
    for (const broken of check(field, [value])) {
      context.addIssue({ code: "custom", message: broken.message, params: { rule: broken.rule, line: broken.line } });
    }
  });
}
