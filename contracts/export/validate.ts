function validate(fields: readonly Field[], line: number, form: Iterable<readonly [string, unknown]>): Violation[] {
  const texts = read(form);
  if (texts.size === 0) {
    return [{ field: "", rule: "body", line, message: invalidRequest }];
  }
  const violations: Violation[] = [];
  const visit = (all: readonly Field[], under: string): void => {
    for (const field of all) {
      const name = under + field.name;
      if (field.elements === undefined) {
        for (const broken of check(field, texts.get(name.toUpperCase()))) {
          violations.push({ field: name, ...broken });
        }
        continue;
      }
      const elements = elementsOf(texts, name);
      elements?.forEach((element) => visit(field.elements!, element));
      if (field.required !== undefined && elements === undefined) {
        violations.push({ field: name, rule: "required", line: field.required.line, message: field.required.message });
      }
    }
  };
  visit(fields, "");
  return violations;
}
