// Makes one module of Preact, its hooks, its signals and htm, with their licences, and says in
// vendor.json what it was made of. Usage: node build.mjs FOLDER.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const packages = ["preact", "htm", "@preact/signals", "@preact/signals-core"];
const read = (name, file) => readFileSync(new URL(`node_modules/${name}/${file}`, import.meta.url), "utf8");
const about = packages.map((name) => {
  const { version, license } = JSON.parse(read(name, "package.json"));
  return { name, version, license };
});

const entry = `
export { Component, Fragment, h, render } from "preact";
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { batch, computed, effect, signal } from "@preact/signals";
import { h } from "preact";
import htm from "htm";
export const html = htm.bind(h);
`;
const result = await build({
  stdin: { contents: entry, resolveDir: new URL(".", import.meta.url).pathname },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2020",
  legalComments: "none",
  write: false,
});
const banner = `/* ${about.map((p) => `${p.name} ${p.version} (${p.license})`).join(", ")}; licences: preact.LICENSE.txt */\n`;
const text = banner + result.outputFiles[0].text;
const folder = process.argv[2];
writeFileSync(join(folder, "preact.js"), text);
writeFileSync(
  join(folder, "preact.LICENSE.txt"),
  about.map((p) => `${p.name} ${p.version}\n\n${read(p.name, "LICENSE").trim()}\n`).join("\n\n"),
);
writeFileSync(
  join(folder, "vendor.json"),
  JSON.stringify({ file: "preact.js", sha256: createHash("sha256").update(text).digest("hex"), packages: about }, null, 2) + "\n",
);
