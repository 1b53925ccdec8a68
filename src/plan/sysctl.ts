/** Kernel parameters of the container's namespaces. */
import type { StepBase } from "./step.ts";

export interface SysctlStep extends StepBase {
  kind: "write-sysctl";
  name: string;
  /** Below a procfs: `sys/net/ipv4/ip_forward`. */
  path: string;
  value: string;
}

/**
 * Plans `linux.sysctl`, in the order written.
 * @throws {Error} for a name that leads elsewhere than its prefix, which the validator looks at, says
 *
 * A name is written with dots or with slashes; the separator that comes first is the separator, and the other one
 * stands for itself, as in `net/ipv4/conf/eth0.1/forwarding`.
 * @see sysctl.d(5)
 */
export function planSysctls(sysctl: Readonly<Record<string, string>> = {}): SysctlStep[] {
  return Object.entries(sysctl).map(([name, value]) => ({
    kind: "write-sysctl",
    pointer: `/linux/sysctl/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`,
    name,
    path: sysctlPath(name),
    value,
  }));
}

function sysctlPath(name: string): string {
  const slash = name.indexOf("/");
  const dot = name.indexOf(".");
  const slashes = slash !== -1 && (dot === -1 || slash < dot);
  const path = slashes ? name : name.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."));
  // `net.//.kernel.core_pattern` would be net/../kernel/core_pattern: a parameter of the host under a container's prefix.
  if (path.split("/").some((component) => ["", ".", ".."].includes(component))) {
    throw new Error(`sysctl ${JSON.stringify(name)} is not the name of a kernel parameter`);
  }
  return `sys/${path}`;
}
