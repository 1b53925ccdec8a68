import { mkdirSync } from "node:fs";
import { expect, test } from "vitest";
import type { Spec } from "../../../src/config/types.ts";
import type { Container } from "../../../src/image/containers/record.ts";
import { checkSources } from "../../../src/image/containers/sources.ts";
import { Scratch } from "../support.ts";

test("what a container mounts is looked for by the config.json that was read, which is not read again", () => {
  using scratch = new Scratch();
  const container = { id: "0".repeat(64), name: "web", network: "none" } as Container;
  const spec = (source: string): Spec => ({
    ociVersion: "1.0.0",
    mounts: [{ type: "bind", source, destination: "/data", options: ["rbind"] }],
  });
  mkdirSync(scratch.at("there"));
  expect(() => checkSources(scratch.store(), container, spec(scratch.at("there")))).not.toThrow();
  expect(() => checkSources(scratch.store(), container, spec(scratch.at("gone")))).toThrow(
    /the container web cannot be started: --volume: \S+gone, which is to be mounted on \/data, does not exist any more/,
  );
});
