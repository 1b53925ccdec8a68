/** Bundles that engines made, kept beside this repository in `../shared/bundles`. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeRootfs } from "../support/rootfs.ts";
import { directory, newId, tsrunc, useContainers } from "./harness.ts";

useContainers();

const shared = "../shared/bundles";
const engines = existsSync(shared) ? readdirSync(shared) : [];

test.runIf(engines.length === 0)("engines' bundles run", ({ skip }) => skip(`needs ${shared}`));

test.each(engines)("a bundle made by %s runs", (engine) => {
  const bundle = join(directory(), engine);
  cpSync(join(shared, engine), bundle, { recursive: true });
  mkdirSync(join(bundle, "rootfs"), { recursive: true });
  makeRootfs(join(bundle, "rootfs"));
  const file = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  config.process.args = ["/bin/sh", "-c", "echo inside; grep -c . /proc/self/mountinfo"];
  writeFileSync(file, JSON.stringify(config));
  const { code, stdout, stderr } = tsrunc(["run", "--bundle", bundle, newId()]);
  expect({ code, errors: stderr.split("\n").filter((line) => /level=error|level=fatal/.test(line)) }).toEqual({
    code: 0,
    errors: [],
  });
  expect(stdout).toMatch(/^inside\n\d+\n$/);
});
