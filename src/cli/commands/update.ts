import { loadResources } from "../../config/load-resources.ts";
import type { Resources } from "../../config/types.ts";
import { type UpdateOptions, updateContainer } from "../../runtime/update.ts";
import { defineCommand } from "../command.ts";
import { integer, type OptionValues, size, text } from "../option.ts";
import { UsageError } from "../usage-error.ts";

const limits = {
  "blkio-weight": integer("WEIGHT", "share of block I/O, 10 to 1000"),
  "cpu-burst": integer("MICROSECONDS", "time above the quota that may be saved up"),
  "cpu-idle": integer("0|1", "1: run only when nobody else wants to"),
  "cpu-period": integer("MICROSECONDS", "length of the periods of the quota"),
  "cpu-quota": integer("MICROSECONDS", "CPU time in a period; -1 for no limit"),
  "cpu-rt-period": integer("MICROSECONDS", "length of the periods of real-time processes"),
  "cpu-rt-runtime": integer("MICROSECONDS", "CPU time of real-time processes in a period"),
  "cpu-share": integer("SHARES", "relative share of the CPUs, 2 to 262144"),
  "cpuset-cpus": text("LIST", "CPUs to use, such as 0-3,7"),
  "cpuset-mems": text("LIST", "memory nodes to use"),
  "kernel-memory": size("BYTES", "ignored with a warning: the kernel has no such limit any more"),
  "kernel-memory-tcp": size("BYTES", "memory for TCP buffers (cgroup v1)"),
  memory: size("BYTES", "memory, such as 512M; -1 for no limit"),
  "memory-reservation": size("BYTES", "memory to be left when others want some"),
  "memory-swap": size("BYTES", "memory and swap together; -1 for no limit"),
  "pids-limit": integer("COUNT", "processes and threads; -1 for no limit"),
};

const classes = {
  "l3-cache-schema": text("SCHEMA", "Intel RDT: share of the L3 cache, such as L3:0=f"),
  "mem-bw-schema": text("SCHEMA", "Intel RDT: share of memory bandwidth, such as MB:0=50"),
};

const options = {
  resources: text(
    "FILE",
    "the limits as JSON, in the form of config.json's `linux.resources`; - reads the standard input",
    {
      short: "r",
    },
  ),
  ...limits,
  ...classes,
};

export const command = defineCommand({
  synopsis: "<container-id>",
  description:
    "Changes the limits of a container that runs: all that are given, or none when one cannot be set.\n" +
    "What is not given stays as it is.",
  examples: ["tsrunc update --memory 512M --pids-limit 100 web", "tsrunc update --resources - web"],
  options,
  async run({ context, options: values, args: [id = ""] }) {
    const given = Object.keys(limits).filter((name) => values[name as keyof typeof limits] !== undefined);
    const intelRdt = intelRdtOf(values);
    if (values.resources !== undefined && given.length > 0) {
      throw new UsageError(`--${given[0]} and --resources exclude each other: the limits come from one of them`);
    }
    if (values.resources === undefined && given.length === 0 && intelRdt === undefined) {
      throw new UsageError("nothing to change: give a limit, or --resources");
    }
    const resources = values.resources === undefined ? resourcesOf(values) : loadResources(values.resources);
    updateContainer(context, { id, resources, ...(intelRdt && { intelRdt }) });
    return 0;
  },
});

/** Of what was given. */
function resourcesOf(values: OptionValues<typeof limits>): Resources {
  const all = {
    cpu: {
      burst: values["cpu-burst"],
      idle: values["cpu-idle"],
      period: values["cpu-period"],
      quota: values["cpu-quota"],
      realtimePeriod: values["cpu-rt-period"],
      realtimeRuntime: values["cpu-rt-runtime"],
      shares: values["cpu-share"],
      cpus: values["cpuset-cpus"],
      mems: values["cpuset-mems"],
    },
    memory: {
      limit: values.memory,
      reservation: values["memory-reservation"],
      swap: values["memory-swap"],
      kernel: values["kernel-memory"],
      kernelTCP: values["kernel-memory-tcp"],
    },
    pids: { limit: values["pids-limit"] },
    blockIO: { weight: values["blkio-weight"] === undefined ? undefined : Number(values["blkio-weight"]) },
  };
  const sections = Object.entries(all).map(([name, section]) => {
    return [name, Object.fromEntries(Object.entries(section).filter(([, value]) => value !== undefined))] as const;
  });
  return Object.fromEntries(sections.filter(([, section]) => Object.keys(section).length > 0));
}

function intelRdtOf(values: OptionValues<typeof classes>): UpdateOptions["intelRdt"] {
  const { "l3-cache-schema": l3CacheSchema, "mem-bw-schema": memBwSchema } = values;
  if (!l3CacheSchema && !memBwSchema) return undefined;
  return { ...(l3CacheSchema && { l3CacheSchema }), ...(memBwSchema && { memBwSchema }) };
}
