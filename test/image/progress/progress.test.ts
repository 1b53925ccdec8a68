/** What a person reads while waiting. */
import { expect, test } from "vitest";
import { LineReporter, quiet } from "../../../src/image/progress/reporter.ts";
import { describe } from "../../../src/image/progress/terminal-reporter.ts";
import { formatAge, formatBytes, formatDuration } from "../../../src/image/progress/units.ts";

test("a line has bytes, share, rate and the time left", () => {
  const line = {
    label: "a1b2",
    total: 50_000_000,
    bytes: 20_000_000,
    state: null,
    begun: { at: 0, bytes: 10_000_000 },
  };
  expect(describe(line, 2000)).toBe("a1b2  20.0 MB / 50.0 MB  40%  5.00 MB/s  6s left");
  expect(describe({ ...line, total: null }, 2000)).toBe("a1b2  20.0 MB  5.00 MB/s");
  expect(describe({ ...line, begun: null }, 2000)).toBe("a1b2  waiting");
  expect(describe({ ...line, state: "another process fetches it" }, 2000)).toBe("a1b2  another process fetches it");
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [999_949, "999.9 kB"],
  [999_999, "1.00 MB"],
  [21_088_431, "21.1 MB"],
  [4e12, "4.00 TB"],
])("%d bytes are %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0.2, "1s"],
  [59.5, "1m 0s"],
  [125, "2m 5s"],
  [4320, "1h 12m"],
])("%d seconds are %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

test.each([
  ["2026-01-01T00:00:00Z", "1 second ago", 1000],
  ["2026-01-01T00:00:00.123456789Z", "2 weeks ago", 15 * 86_400_000],
  [null, "-", 0],
  ["never", "-", 0],
  ["0001-01-01T00:00:00Z", "-", 0],
])("%s: %s", (created, text, later) =>
  expect(formatAge(created, Date.parse("2026-01-01T00:00:00Z") + later)).toBe(text),
);

test("what an image says of itself steers no terminal, and makes no line of its own", () => {
  const written: string[] = [];
  const reporter = new LineReporter({ write: (text) => void written.push(text) });
  reporter.note("a:1: its config is of type \x1b[2Jx\nfaked: sound\x9b");
  expect(written.join("")).toBe("a:1: its config is of type \\x1b[2Jx\\x0afaked: sound\\x9b\n");
});

test("on a pipe there is a line for each that is done, and with --quiet nothing", () => {
  let written = "";
  const output = {
    write(text: string) {
      written += text;
    },
  };
  for (const reporter of [new LineReporter(output), quiet]) {
    const task = reporter.task("layer", 1000);
    task.update(500);
    task.done();
    reporter.task("other", null).done("already there");
    reporter.end();
  }
  expect(written).toBe("layer: 1.00 kB\nother: already there\n");
});
