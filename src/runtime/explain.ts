/** `--explain`: the plan in words. */
import { describeParentContainer, type ParentContainerStep } from "../plan/parent-container.ts";
import { describeStep, type InitStep, type Plan } from "../plan/plan.ts";
import { describeBy } from "../plan/step.ts";
import type { Context, CreateOptions } from "./options.ts";
import { prepare } from "./prepare.ts";

/** The step of the init that comes after one of the parent's, or that this waits for: all before it is listed before what the parent does next. */
function meeting(step: ParentContainerStep): InitStep["kind"] | null {
  if (step.kind === "fork-init") return "wait-for-parent";
  if (step.kind !== "answer") return null;
  return step.until === "hooks" ? "parent-hooks" : "report-ready";
}

/**
 * Says what `create` would do, a line a step, in order; makes nothing. The two work side by side: where one waits for the other, what that
 * does until then is listed before.
 * @returns lines that begin with whose step it is: `parent` or `init`
 */
export function explainCreate(context: Context, options: CreateOptions): string[] {
  const { plan } = prepare(context, options);
  const lines: string[] = [];
  const rest = [...plan.init];
  const initTo = (last: InitStep["kind"] | null) => {
    const steps = rest.splice(0, last === null ? rest.length : rest.findIndex(({ kind }) => kind === last) + 1);
    lines.push(...steps.map((step) => line("init", describeStep(step), step.pointer)));
  };
  for (const step of plan.parent) {
    lines.push(line("parent", describeBy([describeParentContainer], step), step.pointer));
    const last = meeting(step);
    if (last === null) continue;
    if (step.kind === "answer") lines.push(...onRequest(plan));
    initTo(last);
  }
  initTo(null);
  return lines;
}

/** What the parent may be asked for. */
function onRequest({ sources }: Plan): string[] {
  const asked = sources.filter(({ kind }) => kind !== "id-mapping");
  return asked.map((source) => line("parent", `if the init asks: ${describeStep(source)}`, source.pointer));
}

function line(hand: "parent" | "init", words: string, pointer: string | undefined): string {
  return `${hand.padEnd(6)}  ${words}${pointer === undefined ? "" : `  (${pointer})`}`;
}
