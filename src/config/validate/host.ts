/** What a configuration asks of this machine: the rules that have to look at it. */

import { hasErrno } from "../../sys/error.ts";
import { O, open } from "../../sys/fd.ts";
import { exists, readText } from "../../sys/file.ts";
import { isAbsolute, join } from "../../sys/path-names.ts";
import { findStat, isDirectory, isSameFile, stat } from "../../sys/stat.ts";
import { fstatfs } from "../../sys/statfs.ts";
import { ConfigError, segment } from "../error.ts";
import type { IdMapping, NamespaceType, Spec } from "../types.ts";
import { sysctlName } from "./sysctl.ts";

/**
 * Checks what a configuration asks of this machine; but not what hardly any lacks, and the attempt will show: see
 * {@link findMissingNamespaces}.
 * @param bundle directory that a relative `root.path` is taken from
 * @throws {ConfigError} the first of what is asked in vain
 */
export function validateOnHost(spec: Spec, bundle: string): void {
  const [first] = collect((refuse) => checkUses(spec, bundle, refuse));
  if (first !== undefined) throw first;
}

/** Finds everything that a configuration asks of this machine in vain. Looks only at what the configuration uses. */
export function findOnHost(spec: Spec, bundle: string): ConfigError[] {
  return [...findMissingNamespaces(spec), ...collect((refuse) => checkUses(spec, bundle, refuse))];
}

/** Finds the namespaces that a configuration asks for and the kernel does not have. */
export function findMissingNamespaces({ linux }: Spec): ConfigError[] {
  return collect((refuse) => {
    linux?.namespaces?.forEach(({ type }, index) => {
      if (exists(`/proc/self/ns/${FILES[type] ?? type}`)) return;
      refuse(`/linux/namespaces/${index}/type`, type, `${type} namespaces aren't enabled in the kernel`);
    });
  });
}

function collect(check: (refuse: Refuse) => void): ConfigError[] {
  const errors: ConfigError[] = [];
  check((pointer, value, rule) => {
    errors.push(new ConfigError(pointer, value, rule));
  });
  return errors;
}

function checkUses(spec: Spec, bundle: string, refuse: Refuse): void {
  checkRootfs(spec, bundle, refuse);
  checkNamespaces(spec, refuse);
  checkNetworkSysctls(spec, refuse);
  checkMappings(spec, refuse);
  if (Object.keys(spec.linux?.resources?.unified ?? {}).length > 0 && !isUnified()) {
    const rule = "invalid configuration: cannot use unified on cgroup v1";
    refuse("/linux/resources/unified", undefined, rule);
  }
  if (spec.linux?.intelRdt !== undefined && !exists("/sys/fs/resctrl/schemata")) {
    refuse(
      "/linux/intelRdt",
      undefined,
      "intelRdt is specified in config, but Intel RDT is not enabled: no resctrl in /sys/fs/resctrl",
    );
  }
  const label = spec.process?.selinuxLabel;
  if (label && !exists("/sys/fs/selinux/enforce")) {
    refuse(
      "/process/selinuxLabel",
      label,
      "selinux label is specified in config, but selinux is disabled or not supported",
    );
  }
}

type Refuse = (pointer: string, value: unknown, rule: string) => void;

function checkRootfs({ root }: Spec, bundle: string, refuse: Refuse): void {
  if (root === undefined) return;
  const path = isAbsolute(root.path) ? root.path : join(bundle, root.path);
  const stats = findStat(path);
  if (stats === null) refuse("/root/path", root.path, `invalid rootfs: ${path}: no such file or directory`);
  else if (!isDirectory(stats)) refuse("/root/path", root.path, `invalid rootfs: ${path}: not a directory`);
}

/** Names in /proc/<pid>/ns, where they differ from the spec's. */
const FILES: Partial<Record<NamespaceType, string>> = { mount: "mnt", network: "net" };

function checkNamespaces({ linux }: Spec, refuse: Refuse): void {
  linux?.namespaces?.forEach(({ path }, index) => {
    const problem = path ? whyNotThere(path) : null;
    if (problem !== null) refuse(`/linux/namespaces/${index}/path`, path, problem);
  });
}

/** Why a namespace's file cannot be used; `null` when it is there. */
function whyNotThere(path: string): string | null {
  try {
    stat(path);
    return null;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return "no such file or directory";
    if (hasErrno(error, "EACCES", "EPERM")) return "permission denied (the namespaces of another user's process?)";
    throw error;
  }
}

function checkNetworkSysctls({ linux }: Spec, refuse: Refuse): void {
  const path = linux?.namespaces?.find(({ type }) => type === "network")?.path;
  const names = Object.keys(linux?.sysctl ?? {});
  if (!path || !names.some((name) => sysctlName(name).startsWith("net."))) return;
  const joined = findStat(path);
  const own = stat("/proc/self/ns/net");
  if (joined === null || !isSameFile(joined, own)) return;
  for (const name of names) {
    if (!sysctlName(name).startsWith("net.")) continue;
    const rule = `sysctl "${name}" not allowed in host network namespace, which ${path} is`;
    refuse(`/linux/sysctl/${segment(name)}`, linux?.sysctl?.[name], rule);
  }
}

/** Some engines give the mappings of a user namespace to join besides its path: they must be right then. */
function checkMappings({ linux }: Spec, refuse: Refuse): void {
  const path = linux?.namespaces?.find(({ type }) => type === "user")?.path;
  if (path === undefined) return;
  const process = /^\/proc\/([0-9]+|self)\/ns\/user$/.exec(path)?.[1];
  if (process === undefined) return;
  for (const name of ["uid", "gid"] as const) {
    const given = linux?.[`${name}Mappings`];
    if (given === undefined || given.length === 0) continue;
    const map = `/proc/${process}/${name}_map`;
    if (!exists(map) || sameMappings(given, readText(map))) continue;
    const rule = `user namespaces enabled, but both namespace path and non-matching mapping specified: ${path} has others`;
    refuse(`/linux/${name}Mappings`, given, rule);
  }
}

function sameMappings(given: readonly IdMapping[], map: string): boolean {
  const rows = (lines: string[]) => lines.sort().join("\n");
  const wanted = given.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`);
  const found = map
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).join(" "));
  return rows(wanted) === rows(found);
}

/** Whether cgroup v2 is the only hierarchy. @see statfs(2), CGROUP2_SUPER_MAGIC */
function isUnified(): boolean {
  const CGROUP2_SUPER_MAGIC = 0x63677270;
  using directory = open("/sys/fs/cgroup", O.PATH);
  return fstatfs(directory.number).type === CGROUP2_SUPER_MAGIC;
}
