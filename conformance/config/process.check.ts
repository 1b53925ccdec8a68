/** config.md, "Process". */
import { expect } from "vitest";
import { check } from "../harness/check.ts";

check("config/process-cwd-working-directory-executable", "the process starts in cwd", async (subject) => {
  const sight = await subject.sight(({ process }) => {
    process.cwd = "/tmp";
  });
  expect(sight.cwd).toBe("/tmp");
});

check(
  "runtime/create-properties-configured-config-json",
  "the process has the environment given, and no other",
  async (subject) => {
    const sight = await subject.sight(({ process }) => {
      process.env = ["PATH=/bin", 'TEXT=with "quotes", = and  blanks'];
    });
    expect(sight.env).toMatchObject({ PATH: "/bin", TEXT: 'with "quotes", = and  blanks' });
    expect(sight.status["Uid"]).toBe("0\t0\t0\t0");
    expect(sight.namespaces["mnt"]).toMatch(/^mnt:\[\d+\]$/);
    expect(sight.mounts.find(({ destination }) => destination === "/proc")?.type).toBe("proc");
    expect(sight.limits["Max open files"]?.[0]).toMatch(/^\d+$/);
    expect(sight.descriptors).toEqual(["0", "1", "2"]);
  },
);
