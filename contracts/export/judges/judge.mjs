// Reads the forms of one contract from a folder, with the programs that they are for, and prints
// what each made of them. Exits with 1 at the first that disagrees.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import Ajv2020 from "ajv/dist/2020.js";
import MarkdownIt from "markdown-it";
import { Language, Parser } from "web-tree-sitter";

const folder = process.argv[2];
const read = (name) => readFileSync(join(folder, name), "utf8");
const cases = JSON.parse(read("cases.json"));
const bin = (name) => fileURLToPath(new URL(`node_modules/.bin/${name}`, import.meta.url));

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Holds one judge against all cases that it can have. */
function agree(name, list, verdict) {
  const counts = { accept: 0, reject: 0 };
  for (const x of list) {
    const got = verdict(x);
    const want = x.outcome === "accept" ? [] : x.messages;
    if (JSON.stringify([...got].sort()) !== JSON.stringify([...want].sort())) {
      fail(`${name}: ${x.id}: says ${JSON.stringify(got)}, the server ${JSON.stringify(want)}: ${JSON.stringify(x)}`);
    }
    counts[x.outcome]++;
  }
  if (counts.reject < 50) {
    fail(`${name}: only ${counts.reject} forms are rejected`);
  }
  console.log(`${name}: ${counts.accept} accepted, ${counts.reject} rejected with the server's messages`);
}

// TypeScript and zod, compiled with every check on.
mkdirSync(join(folder, "out"));
writeFileSync(join(folder, "package.json"), '{"type":"module"}');
symlinkSync(fileURLToPath(new URL("node_modules", import.meta.url)), join(folder, "node_modules"));
execFileSync(bin("tsc"), ["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes",
  "--noUnusedLocals", "--target", "es2022", "--module", "nodenext", "--types", "", "--outDir", "out",
  "typescript.ts", "zod.ts"], { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
const typescript = await import(pathToFileURL(join(folder, "out/typescript.js")));
const zod = await import(pathToFileURL(join(folder, "out/zod.js")));
const { validator, model } = JSON.parse(read("names.json"));
agree("typescript", cases.forms, (x) =>
  typescript[validator](x.pairs).map((v) => (v.field === "" ? v.message : `${v.field}: ${v.message}`)));
const nested = cases.forms.filter((x) => x.pairs.length > 0);
agree("zod", nested, (x) => {
  const result = zod[`${model}Schema`].safeParse(zod[`${model}From`](x.pairs));
  const name = (path) => path.reduce((at, step) =>
    typeof step === "number" ? `${at}[${step}]` : at === "" ? step : `${at}.${step}`, "");
  return result.success ? [] : result.error.issues.map((issue) => `${name(issue.path)}: ${issue.message}`);
});

// JSON Schema, in Ajv's strict mode: it refuses keywords and formats that it does not know.
const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(JSON.parse(read("jsonschema.json")));
let judged = 0;
for (const x of cases.bodies) {
  let value;
  try {
    value = JSON.parse(x.body);
  } catch {
    value = undefined;
  }
  const valid = value !== undefined && validate(value);
  if (valid !== (x.outcome === "accept")) {
    fail(`ajv: ${x.id}: ${valid ? "accepts" : "rejects"} what the page does not: ${JSON.stringify(validate.errors)}`);
  }
  judged++;
}
console.log(`ajv: ${judged} bodies as the page says`);

// OpenAPI, by a linter.
for (const name of ["openapi.json", "openapi3.0.json"]) {
  execFileSync(bin("redocly"), ["lint", name, "--extends=recommended", "--skip-rule=info-license",
    "--skip-rule=no-server-example.com"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" } });
  console.log(`redocly: ${name} is valid`);
}

// C#, by a parser of editors.
await Parser.init();
const require = createRequire(import.meta.url);
const parser = new Parser();
parser.setLanguage(await Language.load(require.resolve("tree-sitter-c-sharp/tree-sitter-c_sharp.wasm")));
const tree = parser.parse(read("csharp.cs")).rootNode;
if (tree.hasError) {
  fail(`tree-sitter: the C# has an error: ${tree.toString()}`);
}
console.log(`tree-sitter: ${tree.descendantsOfType("property_declaration").length} properties of ` +
  `${tree.descendantsOfType("class_declaration").length} classes`);

// Markdown: every link within the page leads somewhere.
const html = new MarkdownIt({ html: true }).render(read("markdown.md"));
const ids = [...html.matchAll(/<a id="([^"]+)">/g)].map((m) => m[1]);
if (new Set(ids).size !== ids.length || ids.length === 0) {
  fail(`markdown-it: anchors that are not each their own: ${ids}`);
}
const links = [...html.matchAll(/<a href="#([^"]+)">/g)].map((m) => m[1]);
for (const link of links) {
  if (!ids.includes(link)) {
    fail(`markdown-it: no anchor ${link}`);
  }
}
console.log(`markdown-it: ${ids.length} anchors, ${links.length} links to them`);
