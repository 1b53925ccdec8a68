import type { HostFacts } from "../../src/plan/host.ts";

/** What a plan is told of a machine on which nothing is out of the ordinary: the runtime is root, and there are no cgroups. */
export const rootHost: HostFacts = {
  euid: 0,
  egid: 0,
  inUserNamespace: false,
  setgroupsDenied: false,
  selinux: false,
  cgroupMounts: [],
  isHostCgroupNamespace: () => false,
  lastCapability: 40,
};
