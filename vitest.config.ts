import { defineConfig } from "vitest/config";

/** As test/integration/harness.ts has it. Not by `--hookTimeout`, which vitest does not hand on to projects. */
const patience = Number(process.env["TSRUNC_TEST_PATIENCE"] ?? 10);

export default defineConfig({
  test: {
    // A test that forks needs a process of its own.
    pool: "forks",
    reporters: ["default", "./test/support/reporter.ts"],
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/integration/**"], testTimeout: 20_000 },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: Math.max(4000, 6000 * patience),
        },
      },
    ],
  },
});
