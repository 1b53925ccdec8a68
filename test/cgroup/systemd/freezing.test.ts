/** What runs while systemd sets device rules anew, on v1: nothing. The cgroups are real, systemd is not. */
import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { type Cgroup, openCgroup } from "../../../src/cgroup/manager.ts";
import type { CgroupLocation } from "../../../src/cgroup/plan.ts";
import { Idler, ownCgroup, reasonToSkip } from "../live.ts";
import { startBus } from "./bus.ts";

const reason = reasonToSkip(1);
const made: Cgroup[] = [];

afterEach(() => {
  for (const cgroup of made.splice(0)) {
    cgroup.thaw();
    cgroup.killAll(9);
    cgroup.remove();
  }
});

/** A cgroup on v1 that systemd is told to share the care of. */
function cgroupOfUnit(): { cgroup: Cgroup; made: Cgroup; state: string } {
  const own = ownCgroup("all");
  own.create();
  made.push(own);
  const unit = { name: "a.scope", slice: "system.slice", manager: "system" } as const;
  const location = { ...own.location, driver: "systemd", id: "a", unit, properties: {} } as CgroupLocation;
  return { cgroup: openCgroup(location), made: own, state: `${own.paths()["freezer"]}/freezer.state` };
}

const frozen = (state: string) => readFileSync(state, "utf8").trim();
const limits = { pids: { limit: 10 } };

test.skipIf(reason !== null)(
  `it is frozen for the moment of a change, and of its undoing (${reason ?? "v1"})`,
  async () => {
    const { cgroup, made: own, state } = cgroupOfUnit();
    using process = new Idler();
    own.join(process.pid);
    const TasksMax = { signature: "u", value: 5 };
    const calls = await startBus({ watched: state, properties: { TasksMax } });
    const seen = () => calls().filter((line) => ["FROZEN", "FREEZING", "THAWED"].includes(line));
    const undo = cgroup.updateResources({}, limits);
    expect([seen(), frozen(state)]).toEqual([["FROZEN"], "THAWED"]);
    expect(undo()).toEqual([]);
    expect([seen(), frozen(state)]).toEqual([["FROZEN", "FROZEN"], "THAWED"]);
    cgroup.setResources(limits, { skipDevices: true });
    expect([seen(), frozen(state)]).toEqual([["FROZEN", "FROZEN", "FROZEN"], "THAWED"]);
  },
);

test.skipIf(reason !== null)(`a paused container stays so (${reason ?? "v1"})`, async () => {
  const { cgroup, made: own, state } = cgroupOfUnit();
  using process = new Idler();
  own.join(process.pid);
  own.freeze();
  await startBus({ watched: state });
  cgroup.updateResources({}, limits);
  expect(frozen(state)).toBe("FROZEN");
});

test.skipIf(reason !== null)(
  `an error of systemd's leaves nothing frozen, and no limit (${reason ?? "v1"})`,
  async () => {
    const { cgroup, made: own, state } = cgroupOfUnit();
    using process = new Idler();
    own.join(process.pid);
    await startBus({ refused: "TasksMax", properties: { TasksMax: { signature: "u", value: 5 } } });
    expect(() => cgroup.updateResources({}, limits)).toThrow(/TasksMax/);
    expect(frozen(state)).toBe("THAWED");
    expect(readFileSync(`${own.paths()["pids"]}/pids.max`, "utf8")).toBe("max\n");
  },
);

test.skipIf(reason !== null)(`nothing is changed where it will not freeze (${reason ?? "v1"})`, async () => {
  const { cgroup, made: own } = cgroupOfUnit();
  const hierarchies = cgroup.location.hierarchies.map((hierarchy) =>
    hierarchy.controllers.includes("freezer") ? { ...hierarchy, directory: `${hierarchy.directory}/none` } : hierarchy,
  );
  const calls = await startBus({ properties: { TasksMax: { signature: "u", value: 5 } } });
  const unfreezable = openCgroup({ ...cgroup.location, hierarchies } as CgroupLocation);
  expect(() => unfreezable.updateResources({}, limits)).toThrow(/freezer\.state: ENOENT/);
  expect(calls().filter((call) => call.startsWith("SetUnitProperties"))).toEqual([]);
  expect(readFileSync(`${own.paths()["pids"]}/pids.max`, "utf8")).toBe("max\n");
});
