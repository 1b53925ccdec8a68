/** vitest carries the suite: a project a runtime, so that its filters, reporters and exit code hold for the whole matrix. */
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { runtimesUnderTest, VARIABLES } from "./harness/selection.ts";

const root = dirname(fileURLToPath(import.meta.url));

export default defineConfig({
  root,
  test: {
    pool: "forks",
    // Installed from npm, the suite lies in node_modules, whose files vitest would hand to Node as they are.
    server: { deps: { inline: [/\/harness\/|\/spec\//] } },
    projects: runtimesUnderTest().map((path) => ({
      extends: true as const,
      test: {
        name: basename(path),
        include: ["{runtime,config,config-linux,features,cli}/**/*.check.ts"],
        exclude: [],
        env: { [VARIABLES.runtime]: path },
      },
    })),
  },
});
