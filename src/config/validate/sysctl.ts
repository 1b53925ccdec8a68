/** `linux.sysctl`: only what belongs to a namespace of the container's own may be set. */
import { segment } from "../error.ts";
import type { Subject } from "./subject.ts";

/** Parameters of an IPC namespace, besides `fs.mqueue.*`. @see ipc_namespaces(7) */
const IPC =
  " kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced ";

export function validateSysctl(subject: Subject): void {
  for (const [written, value] of Object.entries(subject.linux.sysctl ?? {})) {
    const name = sysctlName(written);
    const rule = brokenRule(subject, name) ?? domainConflict(subject, name, value);
    if (rule !== null) subject.refuse(`/linux/sysctl/${segment(written)}`, value, rule);
  }
}

function brokenRule(subject: Subject, name: string): string | null {
  // A slash in a name is a dot in the path below /proc/sys: `net.//.x` would be net/../x.
  const parts = `.${name}.`;
  if (parts.includes("..") || parts.includes("./.") || parts.includes(".//.") || parts.includes("\0")) {
    return `sysctl ${JSON.stringify(name)} is not the name of a kernel parameter`;
  }
  if (IPC.includes(` ${name} `) || name.startsWith("fs.mqueue.")) {
    return subject.namespace("ipc") ? null : `sysctl "${name}" is not allowed in the hosts ipc namespace`;
  }
  if (name.startsWith("net.")) {
    return subject.namespace("network") ? null : `sysctl "${name}" not allowed in host network namespace`;
  }
  if (subject.namespace("uts")) {
    if (name === "kernel.domainname") return null;
    if (name === "kernel.hostname")
      return `sysctl "${name}" is not allowed as it conflicts with the OCI "hostname" field`;
  }
  if (name.startsWith("user.")) {
    return subject.namespace("user") ? null : `setting ucounts without a user namespace not allowed: ${name}`;
  }
  return `sysctl "${name}" is not in a separate kernel namespace`;
}

/** Of two domain names one would be set in vain. */
function domainConflict({ spec }: Subject, name: string, value: string): string | null {
  if (name !== "kernel.domainname" || !spec.domainname || spec.domainname === value) return null;
  return `sysctl "${name}" is not allowed as it conflicts with the OCI "domainname" field, ${JSON.stringify(spec.domainname)}`;
}

/**
 * The name with dots between its parts. The separator that comes first is the separator, and the other one stands for
 * itself: `net/ipv4/conf/eth0.1/forwarding` is `net.ipv4.conf.eth0/1.forwarding`.
 * @see sysctl.d(5)
 */
export function sysctlName(written: string): string {
  const slash = written.indexOf("/");
  const dot = written.indexOf(".");
  if (slash === -1 || (dot !== -1 && dot < slash)) return written;
  return written.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."));
}
