/** The features document: what this program can do, whatever the machine can. @see runtime-spec, features.md */

import { capabilityNames } from "../sys/capability.ts";
import { MEMORY_FLAGS, MEMORY_MODES } from "../sys/scheduler.ts";
import { OCI_VERSION } from "./default.ts";
import { knownMountOptions } from "./mount-options.ts";
import type { Features, FeaturesLinux } from "./types.ts";

/**
 * What `features` prints.
 * @param version of this program
 * @param seccomp what is known of filters, see `seccomp/features.ts`
 */
export function features(version: string, seccomp: NonNullable<FeaturesLinux["seccomp"]>): Features {
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: OCI_VERSION,
    hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
    mountOptions: knownMountOptions(),
    linux: {
      namespaces: ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
      capabilities: capabilityNames(),
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp,
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
      memoryPolicy: { modes: [...MEMORY_MODES], flags: [...MEMORY_FLAGS] },
    },
    annotations: { "org.tsrunc.version": version, "org.opencontainers.runc.checkpoint.enabled": "true" },
    potentiallyUnsafeConfigAnnotations: ["org.criu.config", "org.systemd.property.", "run.oci."],
  };
}
