/** `linux.memoryPolicy`. */
import { parseCpuList } from "../cpu-list.ts";
import type { MemoryPolicy } from "../types.ts";
import { cpuListError } from "./cpu-list.ts";
import type { Subject } from "./subject.ts";

/** @see set_mempolicy(2) */
export function validateMemoryPolicy(subject: Subject, policy: MemoryPolicy): void {
  const { mode, nodes = "", flags = [] } = policy;
  const at = "/linux/memoryPolicy";
  const error = cpuListError(nodes);
  if (error !== null) subject.refuse(`${at}/nodes`, nodes, `invalid memory policy nodes: ${error}`);
  const count = parseCpuList(nodes)?.length ?? 0;
  const bare = mode === "MPOL_DEFAULT" || mode === "MPOL_LOCAL";
  if (bare && count > 0) {
    subject.refuse(`${at}/nodes`, nodes, `invalid memory policy nodes: ${mode} mode requires 0 nodes but got ${count}`);
  }
  if (!bare && mode !== "MPOL_PREFERRED" && count === 0) {
    subject.refuse(
      `${at}/nodes`,
      policy.nodes,
      `invalid memory policy nodes: ${mode} mode requires at least one node but got 0`,
    );
  }
  if (flags.includes("MPOL_F_STATIC_NODES") && flags.includes("MPOL_F_RELATIVE_NODES")) {
    subject.refuse(`${at}/flags`, flags, "invalid memory policy flag: static and relative nodes exclude each other");
  }
}
