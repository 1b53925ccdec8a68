/**
 * Resource limits on cgroup v2. What config.json says in the terms of v1 is converted.
 * @see linux/Documentation/admin-guide/cgroup-v2.rst
 */
import type { Resources } from "../config/types.ts";
import type { Errno } from "../sys/errno.ts";
import { blockIoToWeight, integer, isIdle, isShare, limitOrMax, sharesToWeight, swapAlone } from "./resource-values.ts";
import type { ResourceStep, WriteStep } from "./resources.ts";
import { cpusetWrites, hugepageWrites, pidsWrites, rdmaWrites, shareWrites } from "./resources-shared.ts";

type Steps = Exclude<ResourceStep, { kind: "devices" }>[];

/**
 * The steps for all but the devices. 0 means "as it is" unless said otherwise; `unified` comes last and wins.
 * @throws {Error} for values that contradict each other
 */
export function planV2Writes(resources: Resources): Steps {
  return [
    ...pidsWrites(resources.pids),
    ...memorySteps(resources.memory),
    ...ioSteps(resources.blockIO),
    ...cpuSteps(resources.cpu),
    ...cpusetWrites(resources.cpu),
    ...hugepageWrites(resources.hugepageLimits, "max"),
    ...rdmaWrites(resources.rdma),
    ...unifiedSteps(resources.unified),
  ];
}

/** Whether anything is asked for that needs a controller, besides the devices. */
export function needsControllers(resources: Resources): boolean {
  return planV2Writes(resources).length > 0;
}

function memorySteps(memory: Resources["memory"] = {}): Steps {
  const { limit = 0, swap = 0, reservation = 0, checkBeforeUpdate } = memory;
  const write = (file: string, value: string, tolerate?: Errno[]): Steps[number] => {
    return { kind: "write", controller: "memory", file, value, ...(tolerate && { tolerate }) };
  };
  const steps: Steps = [];
  if (checkBeforeUpdate === true) {
    const usage = { kind: "require-usage-below", controller: "memory", file: "memory.current" } as const;
    if (swap > 0) steps.push({ ...usage, limit: swap, what: "memory+swap limit" });
    if (limit > 0) steps.push({ ...usage, limit, what: "memory limit" });
  }
  const swapMax = swapAlone(swap, limit);
  if (swapMax !== null) {
    // Without swap in the kernel there is nothing to forbid, or to set free.
    steps.push(write("memory.swap.max", limitOrMax(swapMax), swapMax <= 0 ? ["ENOENT"] : undefined));
  }
  if (limit !== 0) steps.push(write("memory.max", limitOrMax(limit)));
  if (reservation !== 0) steps.push(write("memory.low", limitOrMax(reservation)));
  return steps;
}

function ioSteps(blockIO: Resources["blockIO"] = {}): Steps {
  const steps: Steps = [];
  const { weight } = blockIO;
  if (weight) {
    const otherwise = { file: "io.weight", value: integer(blockIoToWeight(weight)) };
    steps.push({ kind: "write", controller: "io", file: "io.bfq.weight", value: integer(weight), otherwise });
  }
  for (const { major, minor, weight } of blockIO.weightDevice ?? []) {
    const value = `${major}:${minor} ${weight ?? 0}`;
    steps.push({ kind: "write", controller: "io", file: "io.bfq.weight", value, tolerate: ["ENOENT"] });
  }
  for (const [key, devices] of [
    ["rbps", blockIO.throttleReadBpsDevice],
    ["wbps", blockIO.throttleWriteBpsDevice],
    ["riops", blockIO.throttleReadIOPSDevice],
    ["wiops", blockIO.throttleWriteIOPSDevice],
  ] as const) {
    for (const { major, minor, rate } of devices ?? []) {
      const value = `${major}:${minor} ${key}=${integer(rate)}`;
      steps.push({ kind: "write", controller: "io", file: "io.max", value });
    }
  }
  return steps;
}

function cpuSteps(cpu: Resources["cpu"] = {}): Steps {
  const { shares = 0, quota = 0, period = 0, burst, idle } = cpu;
  const write = (file: string, value: string, tolerate?: Errno[]): WriteStep => {
    return { kind: "write", controller: "cpu", file, value, ...(tolerate && { tolerate }) };
  };
  const weight = shares === 0 ? null : write("cpu.weight", integer(sharesToWeight(shares)));
  const steps: Steps = shareWrites(weight, idle);
  // A burst above the present quota fits only after the new quota is set, one below it perhaps only before.
  if (burst !== undefined) steps.push(write("cpu.max.burst", integer(burst), quota !== 0 ? ["EINVAL"] : undefined));
  if (quota !== 0 || period !== 0) {
    const defaultPeriod = 100_000; // microseconds, see cgroup-v2.rst
    steps.push(write("cpu.max", `${quota > 0 ? integer(quota) : "max"} ${integer(period || defaultPeriod)}`));
    if (burst !== undefined && quota !== 0) steps.push(write("cpu.max.burst", integer(burst)));
  }
  return steps;
}

function unifiedSteps(unified: Resources["unified"] = {}): Steps {
  return sharesBesideIdle(Object.entries(unified)).flatMap(([file, text]): Steps => {
    if (file.includes("/")) throw new Error(`unified resource "${file}" must be a file name (no slashes)`);
    const [controller, parameter] = file.split(".", 2);
    if (controller === undefined || parameter === undefined) {
      throw new Error(`unified resource "${file}" must be in the form CONTROLLER.PARAMETER`);
    }
    // Such as io.max, whose lines the kernel takes one at a time.
    const lines = text.split("\n").filter((line, index) => line !== "" || index === 0);
    // Of one that becomes idle no share counts, and of one that is idle already none is taken: see `shareWrites`.
    const tolerate = isShare(file) && isIdle(unified) ? { tolerate: ["EINVAL" as const] } : {};
    return lines.map((value) => ({ kind: "write", controller, file, value, ...tolerate }));
  });
}

/** The kernel takes no share of an idle cgroup: the share is written before that begins, or after its end. */
function sharesBesideIdle(files: [file: string, text: string][]): [file: string, text: string][] {
  const idle = files.filter(([file]) => file === "cpu.idle");
  const others = files.filter(([file]) => file !== "cpu.idle");
  return isIdle(Object.fromEntries(idle)) ? [...others, ...idle] : [...idle, ...others];
}
