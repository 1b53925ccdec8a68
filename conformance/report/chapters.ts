/** The report for a person: a line a chapter while the run goes, then each failure with the sentence that it breaks. */
import type { Reporter, TestCase, TestModule } from "vitest/node";
import type { CheckMeta } from "../harness/check.ts";

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

export default class ChapterReporter implements Reporter {
  /** By runtime and chapter. */
  readonly #counts = new Map<string, Map<string, Count>>();
  readonly #modulesLeft = new Map<string, number>();
  readonly #failures: TestCase[] = [];
  readonly #skips: TestCase[] = [];
  #started = Date.now();

  onTestRunStart(specifications: readonly { moduleId: string; project: { name: string } }[]): void {
    this.#started = Date.now();
    for (const { moduleId, project } of specifications) {
      const key = `${project.name} ${chapterOf(moduleId)}`;
      this.#modulesLeft.set(key, (this.#modulesLeft.get(key) ?? 0) + 1);
    }
  }

  onTestModuleEnd(module: TestModule): void {
    const chapter = chapterOf(module.moduleId);
    const counts = this.#countsOf(module.project.name, chapter);
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "passed") counts.passed++;
      else if (state === "failed") {
        counts.failed++;
        this.#failures.push(test);
      } else {
        counts.skipped++;
        this.#skips.push(test);
      }
    }
    for (const error of module.errors()) {
      counts.failed++;
      console.log(`${module.moduleId} did not load: ${error.message}`);
    }
    const key = `${module.project.name} ${chapter}`;
    const left = (this.#modulesLeft.get(key) ?? 1) - 1;
    this.#modulesLeft.set(key, left);
    if (left === 0) console.log(`${module.project.name.padEnd(10)} ${chapter.padEnd(14)} ${words(counts)}`);
  }

  onTestRunEnd(): void {
    for (const test of this.#failures) console.log(`\n${failure(test)}`);
    const reasons = new Map<string, number>();
    for (const test of this.#skips) {
      const key = `${test.project.name}: ${reasonOf(test)}`;
      reasons.set(key, (reasons.get(key) ?? 0) + 1);
    }
    if (reasons.size > 0) console.log("");
    for (const [reason, count] of reasons) console.log(`skipped ${count}: ${reason}`);
    console.log("");
    for (const [runtime, chapters] of this.#counts) {
      const total = { passed: 0, failed: 0, skipped: 0 };
      for (const count of chapters.values()) {
        total.passed += count.passed;
        total.failed += count.failed;
        total.skipped += count.skipped;
      }
      console.log(`${runtime}: ${words(total)}`);
    }
    console.log(`in ${Math.round((Date.now() - this.#started) / 1000)} s`);
  }

  #countsOf(runtime: string, chapter: string): Count {
    const chapters = this.#counts.get(runtime) ?? new Map<string, Count>();
    this.#counts.set(runtime, chapters);
    const count = chapters.get(chapter) ?? { passed: 0, failed: 0, skipped: 0 };
    chapters.set(chapter, count);
    return count;
  }
}

/** A chapter is the folder of its checks. */
function chapterOf(moduleId: string): string {
  return /\/([^/]+)\/[^/]+\.check\.ts$/.exec(moduleId)?.[1] ?? "checks";
}

function words({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function reasonOf(test: TestCase): string {
  const result = test.result();
  return result.state === "skipped" ? (result.note ?? "no reason given") : "";
}

/** What was required, by which sentence, and what came. */
function failure(test: TestCase): string {
  const meta = test.meta().check as CheckMeta | undefined;
  const { errors = [] } = test.result();
  const required = meta === undefined ? [] : [`  ${meta.level}, ${meta.section}: ${meta.sentence}`];
  return [
    `${test.project.name}: FAILED: ${test.name}`,
    ...required,
    ...errors.map(({ message }) => `  ${message.replaceAll("\n", "\n  ")}`),
  ].join("\n");
}
