/** `--explain`: the plan in words. */
import { describeStep, type Plan } from "../plan/plan.ts";
import type { Context, CreateOptions } from "./options.ts";
import { prepare } from "./prepare.ts";

/**
 * Says what `create` would do, a line a step, in order; makes nothing. What the parent does beside the forked init is listed
 * before that goes on without waiting any more.
 * @returns lines that begin with whose step it is: `parent` or `init`
 */
export function explainCreate(context: Context, options: CreateOptions): string[] {
  const { plan, container } = prepare(context, options);
  const init = plan.init.map((step) => line("init", describeStep(step), step.pointer));
  const admitted = plan.init.findIndex(({ kind }) => kind === "wait-for-parent") + 1;
  return [
    ...cgroupLines(container.cgroup),
    ...plan.sources.map((step) => line("parent", describeStep(step), step.pointer)),
    ...forkLines(plan),
    ...init.slice(0, admitted),
    ...[...plan.host, ...plan.netDevices].map((step) => line("parent", describeStep(step), step.pointer)),
    ...init.slice(admitted),
  ];
}

function cgroupLines(cgroup: ReturnType<typeof prepare>["container"]["cgroup"]): string[] {
  return cgroup.hierarchies.map(({ directory }) => line("parent", `make cgroup ${directory}`, "/linux/cgroupsPath"));
}

function forkLines({ namespaces }: Plan): string[] {
  const joins = namespaces.join.map(({ type, path, pointer }) =>
    line("parent", `join the ${type} namespace ${path}`, pointer),
  );
  const made = namespaces.clone.length === 0 ? "" : ` into new namespaces: ${namespaces.clone.join(", ")}`;
  const maps = namespaces.idMaps === null ? [] : [line("parent", "write the id maps", "/linux/uidMappings")];
  return [...joins, line("parent", `fork the init${made}`, "/linux/namespaces"), ...maps];
}

function line(hand: "parent" | "init", words: string, pointer: string | undefined): string {
  return `${hand.padEnd(6)}  ${words}${pointer === undefined ? "" : `  (${pointer})`}`;
}
