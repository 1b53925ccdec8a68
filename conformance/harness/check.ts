/** What a check is: one requirement, one fresh container or more, one verdict. */
import { appendFileSync } from "node:fs";
import { test } from "vitest";
import { type Level, type RequirementId, requirement } from "../spec/requirements.ts";
import { deviation, selects, VARIABLES } from "./selection.ts";
import { Subject } from "./subject.ts";

/** Where a check comes from: a sentence of the spec, or a habit of runtimes that engines rely on. */
export type Basis = RequirementId | { convention: string };

/** What the reporters read of a check. */
export interface CheckMeta {
  level: Level | "convention";
  /** The file and the section of the spec, such as `runtime.md#runtimeState`; `convention` for none. */
  section: string;
  /** The sentence that the check tests, or the convention in our words. */
  sentence: string;
  requirements: RequirementId[];
}

declare module "vitest" {
  interface TaskMeta {
    check?: CheckMeta;
  }
}

/** How long one check may take, in milliseconds: one that hangs fails alone. */
const TIMEOUT = 20_000;

/**
 * Declares a check.
 * @param basis the requirement that it tests, or several that one container shows at once; the first one is quoted
 * @param title what is true of a runtime that passes
 * @param body  makes containers through its subject, whose traces are cleared away afterwards; throws when the runtime
 *              fails, or calls `subject.skip` where this machine cannot tell
 */
export function check(
  basis: Basis | readonly RequirementId[],
  title: string,
  body: (subject: Subject) => void | Promise<void>,
): void {
  const meta = metaOf(basis);
  if (!selects(meta.level, title)) return;
  const list = process.env[VARIABLES.list];
  if (list !== undefined) {
    appendFileSync(list, `${JSON.stringify({ title, ...meta })}\n`);
    return test.skip(title);
  }
  test(title, { timeout: TIMEOUT }, async (context) => {
    context.task.meta.check = meta;
    const reason = deviation(title);
    if (reason !== undefined) return context.skip(`deviates on purpose: ${reason}`);
    const subject = new Subject((reason) => context.skip(reason));
    try {
      await body(subject);
    } catch (error) {
      await subject.clear().catch(() => {}); // What the check found says more than what was left by it.
      throw error;
    }
    await subject.clear();
  });
}

function metaOf(basis: Basis | readonly RequirementId[]): CheckMeta {
  if (typeof basis === "object" && "convention" in basis) {
    return { level: "convention", section: "convention", sentence: basis.convention, requirements: [] };
  }
  const requirements = typeof basis === "string" ? [basis] : [...basis];
  const { level, section, sentence } = requirement(requirements[0] as RequirementId);
  return { level, section, sentence, requirements };
}
