import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { features } from "../../src/config/features.ts";
import { isFeatures } from "../../src/config/generated/features.js";
import { missing, officialSchema } from "./support/shared.ts";

test("the features document is valid by our schema", () => {
  expect(isFeatures(features("1.2.3", { enabled: true }))).toBe(true);
});

test.skipIf(missing !== null)(
  `the features document is valid by the official schema${missing === null ? "" : ` (${missing})`}`,
  () => {
    const official = officialSchema("features-schema.json");
    expect(official(features("1.2.3", { enabled: true })), JSON.stringify(official.errors)).toBe(true);
  },
);

test("every mount option that the spec says must be known is", () => {
  const must =
    "async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec noiversion " +
    "nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave runbindable rw " +
    "shared silent slave strictatime suid sync unbindable";
  expect(features("1", { enabled: true }).mountOptions).toEqual(expect.arrayContaining(must.split(" ")));
});

test("the capabilities are those of capabilities(7), by name", () => {
  const { capabilities = [] } = features("1", { enabled: true }).linux ?? {};
  expect(capabilities).toHaveLength(41);
  expect(capabilities[0]).toBe("CAP_CHOWN");
  expect(capabilities.at(-1)).toBe("CAP_CHECKPOINT_RESTORE");
});

test("the version of the program is among the annotations", () => {
  expect(features("1.2.3", { enabled: true }).annotations).toMatchObject({ "org.tsrunc.version": "1.2.3" });
});

/** String literals of the source that name an annotation of a configuration, or begin the names of several. */
function annotationsInSource(): string[] {
  const source = join(import.meta.dirname, "../../src");
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) =>
    /^(?!image\/).*\.ts$/.test(name),
  );
  return files.flatMap((name) => {
    const text = readFileSync(join(source, name), "utf8");
    return [...text.matchAll(/["`]((?:run\.oci|org\.criu|org\.systemd\.property)\.[\w.-]*)["`$]/g)].map(([, found]) =>
      String(found),
    );
  });
}

test("whatever the program does for an annotation of a configuration is among what may be unsafe", () => {
  const { potentiallyUnsafeConfigAnnotations: unsafe = [] } = features("1", { enabled: true });
  const found = annotationsInSource();
  expect(found).toEqual(expect.arrayContaining(["org.criu.config", "org.systemd.property.", "run.oci.handler"]));
  const listed = (name: string) => unsafe.some((one) => one === name || (one.endsWith(".") && name.startsWith(one)));
  expect(found.filter((name) => !listed(name))).toEqual([]);
});
