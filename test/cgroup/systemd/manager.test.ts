/** What systemd may answer, and does so only when something is amiss; a real one is asked in `test/integration/machine/`. */
import { expect, test } from "vitest";
import { Systemd } from "../../../src/cgroup/systemd/manager.ts";
import { slowness } from "../../support/patience.ts";
import { startBus } from "./bus.ts";
import type { Scenario } from "./fake-systemd.ts";

/** A connection to a bus of its own, and what was called on that. */
async function systemd(scenario: Scenario, patience?: number): Promise<{ manager: Systemd; calls: () => string[] }> {
  const calls = await startBus(scenario);
  return { manager: Systemd.connect("system", patience), calls };
}

const delegate = ["Delegate", "b", true] as const;
const period = ["CPUQuotaPeriodUSec", "t", 50_000n] as const;

test("a job that ends before the call is answered has ended; another's has no say", async () => {
  const { manager, calls } = await systemd({ outcomes: ["done"] });
  using _ = manager;
  manager.start("a.scope", [delegate]);
  expect(calls()).toEqual(["StartTransientUnit a.scope Delegate"]);
});

test.each(["failed", "timeout"] as const)("a job that ends with %s is an error, and the unit is reset", async (end) => {
  const { manager, calls } = await systemd({ outcomes: [end] });
  using _ = manager;
  expect(() => manager.start("a.scope", [delegate])).toThrow(`systemd's job for a.scope ended with: ${end}`);
  expect(calls()).toEqual(["StartTransientUnit a.scope Delegate", "ResetFailedUnit a.scope"]);
});

test("a unit of that name that has failed is reset, and the start tried again", async () => {
  const { manager, calls } = await systemd({ outcomes: ["exists", "done"] });
  using _ = manager;
  manager.start("a.scope", [delegate]);
  const start = "StartTransientUnit a.scope Delegate";
  expect(calls()).toEqual([start, "ResetFailedUnit a.scope", start]);
});

test("one that runs is an error: it is tried again once, no more", async () => {
  const { manager, calls } = await systemd({ outcomes: ["exists"] });
  using _ = manager;
  expect(() => manager.start("a.scope", [delegate])).toThrow("Unit a.scope exists.");
  expect(calls().filter((call) => call.startsWith("Start"))).toHaveLength(2);
});

test("a property that this systemd does not know is done without, the others are set", async () => {
  const { manager, calls } = await systemd({ unknown: ["CPUQuotaPeriodUSec"] });
  using _ = manager;
  manager.setProperties("a.scope", [delegate, period]);
  manager.start("b.scope", [period, delegate]);
  expect(calls().filter((call) => !call.includes("CPUQuotaPeriodUSec"))).toEqual([
    "SetUnitProperties a.scope Delegate",
    "StartTransientUnit b.scope Delegate",
  ]);
});

test("a unit that is gone has stopped, and is forgotten in any case", async () => {
  const { manager, calls } = await systemd({ outcomes: ["none", "done"] });
  using _ = manager;
  manager.stop("a.scope");
  manager.stop("b.scope");
  const expected = ["StopUnit a.scope", "ResetFailedUnit a.scope", "StopUnit b.scope", "ResetFailedUnit b.scope"];
  expect(calls()).toEqual(expected);
});

test.each([
  ["252.39-1~deb12u1", 252],
  ["v249-48", 249],
  ["256~rc3", 256],
  ["239", 239],
])("the version %s is %i", async (version, expected) => {
  const { manager } = await systemd({ version });
  using _ = manager;
  expect(manager.version()).toBe(expected);
});

test("properties as they are can be set again: a list is emptied first, and what is unknown left out", async () => {
  const { manager } = await systemd({
    properties: {
      AllowedCPUs: { signature: "ay", value: [3] },
      IOReadBandwidthMax: { signature: "a(st)", value: [] },
      TasksMax: { signature: "u", value: 5 },
    },
  });
  using _ = manager;
  expect(manager.properties("a.scope", ["AllowedCPUs", "IOReadBandwidthMax", "NoSuch", "TasksMax"])).toEqual([
    ["AllowedCPUs", "ay", []],
    ["AllowedCPUs", "ay", [3]],
    ["IOReadBandwidthMax", "a(st)", []],
    ["TasksMax", "u", 5],
  ]);
});

test("a bus that goes away is an error at once", async () => {
  const { manager } = await systemd({ outcomes: ["hang up"] });
  using _ = manager;
  expect(() => manager.start("a.scope", [delegate])).toThrow(/the message bus has closed the connection|ECONNRESET/);
});

/** Milliseconds: enough for what is answered before, on an emulated processor, too. */
const PATIENCE = 300 * slowness;

// runc gave up after a second and went on, without its limits.
test.each([
  ["a job of which nothing is heard", "never", "systemd's job for a\\.scope"],
  ["a call that is not answered", "no answer", ".*StartTransientUnit"],
] as const)("%s is an error in the end, and never taken for done", async (_, outcome, what) => {
  const { manager } = await systemd({ outcomes: [outcome] }, PATIENCE);
  using _manager = manager;
  const said = new RegExp(`no answer .* within ${PATIENCE / 1000} s: ${what}`);
  expect(() => manager.start("a.scope", [delegate])).toThrow(said);
});
