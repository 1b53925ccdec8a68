/** The process that `exec` starts, from a file or from flags over the container's own. */
import type { Capabilities, Process, Spec, User } from "../config/types.ts";
import { LAST_ID } from "../config/validate/id-mappings.ts";
import type { ExecProcess } from "./options.ts";

type Flags = Extract<ExecProcess, { kind: "flags" }>;

/**
 * The process to start.
 * @throws {ConfigError} when the file does not hold a valid process
 * @throws {Error} for flags that make none
 */
export function execProcess(given: ExecProcess, spec: Spec): Process {
  if (given.kind === "file") return given.load(given.path);
  if (given.args.length === 0) throw new Error("exec args cannot be empty");
  const own = spec.process ?? { cwd: "/" };
  const process: Process = {
    ...own,
    args: given.args,
    terminal: given.tty,
    user: userFrom(given, own.user),
    env: [...(own.env ?? []), ...given.env],
  };
  if (given.cwd) process.cwd = absolute(given.cwd);
  if (given.capabilities.length > 0) process.capabilities = addCapabilities(own.capabilities, given.capabilities);
  if (given.noNewPrivileges !== undefined) process.noNewPrivileges = given.noNewPrivileges;
  if (given.processLabel) process.selinuxLabel = given.processLabel;
  if (given.apparmor) process.apparmorProfile = given.apparmor;
  return process;
}

function absolute(cwd: string): string {
  if (!cwd.startsWith("/")) throw new Error(`--cwd ${JSON.stringify(cwd)}: must be an absolute path`);
  return cwd;
}

function userFrom({ user, additionalGids }: Flags, own: User | undefined): User {
  const result: User = { uid: 0, gid: 0, ...own };
  if (user) {
    const colon = user.indexOf(":");
    result.uid = id("uid", colon < 0 ? user : user.slice(0, colon));
    if (colon >= 0) result.gid = id("gid", user.slice(colon + 1));
  }
  const bad = additionalGids.find((gid) => gid > LAST_ID);
  if (bad !== undefined) throw new Error(`bad gid: ${bad}: --additional-gids takes numbers up to ${LAST_ID}`);
  if (additionalGids.length > 0) result.additionalGids = [...(own?.additionalGids ?? []), ...additionalGids];
  return result;
}

function id(what: "uid" | "gid", text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > LAST_ID) {
    throw new Error(`bad ${what}: ${JSON.stringify(text)}: --user takes numbers up to ${LAST_ID}, uid[:gid]`);
  }
  return value;
}

/** Ambient capabilities need inheritable ones, which are not added: they are set only where the container has any. */
function addCapabilities(own: Capabilities = {}, added: readonly string[]): Capabilities {
  const plus = (set: readonly string[] = []): string[] => [...set, ...added];
  return {
    ...own,
    bounding: plus(own.bounding),
    effective: plus(own.effective),
    permitted: plus(own.permitted),
    ...(own.inheritable === undefined ? {} : { ambient: plus(own.ambient) }),
  };
}
