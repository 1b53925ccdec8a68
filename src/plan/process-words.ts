/** The steps of the process in words. */
import { capabilityNames } from "../sys/capability.ts";
import { describeAffinity } from "./affinity.ts";
import type { ProcessStep } from "./process.ts";
import type { Describers } from "./step.ts";

export const describeProcess: Describers<ProcessStep> = {
  ...describeAffinity,
  warn: ({ message }) => `warn: ${message}`,
  "new-session": () => "start a new session",
  "join-keyring": ({ name }) => `join the session keyring ${name}`,
  "make-working-directory": ({ path }) => `make the working directory ${path} if it is missing`,
  "set-hostname": ({ name }) => `set the host name ${name}`,
  "set-domainname": ({ name }) => `set the domain name ${name}`,
  "write-sysctl": ({ name, value }) => `set the kernel parameter ${name} to ${JSON.stringify(value)}`,
  "apparmor-profile": ({ profile }) => `confine by the AppArmor profile ${profile} at exec`,
  "selinux-key-label": ({ label }) => `give keyrings the SELinux label ${label}`,
  "selinux-label": ({ label }) => `take the SELinux label ${label} at exec`,
  umask: ({ mask }) => `set umask ${mask.toString(8).padStart(4, "0")}`,
  "no-new-privileges": () => "set no_new_privs",
  scheduler: ({ policy, nice, priority }) => `schedule by ${policy}, nice ${nice}, priority ${priority}`,
  "io-priority": (step) => `set the I/O priority ${step.class} ${step.priority}`,
  personality: ({ domain }) => `set the personality ${domain}`,
  "memory-policy": ({ mode, flags, nodes }) =>
    `set the memory policy ${[mode, ...flags].join("|")}${nodes.length > 0 ? ` on nodes ${nodes.join(",")}` : ""}`,
  "keep-passed-descriptors": ({ passed }) => `let go of all descriptors from ${3 + passed} on`,
  "change-directory": ({ path, retry }) =>
    retry ? `change to ${path} as the user, if root was not permitted to` : `change to ${path}`,
  "verify-directory": () => "verify that the working directory is inside the container",
  "set-environment": ({ variables, listenFds }) =>
    `set ${variables.length} environment variables${listenFds > 0 ? `, LISTEN_FDS=${listenFds} and LISTEN_PID` : ""}`,
  "set-home": ({ uid }) => `set HOME from the container's /etc/passwd for uid ${uid}`,
  "drop-bounding": ({ capabilities }) => `drop from the bounding set: ${list(capabilities)}`,
  "keep-capabilities": ({ keep }) => (keep ? "keep capabilities over the change of user" : "keep capabilities no more"),
  "own-stdio": ({ uid }) => `give standard input, output and error to uid ${uid}`,
  "set-groups": ({ gids }) => `set supplementary groups: ${list(gids)}`,
  "set-gid": ({ gid }) => `set gid ${gid}`,
  "set-uid": ({ uid }) => `set uid ${uid}`,
  "set-capabilities": ({ effective, permitted, inheritable, ambient }) =>
    `set capabilities: effective ${capabilities(effective)}; permitted ${capabilities(permitted)}; ` +
    `inheritable ${capabilities(inheritable)}; ambient ${capabilities(ambient)}`,
  "find-executable": ({ name, path }) => `find the executable ${JSON.stringify(name)} in ${path ?? "no PATH"}`,
  "reset-signals": () => "reset signal handlers and mask",
  "close-descriptors": ({ passed }) => `close descriptors from ${3 + passed} on`,
  execute: ({ args, limits }) =>
    `${limits.map(({ type, soft, hard }) => `limit ${type} to ${soft}${hard === null ? "" : `:${hard}`}, `).join("")}` +
    `execute ${JSON.stringify(args)}`,
};

/** A privileged container has nearly all of them: then those that it has not are fewer words. */
function capabilities(names: readonly string[]): string {
  const missing = capabilityNames().filter((name) => !names.includes(name));
  if (missing.length > names.length) return list(names);
  return missing.length === 0 ? "all" : `all but ${list(missing)}`;
}

function list(members: readonly (string | number)[]): string {
  return members.length === 0 ? "none" : members.join(" ");
}
